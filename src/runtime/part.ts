// What a program is made of: parts that run side by side until it ends. A new concern is a new part in the program's list,
// with its own state and its own failure.
import { aborted, taskFailure } from './abort.ts';

export interface Part {
  /** Until the signal is aborted; it then ends by itself, in order. That it fails ends the program. */
  run(signal: AbortSignal): Promise<void>;
  /** Why it can not do its work at the moment. */
  readonly problem: string | undefined;
}

/**
 * Runs the parts until the signal is aborted or one of them fails. They end one after the other, in the order of the list:
 * a part still has those behind it while it ends. Throws the first failure when all have ended.
 */
export async function runParts(parts: readonly Part[], signal: AbortSignal): Promise<void> {
  const running = parts.map((part) => {
    const stop = new AbortController();
    return { stop, ended: part.run(stop.signal) };
  });
  const failures: unknown[] = [];
  const fail = (error: unknown): void => void failures.push(error);
  await Promise.race([aborted(signal), ...running.map(({ ended }) => taskFailure(ended))]).catch(
    fail,
  );
  for (const { stop, ended } of running) {
    stop.abort();
    await ended.catch((error: unknown) => {
      if (!failures.includes(error)) fail(error);
    });
  }
  if (failures.length > 0) throw failures[0];
}

/** Each once: several parts may say that the API server is away. */
export function problemsOf(parts: readonly Part[]): readonly string[] {
  return [...new Set(parts.flatMap(({ problem }) => problem ?? []))];
}
