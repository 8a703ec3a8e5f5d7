// What the assigner keeps of the API server's objects: the fields in use. Pure.
// A create drops an IP's status, and a second write for each new Service is what we don't want: so the holders stand in
// spec.claims, the CRD's schema defaults the phase to Active, and status.services is filled in here when it is read.
import { ADDRESS_ASSIGNED, PROGRAMMED } from '../api/conditions.ts';
import { IP_FIELDS, NAMESPACE_FIELDS, NODE_FIELDS, SERVICE_FIELDS } from '../api/fields.ts';
import type { IP } from '../api/ip.ts';
import { keeperOf, keysRead } from '../api/keep-fields.ts';
import type { Namespace, Node, ObjectMeta, Service } from '../api/kubernetes.ts';
import type { Pool } from '../api/pool.ts';
import { projectObject } from '../api/project.ts';

/** Of the Services those that ask for a load balancer or still carry something of ours. */
export function projectService(raw: unknown): Service | undefined {
  const service = projectObject('Service', raw);
  const { spec, status } = service;
  const isMarked = status?.conditions?.some(
    ({ type }) => type === ADDRESS_ASSIGNED || type === PROGRAMMED,
  );
  return spec.type === 'LoadBalancer' || isMarked === true ? keptOfService(service) : undefined;
}

/** The status stays whole: its conditions are written back whole. Literals, so that all of them have one shape in memory. */
function keptOfService({ apiVersion, kind, metadata, spec, status }: Service): Service {
  const { type, loadBalancerClass, loadBalancerIP, ports, ipFamilies, ipFamilyPolicy } = spec;
  // beside ipFamilies only this policy asks for them (decide/families.ts)
  const isAsked = ipFamilies === undefined || ipFamilyPolicy === 'PreferDualStack';
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      creationTimestamp,
      deletionTimestamp,
      labels: metadata.labels,
      annotations: annotationsOf(metadata, isOnService),
    },
    status,
    spec: {
      type: type === 'LoadBalancer' ? 'LoadBalancer' : type, // one string for all
      loadBalancerClass,
      loadBalancerIP,
      ipFamilies,
      ipFamilyPolicy,
      ports: ports?.map(({ port, protocol }) => ({ port, protocol })),
      clusterIPs: isAsked ? spec.clusterIPs : undefined,
      clusterIP: isAsked && spec.clusterIPs === undefined ? spec.clusterIP : undefined,
    },
  };
}

function annotationsOf(
  { annotations = {} }: ObjectMeta,
  isKept: (key: string) => boolean,
): ObjectMeta['annotations'] {
  const kept = Object.entries(annotations).filter(([key]) => isKept(key));
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

const isOnService = keysRead(SERVICE_FIELDS, 'annotations', 'assigner');
const isOnIp = keysRead(IP_FIELDS, 'annotations', 'assigner');

export function projectIp(raw: unknown): IP {
  const { apiVersion, kind, metadata, spec, status } = projectObject('IP', raw);
  const { name, uid, resourceVersion } = metadata;
  const annotations = annotationsOf(metadata, isOnIp);
  const ip: IP = {
    apiVersion,
    kind,
    metadata: { name, uid, resourceVersion, annotations },
    spec,
    status,
  };
  const { claims } = spec;
  if (claims === undefined || claims.length === 0) return ip;
  return { ...ip, status: { phase: 'Active', ...status, services: claims } };
}

export function projectPool(raw: unknown): Pool {
  return projectObject('Pool', raw);
}

export function projectNode(raw: unknown): Node {
  return keepNode(projectObject('Node', raw));
}
const keepNode = keeperOf(NODE_FIELDS, 'assigner');

export function projectNamespace(raw: unknown): Namespace {
  return keepNamespace(projectObject('Namespace', raw));
}
const keepNamespace = keeperOf(NAMESPACE_FIELDS, 'assigner');
