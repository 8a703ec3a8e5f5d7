// A clock that stands still until a test moves it: nothing in these tests waits for real time.
import type { Clock } from '../../../src/runtime/clock.ts';

interface Pending {
  readonly atMs: number;
  readonly callback: () => void;
}

export class FakeClock implements Clock {
  #nowMs = 0;
  #pending: Pending[] = [];

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#nowMs;
  }

  sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.timer(delayMs, resolve);
      signal.addEventListener('abort', () => {
        cancel();
        resolve();
      });
    });
  }

  timer(delayMs: number, callback: () => void): () => void {
    const entry = { atMs: this.#nowMs + delayMs, callback };
    this.#pending.push(entry);
    return () => {
      this.#pending = this.#pending.filter((each) => each !== entry);
    };
  }

  /** When the next timer is due. */
  get nextMs(): number | undefined {
    return this.#pending.length === 0
      ? undefined
      : Math.min(...this.#pending.map((each) => each.atMs));
  }

  /** Moves on, fires what is due in order, and lets promises settle after each. */
  async advance(deltaMs: number): Promise<void> {
    const endMs = this.#nowMs + deltaMs;
    for (;;) {
      await settle();
      const due = this.#pending
        .filter((each) => each.atMs <= endMs)
        .sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#pending = this.#pending.filter((each) => each !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.callback();
    }
    this.#nowMs = endMs;
    await settle();
  }
}

/** Until every promise that can settle has. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
