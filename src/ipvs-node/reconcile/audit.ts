// The audit: all that the kernel holds is compared once a minute, a few virtual servers in a round and the rest (addresses,
// firewall, settings) read beside the rounds, so that a change waits for a few milliseconds of it, never for the whole.
// Invariants: every key is read in every audit; what was read while the host's part was edited is read again.
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { Random } from '../../runtime/clock.ts';
import type { Kernel } from '../model/kernel.ts';
import type { ObservedHost } from '../model/state.ts';

/** ipvs.md 2.5: nothing tells when IPVS is changed, so all of it is read every minute. */
export const AUDIT_MS = 60_000;
/** Virtual servers in one round: 1 ms, in an emulated guest 10. */
const SERVERS_AT_ONCE = 32;
/** An audit of very many takes larger steps rather than longer than 20 seconds. */
const MOST_STEPS = 400;
/** Rounds with changes have none of the audit, but not for ever. */
const MOST_IDLE_MS = 500;
/** Readings of the host's part in a row that were of no use, until a full round takes it. */
const MOST_MISSES = 5;
/** Between two readings of the host's part in one audit. */
const RETRY_MS = 3000;

const NEVER = Number.POSITIVE_INFINITY;
const AT_ONCE = Number.NEGATIVE_INFINITY;

interface Reading {
  readonly edits: number;
  readonly result: () => ObservedHost;
}

export class Audit {
  readonly #kernel: Pick<Kernel, 'observeHost'>;
  readonly #random: Random;
  /** The host's part has been read: a round is wanted. */
  readonly #onRead: () => void;
  #dueMs = NEVER;
  #keys: readonly VirtualServerKey[] = [];
  #next = 0;
  #lastStepMs = AT_ONCE;
  #hostDueMs = NEVER;
  /** Grows with every edit of the host's part, and with every audit. */
  #edits = 0;
  #misses = 0;
  #reading: Promise<void> = Promise.resolve();
  #read: Reading | undefined;

  constructor(kernel: Pick<Kernel, 'observeHost'>, random: Random, onRead: () => void) {
    this.#kernel = kernel;
    this.#random = random;
    this.#onRead = onRead;
  }

  /** When the next step is due. */
  get dueMs(): number {
    return this.#hasKeys ? AT_ONCE : Math.min(this.#dueMs, this.#hostDueMs);
  }

  get #hasKeys(): boolean {
    return this.#next < this.#keys.length;
  }

  /** So many readings in a row were of no use that a full round has to do it. */
  get isStuck(): boolean {
    return this.#misses >= MOST_MISSES;
  }

  /** After all was read at once: the running audit is over, the next one is due in a minute. */
  restart(nowMs: number): void {
    this.#misses = 0;
    this.#begin(nowMs, []);
    this.#hostDueMs = NEVER;
  }

  #begin(nowMs: number, keys: readonly VirtualServerKey[]): void {
    // one minute, give or take six seconds: many directors must not read all at once
    this.#dueMs = nowMs + AUDIT_MS * (0.9 + 0.2 * this.#random());
    this.#keys = keys;
    this.#next = 0;
    this.#hostDueMs = nowMs;
    this.edited();
  }

  /** We edited the host's part, or were told of an edit: what is being read is not what is there. */
  edited(): void {
    this.#edits++;
  }

  /** Virtual servers to read in this round; `isBusy`: it has other work. `keysOf` is asked where an audit begins. */
  step(
    nowMs: number,
    isBusy: boolean,
    keysOf: () => Iterable<VirtualServerKey>,
  ): readonly VirtualServerKey[] {
    // a busy agent's audit takes longer than a minute: it is ended first
    if (nowMs >= this.#dueMs && !this.#hasKeys) this.#begin(nowMs, [...new Set(keysOf())]);
    if (!this.#hasKeys) {
      if (nowMs >= this.#hostDueMs) this.#readHost();
      return [];
    }
    if (isBusy && nowMs < this.#lastStepMs + MOST_IDLE_MS) return [];
    this.#lastStepMs = nowMs;
    const size = Math.max(SERVERS_AT_ONCE, Math.ceil(this.#keys.length / MOST_STEPS));
    const keys = this.#keys.slice(this.#next, this.#next + size);
    this.#next += size;
    if (this.#next >= this.#keys.length) this.#keys = [];
    return keys;
  }

  #readHost(): void {
    this.#hostDueMs = NEVER;
    const edits = this.#edits;
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

  /** The host's part, where it was read whole and nothing was edited meanwhile. Throws what the reading threw. */
  takeHost(nowMs: number): ObservedHost | undefined {
    const read = this.#read;
    if (read === undefined) return undefined;
    this.#read = undefined;
    const host = read.result();
    const isWhole = host.addresses !== undefined && host.firewall !== undefined;
    if (isWhole && read.edits === this.#edits) {
      this.#misses = 0;
      return host;
    }
    this.#misses++;
    this.#hostDueMs = nowMs + RETRY_MS;
    return undefined;
  }

  /** Waits for the reading that runs. */
  async settle(): Promise<void> {
    await this.#reading;
  }
}
