// The engine's own promises: when it wakes, what it ignores, what a failed write does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterStore } from '../../../src/api/cluster.ts';
import { endpointSliceSchema } from '../../../src/api/kubernetes.ts';
import { Assigner, planAll } from '../../../src/assigner/engine.ts';
import type { Action, Decision } from '../../../src/assigner/decide/decision.ts';
import { applyAction, targetOf } from '../../../src/assigner/carry-out.ts';
import { simulate } from '../../../src/assigner/simulate.ts';
import { claim, CONFIG, ip, namespace, node, NOW_MS, pool, service, shown } from './objects.ts';

function storeOf(...objects: Parameters<ClusterStore['set']>[0][]): ClusterStore {
  const store = new ClusterStore();
  for (const object of objects) store.set(object);
  return store;
}

function apply(store: ClusterStore, assigner: Assigner, decisions: readonly Decision[]): Action[] {
  const actions = decisions.flatMap((decision) => decision.actions);
  for (const action of actions) applyAction(store, action);
  for (const action of actions) {
    const { kind, key } = targetOf(action);
    assigner.onChange(kind, key);
  }
  return actions;
}

function namesOf(decisions: readonly Decision[]): string[] {
  return decisions.flatMap((decision) => decision.actions.map((action) => action.do));
}

test('a new Service costs two writes, and a step with nothing to do none', () => {
  const store = storeOf(pool('p', ['192.0.2.0/29']), service('s'));
  const assigner = new Assigner(store, CONFIG);
  const { decisions } = assigner.step(NOW_MS);
  assert.deepEqual(namesOf(decisions), ['ip.create', 'service.status', 'pool.status']);
  assert.deepEqual(decisions, planAll(store, CONFIG, NOW_MS).decisions);
  apply(store, assigner, decisions);
  assert.deepEqual(assigner.step(NOW_MS), { decisions: [], wakeAtMs: undefined });
});

test('changes before the first step, and of what it does not look at, are not needed', () => {
  const store = storeOf(pool('p', ['192.0.2.0/29']), service('s'));
  const assigner = new Assigner(store, CONFIG);
  assigner.onChange('Service', 'default/s');
  assigner.failed({ actions: [], events: [], waits: [] });
  apply(store, assigner, assigner.step(NOW_MS).decisions);
  const slice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'x' },
    addressType: 'IPv4',
  };
  store.set(endpointSliceSchema.parse(slice));
  store.set(namespace('default', { a: 'b' }));
  assigner.onChange('EndpointSlice', 'default/x');
  assigner.onChange('Namespace', 'default');
  assigner.onChange('Pool', 'p');
  assigner.onChange('Node', 'n');
  assigner.onChange('IP', 'nonsense');
  assert.deepEqual(assigner.step(NOW_MS).decisions, []);
});

test('IP create: "already exists" teaches the holders, and the next address is taken', () => {
  const store = storeOf(pool('p', ['192.0.2.0/29']), service('s'));
  const assigner = new Assigner(store, CONFIG);
  const { decisions } = assigner.step(NOW_MS);
  const [first] = decisions;
  assert.ok(first !== undefined);
  store.set(ip('192.0.2.0', 'p', { retain: true }));
  assigner.failed(first);
  assigner.onChange('IP', '192.0.2.0');
  const actions = apply(store, assigner, assigner.step(NOW_MS).decisions);
  const created = actions.find((action) => action.do === 'ip.create');
  assert.equal(created?.ip.spec.address, '192.0.2.1');
});

test('a write that is refused is told, and nothing else is decided until it is tried again', () => {
  const store = storeOf(pool('p', ['192.0.2.0/29']), service('s', { shows: ['192.0.2.5'] }));
  const assigner = new Assigner(store, CONFIG);
  const [decision] = assigner.step(NOW_MS).decisions;
  assert.equal(decision?.subject, 'default/s');
  assigner.refused(decision, 'cannot write: 422');
  const [told] = assigner.step(NOW_MS).decisions;
  assert.deepEqual(namesOf(told === undefined ? [] : [told]), ['service.status']);
  apply(store, assigner, [told ?? decision]);
  const { addresses, reason, message } = shown(store.services.get('default/s'));
  assert.deepEqual(
    [addresses, reason, message],
    [['192.0.2.5'], 'WriteRefused', 'cannot write: 422'],
  );
  // it is told once
  assigner.refused(decision, 'cannot write: 422');
  const services = (): readonly string[] =>
    assigner
      .step(NOW_MS)
      .decisions.flatMap(({ actions }) =>
        actions.map((action) => action.do).filter((each) => each !== 'pool.status'),
      );
  assert.deepEqual(services(), []);
  assigner.failed(decision);
  assert.deepEqual(services(), ['ip.create', 'service.status']);
  assigner.refused({ actions: [], events: [], waits: [] }, 'nobody is told');
  assert.deepEqual(services(), []);
});

