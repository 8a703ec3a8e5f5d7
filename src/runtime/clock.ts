// The clock and the dice as a port: everything that waits or takes the time gets one, so that tests never wait.
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds of a monotonic clock: for durations only, never written anywhere. */
  nowMs(): number;
  /** Milliseconds since 1970 of the wall clock: for timestamps that outlive the process. */
  wallMs(): number;
  /** Resolves after the delay, or at once when the signal is aborted; never rejects. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
  /** Calls back once after the delay, unless the returned function was called first. */
  timer(delayMs: number, callback: () => void): () => void;
}

/** 0 <= random() < 1 */
export type Random = () => number;

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  async sleep(delayMs, signal) {
    try {
      await delay(delayMs, undefined, { signal });
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  },
  timer(delayMs, callback) {
    // setTimeout waits a millisecond at least, which a change on its way to the kernel need not
    if (delayMs <= 0) {
      const immediate = setImmediate(callback);
      return () => clearImmediate(immediate);
    }
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = () => Math.random();
