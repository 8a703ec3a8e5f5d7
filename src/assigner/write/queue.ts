// Writes the assigner's decisions to the API server. Decisions that touch the same object are written one after the
// other, the others side by side; the actions of one decision in order, and none after one that failed.
// Invariants: nothing is written without the lease; a decision that was not written whole is decided again, sooner or
// later, whatever kept it; all that is remembered of an object goes with it.
import type { Kind } from '../../api/cluster.ts';
import { explainWriting, isApiError } from '../../kube/errors.ts';
import { isAborted } from '../../kube/ports.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Action, Decision } from '../decide/decision.ts';
import { WriteLimit } from './limit.ts';
import {
  keyOfAction,
  ObjectWriter,
  type ObjectAction,
  type ObjectPorts,
  type Progress,
} from './objects.ts';
import { Answers, type AnswerPorts } from './answers.ts';
import { isAboutObject, type WriteProblems } from './problems.ts';
import { Retries } from './retries.ts';

export interface WriteQueuePorts extends Omit<ObjectPorts, 'answers'>, AnswerPorts {
  /** The lease is ours, and will be for as long as a write may take. */
  readonly mayWrite: () => boolean;
  /** All of it is written. */
  readonly onDone: (decision: Decision) => void;
  /** Decide again what this decision was about. */
  readonly onFailed: (decision: Decision) => void;
  /** The API server refuses the action for what is in it, as `text` says: whom it is about should be told. */
  readonly onRefused?: (decision: Decision, action: Action, text: string) => void;
  readonly onPoolStatus: (action: Action & { readonly do: 'pool.status' }) => void;
  readonly problems: WriteProblems;
  readonly clock: Clock;
  readonly random: Random;
}

/** Writes under way at once: more only make the API server's answers slower (docs/limits.md). */
export const CONCURRENCY_MAX = 32;
/** With more decisions than this waiting nothing new is decided: an object that changes again is decided once. */
const QUEUE_MAX = 1000;
/** A lease that is not renewed in time is lost soon after; until that is known, decisions wait. */
const NO_LEASE_MS = 1000;

interface Task {
  readonly decision: Decision;
  readonly actions: readonly ObjectAction[];
  /** Versions of the objects as the decision saw them, by key. */
  readonly versions: ReadonlyMap<string, string | undefined>;
  /** Of the Service whose status is written. */
  readonly serviceUid: string | undefined;
  readonly name: string;
}

export class WriteQueue {
  readonly #ports: WriteQueuePorts;
  readonly #answers: Answers;
  readonly #limit: WriteLimit;
  readonly #retries: Retries;
  readonly #objects: ObjectWriter;
  /** The last task that touches a key: the next one on that key waits for it. */
  readonly #tails = new Map<string, Promise<void>>();
  #queued = 0;
  #onRoom: (() => void)[] = [];
  #writes = 0;

  constructor(ports: WriteQueuePorts) {
    this.#ports = ports;
    this.#limit = new WriteLimit(CONCURRENCY_MAX, ports);
    this.#retries = new Retries({ ...ports, onDue: ports.onFailed });
    this.#answers = new Answers(ports);
    this.#objects = new ObjectWriter({ ...ports, answers: this.#answers });
  }

  /** Writes sent so far. */
  get writes(): number {
    return this.#writes;
  }

