// The kernel's dump of virtual and real servers -> Observed['virtualServers']. Pure.
import {
  realServerKey,
  virtualServerKey,
  type RealServerKey,
  type VirtualServer,
  type VirtualServerKey,
} from '../../../net/ipvs.ts';
import {
  PROTOCOL_NUMBERS,
  realServerOf,
  virtualServerOf,
  type DumpedDest,
  type DumpedService,
  type ServiceKey,
} from './values.ts';
import type { ObservedRealServer, ObservedVirtualServer } from '../../model/state.ts';

const PROTOCOLS = new Map(
  (['TCP', 'UDP', 'SCTP'] as const).map((protocol) => [PROTOCOL_NUMBERS[protocol], protocol]),
);
/**
 * Stands in a value that we have no words for (one-packet scheduling, thresholds, a netmask): it equals nothing that
 * anybody can want, so that a plan sets the whole again where it is ours.
 */
export const INEXPRESSIBLE = -1;

/** Whether the key is one that we could have: no mark, a port, TCP, UDP or SCTP. All others are never ours. */
export function isOurKindOfKey(key: ServiceKey): boolean {
  return key.fwmark === 0 && key.port !== 0 && PROTOCOLS.has(key.protocol);
}

/** Of our kind. */
export function keyOfService({ address, port, protocol }: ServiceKey): VirtualServerKey {
  return virtualServerKey({ vip: address, port, protocol: PROTOCOLS.get(protocol) ?? 'TCP' });
}

function observedVirtualServer(
  service: DumpedService,
  dests: readonly DumpedDest[],
): ObservedVirtualServer {
  const realServers = new Map<RealServerKey, ObservedRealServer>();
  for (const dest of dests) {
    const real = observedRealServer(dest);
    realServers.set(realServerKey(real), real);
  }
  return { server: virtualServerOf(service) ?? inexpressible(service.key), realServers };
}

function inexpressible(key: ServiceKey): VirtualServer {
  return {
    vip: key.address,
    port: key.port,
    protocol: PROTOCOLS.get(key.protocol) ?? 'TCP',
    scheduler: 'rr',
    schedulerFlags: [],
    persistenceSeconds: INEXPRESSIBLE,
  };
}

function observedRealServer(dest: DumpedDest): ObservedRealServer {
  const real = realServerOf(dest) ?? {
    address: dest.address,
    port: dest.port,
    method: 'masquerade' as const,
    weight: INEXPRESSIBLE,
  };
  return {
    ...real,
    activeConnections: dest.activeConnections,
    inactiveConnections: dest.inactiveConnections,
  };
}

/** Services of our kind with the dump of their real servers, which has one entry for each of them. */
export function observedVirtualServers(
  services: readonly DumpedService[],
  dests: readonly (readonly DumpedDest[] | undefined)[],
): ReadonlyMap<VirtualServerKey, ObservedVirtualServer> | undefined {
  const observed = new Map<VirtualServerKey, ObservedVirtualServer>();
  for (const [i, service] of services.entries()) {
    const ofService = dests[i];
    if (ofService === undefined) return undefined;
    const value = observedVirtualServer(service, ofService);
    observed.set(virtualServerKey(value.server), value); // a dump may show one twice (ipvs.md, fact 7)
  }
  return observed;
}
