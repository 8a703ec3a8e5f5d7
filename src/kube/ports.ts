// What this room needs from outside: a log and a clock. Programs hand in the real ones (src/runtime), tests their own.

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(fields: LogFields, msg: string): void;
  info(fields: LogFields, msg: string): void;
  warn(fields: LogFields, msg: string): void;
  error(fields: LogFields, msg: string): void;
}

export interface Clock {
  /** Milliseconds of a monotonic clock: for durations only, never written anywhere. */
  nowMs(): number;
  /** Milliseconds since 1970 of the wall clock: only for timestamps that people read. */
  wallMs(): number;
  /** Resolves after the delay, or at once when the signal is aborted; never rejects. */
  sleep(delayMs: number, signal: AbortSignal): Promise<void>;
  /** Calls back once after the delay, unless the returned function was called first. */
  timer(delayMs: number, callback: () => void): () => void;
}

/** 0 <= random() < 1 */
export type Random = () => number;

/** A function, because the compiler takes `signal.aborted` for unchanged across an await. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
