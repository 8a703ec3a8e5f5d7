// Work that must not overlap: one piece after the other, also after one that failed.

export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();

  /** Begins when all that was asked for before has ended. Its result, or its failure, is the caller's alone. */
  run<T>(work: () => T | Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => undefined);
    return result;
  }

  /** Waits for all that was asked for until now. */
  async settle(): Promise<void> {
    await this.#tail;
  }
}
