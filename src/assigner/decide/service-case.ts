// One Service's case, collected once before anything is decided: what it asks for and what it has. Pure.
// It has the addresses that it has a claim on. Where a claim is lost (IP object gone, state restored, moved here from
// another load balancer) it still has the address that its status shows, if a Pool names it and nobody else holds it.
import type { LoadBalancerIngress, Service } from '../../api/kubernetes.ts';
import { poolsNamed, resolveRequest } from '../../api/request.ts';
import { compareIp, familyOf, tryParseIp, type Family, type IpAddress } from '../../net/address.ts';
import type { Holders } from '../holders/holders.ts';
import type { PoolEntry } from '../holders/pools.ts';
import type { AssignerView } from './decision.ts';
import type { Held, ServiceCase } from './case-parts.ts';
import { wantedFamilies } from './families.ts';
import { portsOf } from './ports.ts';
import { holderRefusal } from './rules.ts';

export function serviceCaseOf(service: Service, key: string, view: AssignerView): ServiceCase {
  const request = resolveRequest(service);
  const serviceCase: ServiceCase = {
    service,
    key,
    namespace: service.metadata.namespace ?? 'default',
    ports: portsOf(service),
    request,
    pools: poolsNamed(request),
    wanted: wantedFamilies(service, request.addresses.map(familyOf)),
    held: [],
    unknown: [],
    givenUp: [],
    view,
  };
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  if (ingress.length === 0 && view.holders.addressesOf(key).length === 0) return serviceCase;
  const held = bestOfEachFamily(serviceCase, claimed(serviceCase));
  const shown = shownAddresses(serviceCase).filter(
    (each) => !held.some((other) => other.family === each.family),
  );
  const all = [...held, ...bestOfEachFamily(serviceCase, shown)];
  const unclear = ingress.filter((entry) => isUnknown(view.holders, entry));
  const isClear = view.arePoolsFresh !== true && view.holders.pools.areWhole;
  const found = isClear
    ? { ...serviceCase, givenUp: unclear }
    : { ...serviceCase, unknown: unclear };
  if (all.length === 0) return found;
  if (request.addresses.length > 0) return { ...found, held: all };
  const families = all.map((each) => each.family);
  return { ...found, wanted: wantedFamilies(service, families), held: all };
}

function claimed({ key, view }: ServiceCase): readonly Held[] {
  const held: Held[] = [];
  for (const { address, ip } of view.holders.recordsOf(key)) {
    const pool = view.holders.pools.poolOf(address);
    const poolName = pool?.name ?? ip.spec.poolName;
    held.push({ address, family: familyOf(address), pool, poolName });
  }
  return held;
}

/** Addresses in the status that a usable Pool names and that the Service may have beside their holders. */
function shownAddresses(serviceCase: ServiceCase): readonly Held[] {
  const { holders } = serviceCase.view;
  const shown: Held[] = [];
  for (const { ip } of serviceCase.service.status?.loadBalancer?.ingress ?? []) {
    const address = ip === undefined ? undefined : tryParseIp(ip);
    const entry = address === undefined ? undefined : poolNaming(holders, address);
    if (address === undefined || entry === undefined) continue;
    const family = familyOf(address);
    if (!serviceCase.wanted.families.includes(family)) continue;
    if (holderRefusal(serviceCase, entry, address) !== undefined) continue;
    const pool = holders.pools.poolOf(address);
    shown.push({ address, family, pool, poolName: entry.name });
  }
  return shown;
}

/** Also a Pool that would not hand it out because the cluster uses it itself: what is in use stays. */
function poolNaming({ pools }: Holders, address: IpAddress): PoolEntry | undefined {
  return pools.poolOf(address) ?? pools.blocked(address)?.entry;
}

/** An entry of the status that no usable Pool names and that nobody has a claim on. */
function isUnknown(holders: Holders, { ip }: LoadBalancerIngress): boolean {
  const address = ip === undefined ? undefined : tryParseIp(ip);
  if (address === undefined) return true;
  if (poolNaming(holders, address) !== undefined) return false;
  // a claim on it says whose it is
  return holders.claimsOn(address).length === 0;
}

/** Several of one family stand there after a move that was cut off, or by hand: the one that is asked for stays. */
function bestOfEachFamily(serviceCase: ServiceCase, all: readonly Held[]): readonly Held[] {
  if (all.length < 2) return all;
  const best = new Map<Family, Held>();
  for (const each of all) {
    const other = best.get(each.family);
    if (other === undefined || isBetter(serviceCase, each, other)) best.set(each.family, each);
  }
  const { families } = serviceCase.wanted;
  return [...best.values()].sort((a, b) => placeOf(families, a) - placeOf(families, b));
}

function placeOf(families: readonly Family[], held: Held): number {
  const place = families.indexOf(held.family);
  return place < 0 ? families.length : place;
}

function isBetter(serviceCase: ServiceCase, a: Held, b: Held): boolean {
  const left = preferenceOf(serviceCase, a);
  const right = preferenceOf(serviceCase, b);
  return left === right ? compareIp(a.address, b.address) < 0 : left > right;
}

/** Of two that are equal otherwise the one that is in use: a claim that came too late must not move the Service. */
function preferenceOf({ request, pools, service }: ServiceCase, held: Held): number {
  const isAsked = request.addresses.includes(held.address);
  const isOfPool = pools.includes(held.poolName);
  const isShown = service.status?.loadBalancer?.ingress?.some(({ ip }) => ip === held.address);
  return (
    (isAsked ? 8 : 0) +
    (isOfPool ? 4 : 0) +
    (held.pool === undefined ? 0 : 2) +
    (isShown === true ? 1 : 0)
  );
}

/** Whether the Service has, or shows, an address of ours: such Services are decided before those that wait. */
export function hasAddress(
  service: Service,
  key: string,
  view: AssignerView,
): 'claim' | 'shown' | 'none' {
  const { holders } = view;
  if (holders.addressesOf(key).length > 0) return 'claim';
  for (const { ip } of service.status?.loadBalancer?.ingress ?? []) {
    const address = ip === undefined ? undefined : tryParseIp(ip);
    if (address !== undefined && poolNaming(holders, address) !== undefined) return 'shown';
  }
  return 'none';
}
