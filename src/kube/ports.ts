// What this room needs from outside: a log (the part of src/runtime/log.ts that it uses), a clock, and dice.
export type { Clock, Random } from '../runtime/clock.ts';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(fields: LogFields, msg: string): void;
  info(fields: LogFields, msg: string): void;
  warn(fields: LogFields, msg: string): void;
  error(fields: LogFields, msg: string): void;
}

/** A function, because the compiler takes `signal.aborted` for unchanged across an await. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
