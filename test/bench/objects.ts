// N Services with a VIP each and E endpoints each, as the objects a source would deliver.
import { ClusterStore } from '../../src/api/cluster.ts';
import type { EndpointSlice, Service } from '../../src/api/kubernetes.ts';
import { parseObject } from '../../src/api/parse.ts';
import { realOf, vipOf } from './rules.ts';

export function serviceOf(i: number): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `s${i}`, namespace: 'default', uid: `u${i}` },
    spec: { type: 'LoadBalancer', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
    status: { loadBalancer: { ingress: [{ ip: vipOf(i), ipMode: 'Proxy' }] } },
  };
}

/** `ready`: how many of the endpoints are. */
export function sliceOf(i: number, endpoints: number, ready = endpoints): EndpointSlice {
  const labels = { 'kubernetes.io/service-name': `s${i}` };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    metadata: { name: `s${i}-1`, namespace: 'default', labels },
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    endpoints: Array.from({ length: endpoints }, (_, j) => ({
      addresses: [realOf(i * endpoints + j)],
      conditions: { ready: j < ready },
    })),
  };
}

export const POOL_YAML = `apiVersion: vipvs.io/v1alpha1
kind: Pool
metadata: { name: bench }
spec: { addresses: [10.100.0.0/16] }
`;

export function filledStore(services: number, endpoints: number): ClusterStore {
  const store = new ClusterStore();
  const pool = parseObject({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'Pool',
    metadata: { name: 'bench' },
    spec: { addresses: ['10.100.0.0/16'] },
  });
  if (pool.kind !== 'object') throw new Error('the bench has a bad Pool');
  store.set(pool.object);
  for (let i = 0; i < services; i++) {
    store.set(serviceOf(i));
    store.set(sliceOf(i, endpoints));
  }
  return store;
}
