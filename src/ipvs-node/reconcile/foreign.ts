// Virtual servers of somebody else inside our Pools: they are left alone and named, because a Service that gets the address
// can not be served there. Pure.
import { poolOf, type ResolvedPools } from '../../api/pools.ts';
import type { IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { ObservedVirtualServer } from '../model/state.ts';
import { describeVirtualServer } from '../plan/plan.ts';

/** So many are read and named: a few are enough to find who makes them. */
const MOST = 32;

/** Of `foreign`, with their VIPs: those in a Pool that no Service wants; one that wants it is told itself. */
export function foreignInPools(
  foreign: Iterable<readonly [VirtualServerKey, IpAddress]>,
  wanted: ReadonlyMap<VirtualServerKey, unknown>,
  pools: ResolvedPools,
): readonly VirtualServerKey[] {
  const found: VirtualServerKey[] = [];
  for (const [key, vip] of foreign) {
    if (wanted.has(key) || poolOf(pools, vip) === undefined) continue;
    found.push(key);
    if (found.length === MOST) break;
  }
  return found;
}

/** One line each, by key. */
export function foreignTexts(
  found: ReadonlyMap<VirtualServerKey, ObservedVirtualServer>,
): readonly string[] {
  return [...found].map(([key, server]) => `${key} (${describeVirtualServer(server)})`).sort();
}
