// What the agent keeps of the API server's objects: of a cluster's Services those that have a VIP, and of every object
// the fields that desired/ reads. With 10,000 Services each field that nobody reads is a megabyte.
import type { IP } from '../../api/ip.ts';
import type { EndpointSlice, Node, ObjectMeta, Service } from '../../api/kubernetes.ts';
import { SERVICE_NAME_LABEL } from '../../api/kubernetes.ts';
import type { Pool } from '../../api/pool.ts';
import { Compactor } from '../../files/compact.ts';
import { objectAt } from '../../kube/json.ts';
import { projectObject } from '../../api/project.ts';
import { SERVICE_PROXY_LABEL } from '../model/kube-proxy.ts';
import { UsualObjects } from './usual-objects.ts';

const PREFIX = 'vipvs.io/';

/** Slices that belong to a Service; those of headless ones have no VIP in front of them. */
export const SLICE_SELECTOR = `${SERVICE_NAME_LABEL},!service.kubernetes.io/headless`;

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
    const { apiVersion, kind, metadata, spec, status } = projectObject('Service', raw);
    const ingress = type === 'LoadBalancer' ? (status?.loadBalancer?.ingress ?? []) : [];
    if (ingress.length === 0 && !hasExternalIps) return undefined;
    const proxy = metadata.labels?.[SERVICE_PROXY_LABEL];
    const labels = proxy === undefined ? {} : { labels: { [SERVICE_PROXY_LABEL]: proxy } };
    return this.#compact({
      apiVersion,
      kind,
      metadata: { ...slimMeta(metadata), ...labels },
      spec: without(spec, UNUSED_SPEC_FIELDS),
      status: { loadBalancer: { ingress } },
    });
  }

  slice(raw: unknown): EndpointSlice | undefined {
    const quick = this.#quick.slice(raw);
    if (quick !== undefined) return quick;
    const slice = projectObject('EndpointSlice', raw);
    const service = slice.metadata.labels?.[SERVICE_NAME_LABEL];
    if (service === undefined) return undefined;
    const meta = without(slimMeta(slice.metadata), ['uid', 'creationTimestamp']);
    const metadata = { ...meta, labels: { [SERVICE_NAME_LABEL]: service } };
    return this.#compact({ ...slice, metadata });
  }

  ip(raw: unknown): IP {
    const quick = this.#quick.ip(raw);
    if (quick !== undefined) return quick;
    const { apiVersion, kind, metadata, spec } = projectObject('IP', raw);
    const { address, poolName, retain, claims } = spec;
    // who holds it; the ports are the assigner's business
    const names = claims?.map(({ namespace, name }) => ({ namespace, name, ports: [] }));
    const kept = { address, poolName, retain, ...(names === undefined ? {} : { claims: names }) };
    return this.#compact({ apiVersion, kind, metadata: slimMeta(metadata), spec: kept });
  }

  pool(raw: unknown): Pool {
    const { apiVersion, kind, metadata, spec } = projectObject('Pool', raw);
    return this.#compact({ apiVersion, kind, metadata: slimMeta(metadata), spec });
  }

  node(raw: unknown): Node {
    const { apiVersion, kind, metadata, status } = projectObject('Node', raw);
    const addresses = status?.addresses ?? [];
    return this.#compact({ apiVersion, kind, metadata: slimMeta(metadata), status: { addresses } });
  }

  #compact<T extends Service | EndpointSlice | IP | Pool | Node>(object: T): T {
    // the copy is of the kind that went in
    return this.#compactor.compact(object) as T;
  }
}

const UNUSED_SPEC_FIELDS = ['selector', 'ipFamilies', 'ipFamilyPolicy', 'loadBalancerIP'] as const;

function without<T extends object, K extends keyof T>(object: T, keys: readonly K[]): Omit<T, K> {
  const copy = { ...object };
  for (const key of keys) Reflect.deleteProperty(copy, key);
  return copy;
}

function slimMeta(meta: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, creationTimestamp, annotations } = meta;
  const ours = Object.entries(annotations ?? {}).filter(([key]) => key.startsWith(PREFIX));
  return {
    name,
    ...onlySet({ namespace, uid, creationTimestamp }),
    ...(ours.length === 0 ? {} : { annotations: Object.fromEntries(ours) }),
  };
}

function onlySet<K extends string>(
  fields: Readonly<Record<K, string | undefined>>,
): Partial<Record<K, string>> {
  // fromEntries forgets the names of the keys
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<Record<K, string>>;
}
