// Finds the addresses of a Service: the ones it asks for, from the Pools it asks for, or by the order of the Pools. Pure.
// What the Service already holds is granted again without asking any rule: only new addresses obey the rules. A Pool that
// has every family is taken before two Pools that have one each; what is held stays, whatever Pool it is of.
import { familyOf, shownName, type Family, type IpAddress } from '../../net/address.ts';
import type { PoolEntry } from '../holders/pools.ts';
import type { WaitKey } from '../holders/waiting.ts';
import { pickKept, pickNew, pickOf, type Pick } from './pick.ts';
import { addressRefusal, limitRefusal, poolRefusal, ruleWaits } from './rules.ts';
import type { Held, Refusal, ServiceCase } from './case-parts.ts';

export type Attempt =
  | { readonly ok: true; readonly picks: readonly Pick[]; readonly missing: readonly Refusal[] }
  | { readonly ok: false; readonly refusals: readonly Refusal[] };

/** What the Service asks for now. */
export function grant(serviceCase: ServiceCase): Attempt {
  const { request, pools } = serviceCase;
  if (request.addresses.length > 0) return grantAsked(serviceCase, request.addresses);
  if (pools.length > 0) return withMissingPools(serviceCase, grantFromNamed(serviceCase));
  const kept = keptPicks(serviceCase);
  const attempt = kept.length === 0 ? undefined : fill(serviceCase, kept);
  if (attempt?.ok === true) return attempt;
  const other = fill(serviceCase, []);
  if (other.ok || attempt === undefined) return other;
  return { ok: false, refusals: [...attempt.refusals, ...other.refusals] };
}

/** What the Service holds that it may keep, and the families that it still lacks. */
export function grantAgain(serviceCase: ServiceCase): Attempt {
  const { wanted, held } = serviceCase;
  const fitting = held.filter((each) => wanted.families.includes(each.family));
  const kept = fitting.filter((each) => !mayGo(serviceCase, each));
  return fill(serviceCase, wanted.mode === 'one' ? kept.slice(0, 1) : kept);
}

/** Its Pool is there and right, does not hand it out any more, and lets such addresses go; and nobody asks for it. */
function mayGo({ request, view }: ServiceCase, { address, pool, poolName }: Held): boolean {
  if (pool !== undefined || request.addresses.includes(address)) return false;
  const { pools } = view.holders;
  // what the cluster began to use itself is in use here, too
  return pools.get(poolName)?.allowsRenumber === true && pools.blocked(address) === undefined;
}

/** From these Pools only. What is held of others goes. */
function grantFromNamed(serviceCase: ServiceCase): Attempt {
  const { held, pools, wanted } = serviceCase;
  const staying = held.filter(
    (each) =>
      pools.includes(each.poolName) &&
      wanted.families.includes(each.family) &&
      !mayGo(serviceCase, each),
  );
  return fill(serviceCase, wanted.mode === 'one' ? staying.slice(0, 1) : staying);
}

function withMissingPools(serviceCase: ServiceCase, attempt: Attempt): Attempt {
  const absent = serviceCase.pools
    .filter((name) => serviceCase.view.holders.pools.get(name) === undefined)
    .map((name): Refusal => {
      return {
        reason: 'PoolNotFound',
        message: `Pool ${shownName(name)} does not exist`,
        waits: [],
      };
    });
  if (!attempt.ok) return { ok: false, refusals: [...absent, ...attempt.refusals] };
  return attempt.missing.length === 0
    ? attempt
    : { ...attempt, missing: [...absent, ...attempt.missing] };
}

/**
 * The addresses that are kept for this very Service: its reservation says which Pool is meant, whatever the order of the
 * others. A Service that has an address never comes here: a reservation does not move it.
 */
function keptPicks(serviceCase: ServiceCase): readonly Pick[] {
  const { wanted } = serviceCase;
  const picks = wanted.families.flatMap((family) => pickKept(serviceCase, family) ?? []);
  return wanted.mode === 'one' ? picks.slice(0, 1) : picks;
}

/** A Pool that may be asked, and whether only because it is there. */
interface Candidate {
  readonly entry: PoolEntry;
  readonly automatic: boolean;
}

/** The named ones in their order; else those that the Service has addresses of, then the others tier by tier. */
function candidates({ view, pools, held }: ServiceCase, seeds: readonly Pick[]): Candidate[] {
  const spaces = view.holders.pools;
  const entries = (names: readonly string[]): PoolEntry[] =>
    names.flatMap((name) => spaces.get(name) ?? []);
  if (pools.length > 0) return entries(pools).map((entry) => ({ entry, automatic: false }));
  const basis = seeds.length > 0 ? seeds : held;
  const own = new Set(entries(basis.map(({ poolName }) => poolName)));
  const others = spaces.tiers.flat().filter((entry) => !own.has(entry));
  return [
    ...[...own].map((entry) => ({ entry, automatic: false })),
    ...others.map((entry) => ({ entry, automatic: true })),
  ];
}

/** The families that `seeds` lack. Without seeds one Pool that has them all is looked for first. */
function fill(serviceCase: ServiceCase, seeds: readonly Pick[]): Attempt {
  const all = candidates(serviceCase, seeds);
  // with one family each Pool that has it has all
  const isByFamily = seeds.length > 0 || serviceCase.wanted.families.length === 1;
  const whole = isByFamily ? undefined : fromOnePool(serviceCase, all);
  const found = whole ?? fromAny(serviceCase, all, seeds);
  const [first, ...others] = found.refused;
  const { sharingKey } = serviceCase.request;
  if (first === undefined || sharingKey === undefined) return attemptOf(serviceCase, found);
  // the same for all Pools: once is enough
  const waits = [...first.waits, ...sharingWaits(serviceCase, sharingKey)];
  return attemptOf(serviceCase, { ...found, refused: [{ ...first, waits }, ...others] });
}

