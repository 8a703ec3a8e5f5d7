// Which Services a changed object touches, and what the index says about Services that it does not hold.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterObject } from '../../../../src/api/cluster.ts';
import { namespaceSchema } from '../../../../src/api/kubernetes.ts';
import { DesiredIndex } from '../../../../src/ipvs-node/desired/all-services.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { ip, NODE, node, pool, service, slice, storeOf } from '../objects.ts';

const DR = service({
  name: 'dr',
  metadata: { annotations: { 'vipvs.io/forwarding': 'dr' } },
  ingress: ['192.0.2.12'],
});
const STORE = storeOf(pool(), service(), DR, slice(['10.0.0.1@n2'], { of: 'dr' }));
const NAMESPACE = namespaceSchema.parse({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'default' },
});
const nodeWithoutStatus = (name: string): ClusterObject => {
  const object = node(name);
  return object.kind === 'Node' ? { ...object, status: undefined } : object;
};
const slicesOfNobody = { ...slice([]), metadata: { name: 'x', namespace: 'default' } };
const BOTH = ['default/dr', 'default/web'];

const CASES: readonly {
  readonly name: string;
  readonly before?: ClusterObject;
  readonly after?: ClusterObject;
  readonly want: readonly string[];
}[] = [
  { name: 'a Service: itself', after: service({ name: 'new' }), want: ['default/new'] },
  { name: 'a slice: its Service', before: slice([]), want: ['default/web'] },
  { name: 'a slice without a Service', after: slicesOfNobody, want: [] },
  { name: 'an IP: who shows the address', after: ip('192.0.2.10'), want: ['default/web'] },
  { name: 'an IP that nobody shows', after: ip('192.0.2.77'), want: [] },
  {
    name: 'an IP with garbage for an address',
    after: {
      ...ip('192.0.2.10'),
      spec: { address: 'x', poolName: 'a', retain: false },
    } as ClusterObject,
    want: [],
  },
  { name: 'a Pool: all', before: pool(), after: pool({ driver: 'f5' }), want: BOTH },
  { name: 'a Pool that comes: all', after: pool(), want: BOTH },
  { name: 'a Pool that goes: all', before: pool(), want: BOTH },
  { name: 'the status of a Pool: none', before: pool(), after: pool(), want: [] },
  { name: 'a Node: who routes to it', after: node('n2', '203.0.113.2'), want: ['default/dr'] },
  {
    name: 'its heartbeat: none',
    before: node('n2', '203.0.113.2'),
    after: node('n2', '203.0.113.2'),
    want: [],
  },
  {
    name: 'this node: who has its address',
    after: node('n1', '192.0.2.10', 'x'),
    want: ['default/web'],
  },
  { name: 'this node without addresses', after: nodeWithoutStatus('n1'), want: [] },
  { name: 'a Namespace: none', after: NAMESPACE, want: [] },
];
for (const { name, before, after, want } of CASES) {
  test(name, () => {
    const index = new DesiredIndex(STORE, NODE);
    index.update(STORE.services.keys());
    assert.deepEqual([...index.touchedBy(before, after)].sort(), want);
  });
}

test('a Service that the index does not hold', () => {
  const index = new DesiredIndex(STORE, NODE);
  assert.deepEqual(index.problemsOf('default/web'), []);
  assert.deepEqual([...index.addressesOf('default/web')], []);
  index.update(['default/absent']);
  assert.equal(index.has('default/absent'), false);
});

test('host addresses: only what changed touches anybody', () => {
  const index = new DesiredIndex(STORE, NODE);
  index.update(STORE.services.keys());
  const hosts = new Set(['192.0.2.10', '10.0.0.1'].map(parseIp));
  assert.deepEqual([...index.setHostAddresses(hosts)], ['default/web']);
  assert.deepEqual([...index.setHostAddresses(new Set(hosts))], []);
  assert.deepEqual([...index.setHostAddresses(new Set())], ['default/web']);
});

test('a change that asks for the same changes no address', () => {
  const index = new DesiredIndex(STORE, NODE);
  index.update(STORE.services.keys());
  const changed = index.update(['default/web']);
  assert.deepEqual([...changed.addresses], []);
  assert.equal(changed.sysctls, false);
});

test('a Service that left the view before the index was told: no dispute is said for it', () => {
  const store = storeOf(pool(), service({ name: 'a' }), service({ name: 'b' }));
  const index = new DesiredIndex(store, NODE);
  index.update(store.services.keys());
  assert.equal(
    index.problemsOf('default/b').some(({ reason }) => reason === 'PortConflict'),
    true,
  );
  store.delete('Service', 'default/b');
  assert.equal(
    index.problemsOf('default/b').some(({ reason }) => reason === 'PortConflict'),
    false,
  );
});

test('a Service that left the view gives way before the index was told', () => {
  const made = (name: string, creationTimestamp: string): ClusterObject =>
    // ipMode Proxy: kube-proxy takes nothing of it, so that b's update does not bring a's along
    service({
      name,
      metadata: { creationTimestamp },
      ingress: [{ ip: '192.0.2.10', ipMode: 'Proxy' }],
    });
  const store = storeOf(
    pool(),
    made('a', '2026-01-01T00:00:00Z'),
    made('b', '2026-01-02T00:00:00Z'),
  );
  const index = new DesiredIndex(store, NODE);
  index.update(['default/a', 'default/b']);
  const winner = (): string | undefined => [...index.state.virtualServers.values()][0]?.service;
  assert.equal(winner(), 'default/a');
  store.delete('Service', 'default/a');
  index.update(['default/b']);
  assert.equal(winner(), 'default/b');
  index.update(['default/a']);
  assert.equal(winner(), 'default/b');
});
