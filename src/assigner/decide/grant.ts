// Finds addresses for a petition: the asked-for ones, from the asked-for Pool, or by the order of the Pools. Pure.
// What the Service already holds is granted again without asking any rule: only new addresses obey the rules.
import {
  compareIp,
  familyOf,
  ipFromBigInt,
  ipToBigInt,
  type Family,
  type IpAddress,
} from '../../net/address.ts';
import type { WaitKey } from './decision.ts';
import { letsGo, type Held, type Petition, type Refusal } from './service-case.ts';
import type { PoolEntry } from '../holders/pools.ts';
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
export function grant(petition: Petition): Attempt {
  const { addresses, pool } = petition.request;
  if (addresses.length > 0) {
    const attempt = grantAddresses(petition, addresses);
    if (attempt.ok) return attempt;
    const waits = waitsForAll(petition, addresses);
    const refusals = attempt.refusals.map((each) => ({
      ...each,
      waits: [...each.waits, ...waits],
    }));
    return { ok: false, refusals };
  }
  if (pool !== undefined) return grantFromNamedPool(petition, pool);
  return grantAutomatically(petition);
}

function grantFromNamedPool(petition: Petition, name: string): Attempt {
  const entry = petition.view.ledger.pools.get(name);
  if (entry !== undefined) return grantFromPool(petition, entry, [], false);
  const message = `Pool ${name} does not exist`;
  return { ok: false, refusals: [{ reason: 'PoolNotFound', message, waits: [] }] };
}

/**
 * Tier by tier: the Pools of one priority stand together, and in a tier a Pool that gives every family comes before
 * one that gives only some; otherwise the order is that of their names.
 */
