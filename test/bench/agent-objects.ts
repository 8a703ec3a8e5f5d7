// N Services of type LoadBalancer with an address and endpoints each on a real API server, as its controllers leave them:
// with ClusterIPs, nodes, target references and managed fields. What an agent has to read through is part of the figures.
import { createObject, mergePatchObject, readObject } from '../../src/kube/apply.ts';
import { objectAt, textAt } from '../../src/kube/json.ts';
import { IPS } from '../../src/kube/own-kinds.ts';
import { ENDPOINT_SLICES, NODES, SERVICES } from '../../src/kube/resource.ts';
import type { HttpApiClient } from '../../src/kube/transport.ts';
import { realOf, vipOf } from './rules.ts';

export const ENDPOINTS = 5;
export const NODE = 'director-1';
const NAMESPACE = 'default';
const WRITERS = 32;
/** The endpoints run elsewhere, as by custom on directors. */
const WORKERS = 100;
/** Endpoints that come later have addresses above those that are there from the start. */
const FIRST_LATE_ADDRESS = 500_000;

const signal = new AbortController().signal;

export async function createNode(admin: HttpApiClient): Promise<void> {
  const head = { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } };
  await createObject(admin, NODES, head, signal);
  const addresses = [{ type: 'InternalIP', address: '10.0.2.15' }];
  const patch = { status: { addresses } };
  await mergePatchObject(
    admin,
    NODES,
    { at: { name: NODE }, patch, subresource: 'status' },
    signal,
  );
}

/** Services number `from` up to, not including, `to`. */
export async function createServices(
  admin: HttpApiClient,
  from: number,
  to: number,
): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) {
      const i = next;
      next += 1;
      await createOne(admin, i);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

/** One more ready endpoint for a Service that has the first ENDPOINTS; resolves when the API server has it. */
export async function addEndpoint(admin: HttpApiClient, i: number): Promise<void> {
  const at = { namespace: NAMESPACE, name: `s${i}-1` };
  const endpoints = [...firstEndpoints(i), endpoint(i, FIRST_LATE_ADDRESS + i)];
  await mergePatchObject(admin, ENDPOINT_SLICES, { at, patch: { endpoints } }, signal);
}

export async function clusterIpOf(admin: HttpApiClient, i: number): Promise<string> {
  const service = await readObject(
    admin,
    SERVICES,
    { namespace: NAMESPACE, name: `s${i}` },
    signal,
  );
  return textAt(objectAt(service, 'spec'), 'clusterIP') ?? '';
}

async function createOne(admin: HttpApiClient, i: number): Promise<void> {
  const name = `s${i}`;
  const at = { namespace: NAMESPACE, name };
  const spec = {
    type: 'LoadBalancer',
    allocateLoadBalancerNodePorts: false,
    selector: { app: name },
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }],
  };
  const body = { apiVersion: 'v1', kind: 'Service', metadata: at, spec };
  await createObject(admin, SERVICES, body, signal);
  const ingress = [{ ip: vipOf(i), ipMode: 'Proxy', ports: [{ port: 80, protocol: 'TCP' }] }];
  const condition = {
    type: 'vipvs.io/AddressAssigned',
    status: 'True',
    reason: 'Assigned',
    message: `has ${vipOf(i)}`,
    lastTransitionTime: '2026-01-01T00:00:00Z',
  };
  const status = { loadBalancer: { ingress }, conditions: [condition] };
  await mergePatchObject(admin, SERVICES, { at, patch: { status }, subresource: 'status' }, signal);
  const ip = {
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'IP',
    metadata: { name: vipOf(i) },
    spec: {
      address: vipOf(i),
      poolName: 'public',
      claims: [{ ...at, ports: [{ port: 80, protocol: 'TCP' }] }],
    },
  };
  await createObject(admin, IPS, ip, signal);
  await createObject(admin, ENDPOINT_SLICES, sliceOf(i, firstEndpoints(i)), signal);
}

function firstEndpoints(i: number): readonly object[] {
  return Array.from({ length: ENDPOINTS }, (_, j) => endpoint(i, i * ENDPOINTS + j));
}

function endpoint(i: number, address: number): object {
  const pod = `s${i}-7d4b9c6f5d-${address.toString(36).padStart(5, 'x')}`;
  const uid = `00000000-0000-4000-8000-${address.toString(16).padStart(12, '0')}`;
  return {
    addresses: [realOf(address)],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: `worker-${address % WORKERS}`,
    zone: 'zone-a',
    targetRef: { kind: 'Pod', namespace: NAMESPACE, name: pod, uid },
  };
}

function sliceOf(i: number, endpoints: readonly object[]) {
  const labels = {
    app: `s${i}`,
    'kubernetes.io/service-name': `s${i}`,
    'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
  };
  const metadata = { name: `s${i}-1`, namespace: NAMESPACE, labels };
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    metadata,
    ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    endpoints,
  };
}
