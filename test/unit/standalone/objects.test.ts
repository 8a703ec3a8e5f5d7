import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StandaloneObjects } from '../../../src/standalone/objects.ts';
import { ownNode } from '../../../src/standalone/own-node.ts';
import { EventLog, MAX_EVENTS } from '../../../src/standalone/event-log.ts';
import { keyOf, type ClusterObject } from '../../../src/api/cluster.ts';
import type { IP } from '../../../src/api/ip.ts';
import type { Service } from '../../../src/api/kubernetes.ts';
import type { SourceChange } from '../../../src/files/file-index.ts';
import { parseIp } from '../../../src/net/address.ts';

const NOON = '2026-01-01T12:00:00Z';
const ONE = '2026-01-01T13:00:00Z';

function service(name: string, port = 80): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { type: 'LoadBalancer', ports: [{ port, protocol: 'TCP' }] },
  };
}

const reservation: IP = {
  apiVersion: 'vipvs.io/v1alpha1',
  kind: 'IP',
  metadata: { name: '192.0.2.5' },
  spec: { address: '192.0.2.5', poolName: 'public', retain: true },
};
const claims = [
  { namespace: 'default', name: 'web', ports: [{ port: 80, protocol: 'TCP' as const }] },
];
const status = { loadBalancer: { ingress: [{ ip: '192.0.2.5' }] } };

function set(object: ClusterObject): SourceChange {
  return { kind: object.kind, key: keyOf(object), loaded: { object, file: 'a.yaml', line: 1 } };
}
function gone(object: ClusterObject): SourceChange {
  return { kind: object.kind, key: keyOf(object), loaded: undefined };
}

function harness() {
  const heard: string[] = [];
  const objects = new StandaloneObjects(({ kind, key, before, after }) =>
    heard.push(
      `${kind} ${key} ${before === undefined ? 'new' : 'old'} ${after === undefined ? 'gone' : 'there'}`,
    ),
  );
  return { objects, heard, store: objects.store };
}

test('a status and the time of the first sight survive an edit of the manifest', () => {
  const { objects, heard, store } = harness();
  objects.applySource([set(service('web'))], NOON);
  objects.applyActions([{ do: 'service.status', service: 'default/web', status }]);
  objects.applySource([set(service('web', 81))], ONE);
  const now = store.services.get('default/web');
  assert.equal(now?.spec.ports?.[0]?.port, 81);
  assert.deepEqual(now.status, status);
  assert.equal(now.metadata.creationTimestamp, NOON);
  assert.deepEqual(heard, ['Service default/web new there', 'Service default/web old there']);
});

test('the state of an earlier run meets its manifests, whenever they are read', () => {
  const { objects, store } = harness();
  objects.restore({
    ips: [{ ...reservation, spec: { ...reservation.spec, claims } }],
    services: [{ key: 'default/web', status, firstSeen: NOON }],
    pools: [{ name: 'public', status: { capacity: 3 }, firstSeen: NOON }],
  });
  objects.applySource(
    [
      set(service('web')),
      set(reservation),
      set({
        apiVersion: 'vipvs.io/v1alpha1',
        kind: 'Pool',
        metadata: { name: 'public' },
        spec: {
          addresses: ['192.0.2.5'],
          filterIPs: [],
          avoidBuggyIPs: false,
          avoidGatewayIPs: false,
          ignoreNamespaces: [],
          autoAssign: true,
          disabled: false,
          driver: 'ipvs',
        },
      }),
    ],
    ONE,
  );
  assert.deepEqual(store.services.get('default/web')?.status, status);
  assert.equal(store.services.get('default/web')?.metadata.creationTimestamp, NOON);
  assert.equal(store.pools.get('public')?.status?.capacity, 3);
  assert.equal(store.pools.get('public')?.metadata.creationTimestamp, NOON);
  assert.deepEqual(store.ips.get('192.0.2.5')?.spec.claims, claims);
  assert.equal(store.ips.get('192.0.2.5')?.spec.retain, true);
});

test('a status of a manifest that is not there is forgotten, so that its name can be used anew', () => {
  const { objects, store } = harness();
  objects.restore({
    ips: [],
    services: [{ key: 'default/web', status, firstSeen: NOON }],
    pools: [],
  });
  objects.forgetMissing();
  objects.applySource([set(service('web'))], ONE);
  assert.equal(store.services.get('default/web')?.status, undefined);
});

test('what an earlier run left counts for the first manifest only', () => {
  const { objects, store } = harness();
  objects.restore({
    ips: [],
    services: [{ key: 'default/web', status, firstSeen: NOON }],
    pools: [],
  });
  objects.applySource([set(service('web'))], ONE);
  objects.applySource([gone(service('web'))], ONE);
  objects.applySource([set(service('web'))], ONE);
  const { status: now, metadata } = store.services.get('default/web') ?? service('none');
  assert.deepEqual([now, metadata.creationTimestamp], [undefined, ONE]);
});

test('a manifest with a status of its own starts from it: moved here from elsewhere', () => {
  const { objects, store } = harness();
  objects.applySource([set({ ...service('web'), status })], NOON);
  assert.deepEqual(store.services.get('default/web')?.status, status);
});

