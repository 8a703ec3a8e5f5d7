// Waiting for an AbortSignal, and for tasks that go on until one is aborted.

export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Only its failure counts: a background task that ends well has ended because it was told to. Never resolves. */
export async function taskFailure(task: Promise<void>): Promise<never> {
  await task;
  return new Promise<never>(() => undefined);
}
