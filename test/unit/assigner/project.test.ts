// What the assigner reads of the API server's objects, and the patches that it writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ipPatch,
  ipStatusPatch,
  projectIp,
  projectObject,
  projectPool,
  projectService,
  serviceStatusPatch,
} from '../../../src/assigner/project.ts';

const API = { apiVersion: 'vipvs.io/v1alpha1' };
const serviceRaw = (spec: object, status?: object): object => {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 's', namespace: 'd' },
    spec,
    status,
  };
};
const ipRaw = (spec: object, rest: object = {}): object => ({
  ...{ ...API, kind: 'IP', metadata: { name: '192.0.2.1' } },
  spec: { address: '192.0.2.1', poolName: 'p', ...spec },
  ...rest,
});
const CLAIM = { namespace: 'd', name: 's', ports: [{ port: 80, protocol: 'TCP' }] };

test('of the Services those are kept that ask for a load balancer or carry a condition of ours', () => {
  assert.equal(projectService(serviceRaw({ type: 'LoadBalancer' }))?.metadata.name, 's');
  assert.equal(projectService(serviceRaw({ type: 'ClusterIP' })), undefined);
  const condition = { status: 'True', reason: 'R', message: 'm' };
  const marked = { conditions: [{ type: 'vipvs.io/AddressAssigned', ...condition }] };
  assert.equal(projectService(serviceRaw({}, marked))?.metadata.name, 's');
  const others = { conditions: [{ type: 'other', ...condition }] };
  assert.equal(projectService(serviceRaw({}, others)), undefined);
});

test('the holders of an IP are shown in its status, whatever the API server kept of it', () => {
  assert.deepEqual(projectIp(ipRaw({ claims: [CLAIM] })).status, {
    phase: 'Active',
    services: [CLAIM],
  });
  const conflict = { status: { phase: 'Conflict', reason: 'r' } };
  assert.deepEqual(projectIp(ipRaw({ claims: [CLAIM] }, conflict)).status, {
    ...{ phase: 'Conflict', reason: 'r' },
    services: [CLAIM],
  });
  assert.equal(projectIp(ipRaw({ claims: [] })).status, undefined);
  assert.equal(projectIp(ipRaw({})).status, undefined);
});

test('what cannot be read is said', () => {
  const bad = { ...API, kind: 'Pool', metadata: { name: 'p' }, spec: { addresses: 7 } };
  assert.throws(() => projectPool(bad), /spec\.addresses/);
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } };
  assert.throws(() => projectPool(node), /not a Pool of a version/);
  assert.throws(() => projectObject('Pool', { apiVersion: 'v2', kind: 'Pool' }), /not a Pool/);
});

test('a patch of an IP sets its holders and clears the memory of the last one', () => {
  const ip = projectIp(ipRaw({ claims: [CLAIM] }));
  assert.deepEqual(ipPatch(ip), {
    metadata: { annotations: { 'vipvs.io/last-service': null } },
    spec: { claims: [CLAIM], poolName: 'p' },
  });
  const annotations = { 'vipvs.io/last-service': 'd/s' };
  const left = projectIp(ipRaw({}, { metadata: { name: '192.0.2.1', annotations } }));
  assert.deepEqual(ipPatch(left), {
    metadata: { annotations },
    spec: { claims: [], poolName: 'p' },
  });
});

test('a patch of a status names what goes', () => {
  const held = { status: { phase: 'Held', reason: 'r', heldUntil: '2026-01-01T00:00:00Z' } };
  assert.deepEqual(ipStatusPatch(projectIp(ipRaw({}, held))), held);
  assert.deepEqual(ipStatusPatch(projectIp(ipRaw({}))), {
    status: { phase: undefined, reason: null, heldUntil: null },
  });
  assert.deepEqual(serviceStatusPatch({}), {
    status: { loadBalancer: { ingress: null }, conditions: null },
  });
  const ingress = [{ ip: '192.0.2.1' }];
  assert.deepEqual(serviceStatusPatch({ loadBalancer: { ingress }, conditions: [] }), {
    status: { loadBalancer: { ingress }, conditions: [] },
  });
});
