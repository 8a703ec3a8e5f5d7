// What somebody else changed and we repaired: what an operation is about stands in the kernel otherwise than we remember it.
// Pure. Invariant: nothing is remembered that our own operations, or answers to them that were lost, could have changed.
import type { IpAddress } from '../../net/address.ts';
import { realServerKey, type VirtualServerKey } from '../../net/ipvs.ts';
import { isServerOp, serverKeyOf, type FirewallOp, type Op } from '../model/kernel.ts';
import { bindingKey, type BindingKey } from '../model/owned.ts';
import type { Observed, ObservedVirtualServer } from '../model/state.ts';
import { sameRealServer, sameVirtualServer } from '../plan/plan.ts';

export const DRIFT_KINDS = [
  'virtual_server',
  'real_server',
  'address',
  'firewall',
  'sysctl',
] as const;
export type DriftKind = (typeof DRIFT_KINDS)[number];

/** What is known of the kernel, or was. */
export interface Known extends Pick<Observed, 'firewall' | 'sysctls'> {
  readonly virtualServers: Pick<NonNullable<Observed['virtualServers']>, 'get'> | undefined;
  /** Of what is known now, whoever put it there: an operation of ours is about nothing else. */
  hasAddress(address: IpAddress, interfaceName: string): boolean;
}

/** What is known of the kernel now. */
type Present = Known & Pick<Observed, 'owned'>;

/** undefined: announcing changes nothing that lasts. */
export function driftKindOf(op: Op): DriftKind | undefined {
  if (isServerOp(op)) return 'real' in op ? 'real_server' : 'virtual_server';
  switch (op.op) {
    case 'vip.add':
    case 'vip.del':
      return 'address';
    case 'fw.add':
    case 'fw.del':
      return 'firewall';
    case 'sysctl.set':
      return 'sysctl';
    case 'vip.announce':
      return undefined;
  }
}

/** Whether what the operation is about to edit is other than it was remembered. */
export function isRepair(op: Op, remembered: Known, found: Known): boolean {
  if (isServerOp(op)) {
    const key = serverKeyOf(op);
    const before = remembered.virtualServers?.get(key);
    const now = found.virtualServers?.get(key);
    if (!('real' in op)) return differ(before?.server, now?.server, sameVirtualServer);
    const realKey = realServerKey(op.real);
    return differ(before?.realServers.get(realKey), now?.realServers.get(realKey), sameRealServer);
  }
  switch (op.op) {
    case 'vip.add':
    case 'vip.del':
      return hasAddress(remembered, op) !== hasAddress(found, op);
    case 'fw.add':
    case 'fw.del':
      return hasElement(remembered, op) !== hasElement(found, op);
    case 'sysctl.set':
      return remembered.sysctls.get(op.key) !== found.sysctls.get(op.key);
    case 'vip.announce':
      return false;
  }
}

function differ<T>(a: T | undefined, b: T | undefined, same: (a: T, b: T) => boolean): boolean {
  if (a === undefined || b === undefined) return a !== b;
  return !same(a, b);
}

function hasAddress(known: Known, op: Extract<Op, { op: 'vip.add' | 'vip.del' }>): boolean {
  return known.hasAddress(op.address, op.interface);
}

function hasElement({ firewall }: Known, { set, key }: FirewallOp): boolean {
  return typeof firewall === 'object' && firewall.sets.get(set)?.has(key) === true;
}

interface KeptHost extends Pick<Known, 'firewall' | 'sysctls'> {
  /** That were ours. */
  readonly addresses: ReadonlySet<BindingKey>;
}

/**
 * What was known before the kernel was read anew; of all that was not read, what is known now. It keeps nothing while it
 * is in doubt: before everything was read once, and after an answer that was lost.
 */
export class Memory implements Known {
  readonly #now: Present;
  #isInDoubt = true;
  #virtualServers: Known['virtualServers'];
  #host: KeptHost | undefined;
  /** VIPs that somebody took away. */
  readonly #taken = new Map<BindingKey, IpAddress>();

  constructor(now: Present) {
    this.#now = now;
  }

  /** Nothing in it differs from what is known now. */
  get isEmpty(): boolean {
    return this.#virtualServers === undefined && this.#host === undefined && this.#taken.size === 0;
  }

  get virtualServers(): Known['virtualServers'] {
    return this.#virtualServers ?? this.#now.virtualServers;
  }

  /** Of what is kept, whether it was ours: what others had there is no business of ours. */
  hasAddress(address: IpAddress, interfaceName: string): boolean {
    const key = bindingKey(address, interfaceName);
    if (this.#taken.has(key)) return true;
    return this.#host?.addresses.has(key) ?? this.#now.hasAddress(address, interfaceName);
  }

  get firewall(): Known['firewall'] {
    return (this.#host ?? this.#now).firewall;
  }

  get sysctls(): Known['sysctls'] {
    return (this.#host ?? this.#now).sysctls;
  }

  /** An answer was lost: nobody knows what we changed. */
  doubt(): void {
    this.#isInDoubt = true;
  }

  /** All was read. */
  trust(): void {
    this.#isInDoubt = false;
  }

  /** Before everything is read. */
  keepAll(): void {
    if (!this.#isInDoubt) this.#virtualServers = this.#now.virtualServers;
    this.keepHost();
  }

  /** Before these virtual servers are read. */
  keepVirtualServers(keys: Iterable<VirtualServerKey>): void {
    if (this.#isInDoubt) return;
    const { virtualServers: now } = this.#now;
    const kept = new Map<VirtualServerKey, ObservedVirtualServer | undefined>();
    for (const key of keys) kept.set(key, now?.get(key));
    this.#virtualServers = { get: (key) => (kept.has(key) ? kept.get(key) : now?.get(key)) };
  }

  /** Before the host's part is read. Where that was not compared yet, what was kept before it counts. */
  keepHost(): void {
    if (this.#isInDoubt) return;
    const { owned, firewall, sysctls } = this.#now;
    // a copy: the set itself follows what is read
    this.#host ??= { addresses: new Set(owned.addresses.keys()), firewall, sysctls };
  }

  /** Before it is known that somebody took the address away. */
  keepAddress(address: IpAddress, interfaceName: string): void {
    if (!this.#now.hasAddress(address, interfaceName)) return;
    this.#taken.set(bindingKey(address, interfaceName), address);
  }

  /** What was read has been compared; of the addresses that were taken away these are still missed. */
  forget(isMissed: (address: IpAddress) => boolean): void {
    this.#virtualServers = undefined;
    this.#host = undefined;
    for (const [key, address] of this.#taken) {
      if (!isMissed(address)) this.#taken.delete(key);
    }
  }
}
