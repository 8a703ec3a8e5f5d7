// Runs rounds of work: marks that come close together become one round, one round runs at a time, and a failed round comes
// back after a backoff. What there is to do, the round knows.
// Invariant: after a mark there is a later round that succeeds, whatever happens in between.
import { Backoff, LOCAL_BACKOFF, type BackoffLimits } from './backoff.ts';
import type { Clock, Random } from './clock.ts';

/** Least time between the starts of two rounds that were marked; the first mark after a pause runs at once. */
export const COALESCE_MS = 50;

export interface LoopPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly round: () => Promise<RoundResult>;
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

export class Loop {
  readonly #ports: LoopPorts;
  readonly #backoff: Backoff;
  readonly #coalesceMs: number;
  #isMarked = false;
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #lastStartMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(ports: LoopPorts) {
    this.#ports = ports;
    this.#coalesceMs = ports.coalesceMs ?? COALESCE_MS;
    this.#backoff = new Backoff(ports.backoff ?? LOCAL_BACKOFF, ports.random);
  }

  /** Rounds that failed one after the other, up to now. */
  get failures(): number {
    return this.#backoff.failures;
  }

  /** There is something to do. */
  mark(): void {
    this.#isMarked = true;
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
      if (this.#isMarked) this.#schedule(this.#lastStartMs + this.#coalesceMs);
      else if (this.#wakeAtMs !== undefined) this.#schedule(this.#wakeAtMs);
    });
  }

  #wakeAtMs: number | undefined;

  async #run(): Promise<void> {
    const wasMarked = this.#isMarked;
    this.#isMarked = false;
    this.#wakeAtMs = undefined;
    try {
      const result = await this.#ports.round();
      this.#wakeAtMs = result.wakeAtMs;
      // a round that only time asked for holds up no mark
      if (!wasMarked) this.#lastStartMs = Number.NEGATIVE_INFINITY;
      this.#backoff.reset();
      this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    } catch (error) {
      this.#isMarked ||= wasMarked;
      const delayMs = this.#backoff.nextMs();
      this.#notBeforeMs = this.#ports.clock.nowMs() + delayMs;
      this.#wakeAtMs = this.#notBeforeMs;
      this.#ports.onFailure(error, delayMs);
    }
  }
}
