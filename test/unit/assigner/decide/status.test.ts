// What the assigner publishes: conditions and their times, ingress, Pool status.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterStore, type ClusterObject } from '../../../../src/api/cluster.ts';
import type { AssignerView } from '../../../../src/assigner/decide/decision.ts';
import { Holders } from '../../../../src/assigner/holders/holders.ts';
import { decideService } from '../../../../src/assigner/decide/service.ts';
import { simulate } from '../../../../src/assigner/simulate.ts';
import { claim, CONFIG, ip, namespace, NOW_MS, pool, run, service, shown } from '../objects.ts';

const P = pool('p', ['192.0.2.0/29']);

test('more addresses than a Pool status holds are counted', () => {
  const claims = Array.from({ length: 12 }, (_, i) =>
    ip(`192.0.2.${i}`, 'p', { claims: [claim(`s${i}`)] }),
  );
  const services = claims.map((_, i) => service(`s${i}`));
  const [first] = run([pool('p', ['198.51.100.0/30']), ...claims, ...services]);
  assert.match(first ?? '', /192\.0\.2\.9 and 2 more\)$/);
});

test('a status that somebody changed is put right without a word', () => {
  const first = simulate([P, service('s')], CONFIG, NOW_MS).objects;
  const spoilt = first.map((each) =>
    each.kind === 'Service' ? { ...each, status: { ...each.status, loadBalancer: {} } } : each,
  );
  const { events, objects } = simulate(spoilt, CONFIG, NOW_MS + 60_000);
  assert.deepEqual(events, []);
  assert.deepEqual(objects, first);
});

test('lastTransitionTime moves with the status only', () => {
  const times = (objects: readonly ClusterObject[]): (string | undefined)[] =>
    objects.flatMap((each) =>
      each.kind === 'Service'
        ? (each.status?.conditions ?? []).map((one) => one.lastTransitionTime)
        : [],
    );
  const waiting = simulate(
    [pool('p', ['192.0.2.0/29'], { disabled: true }), service('s')],
    CONFIG,
    NOW_MS,
  ).objects;
  assert.deepEqual(times(waiting), ['2026-01-01T12:00:00Z']);
  const service1 = waiting.filter((each) => each.kind === 'Service');
  const still = simulate(service1, CONFIG, NOW_MS + 1000).objects;
  assert.deepEqual(times(still), ['2026-01-01T12:00:00Z']);
  const served = simulate([P, ...service1], CONFIG, NOW_MS + 1500).objects;
  assert.deepEqual(times(served), ['2026-01-01T12:00:02Z']);
  const untimed = simulate(simulate([service('s')], CONFIG).objects, CONFIG, NOW_MS).objects;
  assert.deepEqual(times(untimed), [undefined]);
});

test('conditions of others stay, in order of type', () => {
  const conditions = [
    { type: 'z.example/Ready', status: 'True', reason: 'Ready', message: '' },
    { type: 'a.example/Ready', status: 'True', reason: 'Ready', message: '' },
    { type: 'a.example/Ready', status: 'False', reason: 'Twice', message: '' },
  ];
  const { objects } = simulate([P, service('s', { conditions })], CONFIG);
  const types = objects.flatMap((each) =>
    each.kind === 'Service' ? (each.status?.conditions ?? []).map((one) => one.type) : [],
  );
  assert.deepEqual(types, [
    'a.example/Ready',
    'a.example/Ready',
    'vipvs.io/AddressAssigned',
    'z.example/Ready',
  ]);
});

test('a Service that shows an address is decided before those that wait; one without a namespace is in default', () => {
  const shows = ['not-an-address', '192.0.2.0'];
  const bare = service('s', { shows });
  const metadata = { name: 's' };
  const { objects } = simulate(
    [pool('p', ['192.0.2.0/32']), service('a'), { ...bare, metadata }],
    CONFIG,
  );
  const found = objects.find((each) => each.kind === 'Service' && each.metadata.name === 's');
  assert.deepEqual(found?.kind === 'Service' ? shown(found).addresses : [], ['192.0.2.0']);
});

test('a holder that is not known agrees to nothing', () => {
  const store = new ClusterStore();
  const held = ip('192.0.2.1', 'p', { claims: [claim('other/gone', [80], { sharingKey: 'k' })] });
  const view: AssignerView = {
    config: CONFIG,
    cluster: store,
    holders: new Holders(new Map([['p', P]]), [], [held]),
    nowMs: undefined,
    timestamp: undefined,
  };
  const annotations = {
    'vipvs.io/addresses': '192.0.2.1',
    'vipvs.io/sharing-key': 'k',
    'vipvs.io/sharing-namespaces': '*',
  };
  const decision = decideService(service('s', { annotations, ports: [81] }), view);
  assert.equal(decision.events[0]?.reason, 'SharingRefused');
});

test('without an end it is a bug', () => {
  assert.throws(() => simulate([P, service('s')], CONFIG, undefined, 0), /no end after 0 steps/);
});

test('the namespace object is not needed to match its name', () => {
  const named = pool('p', ['192.0.2.0/29'], {
    serviceAllocation: {
      namespaceSelectors: [{ matchLabels: { 'kubernetes.io/metadata.name': 'a' } }],
    },
  });
  for (const objects of [[], [namespace('a')]]) {
    const lines = run([named, service('a/s'), ...objects]);
    assert.ok(lines.includes('a/s 192.0.2.0 Assigned: 192.0.2.0 from Pool p'));
  }
});
