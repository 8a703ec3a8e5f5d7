// Finds addresses for a serviceCase: the asked-for ones, from the asked-for Pool, or by the order of the Pools. Pure.
// What the Service already holds is granted again without asking any rule: only new addresses obey the rules.
import {
  compareIp,
  familyOf,
  ipFromBigInt,
  ipToBigInt,
  type Family,
  type IpAddress,
} from '../../net/address.ts';
import { allowsRenumber, type Held, type ServiceCase, type Refusal } from './service-case.ts';
import type { PoolEntry } from '../holders/pools.ts';
import type { WaitKey } from '../holders/waiting.ts';
import { addressRefusal, limitRefusal, poolRefusal } from './rules.ts';

export interface Pick {
  readonly address: IpAddress;
  readonly family: Family;
  /** Undefined: no Pool holds the address any more, and it is kept. */
  readonly pool: PoolEntry | undefined;
  /** Name of the Pool that the address counts for. */
  readonly poolName: string;
}

export type Attempt =
  | { readonly ok: true; readonly picks: readonly Pick[]; readonly missing: readonly Refusal[] }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/** What the Service asks for now. */
export function grant(serviceCase: ServiceCase): Attempt {
  const { addresses, pool } = serviceCase.request;
  if (addresses.length > 0) {
    const attempt = grantAddresses(serviceCase, addresses);
    if (attempt.ok) return attempt;
    const waits = waitsForAll(serviceCase, addresses);
    const refusals = attempt.refusals.map((each) => ({
      ...each,
      waits: [...each.waits, ...waits],
    }));
    return { ok: false, refusals };
  }
  if (pool !== undefined) return grantFromNamedPool(serviceCase, pool);
  return grantAutomatically(serviceCase);
}

function grantFromNamedPool(serviceCase: ServiceCase, name: string): Attempt {
  const entry = serviceCase.view.holders.pools.get(name);
  if (entry !== undefined) return grantFromPool(serviceCase, entry, [], false);
  const message = `Pool ${name} does not exist`;
  return { ok: false, refusals: [{ reason: 'PoolNotFound', message, waits: [] }] };
}

/**
 * Tier by tier: the Pools of one priority stand together, and in a tier a Pool that gives every family comes before
 * one that gives only some; otherwise the order is that of their names.
 */
function grantAutomatically(serviceCase: ServiceCase): Attempt {
  const refusals: Refusal[] = [];
  for (const entry of poolsKeeping(serviceCase)) {
    const attempt = grantFromPool(serviceCase, entry, [], false);
    if (attempt.ok) return attempt;
    refusals.push(...attempt.refusals);
  }
  for (const tier of serviceCase.view.holders.pools.tiers) {
    let partial: Attempt | undefined;
    for (const entry of tier) {
      const attempt = grantFromPool(serviceCase, entry, [], true);
      if (!attempt.ok) refusals.push(...attempt.refusals);
      else if (attempt.missing.length === 0) return attempt;
      else partial ??= attempt;
    }
    if (partial !== undefined) return partial;
  }
  return { ok: false, refusals };
}

/**
 * The Pools with an address that is kept for this very Service: its reservation says which Pool is meant, whatever
 * the order of the others. Only for a Service without address: one that has an address is not moved by a reservation.
 */
function poolsKeeping(serviceCase: ServiceCase): ReadonlySet<PoolEntry> {
  const { holders } = serviceCase.view;
  if (serviceCase.held.length > 0) return new Set();
  const kept = [...holders.keptForService(serviceCase.key)].sort(compareIp);
  return new Set(
    kept.flatMap((address) => {
      const entry = holders.pools.poolOf(address);
      const isWanted = serviceCase.wanted.families.includes(familyOf(address));
      return entry !== undefined && isWanted ? [entry] : [];
    }),
  );
}

