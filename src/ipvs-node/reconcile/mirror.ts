// What the kernel holds, as far as we know: the last dump plus every operation that was reached since. The next
// difference is computed from it, so that a change costs no dump.
// Invariants: an operation whose outcome is not known changes nothing here; a dump settles it. What is ours is the
// kernel's own set, brought in line with every reading that is taken.
import type { IpAddress } from '../../net/address.ts';
import {
  realServerKey,
  type RealServer,
  type RealServerKey,
  type VirtualServerKey,
} from '../../net/ipvs.ts';
import { serverKeyOf, type FirewallOp, type Op, type OwnershipPort } from '../model/kernel.ts';
import type {
  ElementKey,
  FirewallElement,
  FirewallElements,
  FirewallSet,
  FirewallState,
} from '../model/firewall.ts';
import { hostAddressesOf, type ObservedAddress } from '../model/owned.ts';
import { sameRealServer, sameVirtualServer } from '../plan/plan.ts';
import type {
  NodeState,
  ObservedHost,
  Observed,
  ObservedRealServer,
  ObservedVirtualServer,
  Reading,
} from '../model/state.ts';
import type { DrainStarts } from '../model/state.ts';

type FirewallSets = Map<FirewallSet, Map<ElementKey, FirewallElement>>;

export class KernelMirror implements Observed {
  #virtualServers: Map<VirtualServerKey, ObservedVirtualServer> | undefined;
  #addresses: Map<IpAddress, readonly ObservedAddress[]> | undefined;
  #firewall: FirewallSets | 'absent' | undefined;
  #sysctls = new Map<string, number>();
  #edited: Map<RealServerKey, ObservedRealServer> | undefined;
  readonly #ownership: OwnershipPort;
  #hostAddresses: ReadonlySet<IpAddress> | undefined;

  constructor(ownership: OwnershipPort) {
    this.#ownership = ownership;
  }

  get virtualServers(): Observed['virtualServers'] {
    return this.#virtualServers;
  }

  get addresses(): Observed['addresses'] {
    return this.#addresses;
  }

  get firewall(): Observed['firewall'] {
    return typeof this.#firewall === 'object' ? { sets: this.#firewall } : this.#firewall;
  }

  get sysctls(): Observed['sysctls'] {
    return this.#sysctls;
  }

  get owned(): Observed['owned'] {
    return this.#ownership.owned;
  }

  /**
   * Addresses that only others have put on this host, when it was read last; undefined before. While operations run, this
   * and what is ours are not of the same moment, so that it is not computed anew from them.
   */
  get hostAddresses(): ReadonlySet<IpAddress> | undefined {
    return this.#hostAddresses;
  }

  /** Whoever put it there. */
  hasAddress(address: IpAddress, interfaceName: string): boolean {
    return this.#addresses?.get(address)?.some((each) => each.interface === interfaceName) === true;
  }

  /** Takes a dump. A part that could not be read stays as it was known before. Answers whether all was read. */
  load(reading: Reading): boolean {
    const { virtualServers } = reading;
    if (virtualServers !== undefined) {
      this.#virtualServers = new Map(virtualServers);
      const gone = [...this.owned.virtualServers.keys()].filter((key) => !virtualServers.has(key));
      this.#ownership.settle({ gone, addresses: undefined });
    }
    return this.loadHost(reading) && virtualServers !== undefined;
  }

  /** The same for the part beside the virtual servers. */
  loadHost({ addresses, firewall, sysctls }: ObservedHost): boolean {
    if (addresses !== undefined) {
      this.#addresses = new Map(addresses);
      this.#ownership.settle({ gone: [], addresses });
      this.#hostAddresses = hostAddressesOf(addresses, this.owned);
    }
    if (firewall !== undefined) this.#firewall = copyFirewall(firewall, this.#firewall);
    this.#sysctls = new Map(sysctls);
    return addresses !== undefined && firewall !== undefined;
  }

  /** Only what that dump had: the mirror remembers what it lacks, and nothing may be deleted on memories. */
  seenIn(reading: Reading): Observed {
    return {
      virtualServers: reading.virtualServers && this.virtualServers,
      addresses: reading.addresses && this.addresses,
      firewall: reading.firewall && this.firewall,
      sysctls: this.sysctls,
      owned: this.owned,
    };
  }

  /** What the kernel must be asked about before it is edited: what drains, and what others may have taken away by now. */
  unsureOf(keys: Iterable<VirtualServerKey>, drains: DrainStarts): readonly VirtualServerKey[] {
    const mayBeGone = (key: VirtualServerKey): boolean =>
      this.#virtualServers?.has(key) === true && !this.owned.virtualServers.has(key);
    return [...keys].filter((key) => drains.has(key) || mayBeGone(key));
  }

  /** Takes a fresh reading of these virtual servers; one that is missing in it is gone. */
  loadVirtualServers(
    keys: Iterable<VirtualServerKey>,
    found: ReadonlyMap<VirtualServerKey, ObservedVirtualServer>,
  ): void {
    const gone: VirtualServerKey[] = [];
    for (const key of keys) {
      const server = found.get(key);
      if (server !== undefined) this.#virtualServers?.set(key, server);
      else {
        this.#virtualServers?.delete(key);
        gone.push(key);
      }
    }
    if (gone.length > 0) this.#ownership.settle({ gone, addresses: undefined });
  }

