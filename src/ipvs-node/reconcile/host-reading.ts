// Reads the host's part of the kernel (addresses, firewall, settings) beside the rounds, so that no change waits for it.
import type { Kernel } from '../model/kernel.ts';
import type { ObservedHost } from '../model/state.ts';

interface Read {
  /** How often the host had been edited when the reading began. */
  readonly edits: number;
  readonly result: () => ObservedHost;
}

export class HostReading {
  readonly #kernel: Pick<Kernel, 'observeHost'>;
  readonly #onRead: () => void;
  #reading: Promise<void> = Promise.resolve();
  #read: Read | undefined;

  constructor(kernel: Pick<Kernel, 'observeHost'>, onRead: () => void) {
    this.#kernel = kernel;
    this.#onRead = onRead;
  }

  begin(edits: number): void {
    const done = (result: () => ObservedHost): void => {
      this.#read = { edits, result };
      this.#onRead();
    };
    this.#reading = this.#kernel.observeHost().then(
      (host) => {
        done(() => host);
      },
      (error: unknown) => {
        done(() => {
          throw error;
        });
      },
    );
  }

  /** What was read, once. Throws what the reading threw. */
  take(): { readonly edits: number; readonly host: ObservedHost } | undefined {
    const read = this.#read;
    this.#read = undefined;
    return read && { edits: read.edits, host: read.result() };
  }

  /** Waits for the reading that runs. */
  async settle(): Promise<void> {
    await this.#reading;
  }
}