/** The wanted families from one Pool, beside the addresses of it that are granted already. */
export function grantFromPool(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  granted: readonly Pick[],
  automatic: boolean,
): Attempt {
  const picks = [...granted];
  const refused: Refusal[] = [];
  const { mode, families } = serviceCase.wanted;
  const staying = serviceCase.held.filter(
    (held) => families.includes(held.family) && staysIn(held, entry),
  );
  for (const family of families) {
    if (picks.some((pick) => pick.family === family)) continue;
    if (mode === 'one' && picks.length > 0) break;
    const held = staying.find((each) => each.family === family);
    if (held === undefined && mode === 'one' && staying.length > 0) continue;
    const keeping = addressesOf(picks, staying);
    const found = held ?? pickNew(serviceCase, entry, family, keeping, automatic);
    if ('reason' in found) refused.push(found);
    else picks.push(found);
  }
  const enough = mode === 'all' ? refused.length === 0 : picks.length > 0;
  if (!enough) return { ok: false, refusals: waitingFor(serviceCase, entry, refused) };
  return {
    ok: true,
    picks,
    missing: mode === 'most' ? waitingFor(serviceCase, entry, refused) : [],
  };
}

/** Also an address that was edited out of the Pool, unless the Pool lets such addresses go. */
function staysIn(held: Held, entry: PoolEntry): boolean {
  if (held.pool !== undefined) return held.pool === entry;
  return held.poolName === entry.name && !allowsRenumber(entry);
}

/**
 * A Pool that refuses as a whole refuses each family in the same words: said once. What is said of one family may
 * change with the other: the Service waits for both.
 */
function waitingFor(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  refusals: readonly Refusal[],
): readonly Refusal[] {
  const { sharingKey } = serviceCase.request;
  const waits: WaitKey[] = serviceCase.wanted.families.map(
    (family) => `free:${entry.name}:${family}` as const,
  );
  // also an address that will be kept for this Service
  waits.push(...ruleWaits(serviceCase, entry), `service:${serviceCase.key}`);
  if (sharingKey !== undefined) waits.push(...sharingWaits(serviceCase, sharingKey));
  // where either family would do, the one that the Pool never had explains nothing
  const isTelling = (refusal: Refusal): boolean =>
    serviceCase.wanted.mode !== 'one' ||
    refusal.reason !== 'FamilyNotAvailable' ||
    refusals.every(({ reason }) => reason === 'FamilyNotAvailable');
  return refusals
    .filter((refusal, i) => refusals.findIndex(({ message }) => message === refusal.message) === i)
    .filter(isTelling)
    .map((refusal) => ({ ...refusal, waits: [...refusal.waits, ...waits] }));
}

/** What the Service will have by now: picked in this decision, or held and not replaced. */
function addressesOf(picks: readonly Pick[], staying: readonly Held[]): ReadonlySet<IpAddress> {
  const picked = new Set(picks.map((pick) => pick.family));
  const kept = staying.filter((held) => !picked.has(held.family));
  return new Set([...picks, ...kept].map((each) => each.address));
}

/** A new holder under the key, or consent of one that is there. */
function sharingWaits({ view: { holders } }: ServiceCase, sharingKey: string): readonly WaitKey[] {
  const waits: WaitKey[] = [`sharing:${sharingKey}`];
  for (const address of holders.sharedUnder(sharingKey)) {
    for (const claim of holders.claimsOn(address)) {
      waits.push(`service:${claim.namespace}/${claim.name}`);
    }
  }
  return waits;
}

/** One new address: kept for this Service, shared under its key, or the first free one in declared order. */
function pickNew(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  family: Family,
  keeping: ReadonlySet<IpAddress>,
  automatic: boolean,
): Pick | Refusal {
  const refusal = poolRefusal(serviceCase, entry, automatic);
  if (refusal !== undefined) return refusal;
  const where = { pool: entry.name };
  if (!entry.free.has(family)) {
    return {
      ...where,
      reason: 'FamilyNotAvailable',
      message: `has no IPv${family} addresses`,
      waits: [],
    };
  }
  const kept = lowestUsable(
    serviceCase,
    entry,
    family,
    serviceCase.view.holders.keptForService(serviceCase.key),
  );
  const shared = kept ?? sharedAddress(serviceCase, entry, family);
  const address = shared ?? firstFree(serviceCase, entry, family);
  if (address === undefined) {
    return {
      ...where,
      reason: 'PoolExhausted',
      message: `no free IPv${family} address`,
      waits: [],
    };
  }
  return (
    limitRefusal(serviceCase, entry, address, keeping) ?? {
      address,
      family,
      pool: entry,
      poolName: entry.name,
    }
  );
}

