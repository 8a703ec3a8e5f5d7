// How many writes are under way at once, and when none is. The limit falls when the API server says that it is too much
// (429), to one when it is away, and grows by one with each success, so that a server that comes back is not flooded.
// Invariant: first come, first served; after the signal everybody is let through, to see it and end.
import { isTransient, isApiError, type ApiError } from '../../kube/errors.ts';
import { Backoff, type BackoffLimits } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';

export interface WriteLimitPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

const PAUSE: BackoffLimits = { firstMs: 200, maxMs: 5000 };

export class WriteLimit {
  readonly #ports: WriteLimitPorts;
  readonly #max: number;
  readonly #pause: Backoff;
  #limit: number;
  #running = 0;
  #waiting: (() => void)[] = [];
  /** Index of who is next: an array of 10,000 is not shifted 10,000 times. */
  #next = 0;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #stopTimer: (() => void) | undefined;

  constructor(max: number, ports: WriteLimitPorts) {
    this.#ports = ports;
    this.#max = max;
    this.#limit = max;
    this.#pause = new Backoff(PAUSE, ports.random);
    ports.signal.addEventListener('abort', () => this.#pump(), { once: true });
  }

  get limit(): number {
    return this.#limit;
  }

  enter(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#pump();
    });
  }

  leave(): void {
    this.#running -= 1;
    this.#pump();
  }

  /** The API server took a write. */
  succeeded(): void {
    this.#limit = Math.min(this.#max, this.#limit + 1);
    this.#pause.reset();
  }

  /** What concerns all writes slows down all of them; a refusal of one object does not. */
  failed(error: ApiError): void {
    if (!isTransient(error) && !isApiError(error, 'unauthorized')) return;
    const nowMs = this.#ports.clock.nowMs();
    // the others of the same wave say nothing new
    if (nowMs < this.#pausedUntilMs) return;
    this.#limit = error.code === 'too-many-requests' ? Math.max(1, this.#limit >> 1) : 1;
    this.#pausedUntilMs = nowMs + Math.max(this.#pause.nextMs(), error.retryAfterMs ?? 0);
  }

  #pump(): void {
    const { clock, signal } = this.#ports;
    while (this.#next < this.#waiting.length && (signal.aborted || this.#running < this.#limit)) {
      const waitMs = this.#pausedUntilMs - clock.nowMs();
      if (waitMs > 0 && !signal.aborted) {
        this.#stopTimer ??= clock.timer(waitMs, () => {
          this.#stopTimer = undefined;
          this.#pump();
        });
        return;
      }
      const enter = this.#waiting[this.#next];
      this.#next += 1;
      this.#running += 1;
      enter?.();
    }
    if (this.#next === this.#waiting.length) {
      this.#waiting = [];
      this.#next = 0;
    }
    if (!signal.aborted) return;
    this.#stopTimer?.();
    this.#stopTimer = undefined;
  }
}
