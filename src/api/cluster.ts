// The objects that a program sees, whatever their source (API server, directory of manifests, a test), with the
// two indexes that the cores need. It is data: no I/O, no clock; the source calls set and delete.
import type { IP } from './ip.ts';
import {
  namespacedName,
  SERVICE_NAME_LABEL,
  type EndpointSlice,
  type Namespace,
  type Node,
  type Service,
  type ServiceCidr,
} from './kubernetes.ts';
import { Index } from './many-to-many.ts';
import type { Pool } from './pool.ts';

export type ClusterObject = Pool | IP | Service | EndpointSlice | Node | Namespace | ServiceCidr;
export type Kind = ClusterObject['kind'];

/** Key of an object in its map: `namespace/name` for Service and EndpointSlice, `name` for the others. */
export function keyOf(object: ClusterObject): string {
  return object.kind === 'Service' || object.kind === 'EndpointSlice'
    ? namespacedName(object.metadata)
    : object.metadata.name;
}

/** `Service default/web`: unique among all kinds. */
export function objectKey(object: ClusterObject): string {
  return [object.kind, keyOf(object)].join(' '); // flat in memory, unlike a template's string
}

export interface ClusterView {
  readonly pools: ReadonlyMap<string, Pool>;
  readonly ips: ReadonlyMap<string, IP>;
  readonly services: ReadonlyMap<string, Service>;
  readonly namespaces: ReadonlyMap<string, Namespace>;
  readonly nodes: ReadonlyMap<string, Node>;
  readonly serviceCidrs: ReadonlyMap<string, ServiceCidr>;
  /** The slices of a Service, in name order. */
  endpointSlicesOf(serviceKey: string): readonly EndpointSlice[];
}

/** The Service that a slice belongs to, as `namespace/name`; undefined without the label. */
export function serviceKeyOfSlice(slice: EndpointSlice): string | undefined {
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
  return name === undefined ? undefined : `${slice.metadata.namespace ?? 'default'}/${name}`;
}

export class ClusterStore implements ClusterView {
  readonly pools = new Map<string, Pool>();
  readonly ips = new Map<string, IP>();
  readonly services = new Map<string, Service>();
  readonly namespaces = new Map<string, Namespace>();
  readonly nodes = new Map<string, Node>();
  readonly serviceCidrs = new Map<string, ServiceCidr>();
  readonly endpointSlices = new Map<string, EndpointSlice>();
  readonly #slicesByService = new Index<string, EndpointSlice>();

  set(object: ClusterObject): void {
    const key = keyOf(object);
    switch (object.kind) {
      case 'EndpointSlice':
        this.#unindexSlice(key);
        this.endpointSlices.set(key, object);
        this.#indexSlice(object);
        break;
      case 'Service':
        this.services.set(key, object);
        break;
      case 'Pool':
        this.pools.set(key, object);
        break;
      case 'IP':
        this.ips.set(key, object);
        break;
      case 'Namespace':
        this.namespaces.set(key, object);
        break;
      case 'Node':
        this.nodes.set(key, object);
        break;
      case 'ServiceCIDR':
        this.serviceCidrs.set(key, object);
        break;
    }
  }

  delete(kind: Kind, key: string): void {
    if (kind === 'EndpointSlice') this.#unindexSlice(key);
    this.#mapOf(kind).delete(key);
  }

  keys(kind: Kind): Iterable<string> {
    return this.#mapOf(kind).keys();
  }

  get(kind: Kind, key: string): ClusterObject | undefined {
    return this.#mapOf(kind).get(key);
  }

  endpointSlicesOf(serviceKey: string): readonly EndpointSlice[] {
    const slices = this.#slicesByService.get(serviceKey);
    return slices.length < 2 ? slices : [...slices].sort(byName);
  }

  *objects(): Generator<ClusterObject> {
    for (const kind of KINDS) yield* this.#mapOf(kind).values();
  }

  #mapOf(kind: Kind): Map<string, ClusterObject> {
    const maps = {
      Pool: this.pools,
      IP: this.ips,
      Service: this.services,
      EndpointSlice: this.endpointSlices,
      Node: this.nodes,
      Namespace: this.namespaces,
      ServiceCIDR: this.serviceCidrs,
    };
    return maps[kind];
  }

  #indexSlice(slice: EndpointSlice): void {
    const service = serviceKeyOfSlice(slice);
    if (service !== undefined) this.#slicesByService.add(service, slice);
  }

  #unindexSlice(key: string): void {
    const old = this.endpointSlices.get(key);
    const service = old === undefined ? undefined : serviceKeyOfSlice(old);
    if (old !== undefined && service !== undefined) this.#slicesByService.delete(service, old);
  }
}

function byName(a: EndpointSlice, b: EndpointSlice): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

/** The order in which objects are printed: what others refer to comes first. */
export const KINDS: readonly Kind[] = [
  'Namespace',
  'Node',
  'ServiceCIDR',
  'Pool',
  'IP',
  'Service',
  'EndpointSlice',
];
