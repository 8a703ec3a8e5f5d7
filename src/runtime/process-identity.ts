// Which process wrote a file, in a way that a later process with the same pid is not taken for it.
import { readFile } from 'node:fs/promises';

/** proc(5): the start time is field 22 of /proc/PID/stat; fields after the name, which may hold blanks, are counted. */
const START_TIME_AFTER_NAME = 19;

/** Clock ticks since boot when the process started; undefined where there is no such process. */
export async function startTicksOf(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[START_TIME_AFTER_NAME];
  } catch {
    return undefined; // no such process, or no /proc
  }
}

/** undefined: the writer left no start time to compare. */
export async function isRunning(writer: {
  readonly pid: number;
  readonly startTicks: string | undefined;
}): Promise<boolean | undefined> {
  if (writer.startTicks === undefined) return undefined;
  return (await startTicksOf(writer.pid)) === writer.startTicks;
}
