// Service and IP are two objects that another leader may write at any moment: what is written to which of them, and when
// nothing is. All interleavings are tried in test/property/assigner-leaders.prop.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { projectService } from '../../../../src/assigner/project.ts';
import { create, decide, IPS, SERVICES, status, World } from './write-world.ts';

test('an address that is held from before is confirmed before it is shown, and not again', async () => {
  const world = new World();
  world.addService('web');
  world.addIp('192.0.2.1', 'web');
  world.actor.submit([decide(status('web', '192.0.2.1'))]);
  await world.settle();
  const calls = [`GET ${SERVICES}/web`, `PATCH ${IPS}/192.0.2.1`, `PATCH ${SERVICES}/web/status`];
  assert.deepEqual(world.api.calls, calls);
  const condition = { type: 'Other', status: 'True', reason: 'Other', message: '' } as const;
  const shown = status('web', '192.0.2.1');
  assert.ok(shown.do === 'service.status');
  const again = { ...shown, status: { ...shown.status, conditions: [condition] } };
  world.actor.submit([decide(again)]);
  await world.settle();
  assert.deepEqual(world.api.calls, [...calls, `PATCH ${SERVICES}/web/status`]);
  assert.equal(world.done.length, 2);
});

const unconfirmed: readonly {
  readonly name: string;
  readonly given: (world: World) => void;
  readonly want: readonly string[];
}[] = [
  {
    name: 'an address without IP is not shown',
    given: () => undefined,
    want: [`GET ${IPS}/192.0.2.1`],
  },
  {
    name: 'an address that another one holds is not shown',
    given: (world) => {
      world.addService('other');
      world.addIp('192.0.2.1', 'other');
    },
    want: [`GET ${IPS}/192.0.2.1`],
  },
  {
    name: 'an address whose IP was written by another leader meanwhile is not shown',
    given: (world) => {
      world.addIp('192.0.2.1', 'web');
      world.addService('other');
      world.addIp('192.0.2.1', 'other', false);
    },
    want: [`GET ${SERVICES}/web`, `PATCH ${IPS}/192.0.2.1`, `GET ${IPS}/192.0.2.1`],
  },
  {
    name: 'for a Service that was written meanwhile no IP is written',
    given: (world) => {
      world.addIp('192.0.2.1', 'web');
      const service = world.api.objects.get(`${SERVICES}/web`);
      world.api.put(`${SERVICES}/web`, { ...service, status: {} });
    },
    want: [`GET ${SERVICES}/web`],
  },
  {
    name: 'an IP that is written as it is proves nothing',
    given: (world) => {
      world.addIp('192.0.2.1', 'web');
      const unchanged = world.store.ips.get('192.0.2.1');
      assert.ok(unchanged !== undefined);
      const decision = decide({ do: 'ip.update', ip: unchanged }, status('web', '192.0.2.1'));
      world.actor.submit([decision]);
    },
    want: [
      ...[`PATCH ${IPS}/192.0.2.1`, `GET ${SERVICES}/web`, `PATCH ${IPS}/192.0.2.1`],
      `PATCH ${SERVICES}/web/status`,
      // the second decision: shown already
      `PATCH ${SERVICES}/web/status`,
    ],
  },
];

for (const { name, given, want } of unconfirmed) {
  test(name, async () => {
    const world = new World();
    world.addService('web');
    given(world);
    world.actor.submit([decide(status('web', '192.0.2.1'))]);
    await world.settle();
    assert.deepEqual(world.api.calls, want);
  });
}