test('a failed Pool status is written again', () => {
  const store = storeOf(pool('p', ['192.0.2.0/29']));
  const assigner = new Assigner(store, CONFIG);
  const [decision] = assigner.step(NOW_MS).decisions;
  assert.ok(decision !== undefined);
  assigner.failed(decision);
  assert.deepEqual(assigner.step(NOW_MS).decisions, [decision]);
});

test('a hold wakes it when it ends', () => {
  const store = storeOf(pool('p', ['192.0.2.0/32']), service('s'), service('t'));
  const assigner = new Assigner(store, { ...CONFIG, holdSeconds: 30 });
  apply(store, assigner, assigner.step(NOW_MS).decisions);
  store.delete('Service', 'default/s');
  assigner.onChange('Service', 'default/s');
  const step = assigner.step(NOW_MS);
  apply(store, assigner, step.decisions);
  assert.equal(step.wakeAtMs, NOW_MS + 30_000);
  assert.deepEqual(assigner.step(NOW_MS + 29_000).decisions, []);
  const end = assigner.step(NOW_MS + 30_000);
  assert.deepEqual(namesOf(end.decisions), ['ip.delete', 'ip.create', 'service.status']);
  assert.equal(end.wakeAtMs, undefined);
});

test('who waits is decided again only when what he waits for changes', () => {
  const store = storeOf(pool('p', ['192.0.2.0/32']), service('s'), service('t'));
  const assigner = new Assigner(store, CONFIG);
  apply(store, assigner, assigner.step(NOW_MS).decisions);
  assert.deepEqual(assigner.step(NOW_MS).decisions, []);
  store.delete('Service', 'default/s');
  assigner.onChange('Service', 'default/s');
  const actions = apply(store, assigner, assigner.step(NOW_MS).decisions);
  assert.deepEqual(
    actions.map((action) => action.do),
    ['ip.delete', 'ip.create', 'service.status'],
  );
});

test('a holder that gives its consent lets in who waits for it', () => {
  const key = { 'vipvs.io/sharing-key': 'k', 'vipvs.io/sharing-namespaces': 'a,b' };
  const store = storeOf(
    pool('p', ['192.0.2.0/32']),
    service('a/s', { annotations: { 'vipvs.io/sharing-key': 'k' } }),
    service('b/t', { annotations: key, ports: [81] }),
  );
  const assigner = new Assigner(store, CONFIG);
  apply(store, assigner, assigner.step(NOW_MS).decisions);
  assigner.step(NOW_MS);
  const old = store.services.get('a/s');
  assert.ok(old !== undefined);
  store.set({ ...old, metadata: { ...old.metadata, annotations: key } });
  assigner.onChange('Service', 'a/s');
  const actions = apply(store, assigner, assigner.step(NOW_MS).decisions);
  assert.deepEqual(
    actions.map((action) => (action.do === 'service.status' ? action.service : action.do)),
    ['a/s', 'ip.update', 'b/t'],
  );
});

test('of the Nodes only the addresses that are in a Pool or in use matter', () => {
  const store = storeOf(pool('p', ['192.0.2.0/31']), service('s'));
  const assigner = new Assigner(store, CONFIG);
  apply(store, assigner, assigner.step(NOW_MS).decisions);
  assigner.step(NOW_MS);
  for (const [address, want] of [
    ['10.0.0.1', []],
    ['192.0.2.1', ['pool.status']],
    ['192.0.2.0', ['service.status', 'ip.status', 'pool.status']],
  ] as const) {
    store.set(node('n', [address]));
    assigner.onChange('Node', 'n');
    const { decisions } = assigner.step(NOW_MS);
    assert.deepEqual(namesOf(decisions), want, address);
    apply(store, assigner, decisions);
    assigner.step(NOW_MS);
  }
});

