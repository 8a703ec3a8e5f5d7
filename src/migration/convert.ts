// Objects of other load balancers -> Pools, reserved IPs, patches for Services, and notes on everything that does not go
// over as it is. Pure and deterministic: the same objects in any order give the same result.
import { isDeclared } from '../api/pool-space.ts';
import { API_VERSION } from '../api/pool.ts';
import { poolOf, resolvePools, type ResolvedPools, type ValidPool } from '../api/pools.ts';
import { familyOf, ipToBigInt, objectNameOf, type IpAddress } from '../net/address.ts';
import { findRange, mergeRanges } from '../net/range-set.ts';
import { formatRange, rangeOfIp } from '../net/range.ts';
import { invariant } from '../runtime/errors.ts';
import { finalizerPatchesOf, type FinalizerPatch } from './finalizers.ts';
import { findHoldings, type Holding, type Holdings } from './holdings.ts';
import type { Gathered } from './input.ts';
import {
  compareText,
  keyOfName,
  labelOf,
  NOTE_KINDS,
  SYSTEMS,
  type AddressUse,
  type Converted,
  type Note,
  type SourceObject,
  type System,
} from './model.ts';
import { nodeAddressesOf } from './node-addresses.ts';
import { patchesOf, type ServicePatch } from './patches.ts';
import { noteService } from './service-notes.ts';
import { isService, noteForeignAnnotations, readService, type ServiceFacts } from './services.ts';
import {
  freeName,
  IMPORTED_FROM,
  noteAbout,
  poolManifest,
  settledPool,
  settlePools,
  type PoolManifest,
  type SettledPool,
} from './settle.ts';
import { isRead, SOURCES, systemOf } from './sources.ts';
import type { SystemContext } from './system.ts';

export interface IpManifest {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'IP';
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>> | undefined;
  };
  readonly spec: {
    readonly address: IpAddress;
    readonly poolName: string;
    readonly reservedFor?: { readonly namespace: string; readonly service?: string };
    readonly retain?: true;
  };
}

export interface Migration {
  readonly pools: readonly PoolManifest[];
  readonly ips: readonly IpManifest[];
  readonly patches: readonly ServicePatch[];
  readonly finalizers: readonly FinalizerPatch[];
  /** By kind, then by object. */
  readonly notes: readonly Note[];
  /** All Services that could be read, in order of namespace/name. */
  readonly services: readonly ServiceFacts[];
  readonly holdings: Holdings;
  /** How many objects each system had. */
  readonly found: ReadonlyMap<System, number>;
  /** `apps/v1 Deployment` -> how many were left aside. */
  readonly ignored: ReadonlyMap<string, number>;
}

/** `gathered`: what stands in the way of reading more (input.ts). */
export function migrate(
  { objects, notes: before, uses: gathered, skipped }: Gathered,
  parseYaml: SystemContext['parseYaml'],
): Migration {
  const notes: Note[] = [...before];
  const unnamed: AddressUse[] = [...gathered];
  const ordered = [...objects].sort((a, b) => compareText(labelOf(a), labelOf(b)));
  const services = ordered
    .filter(isService)
    .flatMap((object) => readService(object, notes, unnamed) ?? [])
    .sort((a, b) => compareText(a.key, b.key));
  const { converted, found } = convertAll(ordered, { parseYaml, services }, notes);
  const settled = settlePools(
    converted.flatMap(({ pools }) => pools),
    notes,
  );
  const uses = [...converted.flatMap((each) => each.uses), ...unnamed];
  const wishes = converted.flatMap((each) => each.wishes);
  const imported = resolve(settled);
  const isImported = (ip: IpAddress): boolean => poolOf(imported, ip) !== undefined;
  const nodes = nodeAddressesOf(ordered);
  const holdings = findHoldings({ services, uses, wishes, isImported, nodes }, notes);
  const complete = withKept(opened(settled, holdings, notes), holdings, notes);
  const after = resolve(complete);
  const patches = patchesOf(
    {
      ...holdings,
      wishes,
      poolOf: (ip) => poolOf(after, ip)?.name,
      poolNamed: namesIn(complete),
      poolOfWish: ({ pool }) => complete.find(({ draft }) => draft === pool)?.name,
    },
    notes,
  );
  noteAll(holdings, complete, notes);
  const pools = complete
    .map(({ draft, name, spec }) => poolManifest(name, draft.system, spec))
    .sort((a, b) => compareText(a.metadata.name, b.metadata.name));
  const ips = holdings.holdings.map((holding) => ipOf(holding, poolOf(after, holding.address)));
  const ignored = new Map([...ignoredIn(ordered), ...skipped]);
  const finalizers = finalizerPatchesOf(holdings.keepers);
  return {
    pools,
    ips,
    patches,
    finalizers,
    notes: sorted(notes),
    services,
    holdings,
    found,
    ignored,
  };
}

