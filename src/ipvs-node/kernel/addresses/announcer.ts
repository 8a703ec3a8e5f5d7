// Announces VIPs to the neighbours: once now, and again after one and two seconds, because switches and hosts lose
// broadcasts. Paced, so that thousands of VIPs do not fill the send queue at once. Invariant: a repeat is sent only
// for an address that is still ours.
import { setTimeout as delay } from 'node:timers/promises';

import type { IpAddress } from '../../../net/address.ts';
import { OperationalError, type ErrorCode } from '../../../runtime/errors.ts';
import type { OpResult } from '../../model/kernel.ts';

export interface AnnounceTarget {
  readonly address: IpAddress;
  readonly interface: string;
}

/** Sends one burst on one interface. Throws OperationalError where nothing could be sent. */
export type SendBurst = (
  interfaceName: string,
  addresses: readonly IpAddress[],
) => Promise<readonly OpResult[]>;

/** 64 announcements of 60 to 86 bytes each: 6 KiB a burst, 6,400 addresses a second. */
const BURST_LENGTH = 64;
const BURST_PAUSE_MS = 10;
/** Gratuitous ARP three times within two seconds: RFC 5227 2.3 says two, RFC 4861 7.2.6 up to three. */
const REPEAT_AFTER_MS = [1_000, 2_000] as const;

/** What the port says of the failures of a whole burst. */
const ERRNO_OF: Readonly<Partial<Record<ErrorCode, string>>> = {
  'interface-missing': 'ENODEV',
  'not-permitted': 'EPERM',
};

export class Announcer {
  readonly #send: SendBurst;
  readonly #isHeld: (target: AnnounceTarget) => boolean;
  readonly #timers = new Set<NodeJS.Timeout>();

  constructor(send: SendBurst, isHeld: (target: AnnounceTarget) => boolean) {
    this.#send = send;
    this.#isHeld = isHeld;
  }

  async announce(targets: readonly AnnounceTarget[]): Promise<readonly OpResult[]> {
    const results = await this.#burst(targets);
    const sent = targets.filter((_, i) => results[i]?.ok === true);
    if (sent.length > 0) for (const afterMs of REPEAT_AFTER_MS) this.#repeat(sent, afterMs);
    return results;
  }

  /** Forgets all repeats. */
  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #repeat(targets: readonly AnnounceTarget[], afterMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      // the first announcement was answered for; what fails now is caught by the next failover or round
      void this.#burst(targets.filter(this.#isHeld));
    }, afterMs);
    timer.unref();
    this.#timers.add(timer);
  }

  async #burst(targets: readonly AnnounceTarget[]): Promise<readonly OpResult[]> {
    const results = new Array<OpResult | undefined>(targets.length);
    const byInterface = Map.groupBy(targets.entries(), ([, target]) => target.interface);
    let isFirst = true;
    for (const [name, entries] of byInterface) {
      for (let i = 0; i < entries.length; i += BURST_LENGTH) {
        if (!isFirst) await delay(BURST_PAUSE_MS);
        isFirst = false;
        const part = entries.slice(i, i + BURST_LENGTH);
        const outcomes = await this.#sendOne(
          name,
          part.map(([, target]) => target.address),
        );
        part.forEach(([index], at) => (results[index] = outcomes[at]));
      }
    }
    return results.map((result) => result ?? { ok: false, errno: 'unknown', message: 'not sent' });
  }

  async #sendOne(name: string, addresses: readonly IpAddress[]): Promise<readonly OpResult[]> {
    try {
      return await this.#send(name, addresses);
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      const errno = ERRNO_OF[error.code] ?? 'EIO';
      return addresses.map(() => ({ ok: false, errno, message: error.message }));
    }
  }
}
