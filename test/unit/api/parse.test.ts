import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { explain, formatIssue } from '../../../src/api/parse-issues.ts';
import { parseObject, type ParseOptions } from '../../../src/api/parse.ts';
import { closest } from '../../../src/api/suggest.ts';

const OURS = { apiVersion: 'vipvs.io/v1alpha1' };
const pool = (spec: object, rest: object = {}) => ({
  ...OURS,
  kind: 'Pool',
  metadata: { name: 'p' },
  spec,
  ...rest,
});
const ip = (name: string, spec: object) => ({ ...OURS, kind: 'IP', metadata: { name }, spec });
const service = (spec: object, metadata: object = { name: 'web', namespace: 'shop' }) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata,
  spec,
});
const slice = (endpoints: object, ports: object = [{ port: 80 }], rest: object = {}) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', namespace: 'shop' },
  addressType: 'IPv4',
  endpoints,
  ports,
  ...rest,
});
const issuesOf = (raw: unknown, options?: ParseOptions): readonly string[] => {
  const result = parseObject(raw, options);
  return result.kind === 'issues' ? result.issues.map(formatIssue) : [result.kind];
};
const remarksOf = (raw: unknown, options?: ParseOptions): readonly string[] => {
  const result = parseObject(raw, options);
  assert.ok(result.kind === 'object', issuesOf(raw, options).join('\n'));
  return result.remarks.map(formatIssue);
};
const objectOf = (raw: unknown, options?: ParseOptions) => {
  const result = parseObject(raw, options);
  assert.ok(result.kind === 'object', issuesOf(raw, options).join('\n'));
  return result.object;
};

test('every kind is parsed, reduced to the fields in use', () => {
  const objects = [
    pool({ addresses: ['10.0.0.0/24'] }),
    ip('192.0.2.10', { address: '192.0.2.10', poolName: 'p' }),
    ip('2001-0db8-0000-0000-0000-0000-0000-0001', { address: '2001:db8::1', poolName: 'p' }),
    service({
      ports: [
        { name: 'tcp', port: 80 },
        { name: 'udp', port: 80, protocol: 'UDP' },
      ],
    }),
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'bare' } },
    { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: { podCIDR: 'x' } },
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'web-1', namespace: 'shop', managedFields: [{}] },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.1.0.1'], zone: 'a' }],
    },
  ];
  for (const raw of objects) {
    const object = objectOf(raw);
    assert.equal(object.kind, raw.kind);
    assert.doesNotMatch(JSON.stringify(object), /managedFields|zone|podCIDR/);
  }
});

test('defaults are filled in', () => {
  assert.deepEqual(objectOf(pool({ addresses: ['10.0.0.1'] })), {
    ...pool({
      addresses: ['10.0.0.1'],
      filterIPs: [],
      avoidBuggyIPs: false,
      avoidGatewayIPs: false,
      ignoreNamespaces: [],
      autoAssign: true,
      disabled: false,
      driver: 'ipvs',
    }),
  });
});

test('a field that is null is not there, as in the API server', () => {
  const raw = pool(
    { addresses: ['10.0.0.1'], filterIPs: null, defaults: { scheduler: null } },
    { metadata: { name: 'p', labels: null }, status: null },
  );
  assert.deepEqual(objectOf(raw), {
    ...objectOf(pool({ addresses: ['10.0.0.1'], defaults: {} })),
  });
});

test('what is not ours is named and ignored', () => {
  const raw = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'x' } };
  assert.deepEqual(parseObject(raw), { kind: 'ignored', what: 'apps/v1 Deployment' });
  const event = { apiVersion: 'v1', kind: 'Event' };
  assert.deepEqual(parseObject(event), { kind: 'ignored', what: 'v1 Event' });
});