/** By the name that the source gave, unless another Pool is called so. */
function namesIn(pools: readonly SettledPool[]): (name: string) => string | undefined {
  const names = new Map(pools.map(({ draft, name }) => [draft.name, name]));
  for (const { name } of pools) names.set(name, name);
  return (name) => names.get(name);
}

function noteAll({ keepers }: Holdings, pools: readonly SettledPool[], notes: Note[]): void {
  for (const keeper of keepers) {
    const { facts } = keeper;
    if (facts === undefined) continue;
    noteService({ ...keeper, facts }, notes);
    noteForeignAnnotations(facts, notes);
  }
  for (const { draft, name } of pools) {
    notes.push({ kind: 'converted', object: draft.origin, message: `Pool ${name}` });
  }
}

function convertAll(
  objects: readonly SourceObject[],
  context: SystemContext,
  notes: Note[],
): { readonly converted: readonly Converted[]; readonly found: ReadonlyMap<System, number> } {
  const bySystem = new Map<System, SourceObject[]>(SYSTEMS.map((system) => [system, []]));
  for (const object of objects) {
    const system = systemOf(object);
    if (system !== undefined) bySystem.get(system)?.push(object);
  }
  const converted = [...bySystem].map(([system, own]) => SOURCES[system].convert(own, context));
  for (const each of converted) notes.push(...each.notes);
  const found = new Map([...bySystem].map(([system, own]) => [system, own.length]));
  return { converted, found };
}

function ignoredIn(objects: readonly SourceObject[]): ReadonlyMap<string, number> {
  const ignored = new Map<string, number>();
  for (const object of objects) {
    const { group, version, kind } = object;
    if (isRead(object)) continue;
    const what = `${group === '' ? '' : `${group}/`}${version} ${kind}`;
    ignored.set(what, (ignored.get(what) ?? 0) + 1);
  }
  return ignored;
}

function resolve(pools: readonly SettledPool[]): ResolvedPools {
  return resolvePools(pools.map(({ pool }) => pool));
}

/** Pools whose namespaces were a preference: those who have addresses of them are let in. */
function opened(
  pools: readonly SettledPool[],
  { keepers }: Holdings,
  notes: Note[],
): readonly SettledPool[] {
  const resolved = resolve(pools);
  return pools.map((each) => {
    const { draft, name, spec } = each;
    const allocation = spec.serviceAllocation;
    if (draft.isOpen !== true || allocation === undefined) return each;
    const named = allocation.namespaces ?? [];
    const guests = keepers
      .filter(({ addresses }) => addresses.some((ip) => poolOf(resolved, ip)?.name === name))
      .map((keeper) => keeper.name.namespace)
      .filter((namespace) => !named.includes(namespace));
    if (guests.length === 0) return each;
    const added = [...new Set(guests)].sort();
    const message = `${added.join(', ')} added to serviceAllocation.namespaces, because Services there have addresses of it`;
    notes.push(noteAbout(draft, 'ambiguous', message));
    const serviceAllocation = { ...allocation, namespaces: [...named, ...added] };
    return settledPool(draft, name, { ...spec, serviceAllocation });
  });
}

const KEPT_POOL = 'kept-addresses';
/** poolSpecSchema */
const ITEMS_MAX = 256;

/**
 * Addresses in use that no Pool hands out get Pools of their own, from which nobody else gets anything: one for each
 * interface that the Pools have whose ranges they are in.
 */
