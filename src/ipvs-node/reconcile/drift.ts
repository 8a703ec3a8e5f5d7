// What somebody else changed and we repaired: what an operation is about stands in the kernel otherwise than we remember it.
// Pure. Invariant: nothing is remembered that our own operations, or answers to them that were lost, could have changed.
import type { IpAddress } from '../../net/address.ts';
import { realServerKey, type VirtualServerKey } from '../../net/ipvs.ts';
import { isServerOp, serverKeyOf, type Op } from '../model/kernel.ts';
import type { Observed, ObservedAddress, ObservedVirtualServer } from '../model/state.ts';
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
  readonly addresses: Pick<NonNullable<Observed['addresses']>, 'get'> | undefined;
}

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
      return isBound(remembered, op) !== isBound(found, op);
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

function isBound({ addresses }: Known, op: Extract<Op, { op: 'vip.add' | 'vip.del' }>): boolean {
  const found = addresses?.get(op.address) ?? [];
  return found.some((each) => each.ours && each.interface === op.interface);
}

function hasElement({ firewall }: Known, op: Extract<Op, { op: 'fw.add' | 'fw.del' }>): boolean {
  return typeof firewall === 'object' && firewall.sets.get(op.set)?.has(op.element) === true;
}

/**
 * What was known before the kernel was read anew; of all that was not read, what is known now. It keeps nothing while it
 * is in doubt: before everything was read once, and after an answer that was lost.
 */
export class Memory implements Known {
  readonly #now: Known;
  #isInDoubt = true;
  #virtualServers: Known['virtualServers'];
  #host: Pick<Known, 'addresses' | 'firewall' | 'sysctls'> | undefined;
  /** VIPs that somebody took away, as they were bound. */
  readonly #taken = new Map<IpAddress, readonly ObservedAddress[]>();

  constructor(now: Known) {
    this.#now = now;
  }

  /** Nothing in it differs from what is known now. */
  get isEmpty(): boolean {
    return this.#virtualServers === undefined && this.#host === undefined && this.#taken.size === 0;
  }

  get virtualServers(): Known['virtualServers'] {
    return this.#virtualServers ?? this.#now.virtualServers;
  }

  get addresses(): Known['addresses'] {
    const { addresses } = this.#host ?? this.#now;
    return { get: (address) => this.#taken.get(address) ?? addresses?.get(address) };
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
    const { addresses, firewall, sysctls } = this.#now;
    this.#host ??= { addresses, firewall, sysctls };
  }

  /** Before it is known that somebody took the address away. */
  keepAddress(address: IpAddress): void {
    if (this.#taken.has(address)) return;
    this.#taken.set(address, this.#now.addresses?.get(address) ?? []);
  }

  /** What was read has been compared; of the addresses that were taken away these are still missed. */
  forget(isMissed: (address: IpAddress) => boolean): void {
    this.#virtualServers = undefined;
    this.#host = undefined;
    for (const address of this.#taken.keys()) {
      if (!isMissed(address)) this.#taken.delete(address);
    }
  }
}
