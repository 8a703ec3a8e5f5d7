// The incremental engine against the full plan: after any sequence of edits it stands where a restart would leave it,
// also when writes fail on the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClusterStore, keyOf, type ClusterObject, type Kind } from '../../src/api/cluster.ts';
import { Assigner } from '../../src/assigner/engine.ts';
import { applyAction, targetOf } from '../../src/assigner/carry-out.ts';
import { simulate } from '../../src/assigner/simulate.ts';
import { CONFIG, ip, namespace, node, NOW_MS, pool, service } from '../unit/assigner/objects.ts';

const RUNS = { numRuns: 200 };

function serviceCidr(cidr: string): ClusterObject {
  const apiVersion = 'networking.k8s.io/v1';
  return {
    apiVersion,
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs: [cidr] },
  };
}

const objects: fc.Arbitrary<ClusterObject> = fc.oneof(
  fc
    .record({
      name: fc.constantFrom('p', 'q'),
      addresses: fc.uniqueArray(fc.constantFrom('192.0.2.0/31', '192.0.2.4/31', '2001:db8::/127'), {
        minLength: 1,
      }),
      spec: fc.record(
        {
          disabled: fc.boolean(),
          autoAssign: fc.boolean(),
          perNamespaceLimit: fc.constantFrom(1, 2),
          filterIPs: fc.constant(['192.0.2.1']),
          serviceAllocation: fc.constant({ namespaceSelectors: [{ matchLabels: { team: 'x' } }] }),
        },
        { requiredKeys: [] },
      ),
    })
    .map(({ name, addresses, spec }) => pool(name, addresses, spec)),
  fc
    .record({
      key: fc.constantFrom('a/s', 'a/t', 'b/s', 'b/t'),
      ports: fc.uniqueArray(fc.constantFrom(80, 443), { minLength: 1 }),
      annotations: fc.record(
        {
          'vipvs.io/pool': fc.constantFrom('p', 'q', 'q,p'),
          'vipvs.io/addresses': fc.constantFrom('192.0.2.0', '192.0.2.4', 'garbage'),
          'vipvs.io/sharing-key': fc.constantFrom('k', 'l'),
          'vipvs.io/sharing-namespaces': fc.constantFrom('a', 'b', '*'),
        },
        { requiredKeys: [] },
      ),
      spec: fc.record(
        {
          ipFamilyPolicy: fc.constantFrom('PreferDualStack', 'RequireDualStack'),
          type: fc.constantFrom('LoadBalancer', 'LoadBalancer', 'ClusterIP'),
          clusterIP: fc.constantFrom('192.0.2.0', '192.0.2.4', 'None'),
        },
        { requiredKeys: [] },
      ),
      uid: fc.constantFrom('u1', 'u2'),
    })
    .map(({ key, ports, annotations, spec, uid }) =>
      service(key, { ports, annotations, spec, metadata: { uid } }),
    ),
  fc
    .record({
      address: fc.constantFrom('192.0.2.0', '192.0.2.4'),
      spec: fc.constantFrom(
        { retain: true },
        { reservedFor: { namespace: 'a' } },
        { reservedFor: { namespace: 'b', service: 's' } },
        { holdSeconds: 60 },
      ),
    })
    .map(({ address, spec }) => ip(address, 'p', spec)),
  fc.constantFrom<ClusterObject>(
    node('n', ['192.0.2.5']),
    node('n', ['192.0.2.0']),
    { ...node('n', []), spec: { podCIDRs: ['192.0.2.4/31'] } },
    serviceCidr('192.0.2.0/31'),
    serviceCidr('198.51.100.0/24'),
    namespace('a', { team: 'x' }),
    namespace('a', {}),
    namespace('b', { team: 'x' }),
  ),
);

type Edit =
  | { readonly do: 'set'; readonly object: ClusterObject }
  | { readonly do: 'delete'; readonly kind: Kind; readonly index: number };

const edits: fc.Arbitrary<Edit[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('set' as const), object: objects }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant('delete' as const),
        kind: fc.constantFrom<Kind>('Service', 'IP', 'Pool', 'Node', 'Namespace', 'ServiceCIDR'),
        index: fc.nat({ max: 3 }),
      }),
    },
  ),
  { minLength: 1, maxLength: 14 },
);

/** A user's edit keeps what the assigner wrote, as an API server does. */
function applyEdit(store: ClusterStore, edit: Edit): readonly [Kind, string] | undefined {
  if (edit.do === 'set') {
    const key = keyOf(edit.object);
    const old = store.get(edit.object.kind, key);
    store.set(withOldStatus(edit.object, old));
    return [edit.object.kind, key];
  }
  const keys = [...store.objects()].filter((each) => each.kind === edit.kind).map(keyOf);
  const key = keys[edit.index];
  if (key === undefined) return undefined;
  store.delete(edit.kind, key);
  return [edit.kind, key];
}

function withOldStatus(object: ClusterObject, old: ClusterObject | undefined): ClusterObject {
  if (
    object.kind === 'Service' &&
    old?.kind === 'Service' &&
    old.metadata.uid === object.metadata.uid
  ) {
    return old.status === undefined ? object : { ...object, status: old.status };
  }
  if (object.kind === 'Pool' && old?.kind === 'Pool') {
    return old.status === undefined ? object : { ...object, status: old.status };
  }
  if (object.kind === 'IP' && old?.kind === 'IP') {
    const claims = old.spec.claims;
    return {
      ...old,
      spec: {
        ...object.spec,
        poolName: old.spec.poolName,
        ...(claims === undefined ? {} : { claims }),
      },
    };
  }
  return object;
}

/** Steps until nothing more follows; `fails` tells which writes are refused, each at most once. */
function settle(assigner: Assigner, store: ClusterStore, fails: () => boolean): void {
  for (let steps = 0; ; steps++) {
    assert.ok(steps < 50, 'no end');
    const { decisions } = assigner.step(NOW_MS, 'all');
    if (decisions.length === 0) return;
    const written: (readonly [Kind, string])[] = [];
    for (const decision of decisions) {
      for (const action of decision.actions) {
        if (fails()) {
          assigner.failed(decision);
          break;
        }
        applyAction(store, action);
        const { kind, key } = targetOf(action);
        written.push([kind, key]);
      }
    }
    for (const change of written) assigner.onChange(...change);
  }
}

test('after any edits it stands where a restart would leave it', () => {
  fc.assert(
    fc.property(edits, (all) => {
      const store = new ClusterStore();
      const assigner = new Assigner(store, CONFIG);
      settle(assigner, store, () => false);
      for (const edit of all) {
        const change = applyEdit(store, edit);
        if (change === undefined) continue;
        assigner.onChange(...change);
        settle(assigner, store, () => false);
        const restarted = simulate(store.objects(), CONFIG, NOW_MS);
        assert.deepEqual(restarted.actions, []);
      }
    }),
    RUNS,
  );
});

test('writes that fail are decided again, and nothing is lost or given twice', () => {
  fc.assert(
    fc.property(edits, fc.array(fc.boolean(), { maxLength: 20 }), (all, refusals) => {
      const store = new ClusterStore();
      const assigner = new Assigner(store, CONFIG);
      const queue = [...refusals];
      for (const edit of all) {
        const change = applyEdit(store, edit);
        if (change !== undefined) assigner.onChange(...change);
        settle(assigner, store, () => queue.shift() === true);
      }
      const restarted = simulate(store.objects(), CONFIG, NOW_MS);
      assert.deepEqual(restarted.actions, []);
    }),
    RUNS,
  );
});