function withKept(
  pools: readonly SettledPool[],
  { holdings }: Holdings,
  notes: Note[],
): readonly SettledPool[] {
  const resolved = resolve(pools);
  // a disabled Pool gives a Service nothing back that has lost its status
  const strays = holdings.filter(
    ({ address }) => poolOf(resolved, address)?.pool.spec.disabled !== false,
  );
  const names = new Set(pools.map(({ name }) => name));
  const kept: SettledPool[] = [];
  const byInterface = new Map<string | undefined, Holding[]>();
  for (const stray of strays) {
    const home = resolved.valid.find(({ space }) => isDeclared(space, stray.address));
    const bindInterface = home?.pool.spec.bindInterface;
    byInterface.set(bindInterface, [...(byInterface.get(bindInterface) ?? []), stray]);
  }
  for (const [bindInterface, group] of byInterface) {
    const items = mergeRanges(group.map(({ address }) => rangeOfIp(address))).map(formatRange);
    for (let start = 0; start < items.length; start += ITEMS_MAX) {
      const name = freeName(KEPT_POOL, bindInterface ?? 'more', names);
      names.add(name);
      const spec = {
        addresses: items.slice(start, start + ITEMS_MAX),
        autoAssign: false,
        ...(bindInterface === undefined ? {} : { bindInterface }),
      };
      const origin = 'addresses in use';
      const draft = { system: 'services' as const, name, origin, where: 'input', spec };
      kept.push(settledPool(draft, name, spec));
    }
  }
  const all = [...pools.map((pool) => withoutStrays(pool, strays)), ...kept];
  const after = resolve(all);
  for (const { address, services, origins } of strays) {
    const named = services.map((service) => `Service ${keyOfName(service)}`);
    const who = [...new Set([...named, ...origins])].join(', ');
    const pool = poolOf(after, address)?.name ?? '';
    const message = `${who} has it, and no imported Pool hands it out: it is in Pool ${pool}`;
    notes.push({ kind: 'ambiguous', object: `address ${address}`, message });
  }
  return all;
}

/** Avoid flags leave an address out of a Pool, but not out of its ranges: two Pools would overlap there. */
function withoutStrays(each: SettledPool, strays: readonly Holding[]): SettledPool {
  const { draft, name, spec, space } = each;
  const inside = strays
    .map(({ address }) => address)
    .filter((ip) => findRange(space.sorted, familyOf(ip), ipToBigInt(ip)));
  if (inside.length === 0) return each;
  const holes = mergeRanges(inside.map(rangeOfIp)).map(formatRange);
  return settledPool(draft, name, { ...spec, filterIPs: [...(spec.filterIPs ?? []), ...holes] });
}

/** Shared addresses are for nobody by name: their Services get them by sharing key and by what they show or ask for. */
function ipOf(holding: Holding, pool: ValidPool | undefined): IpManifest {
  const { address, services, forNamespace, retain, system, isUnnamed } = holding;
  invariant(pool !== undefined, `${address} is in no Pool`);
  const [first] = services;
  const only = services.length === 1 && !isUnnamed ? first : undefined;
  const forNobody = forNamespace === undefined || first !== undefined;
  const forAll = forNobody ? undefined : { namespace: forNamespace };
  const reservedFor =
    only === undefined ? forAll : { namespace: only.namespace, service: only.name };
  const labels = system === 'services' ? pool.pool.metadata.labels : { [IMPORTED_FROM]: system };
  return {
    apiVersion: API_VERSION,
    kind: 'IP',
    metadata: { name: objectNameOf(address), labels },
    spec: {
      address,
      poolName: pool.name,
      ...(reservedFor === undefined ? {} : { reservedFor }),
      ...(retain ? { retain } : {}),
    },
  };
}

function sorted(notes: readonly Note[]): readonly Note[] {
  const place = ({ kind }: Note): number => NOTE_KINDS.indexOf(kind);
  const textOf = ({ object, field, message }: Note): string =>
    `${object}\u0000${field ?? ''}\u0000${message}`;
  const unique = new Map(notes.map((note) => [`${note.kind}\u0000${textOf(note)}`, note]));
  return [...unique.values()].sort(
    (a, b) => place(a) - place(b) || compareText(textOf(a), textOf(b)),
  );
}
