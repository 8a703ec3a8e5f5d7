// How decisions are written, on an API server's rules in memory. The real one is in test/cluster.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteProblems } from '../../../src/assigner/act-problems.ts';
import { Actor } from '../../../src/assigner/act.ts';
import { ClusterStore } from '../../../src/api/cluster.ts';
import type { IP } from '../../../src/api/ip.ts';
import type { Action, Decision } from '../../../src/assigner/decision.ts';
import { projectIp, projectService } from '../../../src/assigner/project.ts';
import { ApiError, errorOfStatus } from '../../../src/kube/errors.ts';
import type { JsonObject } from '../../../src/kube/json.ts';
import type { Call } from '../../../src/kube/transport.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { VirtualClock } from '../../api/clocks.ts';
import { MemoryApi } from '../../api/memory-api.ts';
import { ip } from './objects.ts';

const IPS = '/apis/vipvs.io/v1alpha1/ips';
const SERVICES = '/api/v1/namespaces/default/services';

class World {
  readonly api = new MemoryApi();
  readonly clock = new VirtualClock();
  readonly store = new ClusterStore();
  readonly stop = new AbortController();
  readonly done: Decision[] = [];
  readonly failed: Decision[] = [];
  readonly problems = new WriteProblems(this.clock, silentLog);
  mayWrite = true;
  readonly actor = new Actor({
    client: this.api,
    store: this.store,
    mayWrite: () => this.mayWrite,
    onWritten: () => undefined,
    onDone: (decision) => void this.done.push(decision),
    onFailed: (decision) => void this.failed.push(decision),
    onPoolStatus: () => undefined,
    problems: this.problems,
    clock: this.clock,
    random: () => 1,
    signal: this.stop.signal,
  });

  /** A Service that the API server has and the store shows. */
  addService(name: string): void {
    this.api.put(`${SERVICES}/${name}`, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    });
    const service = projectService(this.api.objects.get(`${SERVICES}/${name}`));
    if (service !== undefined) this.store.set(service);
  }

  ipOf(address: string): JsonObject | undefined {
    return this.api.objects.get(`${IPS}/${address}`);
  }

  async settle(ms = 0): Promise<void> {
    await this.clock.advance(ms);
    await this.clock.advance(0);
    await this.clock.advance(0);
  }
}

const create = (address: string): Action => ({ do: 'ip.create', ip: ip(address, 'public') });
const status = (name: string, address: string): Action => ({
  ...{ do: 'service.status', service: `default/${name}` },
  status: { loadBalancer: { ingress: [{ ip: address }] } },
});
const decide = (...actions: readonly Action[]): Decision => ({ actions, events: [], waits: [] });
const failWith =
  (when: (call: Call) => boolean, error: ApiError) =>
  (moment: 'before' | 'after', call: Call): void => {
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
    ...{ apiVersion: 'vipvs.io/v1alpha1', kind: 'IP', metadata: { name: '192.0.2.1' } },
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
  world.actor.submit([decide(status('web', '192.0.2.1'))]);
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
