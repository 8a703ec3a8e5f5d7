// What the agent reads of lists in protobuf is what it reads of them in JSON, on a real API server: every field that a
// projection looks at, in every form; and every number in the table of fields is the one that the API server writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FieldRow, Fields } from '../../src/api/fields.ts';
import { keeperOf } from '../../src/api/keep-fields.ts';
import {
  ENDPOINT_SLICE_LIST,
  Projections,
  SERVICE_LIST,
} from '../../src/ipvs-node/source/project.ts';
import { isObject, objectAt, textAt } from '../../src/kube/json.ts';
import { listMessage } from '../../src/kube/list-message.ts';
import type { Message } from '../../src/kube/protobuf.ts';
import {
  collectionPath,
  ENDPOINT_SLICES,
  NAMESPACES,
  NODES,
  SERVICE_CIDRS,
  SERVICES,
  withTypeMeta,
  type Resource,
} from '../../src/kube/resource.ts';
import { pathsOf, rowsIn, TABLES, type FieldKind } from '../unit/api/field-samples.ts';
import type { ApiClient, Call, Query } from '../../src/kube/transport.ts';
import { startControlPlane } from './control-plane.ts';
import { clientOf } from './gadgets.ts';

const PORT = { name: 'http', port: 80, targetPort: 'web' };
const NO_NODE_PORTS = { allocateLoadBalancerNodePorts: undefined };
const LABEL = 'kubernetes.io/service-name';
const INGRESS = {
  ingress: [
    { ip: '192.0.2.1', ipMode: 'Proxy', ports: [{ port: 80, protocol: 'TCP', error: 'Taken' }] },
    { ip: '2001:db8::1', ipMode: 'VIP' },
    { hostname: 'lb.example' },
  ],
};

const service = (name: string, spec: object, metadata: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, ...metadata },
  spec: {
    type: 'LoadBalancer',
    allocateLoadBalancerNodePorts: false,
    ports: [PORT],
    ...spec,
  },
});
const slice = (name: string, fields: object, metadata: object = {}): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  addressType: 'IPv4',
  metadata: { name, labels: { [LABEL]: name, other: 'x' }, ...metadata },
  endpoints: [{ addresses: ['10.0.0.1'] }],
  ports: [{ port: 80 }],
  ...fields,
});

const OBJECTS = [
  service('plain', { ports: [{ port: 80 }] }),
  service('two', { ports: [PORT, { name: 'dns', port: 53, protocol: 'UDP' }] }),
  service('local', {
    externalTrafficPolicy: 'Local',
    loadBalancerSourceRanges: ['192.0.2.0/24'],
    loadBalancerClass: 'vipvs.io/ipvs',
    ipFamilyPolicy: 'PreferDualStack',
  }),
  service(
    'sticky',
    {
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 90 } },
      selector: { app: 'x' },
    },
    { annotations: { 'vipvs.io/scheduler': 'wlc', 'example.com/text': 'größe' } },
  ),
  service('outside', { type: 'ClusterIP', externalIPs: ['192.0.2.9'], ...NO_NODE_PORTS }),
  service(
    'foreign',
    { externalIPs: ['192.0.2.8'] },
    { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } },
  ),
  service('inner', { type: 'ClusterIP', ...NO_NODE_PORTS }),
  slice('plain', {}),
  slice('bare', { endpoints: [], ports: [] }),
  slice('six', { addressType: 'IPv6', endpoints: [{ addresses: ['2001:db8::5'] }] }),
  slice(
    'many',
    {
      endpoints: [
        { addresses: ['10.0.0.1'], conditions: { ready: true }, nodeName: 'n1', zone: 'z' },
        { addresses: ['10.0.0.2'], conditions: { ready: false, serving: true, terminating: true } },
        { addresses: ['10.0.0.3'], conditions: { serving: false }, hostname: 'h' },
      ],
      ports: [
        { name: 'http', port: 8080, protocol: 'TCP', appProtocol: 'http' },
        { name: 'dns', port: 5353, protocol: 'UDP' },
      ],
    },
    { annotations: { 'vipvs.io/weight': '7', 'example.com/note': 'x' } },
  ),
];