  /**
   * Where the kernel has what is wanted, the wanted values stand for both: 50,000 real servers are in memory once.
   * Connection counts go with that; what drains is not wanted, so it keeps them.
   */
  share(wanted: NodeState['virtualServers'], keys: Iterable<VirtualServerKey>): void {
    for (const key of keys) {
      const entry = this.#virtualServers?.get(key);
      const desired = wanted.get(key);
      if (entry === undefined || desired === undefined || entry === desired) continue;
      if (!sameVirtualServer(entry.server, desired.server)) continue;
      if (sameRealServers(entry.realServers, desired.realServers)) {
        this.#virtualServers?.set(key, desired);
      }
    }
  }

  /** The same for the sets of the firewall, where they hold what is wanted. */
  shareFirewall(wanted: FirewallState): void {
    if (typeof this.#firewall !== 'object') return;
    for (const [set, elements] of wanted.sets) {
      const known = this.#firewall.get(set);
      if (known !== undefined && sameKeys(known, elements)) {
        this.#firewall.set(set, new Map(elements));
      }
    }
  }

  /** The address is gone, somebody else took it away. */
  forgetAddress(address: IpAddress, interfaceName: string): void {
    this.#setAddress(address, interfaceName, undefined);
  }

  /** The operation was reached. */
  apply(op: Op): void {
    switch (op.op) {
      case 'vs.add':
      case 'vs.set': {
        const key = serverKeyOf(op);
        const realServers = this.#virtualServers?.get(key)?.realServers ?? new Map();
        this.#virtualServers?.set(key, { server: op.server, realServers });
        break;
      }
      case 'vs.del':
        this.#virtualServers?.delete(serverKeyOf(op));
        break;
      case 'rs.add':
        this.#editRealServers(serverKeyOf(op), (realServers) => {
          realServers.set(realServerKey(op.real), op.real);
        });
        break;
      case 'rs.set':
        this.#editRealServers(serverKeyOf(op), (realServers) => {
          const key = realServerKey(op.real);
          const { activeConnections, inactiveConnections } = realServers.get(key) ?? {};
          const isCounted = activeConnections !== undefined && inactiveConnections !== undefined;
          const counts = isCounted ? { activeConnections, inactiveConnections } : {};
          realServers.set(key, { ...op.real, ...counts });
        });
        break;
      case 'rs.del':
        this.#editRealServers(serverKeyOf(op), (realServers) => {
          realServers.delete(realServerKey(op.real));
        });
        break;
      case 'vip.add':
        this.#setAddress(op.address, op.interface, {
          address: op.address,
          interface: op.interface,
          mark: 'plain',
        });
        break;
      case 'vip.del':
        this.#setAddress(op.address, op.interface, undefined);
        break;
      case 'vip.announce':
        break;
      case 'fw.add':
      case 'fw.del':
        this.#editFirewall(op);
        break;
      case 'sysctl.set':
        this.#sysctls.set(op.key, op.value);
        break;
    }
  }

  /**
   * Entries are replaced: a dump's own maps stay as they are. The copy made last is ours alone, so that 5,000 real
   * servers that come one after the other are one copy.
   */
  #editRealServers(
    key: VirtualServerKey,
    edit: (realServers: Map<RealServerKey, ObservedRealServer>) => void,
  ): void {
    const entry = this.#virtualServers?.get(key);
    if (entry === undefined) return;
    if (this.#edited !== undefined && entry.realServers === this.#edited) {
      edit(this.#edited);
      return;
    }
    const realServers = new Map(entry.realServers);
    edit(realServers);
    this.#edited = realServers;
    this.#virtualServers?.set(key, { server: entry.server, realServers });
  }

  #setAddress(address: IpAddress, interfaceName: string, entry: ObservedAddress | undefined): void {
    const others = (this.#addresses?.get(address) ?? []).filter(
      (each) => each.interface !== interfaceName,
    );
    // concat makes an array of just the length; spreading leaves room for 16 more, in every address
    const entries = entry === undefined ? others : others.concat(entry);
    if (entries.length === 0) this.#addresses?.delete(address);
    else this.#addresses?.set(address, entries);
  }

  #editFirewall({ op, set, key, element }: FirewallOp): void {
    if (typeof this.#firewall !== 'object') return;
    const elements = this.#firewall.get(set) ?? new Map<ElementKey, FirewallElement>();
    this.#firewall.set(set, elements);
    if (op === 'fw.add') elements.set(key, element);
    else elements.delete(key);
  }
}

function sameRealServers(
  a: ReadonlyMap<RealServerKey, RealServer>,
  b: ReadonlyMap<RealServerKey, RealServer>,
): boolean {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  for (const [key, real] of a) {
    const other = b.get(key);
    if (other === undefined || !sameRealServer(real, other)) return false;
  }
  return true;
}

/** A copy of what was read; of a set that is as it was known, the known elements, which are in memory already. */
function copyFirewall(
  read: FirewallState | 'absent',
  known: FirewallSets | 'absent' | undefined,
): FirewallSets | 'absent' {
  if (read === 'absent') return read;
  const copied: FirewallSets = new Map();
  for (const [set, elements] of read.sets) {
    const before = typeof known === 'object' ? known.get(set) : undefined;
    const isKnown = before !== undefined && sameKeys(before, elements);
    copied.set(set, isKnown ? before : new Map(elements));
  }
  return copied;
}

function sameKeys(a: FirewallElements, b: FirewallElements): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}

/** The parts that the dump lacks, for the log. */
export function unread(reading: Reading): readonly string[] {
  const { virtualServers, addresses, firewall } = reading;
  const parts = Object.entries({ virtualServers, addresses, firewall });
  return parts.filter(([, part]) => part === undefined).map(([name]) => name);
}
