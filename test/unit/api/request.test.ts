import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOTATIONS, REQUEST_KEYS } from '../../../src/api/annotations.ts';
import { formatProblem } from '../../../src/api/problem.ts';
import { describeSources, namespacesAgree, resolveRequest } from '../../../src/api/request.ts';
import { serviceNamed, serviceWith } from './objects.ts';

test('a Service that asks for nothing', () => {
  const want = {
    pool: undefined,
    addresses: [],
    sharingKey: undefined,
    sharingNamespaces: [],
    sources: [],
    problems: [],
  };
  assert.deepEqual(resolveRequest(serviceNamed({ name: 'web' })), want);
  assert.deepEqual(resolveRequest(serviceWith({ 'example.net/x': '1' })), want);
  assert.equal(describeSources(resolveRequest(serviceWith({}))), '');
});

test('everything at once', () => {
  const request = resolveRequest(
    serviceWith({
      [ANNOTATIONS.pool]: ' public ',
      [ANNOTATIONS.addresses]: '2001:DB8::10, 192.0.2.10,192.0.2.10',
      [ANNOTATIONS.sharingKey]: 'k',
      [ANNOTATIONS.sharingNamespaces]: 'b, a,b',
    }),
  );
  assert.deepEqual(request, {
    pool: 'public',
    addresses: ['2001:db8::10', '192.0.2.10'],
    sharingKey: 'k',
    sharingNamespaces: ['a', 'b'],
    sources: Object.values(ANNOTATIONS).slice(0, 4),
    problems: [],
  });
});

const VALUES = { pool: 'p', addresses: '192.0.2.10', sharingKey: 'k', sharingNamespaces: 'n' };
for (const part of ['pool', 'addresses', 'sharingKey', 'sharingNamespaces'] as const) {
  for (const key of REQUEST_KEYS[part]) {
    test(`${key} is read`, () => {
      const request = resolveRequest(serviceWith({ [key]: VALUES[part] }));
      assert.deepEqual([request[part]].flat(), [VALUES[part]]);
      assert.deepEqual(request.sources, [key]);
      assert.equal(describeSources(request), `from annotation ${key}`);
    });
  }
}

test('spec.loadBalancerIP is a request too, and may stand beside an equal annotation', () => {
  const alone = resolveRequest(serviceWith({}, { loadBalancerIP: '192.0.2.10' }));
  assert.deepEqual(
    [alone.addresses, describeSources(alone)],
    [['192.0.2.10'], 'from spec.loadBalancerIP'],
  );
  const bare = resolveRequest(serviceNamed({ name: 'web' }, { loadBalancerIP: '192.0.2.10' }));
  assert.deepEqual(bare.addresses, ['192.0.2.10']);
  const both = resolveRequest(
    serviceWith(
      { 'metallb.io/loadBalancerIPs': '2001:DB8:0::1' },
      { loadBalancerIP: '2001:db8::1' },
    ),
  );
  assert.deepEqual([both.addresses, both.problems], [['2001:db8::1'], []]);
  assert.equal(
    describeSources(both),
    'from annotation metallb.io/loadBalancerIPs and spec.loadBalancerIP',
  );
});

test('the same addresses in another order agree', () => {
  const request = resolveRequest(
    serviceWith({
      [ANNOTATIONS.addresses]: '192.0.2.10,2001:db8::1',
      'lbipam.cilium.io/ips': '2001:db8::1,192.0.2.10',
    }),
  );
  assert.deepEqual([request.addresses, request.problems], [['192.0.2.10', '2001:db8::1'], []]);
});

const PROBLEMS = [
  {
    name: 'two pools',
    annotations: { 'metallb.io/address-pool': 'b', [ANNOTATIONS.pool]: 'a' },
    want: 'ConflictingRequest: vipvs.io/pool: "a" and metallb.io/address-pool: "b" disagree; remove one of them or make them equal',
  },
  {
    name: 'address and spec.loadBalancerIP',
    annotations: { [ANNOTATIONS.addresses]: '192.0.2.10,2001:db8::1' },
    loadBalancerIP: '192.0.2.10',
    want: 'ConflictingRequest: vipvs.io/addresses: "192.0.2.10,2001:db8::1" and spec.loadBalancerIP: "192.0.2.10" disagree; remove one of them or make them equal',
  },
  {
    name: 'as many addresses, but others',
    annotations: { [ANNOTATIONS.addresses]: '192.0.2.10', 'purelb.io/addresses': '192.0.2.11' },
    want: 'ConflictingRequest: vipvs.io/addresses: "192.0.2.10" and purelb.io/addresses: "192.0.2.11" disagree; remove one of them or make them equal',
  },
  {
    name: 'garbage',
    annotations: { [ANNOTATIONS.addresses]: '192.0.2.10,web' },
    want: 'InvalidAnnotation: vipvs.io/addresses: "web" is not an IP address; allowed: addresses separated by commas',
  },
  {
    name: "kube-vip's DHCP",
    annotations: { 'kube-vip.io/loadbalancerIPs': '0.0.0.0' },
    want: 'InvalidAnnotation: kube-vip.io/loadbalancerIPs: 0.0.0.0 is unspecified; no VIP can have it',
  },
];
for (const { name, annotations, loadBalancerIP, want } of PROBLEMS) {
  test(`problem: ${name}`, () => {
    const request = resolveRequest(serviceWith(annotations, { loadBalancerIP }));
    assert.deepEqual(request.problems.map(formatProblem), [`Service shop/web: ${want}`]);
  });
}

test('a blank value asks for nothing', () => {
  const request = resolveRequest(
    serviceWith({ [ANNOTATIONS.sharingKey]: ' ' }, { loadBalancerIP: '' }),
  );
  assert.deepEqual([request.sharingKey, request.addresses, request.sources], [undefined, [], []]);
});

test('namespaces share only if both sides say so', () => {
  const side = (namespace: string, ...sharingNamespaces: string[]) => ({
    namespace,
    sharingNamespaces,
  });
  const AGREE = [
    { a: side('x'), b: side('x'), want: true },
    { a: side('x', 'y'), b: side('y', 'x'), want: true },
    { a: side('x', '*'), b: side('y', 'z', 'x'), want: true },
    { a: side('x', 'y'), b: side('y'), want: false },
    { a: side('x'), b: side('y', '*'), want: false },
  ];
  for (const { a, b, want } of AGREE) {
    assert.equal(namespacesAgree(a, b), want);
    assert.equal(namespacesAgree(b, a), want);
  }
});
