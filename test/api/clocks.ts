// Clocks and a log for the tests of src/kube: one whose sleeps pass at once and are written down, one that is pushed.
import { setTimeout as wait } from 'node:timers/promises';
import type { Clock, Log, LogFields } from '../../src/kube/ports.ts';

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

/** Time moves only by `advance`, which wakes sleepers and timers in their order and lets each run. */
export class VirtualClock implements Clock {
  #nowMs = 1000;
  #wallMs = Date.UTC(2026, 0, 1);
  readonly #timers = new Set<{ readonly atMs: number; readonly callback: () => void }>();

  nowMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallMs;
  }

  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  sleep(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.timer(delayMs, resolve);
      signal.addEventListener('abort', () => {
        cancel();
        resolve();
      });
    });
  }

  timer(delayMs: number, callback: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  async advance(byMs: number): Promise<void> {
    const endMs = this.#nowMs + byMs;
    await settle();
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= endMs);
      const next = due.sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#move(next.atMs);
      next.callback();
      await settle();
    }
    this.#move(endMs);
  }

  /** The process stands still: time passes and nobody wakes. */
  stall(byMs: number): void {
    this.#move(this.#nowMs + byMs);
  }

  #move(toMs: number): void {
    this.#wallMs += Math.max(0, toMs - this.#nowMs);
    this.#nowMs = Math.max(this.#nowMs, toMs);
  }
}

/** Lets every promise that can go on go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