  /** What is remembered beside the queue: it must not grow with the objects that ever were. */
  get remembered(): number {
    return this.#answers.remembered + this.#retries.size + this.#tails.size;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }

  /** More is decided than can be written at once: there is time to decide more of it together. */
  get isBusy(): boolean {
    return this.#queued > 2 * CONCURRENCY_MAX;
  }

  /** Nothing waits to be written, and nothing is under way. */
  get isIdle(): boolean {
    return this.#queued === 0;
  }

  /** Resolves when the queue is short enough to decide more. */
  async room(): Promise<void> {
    while (this.#queued > QUEUE_MAX) {
      await new Promise<void>((resolve) => this.#onRoom.push(resolve));
    }
  }

  /** A watch shows a version that our own write has replaced. */
  isPast(kind: Kind, key: string, version: string | undefined): boolean {
    return this.#answers.isPast(`${kind}/${key}`, version);
  }

  /** A watch shows this version. */
  shown(kind: Kind, key: string, version: string | undefined): void {
    const at = `${kind}/${key}`;
    this.#answers.shown(at, version);
    if (!this.#tails.has(at)) this.#answers.release(at);
  }

  /** A kind was listed anew: what came and went since the last list is shown by nobody. */
  relisted(): void {
    this.#answers.relisted();
  }

  submit(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      const actions: ObjectAction[] = [];
      for (const action of decision.actions) {
        if (action.do === 'pool.status') this.#ports.onPoolStatus(action);
        else actions.push(action);
      }
      if (actions.length > 0) this.#enqueue(this.#taskOf(decision, actions));
      else this.#ports.onDone(decision);
    }
  }

  #taskOf(decision: Decision, actions: readonly ObjectAction[]): Task {
    const versions = new Map<string, string | undefined>();
    let serviceUid: string | undefined;
    let name: string | undefined;
    for (const action of actions) {
      const key = keyOfAction(action);
      if (action.do === 'service.status') {
        const metadata = this.#ports.store.services.get(action.service)?.metadata;
        versions.set(key, metadata?.resourceVersion);
        serviceUid = metadata?.uid;
        name = key;
      } else {
        versions.set(key, action.ip.metadata.resourceVersion);
        name ??= key;
      }
    }
    // else the telling, which goes through, would end the retries of what does not
    const about = decision.tellsRefusal === true ? `${name ?? ''} refused` : (name ?? '');
    return { decision, actions, versions, serviceUid, name: about };
  }

  #enqueue(task: Task): void {
    this.#queued += 1;
    const keys = [...task.versions.keys()];
    const before = keys.flatMap((key) => this.#tails.get(key) ?? []);
    const done = before.length === 0 ? this.#run(task) : this.#runAfter(before, task);
    const tail: Promise<void> = done.then(() => this.#ended(keys, tail));
    for (const key of keys) this.#tails.set(key, tail);
  }

  async #runAfter(before: readonly Promise<void>[], task: Task): Promise<void> {
    await Promise.all(before);
    await this.#run(task);
  }

  #ended(keys: readonly string[], tail: Promise<void>): void {
    for (const key of keys) {
      if (this.#tails.get(key) !== tail) continue;
      this.#tails.delete(key);
      this.#answers.release(key);
    }
    this.#queued -= 1;
    const waiting = this.#onRoom;
    this.#onRoom = [];
    for (const resolve of waiting) resolve();
  }

  async #run(task: Task): Promise<void> {
    await this.#limit.enter();
    try {
      await this.#writeAll(task);
    } finally {
      this.#limit.leave();
    }
  }

  async #writeAll(task: Task): Promise<void> {
    const { signal, problems, onDone, onFailed } = this.#ports;
    if (this.#isMoot(task)) {
      onFailed(task.decision);
      return;
    }
    const progress: Progress = { services: new Set(), ips: new Set() };
    for (const action of task.actions) {
      if (isAborted(signal)) return;
      if (!this.#ports.mayWrite()) {
        this.#retries.afterFailure(task.name, task.decision, NO_LEASE_MS);
        return;
      }
      try {
        this.#writes += 1;
        const seen = task.versions.get(keyOfAction(action));
        const written = await this.#objects.write(action, seen, progress);
        this.#limit.succeeded();
        problems.succeeded(action.do, task.name);
        if (written === 'done') continue;
        this.#retries.afterConflict(task.name, task.decision);
      } catch (error) {
        this.#failed(task, action, error);
      }
      return;
    }
    this.#retries.succeeded(task.name);
    onDone(task.decision);
  }

  /** The Service that it was decided for has gone, or is another one, while the decision was waiting. */
  #isMoot(task: Task): boolean {
    const { store } = this.#ports;
    return task.actions.some(
      (action) =>
        action.do === 'service.status' &&
        store.services.get(action.service)?.metadata.uid !== task.serviceUid,
    );
  }

  /** The API server is away or full, or refuses: the decision is made anew after a pause. */
  #failed(task: Task, action: ObjectAction, error: unknown): void {
    const { signal, problems } = this.#ports;
    if (signal.aborted) return;
    if (!isApiError(error)) throw error;
    this.#limit.failed(error);
    const delayMs = this.#retries.afterFailure(task.name, task.decision, error.retryAfterMs ?? 0);
    problems.failed(action.do, task.name, error, { delayMs: Math.round(delayMs) });
    if (isAboutObject(error)) {
      this.#ports.onRefused?.(task.decision, action, explainWriting(error));
    }
  }
}
