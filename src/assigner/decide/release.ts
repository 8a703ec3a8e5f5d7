// Gives addresses back: of Services that are gone, made anew, or not ours any more. Pure.
import type { IpService } from '../../api/ip.ts';
import { namespacedName, type Service } from '../../api/kubernetes.ts';
import { serviceRef } from '../../api/problem.ts';
import { tryParseIp, type IpAddress } from '../../net/address.ts';
import {
  NOTHING,
  type Action,
  type AssignerConfig,
  type AssignerView,
  type Decision,
} from './decision.ts';
import { writeReleased } from './published-status.ts';
import { cleanedStatus, conditionOf } from './service-status.ts';

/** Whether the Service is ours to serve. Others are never touched, unless we hold or wrote something for them. */
export function isOurs(service: Service, config: AssignerConfig): boolean {
  const { type, loadBalancerClass } = service.spec;
  if (type !== 'LoadBalancer') return false;
  return loadBalancerClass === undefined
    ? config.handleUnset
    : loadBalancerClass === config.loadBalancerClass;
}

/** The writes that take the Service's claim off these addresses. */
export function releaseAll(
  key: string,
  addresses: readonly IpAddress[],
  view: AssignerView,
): readonly Action[] {
  return view.holders
    .recordsOf(key)
    .filter(({ address }) => addresses.includes(address))
    .map(({ ip, address }) => writeReleased(ip, key, address, view));
}

/**
 * Decides for a Service (`namespace/name`) that is gone or not ours, and for claims that its deleted namesake left.
 * The status is cleaned before the addresses go: a claim that is still there proves that the status is ours.
 */
export function decideReleases(key: string, view: AssignerView): Decision {
  const service = view.cluster.services.get(key);
  const addresses = view.holders.addressesOf(key);
  if (service === undefined) {
    return addresses.length === 0
      ? NOTHING
      : { ...NOTHING, actions: releaseAll(key, addresses, view) };
  }
  if (isOurs(service, view.config)) {
    const stale = addresses.filter((address) =>
      hasStaleClaim(view.holders.claimsOn(address), service, key),
    );
    return stale.length === 0 ? NOTHING : { ...NOTHING, actions: releaseAll(key, stale, view) };
  }
  const status = cleanedStatus(service, (ip) => isOurAddress(ip, service, addresses, view));
  if (status === undefined && addresses.length === 0) return NOTHING;
  const actions: Action[] = [];
  if (status !== undefined) actions.push({ do: 'service.status', service: key, status });
  actions.push(...releaseAll(key, addresses, view));
  const note = `${addresses.join(', ')} given back: the Service is not of type LoadBalancer and our class any more`;
  const regarding = serviceRef(service);
  const events =
    addresses.length === 0
      ? []
      : [{ regarding, type: 'Normal' as const, reason: 'Released' as const, note }];
  return { actions, events, waits: [] };
}

/** An address that the Service has by its claim, or, where the claim is lost, one that only we can have written. */
function isOurAddress(
  ip: string,
  service: Service,
  addresses: readonly IpAddress[],
  view: AssignerView,
): boolean {
  const address = tryParseIp(ip);
  if (address === undefined) return false;
  if (addresses.includes(address)) return true;
  const isWritten = conditionOf(service)?.status === 'True';
  return isWritten && view.holders.pools.poolOf(address) !== undefined;
}

/** A claim of a Service that was deleted and made again under the same name is not this Service's. */
function hasStaleClaim(claims: readonly IpService[], service: Service, key: string): boolean {
  const { uid } = service.metadata;
  return claims.some(
    (claim) =>
      namespacedName(claim) === key &&
      claim.uid !== undefined &&
      uid !== undefined &&
      claim.uid !== uid,
  );
}
