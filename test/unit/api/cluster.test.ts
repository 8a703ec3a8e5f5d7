import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ClusterStore,
  keyOf,
  serviceKeyOfSlice,
  type ClusterObject,
} from '../../../src/api/cluster.ts';
import { endpointSliceSchema, type EndpointSlice } from '../../../src/api/kubernetes.ts';
import { parseObject } from '../../../src/api/parse.ts';
import { poolOfSpec, serviceWith } from './objects.ts';

function slice(name: string, service?: string, namespace?: string): EndpointSlice {
  const labels = service === undefined ? {} : { labels: { 'kubernetes.io/service-name': service } };
  return endpointSliceSchema.parse({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, ...(namespace === undefined ? {} : { namespace }), ...labels },
    addressType: 'IPv4',
    endpoints: null,
    ports: null,
  });
}
function object(apiVersion: string, kind: string, name: string, rest: object = {}): ClusterObject {
  const parsed = parseObject({ apiVersion, kind, metadata: { name }, ...rest });
  assert.ok(parsed.kind === 'object');
  return parsed.object;
}

const address = { spec: { address: '192.0.2.1', poolName: 'p' } };
const ALL: readonly ClusterObject[] = [
  object('v1', 'Namespace', 'shop'),
  object('v1', 'Node', 'n1'),
  poolOfSpec('p', { addresses: ['192.0.2.1'] }),
  object('vipvs.io/v1alpha1', 'IP', '192.0.2.1', address),
  serviceWith({}),
  slice('web-1', 'web', 'shop'),
];

test('objects by kind and key, printed in a fixed order of kinds', () => {
  const store = new ClusterStore();
  for (const each of [...ALL].reverse()) store.set(each);
  assert.deepEqual([...store.objects()], ALL);
  for (const each of ALL) assert.equal(store.get(each.kind, keyOf(each)), each);
  assert.deepEqual(ALL.map(keyOf), ['shop', 'n1', 'p', '192.0.2.1', 'shop/web', 'shop/web-1']);
  for (const each of ALL) store.delete(each.kind, keyOf(each));
  assert.deepEqual([...store.objects()], []);
  assert.equal(store.get('Pool', 'p'), undefined);
});

test('slices of a Service, in name order, follow every change', () => {
  const store = new ClusterStore();
  const names = (key: string) => store.endpointSlicesOf(key).map(({ metadata }) => metadata.name);
  for (const name of ['web-b', 'web-c', 'web-a']) store.set(slice(name, 'web', 'shop'));
  store.set(slice('stray', undefined, 'shop'));
  store.set(slice('web-x', 'web'));
  assert.deepEqual(names('shop/web'), ['web-a', 'web-b', 'web-c']);
  assert.deepEqual(names('default/web'), ['web-x']);
  store.set(slice('web-b', 'api', 'shop'));
  assert.deepEqual([names('shop/web'), names('shop/api')], [['web-a', 'web-c'], ['web-b']]);
  store.set(slice('web-a', 'web', 'shop'));
  assert.deepEqual(names('shop/web'), ['web-a', 'web-c']);
  store.delete('EndpointSlice', 'shop/web-b');
  store.delete('EndpointSlice', 'shop/stray');
  store.delete('EndpointSlice', 'shop/never-there');
  assert.deepEqual(names('shop/api'), []);
});

test('a slice without the label belongs to no Service', () => {
  assert.equal(serviceKeyOfSlice(slice('a')), undefined);
  assert.equal(
    serviceKeyOfSlice({ ...slice('a'), metadata: { name: 'a', labels: {} } }),
    undefined,
  );
});
