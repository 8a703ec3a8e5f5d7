// Kinds of the API as data, and the paths they are served at. The names of our own kinds come from src/api.
import { isObject, objectAt, textAt, type JsonObject } from './json.ts';

export interface Resource {
  /** `''` is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export const SERVICES = core('services', 'Service', true);
export const NODES = core('nodes', 'Node', false);
export const NAMESPACES = core('namespaces', 'Namespace', false);
export const ENDPOINT_SLICES: Resource = {
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  kind: 'EndpointSlice',
  namespaced: true,
};
export const SERVICE_CIDRS: Resource = {
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  kind: 'ServiceCIDR',
  namespaced: false,
};
export const LEASES: Resource = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};
export const EVENTS: Resource = {
  group: 'events.k8s.io',
  version: 'v1',
  plural: 'events',
  kind: 'Event',
  namespaced: true,
};

function core(plural: string, kind: string, namespaced: boolean): Resource {
  return { group: '', version: 'v1', plural, kind, namespaced };
}

/** As in the `apiVersion` field: `v1`, `vipvs.io/v1alpha1`. */
export function apiVersionOf(resource: Resource): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** As RBAC and error messages name it: `services`, `pools.vipvs.io`. */
export function resourceName(resource: Resource): string {
  return resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
}

/** The path of all objects of a kind, or of one namespace's. */
export function collectionPath(resource: Resource, namespace?: string): string {
  const root = resource.group === '' ? '/api' : `/apis/${resource.group}`;
  const scope = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${root}/${resource.version}${scope}/${resource.plural}`;
}

export interface ObjectName {
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** The path of one object. A namespaced kind needs its namespace, the others must have none. */
export function objectPath(resource: Resource, at: ObjectName, subresource?: string): string {
  if (resource.namespaced !== (at.namespace !== undefined)) {
    throw new Error(
      `${resourceName(resource)} ${at.name}: ${resource.namespaced ? 'namespace missing' : 'kind has no namespaces'}`,
    );
  }
  const path = `${collectionPath(resource, at.namespace)}/${encodeURIComponent(at.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** What every object must carry for us to track it. */
export interface Identity {
  /** `namespace/name`, or `name` where the kind has no namespaces. */
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** Undefined when the JSON is not a Kubernetes object. */
export function identityOf(raw: unknown): Identity | undefined {
  const metadata = objectAt(raw, 'metadata');
  const name = textAt(metadata, 'name');
  const resourceVersion = textAt(metadata, 'resourceVersion');
  if (name === undefined || resourceVersion === undefined) return undefined;
  const namespace = textAt(metadata, 'namespace');
  return {
    key: namespace === undefined ? name : `${namespace}/${name}`,
    uid: textAt(metadata, 'uid') ?? '',
    resourceVersion,
  };
}

/** The items of a list come without apiVersion and kind; parsers want them. */
export function withTypeMeta(raw: unknown, resource: Resource): JsonObject | undefined {
  if (!isObject(raw)) return undefined;
  return raw['kind'] === undefined
    ? { ...raw, apiVersion: apiVersionOf(resource), kind: resource.kind }
    : raw;
}
