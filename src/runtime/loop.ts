// Runs rounds of work over dirty keys: marks that come close together become one round, one round runs at a time,
// and a failed round keeps its keys and comes back after a backoff.
// Invariant: a key that is marked is in a later round, whatever happens in between.
import { Backoff, LOCAL_BACKOFF, type BackoffLimits } from './backoff.ts';
import type { Clock, Random } from './clock.ts';

/** Least time between the starts of two rounds that were marked; the first mark after a pause runs at once. */
export const COALESCE_MS = 50;

export interface LoopPorts<K> {
  readonly clock: Clock;
  readonly random: Random;
  /** One round. Its keys are the ones marked since the last round that succeeded. */
  readonly round: (keys: ReadonlySet<K>) => Promise<RoundResult>;
  /** After a round that threw; the next one starts in `delayMs`. */
  readonly onFailure: (error: unknown, delayMs: number) => void;
  readonly backoff?: BackoffLimits;
  /** Default COALESCE_MS. */
  readonly coalesceMs?: number;
}

export interface RoundResult {
  /** Another round is due then (monotonic clock) even if nothing is marked. */
  readonly wakeAtMs?: number | undefined;
}

export class Loop<K> {
  readonly #ports: LoopPorts<K>;
  readonly #backoff: Backoff;
  readonly #coalesceMs: number;
  #dirty = new Set<K>();
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #lastStartMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(ports: LoopPorts<K>) {
    this.#ports = ports;
    this.#coalesceMs = ports.coalesceMs ?? COALESCE_MS;
    this.#backoff = new Backoff(ports.backoff ?? LOCAL_BACKOFF, ports.random);
  }

  /** Rounds that failed one after the other, up to now. */
  get failures(): number {
    return this.#backoff.failures;
  }

  mark(key: K): void {
    this.#dirty.add(key);
    this.#schedule(this.#lastStartMs + this.#coalesceMs);
  }

  /** Starts no further round and waits for the running one. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelTimer?.();
    await this.#running;
  }

  #schedule(atMs: number): void {
    if (this.#isStopped || this.#running !== undefined) return;
    const dueMs = Math.max(atMs, this.#notBeforeMs);
    if (this.#cancelTimer !== undefined) {
      if (this.#timerAtMs <= dueMs) return;
      this.#cancelTimer();
    }
    const delayMs = Math.max(0, dueMs - this.#ports.clock.nowMs());
    this.#timerAtMs = dueMs;
    this.#cancelTimer = this.#ports.clock.timer(delayMs, () => this.#start());
  }

  #start(): void {
    this.#cancelTimer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#lastStartMs = this.#ports.clock.nowMs();
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#dirty.size > 0) this.#schedule(this.#lastStartMs + this.#coalesceMs);
      else if (this.#wakeAtMs !== undefined) this.#schedule(this.#wakeAtMs);
    });
  }

  #wakeAtMs: number | undefined;

  async #run(): Promise<void> {
    const keys = this.#dirty;
    this.#dirty = new Set();
    this.#wakeAtMs = undefined;
    try {
      const result = await this.#ports.round(keys);
      this.#wakeAtMs = result.wakeAtMs;
      // a round that only time asked for holds up no mark
      if (keys.size === 0) this.#lastStartMs = Number.NEGATIVE_INFINITY;
      this.#backoff.reset();
      this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    } catch (error) {
      for (const key of keys) this.#dirty.add(key);
      const delayMs = this.#backoff.nextMs();
      this.#notBeforeMs = this.#ports.clock.nowMs() + delayMs;
      this.#wakeAtMs = this.#notBeforeMs;
      this.#ports.onFailure(error, delayMs);
    }
  }
}
