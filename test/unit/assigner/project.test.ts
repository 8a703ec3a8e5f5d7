import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectIp, projectPool, projectService } from '../../../src/assigner/project.ts';
import { projectObject } from '../../../src/api/project.ts';
import { simulate } from '../../../src/assigner/simulate.ts';
import { CONFIG, ip, pool, service } from './objects.ts';
import { ipPatch, ipStatusPatch, serviceStatusPatch } from '../../../src/assigner/write/patches.ts';

const marked = (type: string): object => ({
  conditions: [{ type, status: 'True', reason: 'x', message: '' }],
});
const raw = (type: string, status: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'default' },
  spec: { type },
  status,
});

test('of the Services those are kept that ask for a load balancer or carry something of ours', () => {
  const cases = [
    { given: raw('LoadBalancer'), want: true },
    { given: raw('ClusterIP'), want: false },
    { given: raw('ClusterIP', marked('vipvs.io/AddressAssigned')), want: true },
    { given: raw('ClusterIP', marked('vipvs.io/Programmed')), want: true },
    { given: raw('ClusterIP', marked('example.com/Other')), want: false },
  ];
  for (const { given, want } of cases) {
    assert.equal(projectService(given) !== undefined, want, JSON.stringify(given));
  }
});

/** As JSON: what is undefined is not there. */
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('of an object only what decisions read is kept', () => {
  const metadata = { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '7' };
  const given = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      ...metadata,
      labels: { app: 'web' },
      finalizers: ['example.com/x'],
      annotations: {
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
        'vipvs.io/pool': 'p',
      },
    },
    spec: {
      type: 'LoadBalancer',
      selector: { app: 'web' },
      ipFamilies: ['IPv4'],
      clusterIP: '10.0.0.1',
      clusterIPs: ['10.0.0.1'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'http', port: 80, targetPort: 8080, nodePort: 30080 }],
    },
    status: { loadBalancer: {} },
  };
  const spec = { type: 'LoadBalancer', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' };
  assert.deepEqual(json(projectService(given)), {
    apiVersion: 'v1',
    kind: 'Service',
    status: { loadBalancer: {} },
    metadata: { ...metadata, labels: { app: 'web' }, annotations: { 'vipvs.io/pool': 'p' } },
    spec: { ...spec, clusterIP: '10.0.0.1', ports: [{ port: 80, protocol: 'TCP' }] },
  });
  const memory = {
    'vipvs.io/last-service': 'default/web',
    'vipvs.io/held-until': '2026-01-01T12:00:00Z',
  };
  const annotations = { ...memory, 'vipvs.io/confirmed-for': '7' };
  const held = ip('192.0.2.1', 'public', {}, { metadata: { name: '192.0.2.1', annotations } });
  assert.deepEqual(json(projectIp(held).metadata), { name: '192.0.2.1', annotations: memory });
});

test('of other Services the ClusterIPs are kept', () => {
  const metadata = { name: 'web', namespace: 'default', uid: 'u', resourceVersion: '7' };
  const cases = [
    { given: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1'] }, want: { clusterIP: '10.0.0.1' } },
    { given: { clusterIP: '10.0.0.1' }, want: { clusterIP: '10.0.0.1' } },
    {
      given: { clusterIP: '10.0.0.1', clusterIPs: ['10.0.0.1', 'fd00::1'] },
      want: { clusterIPs: ['10.0.0.1', 'fd00::1'] },
    },
    { given: { clusterIP: 'None', clusterIPs: ['None'] }, want: undefined },
    { given: { type: 'ExternalName' }, want: undefined },
  ];
  for (const { given, want } of cases) {
    const other = { ...raw('ClusterIP'), metadata: { ...metadata, labels: { a: 'b' } } };
    const kept = projectService({ ...other, spec: { ports: [{ port: 80 }], ...given } });
    const service = { apiVersion: 'v1', kind: 'Service', metadata, spec: want };
    assert.deepEqual(kept === undefined ? undefined : json(kept), want && service);
  }
});

test('serviceSelectors of a Pool find the labels of a Service', () => {
  const serviceSelectors = [{ matchLabels: { app: 'web' } }];
  const selective = pool('public', ['192.0.2.0/28'], { serviceAllocation: { serviceSelectors } });
  for (const [app, want] of [
    ['web', ['192.0.2.0']],
    ['other', undefined],
  ] as const) {
    const projected = projectService(service('web', { metadata: { labels: { app } } }));
    assert.ok(projected);
    const { objects } = simulate([selective, projected], CONFIG);
    const found = objects.find((object) => object.kind === 'Service');
    const shown = found?.status?.loadBalancer?.ingress?.map(({ ip: address }) => address);
    assert.deepEqual(shown, want, app);
  }
});

test('the cluster addresses are kept where they decide about families', () => {
  const clusterIPs = ['10.0.0.1'];
  const cases = [
    { given: { ipFamilies: ['IPv4'] }, want: undefined },
    { given: { ipFamilies: ['IPv4'], ipFamilyPolicy: 'PreferDualStack' }, want: clusterIPs },
    { given: {}, want: clusterIPs },
  ];
  for (const { given, want } of cases) {
    const spec = { type: 'LoadBalancer', clusterIPs, ...given };
    const projected = projectService({ ...raw('LoadBalancer'), spec });
    assert.deepEqual(projected?.spec.clusterIPs, want, JSON.stringify(given));
  }
});

test('an object that is none of its kind, or malformed, is said to be', () => {
  assert.throws(() => projectObject('Pool', raw('LoadBalancer')), /not a Pool of a version/);
  assert.throws(() => projectPool({ kind: 'Whatever', apiVersion: 'v9' }), /not a Pool/);
  assert.throws(
    () => projectService({ ...raw('LoadBalancer'), spec: { ports: 7 } }),
    /spec\.ports/,
  );
  assert.equal(projectPool(pool('public', ['192.0.2.0/28'])).metadata.name, 'public');
});

test('holders stand in the spec, and are shown in the status', () => {
  const claims = [{ namespace: 'default', name: 'web', ports: [{ port: 80, protocol: 'TCP' }] }];
  const held = projectIp(ip('192.0.2.1', 'public', { claims }));
  assert.equal(held.status?.phase, 'Active');
  assert.equal(held.status.services?.[0]?.name, 'web');
  const reserved = projectIp(ip('192.0.2.1', 'public', { retain: true, claims: [] }));
  assert.equal(reserved.status, undefined);
  assert.equal(projectIp(ip('192.0.2.1', 'public')).status, undefined);
});

test('a patch takes away what is not there any more', () => {
  assert.deepEqual(ipPatch(ip('192.0.2.1', 'public')), {
    metadata: { annotations: { 'vipvs.io/last-service': null, 'vipvs.io/held-until': null } },
    spec: { claims: [], poolName: 'public' },
  });
  assert.deepEqual(ipStatusPatch(ip('192.0.2.1', 'public')), {
    status: { phase: undefined, reason: null, heldUntil: null },
  });
  assert.deepEqual(serviceStatusPatch({}), {
    status: { loadBalancer: { ingress: null }, conditions: null },
  });
  const status = service('web', { shows: ['192.0.2.1'] }).status ?? {};
  assert.deepEqual(serviceStatusPatch(status), {
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] }, conditions: null },
  });
});
