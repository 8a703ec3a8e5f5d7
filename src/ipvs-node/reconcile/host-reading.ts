// Reads the host's part of the kernel (addresses, firewall, settings), and which virtual servers others have there, beside
// the rounds, so that no change waits for it.
import type { Kernel } from '../model/kernel.ts';
import type { ObservedHost } from '../model/state.ts';

type HostKernel = Pick<Kernel, 'observeHost' | 'listForeignServers'>;

interface HostRead {
  /** How often the host had been edited when the reading began. */
  readonly edits: number;
  readonly host: ObservedHost;
  readonly foreign: Awaited<ReturnType<Kernel['listForeignServers']>>;
}

export class HostReading {
  readonly #kernel: HostKernel;
  readonly #onRead: () => void;
  #reading: Promise<void> = Promise.resolve();
  #read: (() => HostRead) | undefined;

  constructor(kernel: HostKernel, onRead: () => void) {
    this.#kernel = kernel;
    this.#onRead = onRead;
  }

  begin(edits: number): void {
    const done = (read: () => HostRead): void => {
      this.#read = read;
      this.#onRead();
    };
    this.#reading = Promise.all([
      this.#kernel.observeHost(),
      this.#kernel.listForeignServers(),
    ]).then(
      ([host, foreign]) => {
        done(() => ({ edits, host, foreign }));
      },
      (error: unknown) => {
        done(() => {
          throw error;
        });
      },
    );
  }

  /** What was read, once. Throws what the reading threw. */
  take(): HostRead | undefined {
    const read = this.#read;
    this.#read = undefined;
    return read?.();
  }

  /** Waits for the reading that runs. */
  async settle(): Promise<void> {
    await this.#reading;
  }
}
