// Links and VIPs of this namespace, kept up to date by notifications: what the adapter of addresses needs to know
// between two dumps. Tells the listener when an address of ours went away that we did not take away, and when a link
// went up or down. Invariant: `held` are the addresses that we added or saw as ours, and nobody took away since.
import type { IpAddress } from '../../../net/address.ts';
import { bitsOf, familyOf } from '../../../net/address.ts';
import type { KernelChange, Op, OpResult } from '../../model/kernel.ts';
import { addressId } from '../ownership/journal.ts';
import { ADDRESS_TAG, type AddressRecord, type LinkRecord } from './rtnetlink-codec.ts';
import { IncompleteDumpError, type ChangeOutcome, type RtEvent } from './rtnetlink.ts';

export type AddressOp = Extract<Op, { op: 'vip.add' | 'vip.del' }>;

/** What this file needs of RtNetlink. */
export interface AddressPort {
  links(): Promise<readonly LinkRecord[]>;
  addresses(): Promise<readonly AddressRecord[]>;
  change(
    changes: readonly {
      readonly op: 'add' | 'del';
      readonly ip: IpAddress;
      readonly ifindex: number;
    }[],
  ): Promise<readonly ChangeOutcome[]>;
}

export interface SeenAddress {
  readonly address: IpAddress;
  readonly interface: string;
  /** A single address (/32, /128), as a VIP is. */
  readonly isSingle: boolean;
  readonly hasTag: boolean;
}

const MESSAGES: Readonly<Record<string, string>> = {
  EEXIST: 'this address is on the interface already',
  EADDRNOTAVAIL: 'this address is not on the interface',
  EPERM: 'CAP_NET_ADMIN in the initial user namespace is needed',
  EACCES: 'IPv6 is disabled on the interface (net.ipv6.conf.*.disable_ipv6)',
  ENXIO: 'the interface has no IPv6',
  unknown: 'the answer was lost, it may have happened',
};

export class AddressWatch {
  readonly #port: AddressPort;
  readonly #emit: (change: KernelChange) => void;
  #links = new Map<number, LinkRecord>();
  /** By index of the interface. */
  readonly #held = new Map<number, Set<IpAddress>>();
  #isRereading = false;

  constructor(port: AddressPort, emit: (change: KernelChange) => void) {
    this.#port = port;
    this.#emit = emit;
  }

  link(name: string): LinkRecord | undefined {
    for (const link of this.#links.values()) if (link.name === name) return link;
    return undefined;
  }

  holds(address: IpAddress, interfaceName: string): boolean {
    const link = this.link(interfaceName);
    return link !== undefined && this.#held.get(link.ifindex)?.has(address) === true;
  }

  /** Reads links and addresses anew; `isOurs` decides what is held from now on. undefined: they could not be read whole. */
  async observe(
    isOurs: (seen: SeenAddress) => boolean,
  ): Promise<readonly SeenAddress[] | undefined> {
    let links: readonly LinkRecord[];
    let addresses: readonly AddressRecord[];
    try {
      links = await this.#port.links();
      addresses = await this.#port.addresses();
    } catch (error) {
      if (error instanceof IncompleteDumpError) return undefined;
      throw error;
    }
    this.#links = new Map(links.map((link) => [link.ifindex, link]));
    this.#held.clear();
    const seen: SeenAddress[] = [];
    for (const record of addresses) {
      const link = this.#links.get(record.ifindex);
      if (link === undefined) continue; // made since the dump of the links: the next round sees it
      const item: SeenAddress = {
        address: record.ip,
        interface: link.name,
        isSingle: isSingle(record),
        hasTag: record.protocol === ADDRESS_TAG,
      };
      seen.push(item);
      if (isOurs(item)) this.#hold(record.ip, record.ifindex);
    }
    return seen;
  }

  /** Adds and removes addresses in order. */
  async change(ops: readonly AddressOp[]): Promise<readonly OpResult[]> {
    if (ops.some((op) => this.link(op.interface) === undefined)) await this.#readLinks();
    const results = new Array<OpResult | undefined>(ops.length);
    const sent: { readonly index: number; readonly op: AddressOp; readonly ifindex: number }[] = [];
    ops.forEach((op, index) => {
      const link = this.link(op.interface);
      if (link === undefined) results[index] = withoutInterface(op);
      else sent.push({ index, op, ifindex: link.ifindex });
    });
    for (const { op, ifindex } of sent) if (op.op === 'vip.del') this.#drop(op.address, ifindex);
    const outcomes = await this.#port.change(
      sent.map(({ op, ifindex }) => ({
        op: op.op === 'vip.add' ? 'add' : 'del',
        ip: op.address,
        ifindex,
      })),
    );
    sent.forEach(({ index, op, ifindex }, i) => {
      const outcome = outcomes[i] ?? 'unknown';
      results[index] = resultOf(outcome);
      if (op.op === 'vip.add' && outcome === 'ok') this.#hold(op.address, ifindex);
    });
    return results.map((result) => result ?? resultOf('unknown'));
  }

