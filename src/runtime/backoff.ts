// Delays between failed tries: doubled each time, spread by jitter so that many clients do not come back together.
import type { Random } from './clock.ts';

export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Kernel and disk: a second try soon, and one that heals within half a minute is not missed for long. */
export const LOCAL_BACKOFF: BackoffLimits = { firstMs: 250, maxMs: 30_000 };

export class Backoff {
  readonly #limits: BackoffLimits;
  readonly #random: Random;
  #failures = 0;

  constructor(limits: BackoffLimits, random: Random) {
    this.#limits = limits;
    this.#random = random;
  }

  /** Failures since the last success. */
  get failures(): number {
    return this.#failures;
  }

  /** The delay after one more failure: between half and all of the doubled step. */
  nextMs(): number {
    const stepMs = Math.min(this.#limits.firstMs * 2 ** this.#failures, this.#limits.maxMs);
    this.#failures++;
    return stepMs / 2 + (stepMs / 2) * this.#random();
  }

  reset(): void {
    this.#failures = 0;
  }
}