const ISSUES = [
  { name: 'not an object', raw: null, want: ['must be a mapping of fields, is null'] },
  { name: 'a list', raw: [1], want: ['must be a mapping of fields, is a list of 1'] },
  { name: 'text', raw: 'x', want: ['must be a mapping of fields, is "x"'] },
  { name: 'no type', raw: { kind: 'Pool' }, want: ['apiVersion: is required'] },
  { name: 'another version of ours', raw: { apiVersion: 'vipvs.io/v1', kind: 'Pool' }, want: ['apiVersion: must be vipvs.io/v1alpha1, is vipvs.io/v1'] },
  { name: 'a kind nearly ours', raw: { ...OURS, kind: 'Pols' }, want: ['kind: must be one of Pool, IP, is Pols'] },
  { name: 'a kind very nearly ours', raw: { ...OURS, kind: 'pool' }, want: ['kind: must be one of Pool, IP, is pool; did you mean Pool?'] },
  { name: 'nothing in it', raw: { ...OURS, kind: 'Pool' }, want: ['metadata: is required', 'spec: is required'] },
  { name: 'a missing field', raw: pool({}), want: ['spec.addresses: is required'] },
  { name: 'an empty list', raw: pool({ addresses: [] }), want: ['spec.addresses: must have at least 1 item, is an empty list'] },
  { name: 'a long list', raw: pool({ addresses: Array.from({ length: 257 }, () => '10.0.0.1') }), want: ['spec.addresses: must have at most 256 items, is a list of 257'] },
  { name: 'a long text', raw: pool({ addresses: ['1'.repeat(101)] }), want: [`spec.addresses[0]: must have at most 100 characters, is "${'1'.repeat(80)}…"`] },
  { name: 'a mapping for a list', raw: pool({ addresses: { a: 1 } }), want: ['spec.addresses: must be a list, is a mapping'] },
  { name: 'an unknown field', raw: pool({ adresses: ['10.0.0.1'], addresses: ['10.0.0.1'] }), want: ['spec.adresses: unknown field; did you mean addresses?'] },
  { name: 'an unknown field far from all', raw: pool({ addresses: ['10.0.0.1'], defaults: { zzz: 1 } }), want: ['spec.defaults.zzz: unknown field; allowed: scheduler, forwarding, persistenceSeconds, drainSeconds'] },
  { name: 'an unknown field in a list', raw: pool({ addresses: ['a'], serviceAllocation: { namespaceSelectors: [{}, { matchLabel: {} }] } }), want: ['spec.serviceAllocation.namespaceSelectors[1].matchLabel: unknown field; did you mean matchLabels?'] },
  { name: 'an unknown field on top', raw: pool({ addresses: ['a'] }, { specs: {} }), want: ['specs: unknown field; did you mean spec?'] },
  { name: 'text for true', raw: pool({ addresses: ['a'], autoAssign: 'yes' }), want: ['spec.autoAssign: must be true or false, is "yes"'] },
  { name: 'a fraction', raw: pool({ addresses: ['a'], perNamespaceLimit: 1.5 }), want: ['spec.perNamespaceLimit: must be a whole number, is 1.5'] },
  { name: 'too small', raw: pool({ addresses: ['a'], perNamespaceLimit: 0 }), want: ['spec.perNamespaceLimit: must be at least 1, is 0'] },
  { name: 'too big', raw: pool({ addresses: ['a'], defaults: { drainSeconds: 86_401 } }), want: ['spec.defaults.drainSeconds: must be at most 86400, is 86401'] },
  { name: 'a typing error in a word', raw: pool({ addresses: ['a'], driver: 'ivps' }), want: ['spec.driver: must be one of ipvs, f5, octavia, is "ivps"'] },
  { name: 'the wrong case of a word', raw: pool({ addresses: ['a'], driver: 'IPVS' }), want: ['spec.driver: must be one of ipvs, f5, octavia, is "IPVS"; did you mean ipvs?'] },
  { name: 'no word at all', raw: pool({ addresses: ['a'], driver: 5 }), want: ['spec.driver: must be one of ipvs, f5, octavia, is 5'] },
  { name: 'an interface that cannot be', raw: pool({ addresses: ['a'], bindInterface: 'eth 0' }), want: ['spec.bindInterface: must be the name of a network interface, like eth0 or bond0.100, is "eth 0"'] },
  { name: 'a selector without values', raw: pool({ addresses: ['a'], serviceAllocation: { serviceSelectors: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }] } }), want: ['spec.serviceAllocation.serviceSelectors[0].matchExpressions[0]: In and NotIn need values, Exists and DoesNotExist have none'] },
  { name: 'a selector with values it must not have', raw: pool({ addresses: ['a'], serviceAllocation: { serviceSelectors: [{ matchExpressions: [{ key: 'a', operator: 'Exists', values: ['b'] }] }] } }), want: ['spec.serviceAllocation.serviceSelectors[0].matchExpressions[0]: In and NotIn need values, Exists and DoesNotExist have none'] },
  { name: 'an object name in capitals', raw: service({}, { name: 'Web' }), want: ['metadata.name: must be lower-case letters, digits, dashes and dots, with a letter or digit at both ends, is "Web"'] },
  { name: 'an empty object name', raw: service({}, { name: '' }), want: ['metadata.name: must have at least 1 character, is ""', 'metadata.name: must be lower-case letters, digits, dashes and dots, with a letter or digit at both ends, is ""'] },
  { name: 'a namespace with a dot', raw: service({}, { name: 'web', namespace: 'a.b' }), want: ['metadata.namespace: must be lower-case letters, digits and dashes, with a letter or digit at both ends, is "a.b"'] },
  { name: 'a number for an annotation', raw: service({}, { name: 'web', annotations: { a: 1, b: true, c: {} } }), want: ['metadata.annotations.a: must be text, is 1; write it in quotes', 'metadata.annotations.b: must be text, is true; write it in quotes', 'metadata.annotations.c: must be text, is a mapping'] },
  { name: 'labels that are a list', raw: service({}, { name: 'web', labels: [] }), want: ['metadata.labels: must be a mapping of names to text, is an empty list'] },
  { name: 'a protocol in small letters', raw: service({ ports: [{ port: 80, protocol: 'tcp' }] }), want: ['spec.ports[0].protocol: must be one of TCP, UDP, SCTP, is "tcp"; did you mean TCP?'] },
  { name: 'a port as text', raw: service({ ports: [{ port: '80' }] }), want: ['spec.ports[0].port: must be a number, is "80"'] },
  { name: 'a target port of neither kind', raw: service({ ports: [{ port: 80, targetPort: true }] }), want: ['spec.ports[0].targetPort: must be a whole number or text, is true'] },
  { name: 'the same port twice', raw: service({ ports: [{ port: 80 }, { port: 81 }, { port: 80, protocol: 'TCP' }] }), want: ['spec.ports[2]: 80/TCP is there twice'] },
  { name: 'an IP object for no address', raw: ip('web', { address: 'web', poolName: 'p' }), want: ['spec.address: "web" is not an IP address'] },
  { name: 'an IP object in other words', raw: ip('2001-0db8-0000-0000-0000-0000-0000-0001', { address: '2001:DB8::1', poolName: 'p' }), want: ['spec.address: write it in canonical form: 2001:db8::1'] },
  { name: 'an IP object with another name', raw: ip('192.0.2.11', { address: '192.0.2.10', poolName: 'p' }), want: ['metadata.name: must be 192.0.2.10, the name for address 192.0.2.10'] },
  { name: 'another apiVersion inside is found by the type', raw: { ...pool({ addresses: ['a'] }), apiVersion: 5 }, want: ['apiVersion: must be text, is 5; write it in quotes'] },
  { name: 'a type in small letters', raw: service({ type: 'loadbalancer' }), want: ['spec.type: must be one of ClusterIP, NodePort, LoadBalancer, ExternalName, is "loadbalancer"; did you mean LoadBalancer?'] },
  { name: 'several ports, one without a name', raw: service({ ports: [{ name: 'a', port: 80 }, { port: 81 }] }), want: ['spec.ports[1].name: is required where there are several ports: endpoints are found by it'] },
  { name: 'two ports of one name', raw: service({ ports: [{ name: 'a', port: 80 }, { name: 'a', port: 81 }] }), want: ['spec.ports[1].name: "a" is the name of another port, too; of several ports each needs its own'] },
  { name: 'a slice with two ports without names', raw: slice([{ addresses: ['10.1.0.1'] }], [{ port: 80 }, { port: 81 }]), want: ['ports[1].name: is required where there are several ports: endpoints are found by it'] },
  { name: 'too many mistakes', raw: service({ ports: Array.from({ length: 1000 }, (_, i) => ({ port: i + 1 })) }), want: [...Array.from({ length: 50 }, (_, i) => `spec.ports[${i}].name: is required where there are several ports: endpoints are found by it`), 'and 950 more mistakes in this object'] },
  { name: 'more ports than an IP object can name', raw: service({ ports: Array.from({ length: 60_000 }, (_, i) => ({ port: i + 1 })) }), want: ['spec.ports: must have at most 1024 items, is a list of 60000'] },
  { name: 'a kind in small letters', raw: { apiVersion: 'v1', kind: 'service', metadata: { name: 'x' } }, want: ['kind: service is not known; did you mean Service?'] },
  { name: 'a kind of another group', raw: { apiVersion: 'v1', kind: 'EndpointSlice' }, want: ['apiVersion: must be discovery.k8s.io/v1, is v1'] },
  { name: 'another version of a kind', raw: { apiVersion: 'v2', kind: 'Service' }, want: ['apiVersion: must be v1, is v2'] },
  { name: 'a kind in a group of Kubernetes that has none', raw: { apiVersion: 'apps/v1', kind: 'Service' }, want: ['apiVersion: must be v1, is apps/v1'] },
  { name: 'an old version of slices', raw: { apiVersion: 'discovery.k8s.io/v1beta1', kind: 'EndpointSlice' }, want: ['apiVersion: must be discovery.k8s.io/v1, is discovery.k8s.io/v1beta1'] },
  { name: 'a group with a typing error', raw: { apiVersion: 'vipvs.oi/v1alpha1', kind: 'Pool' }, want: ['apiVersion: must be vipvs.io/v1alpha1, is vipvs.oi/v1alpha1'] },
  { name: 'a list that has none', raw: { apiVersion: 'v1', kind: 'List', items: {} }, want: ['items: must be a list'] },
  { name: 'a list in small letters', raw: { apiVersion: 'v1', kind: 'list', items: [] }, want: ['kind: list is not known; did you mean List?'] },
  { name: 'a head with typing errors', raw: { apiversion: 'v1', knd: 'Service', metadata: {} }, want: ['apiVersion: is required', 'kind: is required', 'apiversion: unknown field; did you mean apiVersion?', 'knd: unknown field; did you mean kind?'] },
  { name: 'a kind that moves the cursor', raw: { ...OURS, kind: 'Pol\u001b[2J' }, want: [String.raw`kind: must be one of Pool, IP, is "Pol\u001b[2J"`] },
  { name: 'a field with a line break', raw: pool({ addresses: ['a'], 'b\nc': 1 }), want: [String.raw`spec."b\nc": unknown field; allowed: addresses, filterIPs, avoidBuggyIPs, avoidGatewayIPs, ignoreNamespaces, autoAssign, disabled, serviceAllocation, perNamespaceLimit, driver, bindInterface, defaults`] },
  { name: 'a label that is dropped in silence', raw: pool({ addresses: ['a'], serviceAllocation: { serviceSelectors: [{ matchLabels: JSON.parse('{"__proto__":"x"}') as object }] } }), want: ['spec.serviceAllocation.serviceSelectors[0].matchLabels.__proto__: no field and no label can have this name'] },
  { name: 'a null where something must be', raw: pool({ addresses: [null] }), want: ['spec.addresses[0]: is required'] },
]; // prettier-ignore
for (const { name, raw, want } of ISSUES) {
  test(`issues: ${name}`, () => assert.deepEqual(issuesOf(raw), want));
}

