// What a plan compares: a few keys, all of them, or all beside the virtual servers. Pure.
import type { IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { ElementKey, FirewallSet } from '../model/firewall.ts';
import type { NodeState, Observed } from '../model/state.ts';

/** The keys to compare; everything else is taken to be as it should. */
export interface Scope {
  readonly virtualServers: Iterable<VirtualServerKey>;
  /** They stand in canonical order. */
  readonly isSorted?: boolean;
  readonly addresses: Iterable<IpAddress>;
  readonly firewall: ReadonlyMap<FirewallSet, Iterable<ElementKey>>;
  readonly sysctls: boolean;
}

export function wholeScope(desired: NodeState, observed: Observed): Scope {
  const { virtualServers } = observed.owned;
  return {
    ...hostScope(desired, observed),
    virtualServers: keysOfBoth(desired.virtualServers, virtualServers),
  };
}

/** All but the virtual servers. */
export function hostScope(desired: NodeState, observed: Observed): Scope {
  const firewall = new Map<FirewallSet, Iterable<ElementKey>>();
  for (const [set, elements] of desired.firewall.sets) firewall.set(set, elements.keys());
  if (typeof observed.firewall === 'object') {
    for (const [set, elements] of observed.firewall.sets) {
      firewall.set(set, keysOfBoth(desired.firewall.sets.get(set) ?? NO_KEYS, elements));
    }
  }
  return {
    virtualServers: [],
    addresses: keysOfBoth(desired.addresses, observed.addresses ?? NO_KEYS),
    firewall,
    sysctls: true,
  };
}

const NO_KEYS = new Set<never>();

interface Keyed<K> {
  readonly size: number;
  has(key: K): boolean;
  keys(): Iterable<K>;
}

/** Keys of either; copied only where `b` has one that `a` lacks: at a start and in the usual round it has none. */
function keysOfBoth<K>(a: Keyed<K>, b: Keyed<K>): Iterable<K> {
  for (const key of b.keys()) {
    if (!a.has(key)) return new Set([...a.keys(), ...b.keys()]);
  }
  return a.keys();
}
