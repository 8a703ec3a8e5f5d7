// What writes are failing at the moment: for readiness, and for the log, which hears of the same failure ever more rarely.
// Invariant: what the API server refuses for one object's sake makes nothing unready; that object is told (queue.ts).
import { explainWriting, isRbacError, isTransient, type ApiError } from '../../kube/errors.ts';
import type { Clock } from '../../runtime/clock.ts';
import { RepeatedFailures, type Log, type LogFields } from '../../runtime/log.ts';
import type { Action } from '../decide/decision.ts';

export type WriteKind = Action['do'] | 'pool.finalizers';

/** The API server, or a webhook of it, refuses what stands in this object: what is written for others may be right. */
export function isAboutObject(error: ApiError): boolean {
  if (error.code === 'forbidden') return !isRbacError(error);
  return error.code === 'invalid' || error.code === 'bad-request';
}

interface WriteProblem {
  readonly text: string;
  /** The next write of any kind may show that it is over. */
  readonly concernsAll: boolean;
  /** Others of its kind go through. */
  readonly isOfObject: boolean;
  readonly lastMs: number;
}

/** Retries come at least every 30 s: a failure that was not seen for longer has gone with its object. */
const FORGET_MS = 90_000;

export class WriteProblems {
  readonly #clock: Clock;
  readonly #log: Log;
  /** By the kind of write, or by the object where only that one is refused. */
  readonly #problems = new Map<string, WriteProblem>();
  readonly #repeated = new RepeatedFailures();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** One line each. */
  current(): readonly string[] {
    return this.#texts(() => true);
  }

  /** Those of them that make the assigner unready: what is written for any object may fail the same way. */
  ofAll(): readonly string[] {
    return this.#texts(({ isOfObject }) => !isOfObject);
  }

  #texts(isWanted: (problem: WriteProblem) => boolean): readonly string[] {
    const nowMs = this.#clock.nowMs();
    for (const [key, { lastMs }] of this.#problems) {
      if (nowMs - lastMs > FORGET_MS) this.#end(key);
    }
    return [...new Set([...this.#problems.values()].filter(isWanted).map(({ text }) => text))];
  }

  failed(kind: WriteKind, object: string, error: ApiError, fields: LogFields = {}): void {
    const text = explainWriting(error);
    const concernsAll = isTransient(error) || error.code === 'unauthorized';
    const isOfObject = isAboutObject(error);
    const key = concernsAll || isRbacError(error) ? kind : `${kind} ${object}`;
    this.#problems.set(key, { text, concernsAll, isOfObject, lastMs: this.#clock.nowMs() });
    const repeat = this.#repeated.fail(key);
    if (repeat === undefined) return;
    const all = { write: kind, object, reason: text, code: error.code, ...fields, ...repeat };
    // an error is what does not heal by itself
    if (error.code === 'forbidden') this.#log.error(all, 'write refused');
    else this.#log.warn({ ...all, err: error }, 'write failed');
  }

  succeeded(kind: WriteKind, object: string): void {
    if (this.#problems.size === 0) return;
    this.#end(kind);
    this.#end(`${kind} ${object}`);
    for (const [other, { concernsAll }] of this.#problems) if (concernsAll) this.#end(other);
  }

  #end(key: string): void {
    this.#problems.delete(key);
    if (this.#repeated.succeed(key)) this.#log.info({ write: key }, 'writes go through again');
  }
}
