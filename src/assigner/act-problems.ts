// What writes are failing at the moment: for readiness, and for the log, which hears of the same failure ever more rarely.
import { explainWriting, isTransient, type ApiError } from '../kube/errors.ts';
import type { Clock } from '../runtime/clock.ts';
import { RepeatedFailures, type Log, type LogFields } from '../runtime/log.ts';
import type { Action } from './decision.ts';

export type WriteKind = Action['do'] | 'pool.finalizers';

interface WriteProblem {
  readonly text: string;
  /** The next write of any kind may show that it is over. */
  readonly concernsAll: boolean;
  readonly lastMs: number;
}

/** Retries come at least every 30 s: a failure that was not seen for longer has gone with its object. */
const FORGET_MS = 90_000;

export class WriteProblems {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #problems = new Map<WriteKind, WriteProblem>();
  readonly #repeated = new RepeatedFailures();

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** One line each. */
  current(): readonly string[] {
    const nowMs = this.#clock.nowMs();
    for (const [kind, { lastMs }] of this.#problems) {
      if (nowMs - lastMs > FORGET_MS) this.#end(kind);
    }
    return [...new Set([...this.#problems.values()].map(({ text }) => text))];
  }

  failed(kind: WriteKind, error: ApiError, fields: LogFields): void {
    const text = explainWriting(error);
    this.#problems.set(kind, {
      text,
      concernsAll: isTransient(error) || error.code === 'unauthorized',
      lastMs: this.#clock.nowMs(),
    });
    const repeat = this.#repeated.fail(kind);
    if (repeat === undefined) return;
    const all = { write: kind, reason: text, code: error.code, ...fields, ...repeat };
    // an error is what does not heal by itself
    if (error.code === 'forbidden') this.#log.error(all, 'write refused');
    else this.#log.warn({ ...all, err: error }, 'write failed');
  }

  succeeded(kind: WriteKind): void {
    if (this.#problems.size === 0) return;
    this.#end(kind);
    for (const [other, { concernsAll }] of this.#problems) if (concernsAll) this.#end(other);
  }

  #end(kind: WriteKind): void {
    this.#problems.delete(kind);
    if (this.#repeated.succeed(kind)) this.#log.info({ write: kind }, 'writes go through again');
  }
}
