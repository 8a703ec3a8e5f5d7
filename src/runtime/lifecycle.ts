// The last line of defence of a long-running process: an error that nobody handled is a bug, so the process says so
// and ends with exit code 1. It touches nothing in the kernel, which goes on forwarding.
import type { Log } from './log.ts';

export interface ProcessEvents {
  on(
    event: 'uncaughtException' | 'unhandledRejection',
    listener: (error: unknown) => void,
  ): unknown;
  off(
    event: 'uncaughtException' | 'unhandledRejection',
    listener: (error: unknown) => void,
  ): unknown;
}

/** Returns a function that removes the guard again. */
export function guardProcess(
  events: ProcessEvents,
  log: Log,
  exit: (code: number) => void,
): () => void {
  const die = (error: unknown): void => {
    log.fatal({ err: error }, 'bug: unhandled error; the kernel keeps what it has');
    exit(1);
  };
  events.on('uncaughtException', die);
  events.on('unhandledRejection', die);
  return () => {
    events.off('uncaughtException', die);
    events.off('unhandledRejection', die);
  };
}
