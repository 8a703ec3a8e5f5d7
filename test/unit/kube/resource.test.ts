import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  apiVersionOf,
  collectionPath,
  ENDPOINT_SLICES,
  identityOf,
  NODES,
  objectPath,
  resourceName,
  SERVICES,
  withTypeMeta,
} from '../../../src/kube/resource.ts';

const SLICES = '/apis/discovery.k8s.io/v1';

const paths = [
  { given: collectionPath(SERVICES), want: '/api/v1/services' },
  { given: collectionPath(SERVICES, 'shop'), want: '/api/v1/namespaces/shop/services' },
  { given: collectionPath(ENDPOINT_SLICES), want: `${SLICES}/endpointslices` },
  { given: objectPath(NODES, { name: 'n1' }, 'status'), want: '/api/v1/nodes/n1/status' },
  {
    given: objectPath(ENDPOINT_SLICES, { namespace: 'a', name: 'b/c' }),
    want: `${SLICES}/namespaces/a/endpointslices/b%2Fc`,
  },
  { given: apiVersionOf(ENDPOINT_SLICES), want: 'discovery.k8s.io/v1' },
  { given: apiVersionOf(NODES), want: 'v1' },
  { given: resourceName(ENDPOINT_SLICES), want: 'endpointslices.discovery.k8s.io' },
  { given: resourceName(NODES), want: 'nodes' },
];
for (const { given, want } of paths) {
  test(`resource: ${want}`, () => assert.equal(given, want));
}

test('resource: a namespace where it belongs, none where it does not', () => {
  assert.throws(() => objectPath(SERVICES, { name: 'web' }), /services web: namespace missing/);
  assert.throws(() => objectPath(NODES, { name: 'n', namespace: 'a' }), /kind has no namespaces/);
});

const identities = [
  {
    name: 'namespaced',
    given: { name: 'a', namespace: 'n', uid: 'u', resourceVersion: '1' },
    want: 'n/a',
  },
  { name: 'cluster-scoped', given: { name: 'a', resourceVersion: '1' }, want: 'a' },
  { name: 'no name', given: { resourceVersion: '1' }, want: undefined },
  { name: 'no resourceVersion', given: { name: 'a' }, want: undefined },
];
for (const { name, given, want } of identities) {
  test(`resource: identity, ${name}`, () => {
    assert.equal(identityOf({ metadata: given })?.key, want);
  });
}

test('resource: items of a list get their type', () => {
  assert.deepEqual(withTypeMeta({ a: 1 }, NODES), { a: 1, apiVersion: 'v1', kind: 'Node' });
  assert.deepEqual(withTypeMeta({ kind: 'Other' }, NODES), { kind: 'Other' });
  assert.equal(withTypeMeta('text', NODES), undefined);
});