for (const raw of [
  { apiVersion: 'serving.knative.dev/v1', kind: 'Service' },
  { apiVersion: 'config.openshift.io/v1', kind: 'Node' },
  { apiVersion: 'vipvs.io/v1alpha1', kind: 'Director' },
  { apiVersion: 'v1', kind: 'Endpoints' },
  { apiVersion: 'v1', kind: 'ServiceAccount' },
  { apiVersion: 'apps/v1', kind: 'Role' },
]) {
  test(`passed over: ${raw.apiVersion} ${raw.kind}`, () => {
    assert.deepEqual(parseObject(raw), { kind: 'ignored', what: `${raw.apiVersion} ${raw.kind}` });
  });
}

test('what is passed over is named on one line', () => {
  const raw = { apiVersion: 'a/v1', kind: 'b\nPASS' };
  assert.deepEqual(parseObject(raw), { kind: 'ignored', what: String.raw`a/v1 "b\nPASS"` });
});

const annotated = (annotations: object, spec: object = { type: 'LoadBalancer' }) =>
  service(spec, { name: 'web', annotations });
const NO_EFFECT = 'unknown field, which has no effect';
const REMARKS = [
  { name: 'a Service with all fields of Kubernetes', raw: { ...service({ type: 'LoadBalancer', internalTrafficPolicy: 'Local', healthCheckNodePort: 1, ports: [{ port: 80, nodePort: 1, appProtocol: 'x' }] }), status: { loadBalancer: { ingress: [{ ip: '192.0.2.1', ports: [{ port: 80, protocol: 'TCP' }] }] } } }, want: [] },
  { name: 'a field of a Service', raw: service({ type: 'LoadBalancer', loadbalancerIP: '192.0.2.1' }), want: [`spec.loadbalancerIP: ${NO_EFFECT}; did you mean loadBalancerIP?`] },
  { name: 'a field of a port', raw: service({ ports: [{ port: 53, protcol: 'UDP', targetPrt: 1 }] }), want: [`spec.ports[0].protcol: ${NO_EFFECT}; did you mean protocol?`, `spec.ports[0].targetPrt: ${NO_EFFECT}; did you mean targetPort?`] },
  { name: 'fields of metadata, deep ones and on top', raw: { ...service({ sessionAffinityConfig: { clientIP: { timeout: 1 } } }, { name: 'web', anotations: {} }), specs: {} }, want: [`metadata.anotations: ${NO_EFFECT}; did you mean annotations?`, `spec.sessionAffinityConfig.clientIP.timeout: ${NO_EFFECT}`, `specs: ${NO_EFFECT}; did you mean spec?`] },
  { name: 'a field that is null', raw: service({ external: null }), want: [`spec.external: ${NO_EFFECT}`] },
  { name: 'a field of an endpoint', raw: slice([{ addresses: ['10.1.0.1'], conditions: { redy: false } }]), want: [`endpoints[0].conditions.redy: ${NO_EFFECT}; did you mean ready?`] },
  { name: 'a field of a Node and of a Namespace', raw: { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', labels: { any: 'x' } }, status: { adresses: [] } }, want: [`status.adresses: ${NO_EFFECT}; did you mean addresses?`] },
  { name: 'metadata and status of our own kinds', raw: { ...pool({ addresses: ['10.0.0.1'] }, { metadata: { name: 'p', lables: {} } }), status: { phse: 'Active' } }, want: [`metadata.lables: ${NO_EFFECT}; did you mean labels?`, `status.phse: ${NO_EFFECT}; did you mean phase?`] },
  { name: 'more fields than are worth telling', raw: service(Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`x${i}`, 1]))), want: Array.from({ length: 50 }, (_, i) => `spec.x${i}: ${NO_EFFECT}`) },
  { name: 'a key of ours', raw: annotated({ 'vipvs.io/adresses': '192.0.2.1', 'vipvs.io/sharingKey': 'k' }), want: ['metadata.annotations.vipvs.io/adresses: has no effect; did you mean vipvs.io/addresses?', 'metadata.annotations.vipvs.io/sharingKey: has no effect; did you mean vipvs.io/sharing-key?'] },
  { name: 'a key of ours far from all', raw: annotated({ 'vipvs.io/x': '1' }), want: ['metadata.annotations.vipvs.io/x: has no effect; allowed: vipvs.io/pool, vipvs.io/addresses, vipvs.io/sharing-key, vipvs.io/sharing-namespaces, vipvs.io/scheduler, vipvs.io/forwarding, vipvs.io/persistence-seconds, vipvs.io/drain-seconds'] },
  { name: 'our prefix', raw: annotated({ 'vips.io/pool': 'p', 'vipvs.com/other': 'p' }), want: ['metadata.annotations.vips.io/pool: has no effect; did you mean vipvs.io/pool?'] },
  { name: 'a key of another kind', raw: annotated({ 'vipvs.io/weight': '5' }), want: ['metadata.annotations.vipvs.io/weight: has no effect on kind Service; it is for kind EndpointSlice'] },
  { name: "somebody else's key", raw: annotated({ 'metallb.io/loadBalancerIP': '192.0.2.1', 'metallb.io/ip-allocated-from-pool': 'x', 'kube-vip.io/loadbalancerHostname': 'x', note: 'x' }), want: ['metadata.annotations.metallb.io/loadBalancerIP: has no effect; did you mean metallb.io/loadBalancerIPs?'] },
  { name: 'a key on a Pool', raw: pool({ addresses: ['10.0.0.1'] }, { metadata: { name: 'p', annotations: { 'vipvs.io/allow-renumbr': 'true', 'vipvs.io/imported-from': 'x' } } }), want: ['metadata.annotations.vipvs.io/allow-renumbr: has no effect; did you mean vipvs.io/allow-renumber?'] },
  { name: 'keys on what is no load balancer', raw: annotated({ 'vipvs.io/pool': 'p', note: 'x' }, { type: 'NodePort' }), want: ['metadata.annotations.vipvs.io/pool: has no effect: the Service is of type NodePort, not LoadBalancer'] },
  { name: 'keys on a Service without a type', raw: annotated({ 'vipvs.io/pool': 'p' }, {}), want: ['metadata.annotations.vipvs.io/pool: has no effect: the Service is of type ClusterIP, not LoadBalancer'] },
  { name: 'a class', raw: service({ type: 'LoadBalancer', loadBalancerClass: 'vipvs.io/vipsv' }), want: ['spec.loadBalancerClass: "vipvs.io/vipsv" is no class of vipvs, so the Service is left alone; did you mean vipvs.io/vipvs?'] },
  { name: 'classes that are none of ours', raw: service({ type: 'LoadBalancer', loadBalancerClass: 'io.cilium/node' }), want: [] },
  { name: 'a source range with host bits', raw: service({ type: 'LoadBalancer', loadBalancerClass: 'vipvs.io/vipvs', loadBalancerSourceRanges: ['10.0.0.5/8', '10.0.0.0/8', 'x', '2001:db8::1/32'] }), want: ['spec.loadBalancerSourceRanges[0]: 10.0.0.5/8 is 10.0.0.0/8, 10.0.0.0 to 10.255.255.255; did you mean 10.0.0.5/32?', 'spec.loadBalancerSourceRanges[3]: 2001:db8::1/32 is 2001:db8::/32, 2001:db8:: to 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff; did you mean 2001:db8::1/128?'] },
  { name: 'an endpoint with two addresses', raw: slice([{ addresses: ['10.1.0.1'] }, { addresses: ['10.1.0.2', '10.1.0.3'] }, { addresses: [] }]), want: ['endpoints[1].addresses: has 2 addresses, of which only the first, "10.1.0.2", is used; make an endpoint of each'] },
]; // prettier-ignore
for (const { name, raw, want } of REMARKS) {
  test(`without effect: ${name}`, () => assert.deepEqual(remarksOf(raw), want));
}