const releases: readonly {
  readonly name: string;
  readonly given: (world: World) => void;
  readonly want: readonly string[];
}[] = [
  {
    name: 'of a Service that is gone the address is given back',
    given: (world) => world.addIp('192.0.2.1', 'web'),
    want: [`DELETE ${IPS}/192.0.2.1`],
  },
  {
    name: 'of a namesake that was made since, too',
    given: (world) => {
      world.addIp('192.0.2.1', 'web');
      world.addService('web');
    },
    want: [`DELETE ${IPS}/192.0.2.1`],
  },
  {
    name: 'of a Service that asks for no load balancer, too',
    given: (world) => {
      world.addService('web');
      world.addIp('192.0.2.1', 'web');
      const service = world.api.objects.get(`${SERVICES}/web`);
      world.api.put(`${SERVICES}/web`, { ...service, spec: { type: 'ClusterIP' } });
      world.store.delete('Service', 'default/web');
    },
    want: [`DELETE ${IPS}/192.0.2.1`],
  },
  {
    name: 'a Service that could show the address is changed first',
    given: (world) => {
      world.addService('web');
      world.addIp('192.0.2.1', 'web');
    },
    want: [`GET ${IPS}/192.0.2.1`, `PATCH ${SERVICES}/web/status`, `DELETE ${IPS}/192.0.2.1`],
  },
  {
    name: 'a Service that shows the address keeps it',
    given: (world) => {
      world.addService('web');
      world.addIp('192.0.2.1', 'web');
      const service = world.api.objects.get(`${SERVICES}/web`);
      const loadBalancer = { ingress: [{ ip: '192.0.2.1' }] };
      world.api.put(`${SERVICES}/web`, { ...service, status: { loadBalancer } });
      const shown = projectService(world.api.objects.get(`${SERVICES}/web`));
      assert.ok(shown !== undefined);
      world.store.set(shown);
    },
    want: [],
  },
  {
    name: 'a Service that the store does not show yet keeps it',
    given: (world) => {
      world.addService('web');
      world.addIp('192.0.2.1', 'web');
      world.store.delete('Service', 'default/web');
    },
    want: [],
  },
  {
    name: 'a Service is not changed for an IP that was written meanwhile',
    given: (world) => {
      world.addService('web');
      world.addIp('192.0.2.1', 'web');
      world.addIp('192.0.2.1', 'web', false);
    },
    want: [`GET ${IPS}/192.0.2.1`],
  },
  {
    name: 'a Service that is written just before it is changed keeps it',
    given: (world) => {
      world.addService('web');
      world.addIp('192.0.2.1', 'web');
      const service = world.api.objects.get(`${SERVICES}/web`);
      world.api.fault = (when, call) => {
        if (when === 'before' && call.method === 'PATCH') {
          world.api.put(`${SERVICES}/web`, { ...service, status: {} });
        }
      };
    },
    want: [`GET ${IPS}/192.0.2.1`, ...[`PATCH ${SERVICES}/web/status`, `GET ${SERVICES}/web`]],
  },
];

for (const { name, given, want } of releases) {
  test(name, async () => {
    const world = new World();
    given(world);
    const decision = world.release('192.0.2.1');
    world.actor.submit([decision]);
    await world.settle();
    assert.deepEqual(world.api.calls, [`GET ${SERVICES}/web`, ...want]);
    const isDeleted = want.some((call) => call.startsWith('DELETE'));
    assert.deepEqual(isDeleted ? world.done : world.failed, [decision]);
    assert.equal(world.store.ips.has('192.0.2.1'), !isDeleted);
  });
}

test('a Service whose status was written in the same decision is not changed twice', async () => {
  const world = new World();
  world.addService('web');
  world.addIp('192.0.2.1', 'web');
  const { actions } = world.release('192.0.2.1');
  world.actor.submit([decide(create('192.0.2.2'), status('web', '192.0.2.2'), ...actions)]);
  await world.settle();
  assert.deepEqual(world.api.calls, [
    `POST ${IPS}`,
    `PATCH ${SERVICES}/web/status`,
    `DELETE ${IPS}/192.0.2.1`,
  ]);
});

test('a delete names the very object: its uid and its version', async () => {
  const world = new World();
  world.addIp('192.0.2.1', 'web');
  const bodies: unknown[] = [];
  world.api.fault = (when, { method, body }) => {
    if (when === 'before' && method === 'DELETE') bodies.push(body);
  };
  const { uid, resourceVersion } = world.store.ips.get('192.0.2.1')?.metadata ?? {};
  assert.ok(uid !== undefined && resourceVersion !== undefined);
  world.actor.submit([world.release('192.0.2.1')]);
  await world.settle();
  assert.deepEqual(bodies, [
    { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid, resourceVersion } },
  ]);
});
