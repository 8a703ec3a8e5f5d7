// What the agent keeps of the API server's objects: of a cluster's Services those that have a VIP, and of every object
// the fields that desired/ reads. With 10,000 Services each field that nobody reads is a megabyte.
import { ENDPOINT_SLICE_FIELDS, IP_FIELDS, NODE_FIELDS, SERVICE_FIELDS } from '../../api/fields.ts';
import type { IP } from '../../api/ip.ts';
import { keeperOf } from '../../api/keep-fields.ts';
import type { EndpointSlice, Node, Service } from '../../api/kubernetes.ts';
import { SERVICE_NAME_LABEL } from '../../api/kubernetes.ts';
import type { Pool } from '../../api/pool.ts';
import { projectObject } from '../../api/project.ts';
import { Compactor } from '../../files/compact.ts';
import { objectAt } from '../../kube/json.ts';
import { listMessage } from '../../kube/list-message.ts';
import { UsualObjects } from './usual-objects.ts';

/** Slices that belong to a Service; those of headless ones have no VIP in front of them. */
export const SLICE_SELECTOR = `${SERVICE_NAME_LABEL},!service.kubernetes.io/headless`;

/** For the lists at the start: as JSON 10,000 objects of each kind are 36 MB to parse. */
export const SERVICE_LIST = listMessage(SERVICE_FIELDS, ['watch', 'node']);
export const ENDPOINT_SLICE_LIST = listMessage(ENDPOINT_SLICE_FIELDS, ['watch', 'node']);

const KEEP = {
  service: keeperOf(SERVICE_FIELDS, 'node'),
  slice: keeperOf(ENDPOINT_SLICE_FIELDS, 'node'),
  ip: keeperOf(IP_FIELDS, 'node'),
  node: keeperOf(NODE_FIELDS, 'node'),
};

export class Projections {
  readonly #compactor = new Compactor();
  readonly #quick = new UsualObjects();

  /** undefined: no load balancer, or no address yet, and nothing for kube-proxy to take either. */
  service(raw: unknown): Service | undefined {
    // most Services of a cluster end here, unparsed
    const { type, externalIPs } = objectAt(raw, 'spec') ?? {};
    const hasExternalIps = Array.isArray(externalIPs) && externalIPs.length > 0;
    if (type !== 'LoadBalancer' && !hasExternalIps) return undefined;
    const quick = this.#quick.service(raw);
    if (quick !== undefined) return quick;
    const service = KEEP.service(projectObject('Service', raw));
    const ingress = type === 'LoadBalancer' ? (service.status?.loadBalancer?.ingress ?? []) : [];
    if (ingress.length === 0 && !hasExternalIps) return undefined;
    return this.#compact({ ...service, status: { loadBalancer: { ingress } } });
  }

  slice(raw: unknown): EndpointSlice | undefined {
    const quick = this.#quick.slice(raw);
    if (quick !== undefined) return quick;
    const slice = KEEP.slice(projectObject('EndpointSlice', raw));
    return slice.metadata.labels === undefined ? undefined : this.#compact(slice);
  }

  ip(raw: unknown): IP {
    const quick = this.#quick.ip(raw);
    if (quick !== undefined) return quick;
    const ip = KEEP.ip(projectObject('IP', raw));
    const { claims, ...spec } = ip.spec;
    if (claims === undefined) return this.#compact(ip);
    const named = claims.map(({ namespace, name }) => ({ namespace, name, ports: [] }));
    return this.#compact({ ...ip, spec: { ...spec, claims: named } });
  }

  pool(raw: unknown): Pool {
    const { apiVersion, kind, metadata, spec } = projectObject('Pool', raw);
    return this.#compact({ apiVersion, kind, metadata, spec });
  }

  node(raw: unknown): Node {
    return this.#compact(KEEP.node(projectObject('Node', raw)));
  }

  #compact<T extends Service | EndpointSlice | IP | Pool | Node>(object: T): T {
    // the copy is of the kind that went in
    return this.#compactor.compact(object) as T;
  }
}