interface Found {
  readonly picks: readonly Pick[];
  readonly refused: readonly Refusal[];
}

function fromOnePool(serviceCase: ServiceCase, all: readonly Candidate[]): Found | undefined {
  for (const candidate of all) {
    const found = fromAny(serviceCase, [candidate], []);
    if (isComplete(serviceCase, found.picks)) return found;
  }
  return undefined;
}

/** Family by family, each from the first Pool that gives one. */
function fromAny(
  serviceCase: ServiceCase,
  all: readonly Candidate[],
  seeds: readonly Pick[],
): Found {
  const picks = [...seeds];
  const refused: Refusal[] = [];
  for (const family of serviceCase.wanted.families) {
    if (isComplete(serviceCase, picks)) break;
    if (picks.some((pick) => pick.family === family)) continue;
    const found = firstPick(serviceCase, all, family, picks);
    if ('address' in found) picks.push(found);
    else refused.push(...found.refused);
  }
  return { picks, refused };
}

function firstPick(
  serviceCase: ServiceCase,
  all: readonly Candidate[],
  family: Family,
  picks: readonly Pick[],
): Pick | { readonly refused: readonly Refusal[] } {
  const keeping = new Set(picks.map(({ address }) => address));
  const refused: Refusal[] = [];
  for (const { entry, automatic } of all) {
    const found = pickNew(serviceCase, entry, family, keeping, automatic);
    if ('address' in found) return found;
    refused.push({ ...found, waits: [...found.waits, ...waitsFor(serviceCase, entry)] });
  }
  return { refused };
}

function isComplete({ wanted }: ServiceCase, picks: readonly Pick[]): boolean {
  return wanted.mode === 'one' ? picks.length > 0 : picks.length === wanted.families.length;
}

function attemptOf(serviceCase: ServiceCase, { picks, refused }: Found): Attempt {
  const { mode, families } = serviceCase.wanted;
  const enough = mode === 'all' ? isComplete(serviceCase, picks) : picks.length > 0;
  if (!enough) return { ok: false, refusals: mode === 'one' ? telling(refused) : refused };
  const ordered = [...picks].sort(
    (a, b) => families.indexOf(a.family) - families.indexOf(b.family),
  );
  return { ok: true, picks: ordered, missing: mode === 'most' ? refused : [] };
}

/** Where either family would do, the one that a Pool never had explains nothing. */
function telling(refused: readonly Refusal[]): readonly Refusal[] {
  const others = new Set(
    refused.filter(({ reason }) => reason !== 'FamilyNotAvailable').map(({ pool }) => pool),
  );
  return refused.filter(({ reason, pool }) => reason !== 'FamilyNotAvailable' || !others.has(pool));
}

/** What is said of one family may change with the other: the Service waits for both. */
function waitsFor(serviceCase: ServiceCase, entry: PoolEntry): readonly WaitKey[] {
  const waits: WaitKey[] = serviceCase.wanted.families.map(
    (family) => `free:${entry.name}:${family}` as const,
  );
  // also an address that will be kept for this Service
  waits.push(...ruleWaits(serviceCase, entry), `service:${serviceCase.key}`);
  return waits;
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

/** Exactly these addresses, at most one of each family; then the families that still lack one. */
function grantAsked(serviceCase: ServiceCase, addresses: readonly IpAddress[]): Attempt {
  const asked = new Set(addresses.map(familyOf));
  const others = serviceCase.held.filter(
    ({ family, poolName }) =>
      !asked.has(family) &&
      serviceCase.wanted.families.includes(family) &&
      (serviceCase.pools.length === 0 || serviceCase.pools.includes(poolName)),
  );
  const picks: Pick[] = [];
  const refusals: Refusal[] = [];
  for (const address of addresses) {
    const keeping = new Set([...picks, ...others].map((each) => each.address));
    const found = grantAddress(serviceCase, address, keeping);
    if ('reason' in found) refusals.push(found);
    else picks.push(found);
  }
  const attempt: Attempt =
    refusals.length > 0 ? { ok: false, refusals } : fill(serviceCase, [...picks, ...others]);
  if (attempt.ok) return attempt;
  const waits = waitsForAll(serviceCase, addresses);
  return {
    ok: false,
    refusals: attempt.refusals.map((each) => ({ ...each, waits: [...each.waits, ...waits] })),
  };
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

function grantAddress(
  serviceCase: ServiceCase,
  address: IpAddress,
  keeping: ReadonlySet<IpAddress>,
): Pick | Refusal {
  const { pools, view } = serviceCase;
  const entry = view.holders.pools.poolOf(address);
  const held = serviceCase.held.find((each) => each.address === address);
  const poolName = held?.poolName ?? entry?.name;
  if (poolName !== undefined && pools.length > 0 && !pools.includes(poolName)) {
    const asked = pools.map(shownName).join(', ');
    const message = `${address} is of Pool ${poolName}, but the Service asks for Pool ${asked}`;
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
    limitRefusal(serviceCase, entry, address, keeping) ??
    pickOf(entry, address)
  );
}

function whyInNoPool({ view }: ServiceCase, address: IpAddress): string {
  const exclusion = view.holders.pools.exclusion(address);
  if (exclusion === undefined) return `${address} is in no usable Pool`;
  return `${address} is in Pool ${exclusion.pool}, but ${exclusion.why}`;
}
