// One new address for a Service from one Pool, of one family: kept for it, shared under its key, or the first free one in
// declared order. Pure.
import { whyNothing } from '../../api/pool-space.ts';
import {
  compareIp,
  familyOf,
  ipFromBigInt,
  ipToBigInt,
  type Family,
  type IpAddress,
} from '../../net/address.ts';
import type { PoolEntry } from '../holders/pools.ts';
import { addressRefusal, limitRefusal, poolRefusal } from './rules.ts';
import type { Refusal, ServiceCase } from './case-parts.ts';

export interface Pick {
  readonly address: IpAddress;
  readonly family: Family;
  /** Undefined: no Pool hands out the address any more, and it is kept. */
  readonly pool: PoolEntry | undefined;
  /** Name of the Pool that the address counts for. */
  readonly poolName: string;
}

/** `keeping`: what the Service will have beside it. `automatic`: it does not ask for this Pool. */
export function pickNew(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  family: Family,
  keeping: ReadonlySet<IpAddress>,
  automatic: boolean,
): Pick | Refusal {
  const refusal = poolRefusal(serviceCase, entry, automatic) ?? emptyRefusal(entry, family);
  if (refusal !== undefined) return refusal;
  const kept = serviceCase.view.holders.keptForService(serviceCase.key);
  const address =
    lowestUsable(serviceCase, entry, family, kept) ??
    sharedAddress(serviceCase, entry, family) ??
    firstFree(serviceCase, entry, family);
  if (address === undefined) {
    const message = `no free IPv${family} address`;
    return { pool: entry.name, reason: 'PoolExhausted', message, waits: [] };
  }
  return limitRefusal(serviceCase, entry, address, keeping) ?? pickOf(entry, address);
}

export function pickOf(entry: PoolEntry, address: IpAddress): Pick {
  return { address, family: familyOf(address), pool: entry, poolName: entry.name };
}

/** The address that is kept for this very Service, if it may have it. */
export function pickKept(serviceCase: ServiceCase, family: Family): Pick | undefined {
  const { holders } = serviceCase.view;
  const all = [...holders.keptForService(serviceCase.key)].sort(compareIp);
  for (const address of all) {
    const entry = holders.pools.poolOf(address);
    if (entry === undefined || familyOf(address) !== family) continue;
    const refusal =
      poolRefusal(serviceCase, entry, false) ??
      addressRefusal(serviceCase, entry, address) ??
      limitRefusal(serviceCase, entry, address, []);
    if (refusal === undefined) return pickOf(entry, address);
  }
  return undefined;
}

function emptyRefusal(entry: PoolEntry, family: Family): Refusal | undefined {
  if (entry.free.has(family)) return undefined;
  const space = entry.space;
  const isDeclared = space?.declared.some((range) => range.family === family) === true;
  if (space === undefined || !isDeclared) {
    const message = `has no IPv${family} addresses`;
    return { pool: entry.name, reason: 'FamilyNotAvailable', message, waits: [] };
  }
  const message = `${whyNothing(space, family)} of its IPv${family} addresses`;
  return { pool: entry.name, reason: 'PoolNotUsable', message, waits: [] };
}

function sharedAddress(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  family: Family,
): IpAddress | undefined {
  const { sharingKey } = serviceCase.request;
  if (sharingKey === undefined) return undefined;
  const shared = serviceCase.view.holders.sharedUnder(sharingKey);
  return lowestUsable(serviceCase, entry, family, [...shared]);
}

function lowestUsable(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  family: Family,
  candidates: readonly IpAddress[],
): IpAddress | undefined {
  if (candidates.length === 0) return undefined;
  const usable = candidates.filter(
    (address) =>
      familyOf(address) === family &&
      serviceCase.view.holders.pools.poolOf(address) === entry &&
      addressRefusal(serviceCase, entry, address) === undefined,
  );
  return usable.sort(compareIp)[0];
}

/** The first in declared order, be it free for everybody or reserved for this namespace. */
function firstFree(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  family: Family,
): IpAddress | undefined {
  const space = entry.free.get(family);
  let best = space?.first();
  const kept = serviceCase.view.holders.keptForNamespace(serviceCase.namespace);
  let bestPlace = best === undefined || kept.length === 0 ? undefined : space?.placeOf(best);
  for (const address of kept) {
    if (familyOf(address) !== family) continue;
    const value = ipToBigInt(address);
    const place = space?.placeOf(value);
    if (place === undefined || addressRefusal(serviceCase, entry, address) !== undefined) continue;
    if (bestPlace === undefined || place < bestPlace) {
      best = value;
      bestPlace = place;
    }
  }
  return best === undefined ? undefined : ipFromBigInt(family, best);
}