test('the echo of our own write, and a new version of the same object, wake nobody', () => {
  const store = storeOf(pool('p', ['192.0.2.0/32']), service('s'), service('t'));
  const assigner = new Assigner(store, CONFIG);
  apply(store, assigner, assigner.step(NOW_MS).decisions);
  assigner.step(NOW_MS);
  const old = store.ips.get('192.0.2.0');
  assert.ok(old !== undefined);
  store.set({ ...old, metadata: { ...old.metadata, resourceVersion: '7', annotations: {} } });
  assigner.onChange('IP', '192.0.2.0');
  assert.deepEqual(assigner.step(NOW_MS).decisions, []);
  store.delete('Service', 'default/s');
  assigner.onChange('Service', 'default/s');
  const [action] = assigner.step(NOW_MS).decisions.flatMap((decision) => decision.actions);
  assert.equal(action?.do === 'ip.delete' && action.ip.metadata.resourceVersion, '7');
});

test('a malformed IP is Failed with its reason, told once, and leaves the address free', () => {
  const wrongName = { ...ip('192.0.2.0', 'p'), metadata: { name: 'wrong' } };
  const garbage = {
    ...ip('192.0.2.0', 'p'),
    metadata: { name: 'garbage' },
    spec: { ...ip('192.0.2.0', 'p').spec, address: 'x' },
  };
  const store = storeOf(pool('p', ['192.0.2.0/32']), wrongName, garbage, service('s'));
  const assigner = new Assigner(store, CONFIG);
  const actions = apply(store, assigner, assigner.step(NOW_MS).decisions);
  assert.deepEqual(
    actions.flatMap((action) => (action.do === 'ip.status' ? [action.ip.status?.reason] : [])),
    ['spec.address "x" is not an IP address', 'an IP for 192.0.2.0 must have the name 192.0.2.0'],
  );
  assert.ok(actions.some((action) => action.do === 'ip.create'));
  assert.deepEqual(assigner.step(NOW_MS).decisions, []);
  store.delete('IP', 'wrong');
  assigner.onChange('IP', 'wrong');
  assert.deepEqual(assigner.step(NOW_MS).decisions, []);
});

test('what a decision drops from the status is not taken back in the same step', () => {
  const limited = pool('p', ['2001:db8::/126', '192.0.2.254-192.0.3.1'], { perNamespaceLimit: 1 });
  const asking = service('a/u', {
    annotations: { 'vipvs.io/addresses': '2001:db8::2' },
    spec: { ipFamilyPolicy: 'PreferDualStack' },
    shows: ['192.0.2.255'],
  });
  const left = ip('192.0.2.0', 'q', { claims: [claim('a/u')] });
  const { objects, actions } = simulate([limited, asking, left], CONFIG, NOW_MS);
  const settled = objects.find((each) => each.kind === 'Service');
  const shown = settled?.status?.loadBalancer?.ingress?.map((each) => each.ip);
  assert.deepEqual(shown, ['192.0.2.0', '2001:db8::2']);
  const statuses = actions.filter((action) => action.do === 'service.status');
  assert.equal(statuses.length, 1);
});

test('a reservation that goes is no longer spoken of', () => {
  const reserved = ip('192.0.2.0', 'p', {
    reservedFor: { namespace: 'default', service: 's' },
    retain: true,
  });
  const store = storeOf(
    pool('p', ['192.0.2.0/29'], { autoAssign: false }),
    reserved,
    service('s', { spec: { ipFamilyPolicy: 'RequireDualStack' } }),
  );
  const assigner = new Assigner(store, CONFIG);
  const said = (): string | undefined => {
    apply(store, assigner, assigner.step(NOW_MS).decisions);
    return store.services.get('default/s')?.status?.conditions?.[0]?.message;
  };
  assert.match(said() ?? '', /^Pool p: has no IPv6 addresses/);
  said(); // its own writes wake it once
  store.set({ ...reserved, spec: { address: '192.0.2.0', poolName: 'p', retain: true } });
  assigner.onChange('IP', '192.0.2.0');
  assert.doesNotMatch(said() ?? '', /IPv6/);
});
