// Delays between failed tries: exponential with full jitter on top, back to the start after a healthy while.
import type { Random } from './ports.ts';

export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
  /** As long without a failure, and the next one starts from firstMs again. */
  readonly resetMs: number;
}

/** client-go tools/cache/reflector.go: 800 ms, doubled to 30 s, jitter 100 %, reset after 2 minutes. */
export const WATCH_BACKOFF: BackoffLimits = { firstMs: 800, maxMs: 30_000, resetMs: 120_000 };

export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: Random;
  #stepMs: number;
  #lastMs = Number.NEGATIVE_INFINITY;

  constructor(limits: BackoffLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
    this.#stepMs = limits.firstMs;
  }

  /** The delay after a failure at `nowMs`: at least what the server asked for. */
  nextMs(nowMs: number, retryAfterMs = 0): number {
    if (nowMs - this.#lastMs > this.#limits.resetMs) this.#stepMs = this.#limits.firstMs;
    const delayMs = Math.max(this.#stepMs * (1 + this.#random()), retryAfterMs);
    this.#stepMs = Math.min(this.#stepMs * 2, this.#limits.maxMs);
    this.#lastMs = nowMs + delayMs;
    return delayMs;
  }

  reset(): void {
    this.#stepMs = this.#limits.firstMs;
  }
}
