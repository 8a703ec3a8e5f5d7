// What is ours of what a kernel holds. The adapter keeps the one set of it (kernel/ownership); everybody else asks that
// set and keeps no copy.
import type { IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';

declare const binding: unique symbol;
/** `192.0.2.10 eth0`: an address on an interface. */
export type BindingKey = string & { readonly [binding]: true };

export function bindingKey(address: IpAddress, interfaceName: string): BindingKey {
  return [address, interfaceName].join(' ') as BindingKey; // flat in memory, unlike a template's string
}

interface KeySet<K> {
  readonly size: number;
  has(key: K): boolean;
  keys(): Iterable<K>;
}

/** What we made, or took over. That of an adapter is live: it follows every operation and settle(). */
export interface Owned {
  readonly virtualServers: KeySet<VirtualServerKey>;
  readonly addresses: KeySet<BindingKey>;
}

/** An address on this host. */
export interface ObservedAddress {
  readonly address: IpAddress;
  readonly interface: string;
  /**
   * `tagged`: with our IFA_PROTO tag, and so ours. `plain`: without; it is ours where the record says so (a kernel without
   * tags). `network`: with a prefix, which no VIP has; it is never ours.
   */
  readonly mark: 'tagged' | 'plain' | 'network';
}

type Addresses = ReadonlyMap<IpAddress, readonly ObservedAddress[]>;

export function isOurs(owned: Owned, { address, interface: name, mark }: ObservedAddress): boolean {
  return mark !== 'network' && owned.addresses.has(bindingKey(address, name));
}

export interface Holdings {
  readonly addresses: Addresses | undefined;
  readonly owned: Owned;
}

/** Whether the address is on an interface of this host, and we put it there. False while addresses were never read. */
export function isBoundByUs({ addresses, owned }: Holdings, address: IpAddress): boolean {
  return addresses?.get(address)?.some((each) => isOurs(owned, each)) === true;
}

/** Addresses that only others have put on this host. */
export function hostAddressesOf(addresses: Addresses, owned: Owned): ReadonlySet<IpAddress> {
  const found = new Set<IpAddress>();
  for (const [address, entries] of addresses) {
    if (!entries.some((each) => isOurs(owned, each))) found.add(address);
  }
  return found;
}
