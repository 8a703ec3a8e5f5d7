// Links of this namespace, kept up to date by notifications, and what happens to its addresses between two dumps. Tells
// the listener when an address of ours went away that we did not take away, and when a link went up or down.
// Invariant: what somebody took away is not ours any more, before anybody is told.
import type { IpAddress } from '../../../net/address.ts';
import { bitsOf, familyOf } from '../../../net/address.ts';
import type { KernelChange, Op, OpResult } from '../../model/kernel.ts';
import { bindingKey, type BindingKey, type ObservedAddress } from '../../model/owned.ts';
import type { Binding } from '../ownership/journal.ts';
import type { Ownership } from '../ownership/ownership.ts';
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

/** What this file needs of Ownership. */
export type AddressOwner = Pick<Ownership, 'has' | 'release' | 'addresses'>;

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
  readonly #owner: AddressOwner;
  readonly #emit: (change: KernelChange) => void;
  #links = new Map<number, LinkRecord>();
  /** The kernel has been asked to add or to remove them: what is heard of them is our own doing. */
  #asked: ReadonlySet<BindingKey> = new Set();
  /** Grows where a change begins and where it ends: what was read meanwhile is neither the state before nor after. */
  #edits = 0;
  #isRereading = false;

  constructor(port: AddressPort, owner: AddressOwner, emit: (change: KernelChange) => void) {
    this.#port = port;
    this.#owner = owner;
    this.#emit = emit;
  }

  link(name: string): LinkRecord | undefined {
    for (const link of this.#links.values()) if (link.name === name) return link;
    return undefined;
  }

  /** Whether the address is ours and stays: it is not being removed, and was not just asked for. */
  holds({ address, interface: name }: Binding): boolean {
    return (
      this.#owner.has({ kind: 'address', address, interface: name }) &&
      !this.#asked.has(bindingKey(address, name))
    );
  }

  /** Reads links and addresses anew. undefined: they could not be read whole. */
  async observe(): Promise<ReadonlyMap<IpAddress, readonly ObservedAddress[]> | undefined> {
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
    const seen = new Map<IpAddress, ObservedAddress[]>();
    for (const record of addresses) {
      const link = this.#links.get(record.ifindex);
      if (link === undefined) continue; // made since the dump of the links: the next round sees it
      const item = { address: record.ip, interface: link.name, mark: markOf(record) };
      const places = seen.get(record.ip);
      if (places === undefined) seen.set(record.ip, [item]);
      else places.push(item);
    }
    return seen;
  }

  /** Adds and removes addresses in order. */
  async change(ops: readonly AddressOp[]): Promise<readonly OpResult[]> {
    this.#asked = new Set(ops.map((op) => bindingKey(op.address, op.interface)));
    this.#edits++;
    try {
      return await this.#change(ops);
    } finally {
      this.#asked = new Set();
      this.#edits++;
    }
  }

  async #change(ops: readonly AddressOp[]): Promise<readonly OpResult[]> {
    if (ops.some((op) => this.link(op.interface) === undefined)) await this.#readLinks();
    const results = new Array<OpResult | undefined>(ops.length);
    const sent: { readonly index: number; readonly op: AddressOp; readonly ifindex: number }[] = [];
    ops.forEach((op, index) => {
      const link = this.link(op.interface);
      if (link === undefined) results[index] = withoutInterface(op);
      else sent.push({ index, op, ifindex: link.ifindex });
    });
    const outcomes = await this.#port.change(
      sent.map(({ op, ifindex }) => ({
        op: op.op === 'vip.add' ? 'add' : 'del',
        ip: op.address,
        ifindex,
      })),
    );
    for (const [i, { index }] of sent.entries()) {
      results[index] = resultOf(outcomes[i] ?? 'unknown');
    }
    return results.map((result) => result ?? resultOf('unknown'));
  }

  /** What the monitor heard. */
  take(event: RtEvent): void {
    switch (event.kind) {
      case 'lost':
        void this.#reread();
        return;
      case 'address':
        if (event.removed) this.#removed(event.address);
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
      const edits = this.#edits;
      const links = await this.#port.links();
      const addresses = await this.#port.addresses();
      // a reading from before an address was added would have it for lost: the periodic round finds what this leaves out
      if (edits === this.#edits) this.#loseMissing(links, addresses);
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

  #loseMissing(links: readonly LinkRecord[], addresses: readonly AddressRecord[]): void {
    const names = new Map(links.map((link) => [link.ifindex, link.name]));
    const present = new Set(
      addresses.map(({ ip, ifindex }) => bindingKey(ip, names.get(ifindex) ?? '')),
    );
    for (const held of this.#owner.addresses) {
      if (!present.has(bindingKey(held.address, held.interface))) this.#lose(held);
    }
  }

  async #readLinks(): Promise<void> {
    try {
      for (const link of await this.#port.links()) this.#links.set(link.ifindex, link);
    } catch (error) {
      if (!(error instanceof IncompleteDumpError)) throw error;
    }
  }

  #removed(record: AddressRecord): void {
    const removed = { address: record.ip, interface: this.#nameOf(record.ifindex) };
    if (markOf(record) !== 'network' && this.#lose(removed)) return;
    this.#emit({ kind: 'address.freed', ...removed });
  }

  /** False: we removed it, or it never was ours. */
  #lose(removed: Binding): boolean {
    if (!this.holds(removed)) return false;
    this.#owner.release([{ kind: 'address', ...removed }]);
    this.#emit({ kind: 'address.removed', ...removed });
    return true;
  }

  #nameOf(ifindex: number): string {
    return this.#links.get(ifindex)?.name ?? `interface ${ifindex}`;
  }
}

function markOf({ ip, prefixLength, protocol }: AddressRecord): ObservedAddress['mark'] {
  if (prefixLength !== bitsOf(familyOf(ip))) return 'network';
  return protocol === ADDRESS_TAG ? 'tagged' : 'plain';
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
