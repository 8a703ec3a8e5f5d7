// What the assigner keeps of the API server's objects: the fields in use. Pure.
// A create drops an IP's status, and a second write for each new Service is what we don't want: so the holders stand in
// spec.claims, the CRD's schema defaults the phase to Active, and status.services is filled in here when it is read.
import { REQUEST_KEYS } from '../api/annotations.ts';
import { ADDRESS_ASSIGNED, PROGRAMMED } from '../api/conditions.ts';
import type { IP } from '../api/ip.ts';
import type { ObjectMeta, Service } from '../api/kubernetes.ts';
import type { Pool } from '../api/pool.ts';
import { projectObject } from '../api/project.ts';
import { LAST_SERVICE } from './holders/ip-object.ts';

/** Of the Services those that ask for a load balancer or still carry something of ours. */
export function projectService(raw: unknown): Service | undefined {
  const service = projectObject('Service', raw);
  const { spec, status } = service;
  const isMarked = status?.conditions?.some(
    ({ type }) => type === ADDRESS_ASSIGNED || type === PROGRAMMED,
  );
  return spec.type === 'LoadBalancer' || isMarked === true ? keptOfService(service) : undefined;
}

/** What decisions read. The status stays whole: its conditions are written back whole. */
function keptOfService({ apiVersion, kind, metadata, spec, status }: Service): Service {
  const { type, loadBalancerClass, loadBalancerIP, ports, ipFamilies, ipFamilyPolicy } = spec;
  // beside ipFamilies only this policy asks for them (decide/families.ts)
  const isAsked = ipFamilies === undefined || ipFamilyPolicy === 'PreferDualStack';
  return {
    apiVersion,
    kind,
    metadata: keptOfServiceMeta(metadata),
    status,
    spec: {
      type: type === 'LoadBalancer' ? 'LoadBalancer' : type, // one string for all
      loadBalancerClass,
      loadBalancerIP,
      ipFamilies,
      ipFamilyPolicy,
      ports: ports?.map(({ port, protocol }) => ({ port, protocol })),
      clusterIPs: isAsked ? spec.clusterIPs : undefined,
    },
  };
}

function keptOfServiceMeta(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp } = metadata;
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    deletionTimestamp,
    labels: metadata.labels, // all of them: any of them may be one that a Pool selects Services by
    annotations: annotationsOf(metadata, REQUEST_ANNOTATIONS),
  };
}

function annotationsOf(
  { annotations = {} }: ObjectMeta,
  keys: ReadonlySet<string>,
): ObjectMeta['annotations'] {
  const kept = Object.entries(annotations).filter(([key]) => keys.has(key));
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

const REQUEST_ANNOTATIONS: ReadonlySet<string> = new Set(Object.values(REQUEST_KEYS).flat());
const IP_ANNOTATIONS: ReadonlySet<string> = new Set([LAST_SERVICE]);

export function projectIp(raw: unknown): IP {
  const { apiVersion, kind, metadata, spec, status } = projectObject('IP', raw);
  const { name, uid, resourceVersion } = metadata;
  const annotations = annotationsOf(metadata, IP_ANNOTATIONS);
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