test('protobuf and JSON of a list give the same objects', { timeout: 90_000 }, async (context) => {
  const plane = await startControlPlane();
  context.after(() => plane.stop());
  const admin = await clientOf(plane, 'admin');
  context.after(() => admin.close());
  await plane.kubectl(['apply', '-f', '-'], {
    stdin: OBJECTS.map((o) => JSON.stringify(o)).join('\n'),
  });
  const patch = JSON.stringify({ status: { loadBalancer: INGRESS } });
  for (const name of ['plain', 'local', 'sticky']) {
    await plane.kubectl([
      'patch',
      'svc',
      name,
      '--subresource=status',
      '--type=merge',
      '-p',
      patch,
    ]);
  }
  const projections = new Projections();
  const both = async (
    resource: Resource,
    protobuf: Message,
    project: (raw: unknown) => object | undefined,
  ): Promise<number> => {
    const path = collectionPath(resource);
    const [json, jsonItems] = await listed(admin, { path });
    const [other, otherItems] = await listed(admin, { path }, protobuf);
    assert.notDeepEqual(otherItems, jsonItems, 'it was protobuf');
    const version = (list: unknown): unknown =>
      textAt(objectAt(list, 'metadata'), 'resourceVersion');
    assert.equal(version(other), version(json));
    const objects = (items: readonly unknown[]): readonly unknown[] =>
      items.map((raw) => project(withTypeMeta(raw, resource)));
    const found = objects(otherItems);
    assert.deepEqual(found, objects(jsonItems));
    return found.length;
  };
  assert.equal(await both(SERVICES, SERVICE_LIST, (raw) => projections.service(raw)), 8);
  const slices = await both(ENDPOINT_SLICES, ENDPOINT_SLICE_LIST, (raw) => projections.slice(raw));
  assert.equal(slices, 4);
  // pages: the continue token goes through
  const path = collectionPath(SERVICES);
  const page = (query: Query): ReturnType<typeof listed> =>
    listed(admin, { path, query }, SERVICE_LIST);
  const [first, some] = await page({ limit: 2 });
  const token = textAt(objectAt(first, 'metadata'), 'continue');
  const [, others] = await page({ continue: token });
  assert.deepEqual([some.length, others.length], [2, 6]);
});

/** The list without its items, and these. */
async function listed(
  client: ApiClient,
  call: Pick<Call, 'path'> & Partial<Pick<Call, 'query'>>,
  protobuf?: Message,
): Promise<readonly [unknown, readonly unknown[]]> {
  const items: unknown[] = [];
  const list = { onItem: (item: unknown): unknown => items.push(item), protobuf };
  const { signal } = new AbortController();
  return [await client.call({ method: 'GET', signal, list, ...call }), items];
}

const CONDITION = {
  type: 'example.com/X',
  status: 'True',
  observedGeneration: 1,
  lastTransitionTime: '2026-01-01T00:00:00Z',
  reason: 'R',
  message: 'm',
};
const OWN_PLACES: Readonly<Record<Exclude<FieldKind, 'IP'>, Resource>> = {
  Service: SERVICES,
  EndpointSlice: ENDPOINT_SLICES,
  Node: NODES,
  Namespace: NAMESPACES,
  ServiceCIDR: SERVICE_CIDRS,
};

/** The table of a reader who reads everything. */
function everyRow(fields: Fields): Fields {
  const all = Object.entries(fields).map(([name, row]): [string, FieldRow] => {
    if ('fields' in row) return [name, { ...row, fields: everyRow(row.fields) }];
    if ('keys' in row) return [name, { ...row, keys: { node: () => true } }];
    return [name, { ...row, readers: ['node'] }];
  });
  return Object.fromEntries(all);
}

