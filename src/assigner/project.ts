// How the assigner reads and writes the API server's objects: projections to the fields in use, and the merge patches of
// what it writes. Pure.
// A create drops an IP's status, and a second write for each new Service is what we don't want: so the holders stand in
// spec.claims, the CRD's schema defaults the phase to Active, and status.services is filled in here when it is read.
import { ADDRESS_ASSIGNED, PROGRAMMED } from '../api/conditions.ts';
import type { IP } from '../api/ip.ts';
import type { Service, ServiceStatus } from '../api/kubernetes.ts';
import { formatIssue } from '../api/parse-issues.ts';
import { parseObject } from '../api/parse.ts';
import { API_VERSION, GROUP, type Pool } from '../api/pool.ts';
import type { ClusterObject, Kind } from '../api/cluster.ts';
import type { Resource } from '../kube/resource.ts';
import { LAST_SERVICE } from './ip-object.ts';

const VERSION = API_VERSION.slice(GROUP.length + 1);
export const POOLS: Resource = kindOf('pools', 'Pool');
export const IPS: Resource = kindOf('ips', 'IP');

function kindOf(plural: string, kind: string): Resource {
  return { group: GROUP, version: VERSION, plural, kind, namespaced: false };
}

/** The object, if it can be read. Throws with what is wrong with it. */
export function projectObject<K extends Kind>(
  kind: K,
  raw: unknown,
): Extract<ClusterObject, { kind: K }> {
  // the API server has refused or pruned what its CRD does not know: what is left is from a newer CRD
  const parsed = parseObject(raw, { unknownFields: 'drop' });
  if (parsed.kind === 'issues') throw new Error(parsed.issues.map(formatIssue).join('; '));
  if (parsed.kind === 'ignored' || !isKind(kind, parsed.object)) {
    throw new Error(`not a ${kind} of a version that this program knows`);
  }
  return parsed.object;
}

function isKind<K extends Kind>(
  kind: K,
  object: ClusterObject,
): object is Extract<ClusterObject, { kind: K }> {
  return object.kind === kind;
}

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
