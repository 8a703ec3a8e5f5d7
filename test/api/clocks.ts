// Clocks for the tests of src/kube: the real one, and one whose sleeps pass at once and are written down.
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock, Log, LogFields } from '../../src/kube/ports.ts';

export const realClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  async sleep(delayMs, signal) {
    await wait(delayMs, undefined, { signal }).catch(() => undefined);
  },
  timer(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Time stands still but for sleeps, which pass at once, and `advance`; timers fire when time has passed them. */
export class QuickClock implements Clock {
  readonly sleepsMs: number[] = [];
  readonly #timers = new Map<number, { readonly atMs: number; readonly callback: () => void }>();
  #nowMs = 1000;
  #wallMs = Date.UTC(2026, 0, 1);
  #lastId = 0;

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  async sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.sleepsMs.push(Math.round(delayMs));
    this.advance(delayMs);
    // Lets I/O happen: whoever retries for ever must not starve the server under test
    await wait(1);
  }

  timer(delayMs: number, callback: () => void): () => void {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#timers.set(id, { atMs: this.#nowMs + delayMs, callback });
    return () => this.#timers.delete(id);
  }

  advance(byMs: number): void {
    this.#nowMs += byMs;
    this.#wallMs += byMs;
    for (const [id, { atMs, callback }] of this.#timers) {
      if (atMs > this.#nowMs || !this.#timers.delete(id)) continue;
      callback();
    }
  }

  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly msg: string;
  readonly fields: LogFields;
}

/** Keeps what is logged. */
export class MemoryLog implements Log {
  readonly lines: LogLine[] = [];

  debug(fields: LogFields, msg: string): void {
    this.lines.push({ level: 'debug', msg, fields });
  }
  info(fields: LogFields, msg: string): void {
    this.lines.push({ level: 'info', msg, fields });
  }
  warn(fields: LogFields, msg: string): void {
    this.lines.push({ level: 'warn', msg, fields });
  }
  error(fields: LogFields, msg: string): void {
    this.lines.push({ level: 'error', msg, fields });
  }

  /** The messages of a level and above debug. */
  messages(level: LogLine['level']): readonly string[] {
    return this.lines.filter((line) => line.level === level).map((line) => line.msg);
  }
}

/** Waits until a condition holds; fails after 20 s, saying what did not come. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`did not happen in 20 s: ${what}`);
    await wait(5);
  }
}