function grantAutomatically(petition: Petition): Attempt {
  const refusals: Refusal[] = [];
  for (const entry of poolsKeeping(petition)) {
    const attempt = grantFromPool(petition, entry, [], false);
    if (attempt.ok) return attempt;
    refusals.push(...attempt.refusals);
  }
  for (const tier of petition.view.ledger.pools.tiers) {
    let partial: Attempt | undefined;
    for (const entry of tier) {
      const attempt = grantFromPool(petition, entry, [], true);
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
function poolsKeeping(petition: Petition): ReadonlySet<PoolEntry> {
  const { ledger } = petition.view;
  if (petition.held.length > 0) return new Set();
  const kept = [...ledger.keptForService(petition.key)].sort(compareIp);
  return new Set(
    kept.flatMap((address) => {
      const entry = ledger.pools.poolOf(address);
      const isWanted = petition.wanted.families.includes(familyOf(address));
      return entry !== undefined && isWanted ? [entry] : [];
    }),
  );
}

/** The wanted families from one Pool, beside the addresses of it that are granted already. */
export function grantFromPool(
  petition: Petition,
  entry: PoolEntry,
  granted: readonly Pick[],
  automatic: boolean,
): Attempt {
  const picks = [...granted];
  const refused: Refusal[] = [];
  const { mode, families } = petition.wanted;
  const staying = petition.held.filter(
    (held) => families.includes(held.family) && staysIn(held, entry),
  );
  for (const family of families) {
    if (picks.some((pick) => pick.family === family)) continue;
    if (mode === 'one' && picks.length > 0) break;
    const held = staying.find((each) => each.family === family);
    if (held === undefined && mode === 'one' && staying.length > 0) continue;
    const keeping = addressesOf(picks, staying);
    const found = held ?? pickNew(petition, entry, family, keeping, automatic);
    if ('reason' in found) refused.push(found);
    else picks.push(found);
  }
  const enough = mode === 'all' ? refused.length === 0 : picks.length > 0;
  if (!enough) return { ok: false, refusals: waitingFor(petition, entry, refused) };
  return { ok: true, picks, missing: mode === 'most' ? waitingFor(petition, entry, refused) : [] };
}

/** Also an address that was edited out of the Pool, unless the Pool lets such addresses go. */
function staysIn(held: Held, entry: PoolEntry): boolean {
  if (held.pool !== undefined) return held.pool === entry;
  return held.poolName === entry.name && !letsGo(entry);
}

/**
 * A Pool that refuses as a whole refuses each family in the same words: said once. What is said of one family may
 * change with the other: the Service waits for both.
 */
function waitingFor(
  petition: Petition,
  entry: PoolEntry,
  refusals: readonly Refusal[],
): readonly Refusal[] {
  const { sharingKey } = petition.request;
  const waits: WaitKey[] = petition.wanted.families.map(
    (family) => `free:${entry.name}:${family}` as const,
  );
  // also an address that will be kept for this Service
  waits.push(...ruleWaits(petition, entry), `service:${petition.key}`);
  if (sharingKey !== undefined) waits.push(...sharingWaits(petition, sharingKey));
  // where either family would do, the one that the Pool never had explains nothing
  const isTelling = (refusal: Refusal): boolean =>
    petition.wanted.mode !== 'one' ||
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
function sharingWaits({ view: { ledger } }: Petition, sharingKey: string): readonly WaitKey[] {
  const waits: WaitKey[] = [`sharing:${sharingKey}`];
  for (const address of ledger.sharedUnder(sharingKey)) {
    for (const claim of ledger.claimsOn(address)) {
      waits.push(`service:${claim.namespace}/${claim.name}`);
    }
  }
  return waits;
}

/** One new address: kept for this Service, shared under its key, or the first free one in declared order. */
function pickNew(
  petition: Petition,
  entry: PoolEntry,
  family: Family,
  keeping: ReadonlySet<IpAddress>,
  automatic: boolean,
): Pick | Refusal {
  const refusal = poolRefusal(petition, entry, automatic);
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
    petition,
    entry,
    family,
    petition.view.ledger.keptForService(petition.key),
  );
  const shared = kept ?? sharedAddress(petition, entry, family);
  const address = shared ?? firstFree(petition, entry, family);
  if (address === undefined) {
    return {
      ...where,
      reason: 'PoolExhausted',
      message: `no free IPv${family} address`,
      waits: [],
    };
  }
  return (
    limitRefusal(petition, entry, address, keeping) ?? {
      address,
      family,
      pool: entry,
      poolName: entry.name,
    }
  );
}

function sharedAddress(
  petition: Petition,
  entry: PoolEntry,
  family: Family,
): IpAddress | undefined {
  const { sharingKey } = petition.request;
  if (sharingKey === undefined) return undefined;
  return lowestUsable(petition, entry, family, petition.view.ledger.sharedUnder(sharingKey));
}

function lowestUsable(
  petition: Petition,
  entry: PoolEntry,
  family: Family,
  candidates: ReadonlySet<IpAddress>,
): IpAddress | undefined {
  if (candidates.size === 0) return undefined;
  const usable = [...candidates].filter(
    (address) =>
      familyOf(address) === family &&
      petition.view.ledger.pools.poolOf(address) === entry &&
      addressRefusal(petition, entry, address) === undefined,
  );
  return usable.sort(compareIp)[0];
}

/** The first in declared order, be it free for everybody or reserved for this namespace. */
function firstFree(petition: Petition, entry: PoolEntry, family: Family): IpAddress | undefined {
  const space = entry.free.get(family);
  let best = space?.first();
  const kept = petition.view.ledger.keptForNamespace(petition.namespace);
  let bestPlace = best === undefined || kept.size === 0 ? undefined : space?.placeOf(best);
  for (const address of kept) {
    if (familyOf(address) !== family) continue;
    const value = ipToBigInt(address);
    const place = space?.placeOf(value);
    if (place === undefined || addressRefusal(petition, entry, address) !== undefined) continue;
    if (bestPlace === undefined || place < bestPlace) {
      best = value;
      bestPlace = place;
    }
  }
  return best === undefined ? undefined : ipFromBigInt(family, best);
}

/** Exactly these addresses, at most one of each family, all from one Pool; then the families that still lack one. */
function grantAddresses(petition: Petition, addresses: readonly IpAddress[]): Attempt {
  const picks: Pick[] = [];
  const refusals: Refusal[] = [];
  const asked = new Set(addresses.map(familyOf));
  const staying = petition.held.filter(
    (held) =>
      addresses.includes(held.address) ||
      (petition.wanted.families.includes(held.family) && !asked.has(held.family)),
  );
  for (const address of addresses) {
    const found = grantAddress(petition, address, addressesOf(picks, staying));
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
  const entry = petition.view.ledger.pools.get(first.poolName);
  // the Pool is gone, so all that is asked for is held: whatever else is held stays with it
  if (entry === undefined) return { ok: true, picks: petition.held, missing: [] };
  return grantFromPool(petition, entry, picks, false);
}

/** What is said of one address stands beside what is said of the others, so each may change the answer. */
function waitsForAll(petition: Petition, addresses: readonly IpAddress[]): readonly WaitKey[] {
  return addresses.flatMap((address): readonly WaitKey[] => {
    const entry = petition.view.ledger.pools.poolOf(address);
    const ip = `ip:${address}` as const;
    return entry === undefined ? [ip] : [ip, ...ruleWaits(petition, entry)];
  });
}

/** What the Pool's rules depend on beside the Pool. */
function ruleWaits({ namespace }: Petition, { pool, name }: PoolEntry): readonly WaitKey[] {
  const waits: WaitKey[] = [];
  if (pool.spec.perNamespaceLimit !== undefined) waits.push(`limit:${name}:${namespace}`);
  if (pool.spec.serviceAllocation?.namespaceSelectors !== undefined) {
    waits.push(`namespace:${namespace}`);
  }
  return waits;
}

function grantAddress(
  petition: Petition,
  address: IpAddress,
  keeping: ReadonlySet<IpAddress>,
): Pick | Refusal {
  const { request, view } = petition;
  const family = familyOf(address);
  const entry = view.ledger.pools.poolOf(address);
  const held = petition.held.find((each) => each.address === address);
  const poolName = held?.poolName ?? entry?.name;
  if (poolName !== undefined && request.pool !== undefined && request.pool !== poolName) {
    const message = `${address} is of Pool ${poolName}, but the Service asks for Pool ${request.pool}`;
    return { reason: 'ConflictingRequest', message, waits: [] };
  }
  // also where its Pool was edited away: asking for it is no reason to lose it
  if (held !== undefined) return held;
  if (entry === undefined) {
    return { reason: 'AddressNotInPool', message: whyInNoPool(petition, address), waits: [] };
  }
  return (
    poolRefusal(petition, entry, false) ??
    addressRefusal(petition, entry, address) ??
    limitRefusal(petition, entry, address, keeping) ?? {
      address,
      family,
      pool: entry,
      poolName: entry.name,
    }
  );
}

function whyInNoPool(petition: Petition, address: IpAddress): string {
  const exclusion = petition.view.ledger.pools.exclusion(address);
  if (exclusion === undefined) return `${address} is in no usable Pool`;
  return `${address} is in Pool ${exclusion.pool}, but ${exclusion.why}`;
}