/** In protobuf a number that is not set is 0. */
function assertWithin(json: unknown, protobuf: unknown, path: string): void {
  if (isObject(json)) {
    for (const [name, child] of Object.entries(json)) {
      assertWithin(child, isObject(protobuf) ? protobuf[name] : undefined, `${path}.${name}`);
    }
  } else if (Array.isArray(json)) {
    const others: readonly unknown[] = Array.isArray(protobuf) ? protobuf : [];
    for (const [i, child] of json.entries()) assertWithin(child, others[i], `${path}[${i}]`);
  } else assert.deepEqual(protobuf, json, path);
}

test('the numbers of the tables are the API server’s', { timeout: 90_000 }, async (context) => {
  const plane = await startControlPlane();
  context.after(() => plane.stop());
  const admin = await clientOf(plane, 'admin');
  context.after(() => admin.close());
  const held = { finalizers: ['example.com/f'], labels: { a: 'b' }, annotations: { c: 'd' } };
  const spec = {
    loadBalancerIP: '192.0.2.1',
    loadBalancerClass: 'vipvs.io/ipvs',
    loadBalancerSourceRanges: ['192.0.2.0/24'],
    externalIPs: ['192.0.2.9'],
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 90 } },
    selector: { app: 'x' },
    ipFamilyPolicy: 'SingleStack',
  };
  const conditions = { ready: true, serving: true, terminating: true };
  const endpoints = [{ addresses: ['10.0.0.1'], conditions, nodeName: 'n1' }];
  const ports = [{ name: 'http', protocol: 'TCP', port: 80 }];
  const objects = [
    service('full', spec, held),
    slice('full', { endpoints, ports }),
    {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1' },
      spec: { podCIDR: '10.244.1.0/24', podCIDRs: ['10.244.1.0/24'] },
    },
  ];
  await plane.kubectl(['apply', '-f', '-'], {
    stdin: objects.map((o) => JSON.stringify(o)).join('\n'),
  });
  const statusOf = async (object: readonly string[], status: object): Promise<void> => {
    const patch = JSON.stringify({ status });
    const how = ['--subresource=status', '--type=merge', '-p', patch];
    await plane.kubectl(['patch', ...object, ...how]);
  };
  const error = { port: 80, protocol: 'TCP', error: 'Taken' };
  const ingress = [
    { ip: '192.0.2.1', ipMode: 'Proxy', ports: [error] },
    { hostname: 'lb.example' },
  ];
  await statusOf(['svc', 'full'], { loadBalancer: { ingress }, conditions: [CONDITION] });
  const addresses = [{ type: 'InternalIP', address: '192.0.2.201' }];
  await statusOf(['node', 'n1'], { addresses, conditions: [{ type: 'Ready', status: 'True' }] });
  // the finalizer holds it, with a deletionTimestamp
  await plane.kubectl(['delete', 'svc', 'full', '--wait=false']);
  const covered = new Set<string>();
  const wanted = new Set<string>();
  for (const [kind, resource] of Object.entries(OWN_PLACES) as [
    keyof typeof OWN_PLACES,
    Resource,
  ][]) {
    const fields = everyRow(TABLES[kind]);
    // the metadata of all kinds are one message
    const place = (path: string): string =>
      path.startsWith('metadata.') ? path : `${kind} ${path}`;
    for (const [path] of rowsIn(fields)) wanted.add(place(path));
    const path = collectionPath(resource);
    const [, json] = await listed(admin, { path });
    const [, other] = await listed(admin, { path }, listMessage(fields, ['node']));
    assert.ok(json.length > 0 && json.length === other.length);
    const kept = json.map((raw) => keeperOf(fields, 'node')(raw as object));
    assertWithin(kept, other, kind);
    for (const object of kept) {
      for (const at of pathsOf(kind, object)) covered.add(place(at.replace(/\{.*/, '')));
    }
  }
  assert.deepEqual(
    [...wanted].filter((path) => !covered.has(path)),
    [],
  );
});
