// How decisions are written, on an API server's rules in memory. The real one is in test/cluster.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IP } from '../../../../src/api/ip.ts';
import { projectIp } from '../../../../src/assigner/project.ts';
import { ApiError, errorOfStatus } from '../../../../src/kube/errors.ts';
import type { Call } from '../../../../src/kube/transport.ts';
import { create, decide, IPS, SERVICES, status, World } from './write-world.ts';
import { ip } from '../objects.ts';

const failWith =
  (when: (call: Call) => boolean, error: ApiError) =>
  (moment: string, call: Call): void => {
    if (moment === 'before' && when(call)) throw error;
  };

test('the actions of a decision are written in order, and the store shows them', async () => {
  const world = new World();
  world.addService('web');
  world.actor.submit([decide(create('192.0.2.1'), status('web', '192.0.2.1'))]);
  await world.settle();
  assert.deepEqual(world.api.calls, [`POST ${IPS}`, `PATCH ${SERVICES}/web/status`]);
  assert.equal(world.done.length, 1);
  assert.equal(world.store.ips.get('192.0.2.1')?.metadata.uid, 'uid-2');
  const shown = world.store.services.get('default/web')?.status?.loadBalancer?.ingress?.[0]?.ip;
  assert.equal(shown, '192.0.2.1');
});

test('nothing is written after an action that failed, and the decision comes back', async () => {
  const world = new World();
  world.addService('web');
  const refused = errorOfStatus(`POST ${IPS}`, 403, {
    code: 403,
    reason: 'Forbidden',
    message:
      'ips.vipvs.io is forbidden: User "assigner" cannot create resource "ips" in API group "vipvs.io" at the cluster scope',
  });
  world.api.fault = failWith((call) => call.method === 'POST', refused);
  const decision = decide(create('192.0.2.1'), status('web', '192.0.2.1'));
  world.actor.submit([decision]);
  await world.settle();
  assert.deepEqual(world.api.calls, [`POST ${IPS}`]);
  assert.match(
    world.problems.current()[0] ?? '',
    /^RBAC: the verb create on ips\.vipvs\.io is missing/,
  );
  assert.deepEqual(world.failed, []);
  await world.settle(200);
  assert.deepEqual(world.failed, [decision]);
  world.api.fault = () => undefined;
  world.actor.submit([decision]);
  await world.settle();
  assert.deepEqual(world.done, [decision]);
  assert.deepEqual(world.problems.current(), []);
});

test('decisions on one object are written one after the other, on the version that the first made', async () => {
  const world = new World();
  const first = ip('192.0.2.1', 'public');
  const claims: NonNullable<IP['spec']['claims']> = [
    { namespace: 'default', name: 'web', uid: 'u', ports: [{ port: 80, protocol: 'TCP' }] },
  ];
  const second: IP = { ...first, spec: { ...first.spec, claims } };
  world.actor.submit([decide({ do: 'ip.create', ip: first })]);
  world.actor.submit([decide({ do: 'ip.update', ip: second })]);
  await world.settle();
  assert.deepEqual(world.api.calls, [`POST ${IPS}`, `PATCH ${IPS}/192.0.2.1`]);
  assert.equal(world.done.length, 2);
  assert.equal(world.store.ips.get('192.0.2.1')?.spec.claims?.length, 1);
});

test('an address that somebody else took is learnt, and left to him', async () => {
  const world = new World();
  world.addService('web');
  world.api.put(`${IPS}/192.0.2.1`, {
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'IP',
    metadata: { name: '192.0.2.1' },
    spec: { address: '192.0.2.1', poolName: 'public', retain: true },
  });
  const decision = decide(create('192.0.2.1'), status('web', '192.0.2.1'));
  world.actor.submit([decision]);
  await world.settle();
  assert.deepEqual(world.failed, [decision], 'at once');
  assert.equal(world.store.ips.get('192.0.2.1')?.spec.retain, true);
  assert.equal(
    world.api.calls.some((call) => call.startsWith('PATCH')),
    false,
  );
});

