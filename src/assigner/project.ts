// What the assigner keeps of the API server's objects: the fields in use. Pure.
// A create drops an IP's status, and a second write for each new Service is what we don't want: so the holders stand in
// spec.claims, the CRD's schema defaults the phase to Active, and status.services is filled in here when it is read.
import { clusterIps } from '../api/cluster-ranges.ts';
import { ADDRESS_ASSIGNED, PROGRAMMED } from '../api/conditions.ts';
import {
  IP_FIELDS,
  NAMESPACE_FIELDS,
  NODE_FIELDS,
  SERVICE_CIDR_FIELDS,
  SERVICE_FIELDS,
} from '../api/fields.ts';
import type { IP } from '../api/ip.ts';
import { keeperOf, keysRead } from '../api/keep-fields.ts';
import type { Namespace, Node, ObjectMeta, Service, ServiceCidr } from '../api/kubernetes.ts';
import type { Pool } from '../api/pool.ts';
import { projectObject } from '../api/project.ts';

/**
 * Of the Services those that ask for a load balancer, or still carry something of ours; of the others their ClusterIPs, which
 * are no VIPs.
 */
export function projectService(raw: unknown): Service | undefined {
  const service = projectObject('Service', raw);
  const { apiVersion, kind, metadata, spec, status } = service;
  const isMarked = status?.conditions?.some(
    ({ type }) => type === ADDRESS_ASSIGNED || type === PROGRAMMED,
  );
  if (spec.type === 'LoadBalancer' || isMarked === true) return keptOfService(service);
  if (clusterIps(service).length === 0) return undefined;
  // 10,000 of them are there for these texts alone
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, namespace, uid, resourceVersion },
    spec: clusterIpOf(spec),
  };
}

/** The single one as a text: a list beside it is memory for nothing. */
function clusterIpOf({ clusterIP, clusterIPs }: Service['spec']): Service['spec'] {
  if (clusterIPs === undefined || clusterIPs.length < 2) {
    return { clusterIP: clusterIPs?.[0] ?? clusterIP };
  }
  return { clusterIPs };
}

/** The status stays whole: its conditions are written back whole. Literals, so that all of them have one shape in memory. */
function keptOfService({ apiVersion, kind, metadata, spec, status }: Service): Service {
  const { type, loadBalancerClass, loadBalancerIP, ports, ipFamilies, ipFamilyPolicy } = spec;
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
      ...keptClusterIps(spec),
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

/** Beside ipFamilies only one policy asks whether the list is there (decide/families.ts). */
function keptClusterIps(spec: Service['spec']): Pick<Service['spec'], 'clusterIP' | 'clusterIPs'> {
  const isListAsked = spec.ipFamilies === undefined || spec.ipFamilyPolicy === 'PreferDualStack';
  if (!isListAsked) return clusterIpOf(spec);
  return spec.clusterIPs === undefined ? clusterIpOf(spec) : { clusterIPs: spec.clusterIPs };
}

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

export function projectServiceCidr(raw: unknown): ServiceCidr {
  return keepServiceCidr(projectObject('ServiceCIDR', raw));
}
const keepServiceCidr = keeperOf(SERVICE_CIDR_FIELDS, 'assigner');
