// Writes the state file when something changed: at once where a decision waits for it, else after a short while.
// Invariant: a failed write never stops the load balancer; it is said, counted and tried again until it succeeds.
import { saveState, type State, type StateDisk } from '../files/state.ts';
import { Backoff, LOCAL_BACKOFF } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { messageOf, OperationalError } from '../runtime/errors.ts';

/** Events and conditions that come together are one write. */
const COALESCE_MS = 250;

export interface SaverPorts {
  readonly directory: string;
  readonly disk: StateDisk;
  readonly clock: Clock;
  readonly random: Random;
  /** The state as it is now. */
  readonly snapshot: () => State;
  readonly onFailure: (error: OperationalError, delayMs: number) => void;
  readonly onSuccess: () => void;
}

export class StateSaver {
  readonly #ports: SaverPorts;
  readonly #backoff: Backoff;
  #isDirty = false;
  #writing: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  constructor(ports: SaverPorts) {
    this.#ports = ports;
    this.#backoff = new Backoff(LOCAL_BACKOFF, ports.random);
  }

  /** The last write failed: what is in memory is not on the disk. */
  get isFailing(): boolean {
    return this.#backoff.failures > 0;
  }

  /** Something changed that may be written a little later. */
  mark(): void {
    this.#isDirty = true;
    if (this.#writing === undefined) this.#schedule(COALESCE_MS);
  }

  /** Writes what is there now; resolves when it is on the disk or could not be written. Never rejects. */
  async save(): Promise<void> {
    this.#isDirty = true;
    await this.#writing; // it may hold an older state
    await this.#writeIfDirty();
  }

  /** A last write, if anything is unwritten. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#writeIfDirty();
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed || this.#cancelTimer !== undefined) return;
    this.#cancelTimer = this.#ports.clock.timer(delayMs, () => {
      this.#cancelTimer = undefined;
      if (this.#isDirty && this.#writing === undefined) void this.#write();
    });
  }

  async #writeIfDirty(): Promise<void> {
    if (this.#isDirty) await this.#write();
  }

  #write(): Promise<void> {
    this.#writing ??= this.#attempt().finally(() => {
      this.#writing = undefined;
      if (this.#isDirty && this.#backoff.failures === 0) this.#schedule(COALESCE_MS);
    });
    return this.#writing;
  }

  async #attempt(): Promise<void> {
    this.#isDirty = false;
    const { directory, disk, snapshot, onFailure, onSuccess } = this.#ports;
    try {
      await saveState(directory, snapshot(), disk);
      this.#backoff.reset();
      onSuccess();
    } catch (cause) {
      this.#isDirty = true;
      const delayMs = this.#backoff.nextMs();
      const text = `cannot write the state to ${directory}: ${messageOf(cause)}; the load balancer goes on`;
      onFailure(new OperationalError('state-unwritable', text, cause), delayMs);
      this.#schedule(delayMs);
    }
  }
}