function sharedAddress(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  family: Family,
): IpAddress | undefined {
  const { sharingKey } = serviceCase.request;
  if (sharingKey === undefined) return undefined;
  return lowestUsable(serviceCase, entry, family, serviceCase.view.holders.sharedUnder(sharingKey));
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

/** Exactly these addresses, at most one of each family, all from one Pool; then the families that still lack one. */
function grantAddresses(serviceCase: ServiceCase, addresses: readonly IpAddress[]): Attempt {
  const picks: Pick[] = [];
  const refusals: Refusal[] = [];
  const asked = new Set(addresses.map(familyOf));
  const staying = serviceCase.held.filter(
    (held) =>
      addresses.includes(held.address) ||
      (serviceCase.wanted.families.includes(held.family) && !asked.has(held.family)),
  );
  for (const address of addresses) {
    const found = grantAddress(serviceCase, address, addressesOf(picks, staying));
    if ('reason' in found) refusals.push(found);
    else picks.push(found);
  }
  const [first] = picks;
  if (first === undefined || refusals.length > 0) return { ok: false, refusals };
  const stranger = picks.find((pick) => pick.poolName !== first.poolName);
  if (stranger !== undefined) {
    const message =
      `${first.address} is in Pool ${first.poolName} and ${stranger.address} in Pool ` +
      `${stranger.poolName}; all addresses of a Service come from one Pool`;
    return { ok: false, refusals: [{ reason: 'AddressNotInPool', message, waits: [] }] };
  }
  const entry = serviceCase.view.holders.pools.get(first.poolName);
  // the Pool is gone, so all that is asked for is held: whatever else is held stays with it
  if (entry === undefined) return { ok: true, picks: serviceCase.held, missing: [] };
  return grantFromPool(serviceCase, entry, picks, false);
}

/** What is said of one address stands beside what is said of the others, so each may change the answer. */
function waitsForAll(
  serviceCase: ServiceCase,
  addresses: readonly IpAddress[],
): readonly WaitKey[] {
  return addresses.flatMap((address): readonly WaitKey[] => {
    const entry = serviceCase.view.holders.pools.poolOf(address);
    const ip = `ip:${address}` as const;
    return entry === undefined ? [ip] : [ip, ...ruleWaits(serviceCase, entry)];
  });
}

/** What the Pool's rules depend on beside the Pool. */
function ruleWaits({ namespace }: ServiceCase, { pool, name }: PoolEntry): readonly WaitKey[] {
  const waits: WaitKey[] = [];
  if (pool.spec.perNamespaceLimit !== undefined) waits.push(`limit:${name}:${namespace}`);
  if (pool.spec.serviceAllocation?.namespaceSelectors !== undefined) {
    waits.push(`namespace:${namespace}`);
  }
  return waits;
}

function grantAddress(
  serviceCase: ServiceCase,
  address: IpAddress,
  keeping: ReadonlySet<IpAddress>,
): Pick | Refusal {
  const { request, view } = serviceCase;
  const family = familyOf(address);
  const entry = view.holders.pools.poolOf(address);
  const held = serviceCase.held.find((each) => each.address === address);
  const poolName = held?.poolName ?? entry?.name;
  if (poolName !== undefined && request.pool !== undefined && request.pool !== poolName) {
    const message = `${address} is of Pool ${poolName}, but the Service asks for Pool ${request.pool}`;
    return { reason: 'ConflictingRequest', message, waits: [] };
  }
  // also where its Pool was edited away: asking for it is no reason to lose it
  if (held !== undefined) return held;
  if (entry === undefined) {
    return { reason: 'AddressNotInPool', message: whyInNoPool(serviceCase, address), waits: [] };
  }
  return (
    poolRefusal(serviceCase, entry, false) ??
    addressRefusal(serviceCase, entry, address) ??
    limitRefusal(serviceCase, entry, address, keeping) ?? {
      address,
      family,
      pool: entry,
      poolName: entry.name,
    }
  );
}

function whyInNoPool(serviceCase: ServiceCase, address: IpAddress): string {
  const exclusion = serviceCase.view.holders.pools.exclusion(address);
  if (exclusion === undefined) return `${address} is in no usable Pool`;
  return `${address} is in Pool ${exclusion.pool}, but ${exclusion.why}`;
}