test('a reservation taken out of the manifests leaves the address with its holder', () => {
  const { objects, store } = harness();
  objects.applySource([set(reservation)], NOON);
  objects.applyActions([
    { do: 'ip.update', ip: { ...reservation, spec: { ...reservation.spec, claims } } },
  ]);
  objects.applySource([gone(reservation)], ONE);
  assert.deepEqual(store.ips.get('192.0.2.5')?.spec, {
    address: '192.0.2.5',
    poolName: 'public',
    retain: false,
    claims,
  });
});

test('a reservation without holder goes with its manifest', () => {
  const { objects, store } = harness();
  objects.applySource([set(reservation), gone(reservation)], NOON);
  assert.equal(store.ips.size, 0);
  objects.applySource([gone(reservation)], NOON);
});

test('an IP that the assigner deletes comes back where a manifest asks for it', () => {
  const { objects, store, heard } = harness();
  objects.applySource([set(reservation)], NOON);
  objects.applyActions([{ do: 'ip.delete', ip: reservation }]);
  assert.deepEqual(store.ips.get('192.0.2.5'), reservation);
  assert.equal(heard.length, 1, 'what the assigner did is answered, not told');
  const other = { ...reservation, metadata: { name: '192.0.2.6' } };
  objects.applyActions([
    { do: 'ip.create', ip: other },
    { do: 'ip.delete', ip: other },
  ]);
  assert.equal(store.ips.has('192.0.2.6'), false);
});

test('this host stays a Node whatever the manifests say about its name', () => {
  const { objects, store } = harness();
  const own = ownNode('director', [parseIp('192.0.2.1')]);
  objects.setOwnNode(own);
  const other = { ...own, status: { addresses: [] } };
  objects.applySource([set(other)], NOON);
  assert.deepEqual(store.nodes.get('director'), own);
  objects.applySource([gone(other)], NOON);
  assert.deepEqual(store.nodes.get('director'), own);
  objects.applySource([set(ownNode('other', []))], NOON);
  assert.equal(store.nodes.size, 2);
});

test('what a manifest says of the pods of this host counts beside its own addresses', () => {
  const { objects, store } = harness();
  const spec = { podCIDRs: ['10.244.1.0/24'] };
  const own = ownNode('director', [parseIp('192.0.2.1')]);
  const manifest = { ...own, spec, status: { addresses: [] } };
  objects.applySource([set(manifest)], NOON);
  objects.setOwnNode(own);
  assert.deepEqual(store.nodes.get('director'), { ...own, spec });
  const moved = ownNode('director', [parseIp('192.0.2.2')]);
  objects.setOwnNode(moved);
  assert.deepEqual(store.nodes.get('director'), { ...moved, spec });
  objects.applySource([gone(manifest)], NOON);
  assert.deepEqual(store.nodes.get('director'), moved);
  const cidr: ClusterObject = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: ['10.96.0.0/12'] },
  };
  objects.applySource([set(cidr)], NOON);
  assert.deepEqual(store.serviceCidrs.get('kubernetes'), cidr);
});

test('actions for objects that are gone do nothing', () => {
  const { objects, store } = harness();
  objects.applyActions([
    { do: 'service.status', service: 'default/web', status },
    { do: 'pool.status', pool: 'public', status: {} },
  ]);
  assert.equal(store.services.size + store.pools.size, 0);
});

test('a condition is set once, and its time changes only with its status', () => {
  const { objects, store } = harness();
  objects.applySource([set(service('web'))], NOON);
  const type = 'vipvs.io/Programmed';
  const said = { status: 'True', reason: 'Programmed', message: '' } as const;
  const programmed = { type, ...said, lastTransitionTime: NOON };
  const conditions = () => store.services.get('default/web')?.status?.conditions;
  assert.equal(objects.setCondition('default/web', type, said, NOON), true);
  assert.equal(objects.setCondition('default/web', type, said, ONE), false);
  assert.deepEqual(conditions(), [programmed]);
  objects.setCondition('default/web', type, { ...said, reason: 'NoEndpoints' }, ONE);
  assert.deepEqual(conditions(), [{ ...programmed, reason: 'NoEndpoints' }]);
  objects.setCondition('default/web', type, { ...said, status: 'False' }, ONE);
  assert.deepEqual(conditions(), [{ ...programmed, status: 'False', lastTransitionTime: ONE }]);
  assert.equal(objects.setCondition('default/none', type, said, ONE), false);
  assert.equal(objects.setCondition('default/web', type, undefined, ONE), true);
  assert.deepEqual(conditions(), []);
  assert.equal(objects.setCondition('default/web', type, undefined, ONE), false);
});

test('events are counted, kept by number, and the newest is last', () => {
  const log = new EventLog();
  const regarding = { kind: 'Service', namespace: 'default', name: 'web' } as const;
  const event = { regarding, type: 'Normal', reason: 'Assigned', note: 'x' } as const;
  log.add(event, NOON);
  log.add({ ...event, note: 'y' }, NOON);
  log.add(event, ONE);
  assert.deepEqual(
    log.list().map(({ time, object, message, count }) => [time, object, message, count]),
    [
      [NOON, 'Service default/web', 'y', 1],
      [ONE, 'Service default/web', 'x', 2],
    ],
  );
  const restored = new EventLog();
  restored.restore(log.list());
  for (let i = 0; i < MAX_EVENTS; i++) restored.add({ ...event, note: `n${i}` }, ONE);
  assert.equal(restored.list().length, MAX_EVENTS);
  assert.equal(restored.list()[0]?.message, 'n0');
});
