// Decisions whose write failed, and when each is decided again: later and later while it goes on failing. One timer for
// all of them; what has not failed for a while is forgotten, so that vanished objects leave nothing behind.
import type { BackoffLimits } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Decision } from '../decide/decision.ts';

export interface RetryPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly onDue: (decision: Decision) => void;
}

interface Failing {
  failures: number;
  lastMs: number;
  /** Undefined: it has been decided again, and what came of it is not known yet. */
  waiting: { readonly decision: Decision; readonly dueMs: number } | undefined;
}

const RETRY: BackoffLimits = { firstMs: 200, maxMs: 30_000 };
/** Longer than the longest delay: what is still failing has failed again by then. */
const FORGET_MS = 3 * RETRY.maxMs;

export class Retries {
  readonly #ports: RetryPorts;
  /** By what the decision is about; the least recently failed first. */
  readonly #failing = new Map<string, Failing>();
  #stopTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(ports: RetryPorts) {
    this.#ports = ports;
    ports.signal.addEventListener('abort', () => this.#stopTimer?.(), { once: true });
  }

  get size(): number {
    return this.#failing.size;
  }

  succeeded(name: string): void {
    this.#failing.delete(name);
  }

  /** Somebody else wrote first: decided again at once, unless that was so the last time too. Answers the delay. */
  afterConflict(name: string, decision: Decision): number {
    if (this.#failing.has(name)) return this.afterFailure(name, decision, 0);
    this.#count(name);
    this.#ports.onDue(decision);
    return 0;
  }

  /** Answers the delay. */
  afterFailure(name: string, decision: Decision, leastMs: number): number {
    const { clock, random, signal } = this.#ports;
    const failing = this.#count(name);
    const stepMs = Math.min(RETRY.firstMs * 2 ** (failing.failures - 1), RETRY.maxMs);
    const delayMs = Math.max(leastMs, stepMs / 2 + (stepMs / 2) * random());
    const dueMs = clock.nowMs() + delayMs;
    failing.waiting = { decision, dueMs };
    if (!signal.aborted) this.#schedule(dueMs);
    return delayMs;
  }

  #count(name: string): Failing {
    const nowMs = this.#ports.clock.nowMs();
    for (const [other, { lastMs, waiting }] of this.#failing) {
      if (nowMs - lastMs < FORGET_MS) break;
      if (waiting === undefined) this.#failing.delete(other);
    }
    const failing = this.#failing.get(name) ?? { failures: 0, lastMs: 0, waiting: undefined };
    failing.failures += 1;
    failing.lastMs = nowMs;
    this.#failing.delete(name);
    this.#failing.set(name, failing);
    return failing;
  }

  #schedule(dueMs: number): void {
    if (dueMs >= this.#timerAtMs) return;
    this.#stopTimer?.();
    this.#timerAtMs = dueMs;
    const delayMs = Math.max(0, dueMs - this.#ports.clock.nowMs());
    this.#stopTimer = this.#ports.clock.timer(delayMs, () => this.#fire());
  }

  #fire(): void {
    const { clock, onDue } = this.#ports;
    const nowMs = clock.nowMs();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    this.#stopTimer = undefined;
    const due: Decision[] = [];
    for (const failing of this.#failing.values()) {
      const { waiting } = failing;
      if (waiting === undefined) continue;
      if (waiting.dueMs > nowMs) {
        this.#schedule(waiting.dueMs);
        continue;
      }
      failing.waiting = undefined;
      due.push(waiting.decision);
    }
    for (const decision of due) onDue(decision);
  }
}
