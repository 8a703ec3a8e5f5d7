// How the assigner reads and writes the API server's objects: projections to the fields in use, and the merge patches of
// what it writes. Pure.
// A create drops an IP's status, and a second write for each new Service is what we don't want: so the holders stand in
// spec.claims, the CRD's schema defaults the phase to Active, and status.services is filled in here when it is read.
import { ADDRESS_ASSIGNED, PROGRAMMED } from '../api/conditions.ts';
import type { IP } from '../api/ip.ts';
import type { Service, ServiceStatus } from '../api/kubernetes.ts';
import type { Pool } from '../api/pool.ts';
import { projectObject } from '../api/project.ts';
import { LAST_SERVICE } from './ip-object.ts';

/** Of the Services those that ask for a load balancer or still carry something of ours. */
export function projectService(raw: unknown): Service | undefined {
  const service = projectObject('Service', raw);
  const { spec, status } = service;
  const isMarked = status?.conditions?.some(
    ({ type }) => type === ADDRESS_ASSIGNED || type === PROGRAMMED,
  );
  return spec.type === 'LoadBalancer' || isMarked === true ? service : undefined;
}

export function projectIp(raw: unknown): IP {
  const ip = projectObject('IP', raw);
  const { claims } = ip.spec;
  if (claims === undefined || claims.length === 0) return ip;
  return { ...ip, status: { phase: 'Active', ...ip.status, services: claims } };
}

export function projectPool(raw: unknown): Pool {
  return projectObject('Pool', raw);
}

type Patch = Readonly<Record<string, unknown>>;

/** Of an IP's spec the assigner owns the holders and, while it has holders, the Pool. */
export function ipPatch(ip: IP): Patch {
  const lastService = ip.metadata.annotations?.[LAST_SERVICE] ?? null;
  return {
    metadata: { annotations: { [LAST_SERVICE]: lastService } },
    spec: { claims: ip.spec.claims ?? [], poolName: ip.spec.poolName },
  };
}

export function ipStatusPatch(ip: IP): Patch {
  const { phase, reason, heldUntil } = ip.status ?? {};
  return { status: { phase, reason: reason ?? null, heldUntil: heldUntil ?? null } };
}

/** Only what is ours of the status; conditions are an array and go whole, guarded by the resourceVersion. */
export function serviceStatusPatch(status: ServiceStatus): Patch {
  const ingress = status.loadBalancer?.ingress ?? null;
  return { status: { loadBalancer: { ingress }, conditions: status.conditions ?? null } };
}