  /** What the monitor heard. */
  take(event: RtEvent): void {
    switch (event.kind) {
      case 'lost':
        void this.#reread();
        return;
      case 'address':
        if (event.removed) this.#gone(event.address);
        return;
      case 'link':
        this.#takeLink(event.link, event.removed);
    }
  }

  #takeLink(link: LinkRecord, isRemoved: boolean): void {
    const before = this.#links.get(link.ifindex);
    if (isRemoved) this.#links.delete(link.ifindex);
    else this.#links.set(link.ifindex, link);
    const isUp = link.up && !isRemoved;
    if ((before?.up ?? false) === isUp && before?.name === link.name && !isRemoved) return;
    this.#emit({ kind: 'link', interface: link.name, up: isUp });
  }

  /** Notifications were lost: finds out by reading what they would have said. */
  async #reread(): Promise<void> {
    if (this.#isRereading) return;
    this.#isRereading = true;
    try {
      const links = await this.#port.links();
      const addresses = await this.#port.addresses();
      const present = new Set(addresses.map((record) => addressId(record.ip, `${record.ifindex}`)));
      for (const [ifindex, held] of this.#held) {
        for (const address of [...held]) {
          if (!present.has(addressId(address, `${ifindex}`))) this.#lost(address, ifindex);
        }
      }
      const indexes = new Set(links.map((link) => link.ifindex));
      for (const link of [...this.#links.values()]) {
        if (!indexes.has(link.ifindex)) this.#takeLink(link, true);
      }
      for (const link of links) this.#takeLink(link, false);
    } catch (error) {
      if (!(error instanceof IncompleteDumpError)) throw error;
      // it changes too fast to be read: the periodic round comes anyway
    } finally {
      this.#isRereading = false;
    }
  }

  async #readLinks(): Promise<void> {
    try {
      for (const link of await this.#port.links()) this.#links.set(link.ifindex, link);
    } catch (error) {
      if (!(error instanceof IncompleteDumpError)) throw error;
    }
  }

  #hold(address: IpAddress, ifindex: number): void {
    const held = this.#held.get(ifindex);
    if (held === undefined) this.#held.set(ifindex, new Set([address]));
    else held.add(address);
  }

  #drop(address: IpAddress, ifindex: number): boolean {
    return this.#held.get(ifindex)?.delete(address) === true;
  }

  #gone(record: AddressRecord): void {
    const { ip, ifindex } = record;
    if (isSingle(record) && this.#lost(ip, ifindex)) return;
    this.#emit({ kind: 'address.freed', address: ip, interface: this.#nameOf(ifindex) });
  }

  /** False: we removed it, or it never was ours. */
  #lost(address: IpAddress, ifindex: number): boolean {
    if (!this.#drop(address, ifindex)) return false;
    this.#emit({ kind: 'address.removed', address, interface: this.#nameOf(ifindex) });
    return true;
  }

  #nameOf(ifindex: number): string {
    return this.#links.get(ifindex)?.name ?? `interface ${ifindex}`;
  }
}

function isSingle(record: AddressRecord): boolean {
  return record.prefixLength === bitsOf(familyOf(record.ip));
}

function withoutInterface(op: AddressOp): OpResult {
  const message = `there is no interface ${op.interface}`;
  // an address goes with its interface
  return op.op === 'vip.del'
    ? { ok: false, errno: 'EADDRNOTAVAIL', message }
    : { ok: false, errno: 'ENODEV', message };
}

function resultOf(outcome: ChangeOutcome): OpResult {
  if (outcome === 'ok') return { ok: true };
  return { ok: false, errno: outcome, message: MESSAGES[outcome] ?? outcome };
}