test('a Service that somebody edited between our read and our write is read again', async () => {
  const world = new World();
  world.addService('web');
  const edited = { ...world.api.objects.get(`${SERVICES}/web`), spec: { type: 'ClusterIP' } };
  world.api.put(`${SERVICES}/web`, edited);
  world.actor.submit([decide(create('192.0.2.1'), status('web', '192.0.2.1'))]);
  await world.settle();
  assert.equal(world.failed.length, 1);
  assert.equal(world.store.services.has('default/web'), false, 'no longer ours');
});

test('a decision for a Service that has gone meanwhile is not written', async () => {
  const world = new World();
  world.addService('web');
  const decision = decide(create('192.0.2.1'), status('web', '192.0.2.1'));
  world.actor.submit([decision]);
  world.store.delete('Service', 'default/web');
  await world.settle();
  assert.deepEqual(world.api.calls, []);
  assert.deepEqual(world.failed, [decision]);
});

test('without the lease nothing is written, and nothing is forgotten', async () => {
  const world = new World();
  world.mayWrite = false;
  const decision = decide(create('192.0.2.1'));
  world.actor.submit([decision]);
  await world.settle();
  assert.deepEqual(world.api.calls, []);
  await world.settle(1000);
  assert.deepEqual(world.failed, [decision]);
});

test('a write whose answer was lost is found out by the next try', async () => {
  const world = new World();
  world.api.fault = (when, call) => {
    if (when === 'after' && call.method === 'POST') {
      throw new ApiError('reset', { code: 'network', status: 0 });
    }
  };
  world.actor.submit([decide(create('192.0.2.1'))]);
  await world.settle(400);
  assert.equal(world.failed.length, 1);
  world.actor.submit(world.failed);
  await world.settle(400);
  assert.equal(world.store.ips.has('192.0.2.1'), true, 'it exists: read');
});

test('an answer that can not be read is tried again, and ends nothing', async () => {
  const world = new World();
  world.api.put(`${IPS}/192.0.2.1`, {
    apiVersion: 'vipvs.io/v9',
    kind: 'IP',
    metadata: { name: '192.0.2.1' },
  });
  world.actor.submit([decide(create('192.0.2.1'))]);
  await world.settle(200);
  assert.equal(world.failed.length, 1);
  assert.match(world.problems.current()[0] ?? '', /can not be read/);
});

test('after the signal nothing is written', async () => {
  const world = new World();
  world.stop.abort();
  world.actor.submit([decide(create('192.0.2.1'))]);
  await world.settle();
  assert.deepEqual(world.api.calls, []);
  await world.actor.idle();
});

test('nothing more is decided while a thousand decisions wait', async () => {
  const world = new World();
  const { promise, resolve } = Promise.withResolvers<undefined>();
  world.api.fault = (when) => (when === 'before' ? promise : undefined);
  const addresses = Array.from({ length: 1100 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  world.actor.submit(addresses.map((address) => decide(create(address))));
  let hasRoom = false;
  void world.actor.room().then(() => (hasRoom = true));
  await world.settle();
  assert.equal(hasRoom, false);
  assert.equal(world.api.calls.length, 32, 'no more at once');
  resolve(undefined);
  await world.actor.idle();
  await world.settle();
  assert.equal(hasRoom, true);
  assert.equal(world.done.length, 1100);
});

test('what is remembered does not grow with the objects that ever were', async () => {
  const world = new World();
  for (let i = 0; i < 200; i += 1) {
    const name = `192.0.2.${i}`;
    world.actor.submit([decide(create(name))]);
    await world.actor.idle();
    const made = projectIp(world.ipOf(name));
    world.actor.shown('IP', name, made.metadata.resourceVersion);
    world.actor.submit([decide({ do: 'ip.delete', ip: made })]);
    await world.actor.idle();
    world.actor.shown('IP', name, undefined);
  }
  assert.equal(world.store.ips.size, 0);
  assert.equal(world.actor.remembered, 0);
});