test('of what an API server has taken nothing is remarked, and its newer words are taken', () => {
  const raw = annotated(
    { 'vipvs.io/x': '' },
    { type: 'Newer', newer: 1, ports: [{ port: 1 }, { port: 2 }] },
  );
  assert.deepEqual(remarksOf(raw, { unknownFields: 'drop' }), []);
  const proto = pool({
    addresses: ['a'],
    serviceAllocation: JSON.parse(
      '{"serviceSelectors":[{"matchLabels":{"__proto__":"x"}}]}',
    ) as object,
  });
  assert.equal(issuesOf(proto, { unknownFields: 'drop' }).length, 1);
});

test('unknown fields of a newer CRD are dropped where asked', () => {
  const raw = pool(
    {
      addresses: ['10.0.0.1'],
      newer: { deep: 1 },
      serviceAllocation: { serviceSelectors: [{ matchLabels: { a: 'b' } }, { also: 1 }], more: 2 },
    },
    { extra: true },
  );
  const want = pool({
    addresses: ['10.0.0.1'],
    serviceAllocation: { serviceSelectors: [{ matchLabels: { a: 'b' } }, {}] },
  });
  assert.deepEqual(objectOf(raw, { unknownFields: 'drop' }), objectOf(want));
  assert.equal(issuesOf(raw).length, 4);
});

