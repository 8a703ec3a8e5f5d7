// The log: bunyan behind a small port. Text for people on a terminal, one JSON object a line otherwise.
// Invariant: logging never throws into the caller. bunyan's own JSON writer does for a BigInt (the u64 counters of
// IPVS), and its err serializer drops Error.cause; so records leave bunyan raw and are written here.
import bunyan from 'bunyan';
import { printable } from '../net/address.ts';

export type LogFields = Readonly<Record<string, unknown>>;
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** `msg` is constant lower case text; what varies goes into fields. error: a human should look; warn: heals itself. */
export interface Log {
  debug(fields: LogFields, msg: string): void;
  info(fields: LogFields, msg: string): void;
  warn(fields: LogFields, msg: string): void;
  error(fields: LogFields, msg: string): void;
  fatal(fields: LogFields, msg: string): void;
  /** The same log with these fields in every record; by custom `component`. */
  child(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'text' | 'json';
  readonly write: (line: string) => void;
}

export function createLog(options: LogOptions): Log {
  const format = options.format === 'json' ? jsonLine : textLine;
  const stream = {
    type: 'raw',
    stream: { write: (record: object) => options.write(format({ ...record })) },
  };
  return bunyan.createLogger({
    name: 'vipvs',
    level: options.level,
    streams: [{ ...stream, level: options.level }],
  });
}

export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
  child: () => silentLog,
};

const MAX_CAUSES = 8;

/** What JSON has no form for, in a form that it has. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (value instanceof Error) return describeError(value, 0);
  return value;
}

function describeError(error: Error, depth: number): Readonly<Record<string, unknown>> {
  const code: unknown = 'code' in error ? error.code : undefined;
  return {
    name: error.name,
    message: error.message,
    ...(code === undefined ? {} : { code }),
    stack: error.stack,
    ...(error.cause === undefined || depth >= MAX_CAUSES
      ? {}
      : {
          cause: error.cause instanceof Error ? describeError(error.cause, depth + 1) : error.cause,
        }),
  };
}

function jsonLine(record: LogFields): string {
  try {
    return `${JSON.stringify(record, plain)}\n`;
  } catch (error) {
    // a cycle in a field: the message still gets out
    const { time, level, msg, component } = record;
    return `${JSON.stringify({ time, level, component, msg, logError: String(error) })}\n`;
  }
}

/** Fields of every bunyan record that a person does not need. */
const HEAD_FIELDS = new Set(['name', 'hostname', 'pid', 'level', 'component', 'msg', 'time', 'v']);

function textLine(record: LogFields): string {
  const level = bunyan.nameFromLevel[Number(record.level)] ?? '';
  const time = record.time instanceof Date ? record.time.toISOString() : '';
  const component = typeof record.component === 'string' ? `${record.component}: ` : '';
  const fields = Object.entries(record)
    .filter(([key, value]) => !HEAD_FIELDS.has(key) && value !== undefined)
    .map(([key, value]) => ` ${key}=${textOf(value)}`);
  const msg = typeof record.msg === 'string' ? record.msg : '';
  const text = `${time} ${level.toUpperCase().padEnd(5)} ${component}${msg}${fields.join('')}`;
  // a name or a message of somebody else must not move the cursor of who reads the log
  return `${printable(text)}\n`;
}

function textOf(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(causeChain(value));
  if (typeof value === 'string') return /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
  try {
    return JSON.stringify(value, plain);
  } catch {
    return '(unprintable)'; // a cycle
  }
}

/** `cannot write state: ENOSPC: no space left on device` */
function causeChain(error: Error): string {
  const texts: string[] = [];
  let current: unknown = error;
  for (let depth = 0; current instanceof Error && depth < MAX_CAUSES; depth++) {
    if (!texts.some((text) => text.includes((current as Error).message)))
      texts.push(current.message);
    current = current.cause;
  }
  return texts.join(': ');
}

/** Says the same failure of one key once, then at its 2nd, 4th, 8th … repetition, and once when it is over. */
export class RepeatedFailures {
  readonly #counts = new Map<string, number>();

  /** Fields to add to the record, or undefined where it should be left out. */
  fail(key: string): { readonly suppressed: number } | undefined {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.set(key, count);
    const isPowerOfTwo = (count & (count - 1)) === 0;
    return isPowerOfTwo ? { suppressed: count === 1 ? 0 : count / 2 - 1 } : undefined;
  }

  /** True where the key had failed before. */
  succeed(key: string): boolean {
    return this.#counts.delete(key);
  }
}
