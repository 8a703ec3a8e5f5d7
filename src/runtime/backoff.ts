// Delays between failed tries: doubled each time, spread by jitter so that many clients do not come back together.
import type { Random } from './clock.ts';

export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
  /** As long without a failure, and the next one starts anew. Default: only reset() ends a row of failures. */
  readonly quietMs?: number;
}

/** Kernel and disk: a second try soon, and one that heals within half a minute is not missed for long. */
export const LOCAL_BACKOFF: BackoffLimits = { firstMs: 250, maxMs: 30_000 };

/**
 * client-go tools/cache/reflector.go: 800 ms to 30 s and up to as much again by jitter, so these are the largest delays;
 * from the start again after 2 minutes.
 */
export const WATCH_BACKOFF: BackoffLimits = { firstMs: 1600, maxMs: 60_000, quietMs: 120_000 };

export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: Random;
  #failures = 0;
  #lastEndMs = Number.NEGATIVE_INFINITY;

  constructor(limits: BackoffLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** The delay after one more failure: between half and all of the doubled step, and as long as a server asks for. */
  nextMs(nowMs = 0, leastMs = 0): number {
    const { firstMs, maxMs, quietMs = Number.POSITIVE_INFINITY } = this.#limits;
    if (nowMs - this.#lastEndMs > quietMs) this.reset();
    const stepMs = Math.min(firstMs * 2 ** this.#failures, maxMs);
    this.#failures++;
    const delayMs = Math.max(stepMs / 2 + (stepMs / 2) * this.#random(), leastMs);
    this.#lastEndMs = nowMs + delayMs;
    return delayMs;
  }

  reset(): void {
    this.#failures = 0;
  }
}