test('dropping unknown fields hides no other mistake', () => {
  const raw = pool({ addresses: [], newer: 1 });
  assert.deepEqual(issuesOf(raw, { unknownFields: 'drop' }), [
    'spec.addresses: must have at least 1 item, is an empty list',
    'spec.newer: unknown field; allowed: addresses, filterIPs, avoidBuggyIPs, avoidGatewayIPs, ignoreNamespaces, autoAssign, disabled, serviceAllocation, perNamespaceLimit, driver, bindInterface, defaults',
  ]);
});

test('explain: what our own schemas do not have', () => {
  const explained = (schema: z.ZodType, value: unknown) => {
    const { error } = schema.safeParse(value, { reportInput: true });
    assert.ok(error !== undefined);
    return explain(error, schema).map(formatIssue);
  };
  assert.deepEqual(explained(z.bigint(), 5), ['must be bigint, is 5']);
  assert.deepEqual(explained(z.literal('a'), 'b'), ['must be a, is "b"; did you mean a?']);
  const record = z.record(z.string(), z.strictObject({ a: z.string() }));
  assert.deepEqual(explained(record, { x: { a: '', b: '' } }), ['x.b: unknown field; remove it']);
});

test('closest', () => {
  const words = ['scheduler', 'forwarding', 'rr'];
  assert.equal(closest('sheduler', words), 'scheduler');
  assert.equal(closest('FORWARDING', words), 'forwarding');
  assert.equal(closest('wr', words), 'rr');
  assert.equal(closest('x', words), undefined);
  assert.equal(closest('', []), undefined);
  assert.equal(closest('s'.repeat(101), ['s'.repeat(100)]), undefined);
  assert.equal(closest('shedulr', words, 1), undefined);
});
