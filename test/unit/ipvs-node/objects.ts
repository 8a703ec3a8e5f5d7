// Objects of the tests, parsed by the product's schemas, with as little to write as a case needs.
import { ClusterStore, type ClusterObject } from '../../../src/api/cluster.ts';
import { ipSchema } from '../../../src/api/ip.ts';
import { endpointSliceSchema, nodeSchema, serviceSchema } from '../../../src/api/kubernetes.ts';
import { poolSchema } from '../../../src/api/pool.ts';
import type { NodeView } from '../../../src/ipvs-node/desired/service.ts';
import { objectNameOf, parseIp } from '../../../src/net/address.ts';

/** The node whose agent is tested. */
export const NODE: NodeView = { name: 'n1', bindInterface: 'eth0', hasKubeProxy: false };

export function pool(spec: object = {}, name = 'a'): ClusterObject {
  return poolSchema.parse({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'Pool',
    metadata: { name },
    spec: { addresses: ['192.0.2.0/24', '2001:db8::/64'], ...spec },
  });
}

export function ip(address: string, claims?: readonly string[], poolName = 'a'): ClusterObject {
  return ipSchema.parse({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'IP',
    metadata: { name: objectNameOf(parseIp(address)) },
    spec: {
      address,
      poolName,
      ...(claims && { claims: claims.map((name) => ({ namespace: 'default', name, ports: [] })) }),
    },
  });
}

export interface ServiceParts {
  readonly name?: string;
  readonly metadata?: object;
  readonly spec?: object;
  readonly ingress?: readonly (string | object)[];
}

export function service({
  name = 'web',
  metadata,
  spec,
  ingress,
}: ServiceParts = {}): ClusterObject {
  return serviceSchema.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', ...metadata },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], ...spec },
    status: {
      loadBalancer: {
        ingress: (ingress ?? ['192.0.2.10']).map((each) =>
          typeof each === 'string' ? { ip: each } : each,
        ),
      },
    },
  });
}

export interface SliceParts {
  readonly of?: string;
  readonly name?: string;
  readonly addressType?: string;
  readonly ports?: readonly object[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Endpoints as `10.0.0.1`, `10.0.0.1@node`, or whole. */
export function slice(
  endpoints: readonly (string | object)[],
  { of = 'web', name = `${of}-1`, addressType = 'IPv4', ports, annotations }: SliceParts = {},
): ClusterObject {
  return endpointSliceSchema.parse({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': of },
      annotations,
    },
    addressType,
    ports: ports ?? [{ port: 8080 }],
    endpoints: endpoints.map((each) => {
      if (typeof each !== 'string') return each;
      const [address, nodeName] = each.split('@');
      return { addresses: [address], ...(nodeName === undefined ? {} : { nodeName }) };
    }),
  });
}

export function node(name: string, ...addresses: readonly string[]): ClusterObject {
  return nodeSchema.parse({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  });
}

export function storeOf(...objects: readonly ClusterObject[]): ClusterStore {
  const store = new ClusterStore();
  for (const object of objects) store.set(object);
  return store;
}
