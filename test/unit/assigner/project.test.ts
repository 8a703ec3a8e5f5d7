import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ipPatch,
  ipStatusPatch,
  projectIp,
  projectPool,
  projectService,
  serviceStatusPatch,
} from '../../../src/assigner/project.ts';
import { projectObject } from '../../../src/api/project.ts';
import { ip, pool, service } from './objects.ts';

const marked = (type: string): object => ({
  conditions: [{ type, status: 'True', reason: 'x', message: '' }],
});
const raw = (type: string, status: object = {}): object => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'web', namespace: 'default' } },
  ...{ spec: { type }, status },
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
    metadata: { annotations: { 'vipvs.io/last-service': null } },
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
