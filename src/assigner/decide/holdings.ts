// What a Service has when it is decided, and what it asks for: the serviceCase. Pure.
// It has the addresses that it has a claim on; where a claim is lost (IP object gone, state restored, moved here from
// another load balancer) it still has the address that its status shows, if nobody else holds it.
import type { Service } from '../../api/kubernetes.ts';
import { resolveRequest } from '../../api/request.ts';
import { compareIp, familyOf, tryParseIp, type Family, type IpAddress } from '../../net/address.ts';
import type { AssignerView } from './decision.ts';
import { wantedFamilies } from './families.ts';
import { portsOf, type Held, type ServiceCase } from './service-case.ts';
import { addressRefusal } from './rules.ts';

export function serviceCaseOf(service: Service, key: string, view: AssignerView): ServiceCase {
  const request = resolveRequest(service);
  const serviceCase: ServiceCase = {
    service,
    key,
    namespace: service.metadata.namespace ?? 'default',
    ports: portsOf(service),
    request,
    wanted: wantedFamilies(service, request.addresses.map(familyOf)),
    held: [],
    view,
  };
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  if (ingress.length === 0 && view.holders.addressesOf(key).length === 0) return serviceCase;
  const held = bestOfEachFamily(serviceCase, claimed(serviceCase));
  const shown = shownAddresses(serviceCase).filter(
    (each) => !held.some((other) => other.family === each.family),
  );
  const all = [...held, ...bestOfEachFamily(serviceCase, shown)];
  if (all.length === 0) return serviceCase;
  if (request.addresses.length > 0) return { ...serviceCase, held: all };
  const wanted = wantedFamilies(
    service,
    all.map((each) => each.family),
  );
  return { ...serviceCase, wanted, held: all };
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

/** Addresses in the status that are in a usable Pool and that the Service may have beside their holders. */
function shownAddresses(serviceCase: ServiceCase): readonly Held[] {
  const shown: Held[] = [];
  for (const { ip } of serviceCase.service.status?.loadBalancer?.ingress ?? []) {
    const address = ip === undefined ? undefined : tryParseIp(ip);
    const pool = address === undefined ? undefined : serviceCase.view.holders.pools.poolOf(address);
    if (address === undefined || pool === undefined) continue;
    const family = familyOf(address);
    if (!serviceCase.wanted.families.includes(family)) continue;
    if (addressRefusal(serviceCase, pool, address) !== undefined) continue;
    shown.push({ address, family, pool, poolName: pool.name });
  }
  return shown;
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
function preferenceOf({ request, service }: ServiceCase, held: Held): number {
  const isAsked = request.addresses.includes(held.address);
  const isOfPool = request.pool !== undefined && request.pool === held.poolName;
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
    const address: IpAddress | undefined = ip === undefined ? undefined : tryParseIp(ip);
    if (address !== undefined && holders.pools.poolOf(address) !== undefined) return 'shown';
  }
  return 'none';
}
