// The index that is kept up to date change by change holds what computing everything anew would give; and the agent gets
// a failing kernel there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { keyOf, type ClusterObject, type Kind } from '../../src/api/cluster.ts';
import { DesiredIndex, desiredNode } from '../../src/ipvs-node/desired/all-services.ts';
import { formatNodeState } from '../../src/ipvs-node/model/format.ts';
import type { NodeState } from '../../src/ipvs-node/model/state.ts';
import { AgentUnderTest } from '../unit/ipvs-node/reconcile/agent-under-test.ts';
import { ip, NODE, node, pool, service, slice, storeOf } from '../unit/ipvs-node/objects.ts';

const NAMES = ['a', 'b', 'c'];
const name = fc.constantFrom(...NAMES);
const address = fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1');

const someService = fc
  .record({
    name,
    ingress: fc.uniqueArray(address, { maxLength: 2 }),
    ports: fc.uniqueArray(fc.constantFrom(80, 443), { minLength: 1, maxLength: 2 }),
    forwarding: fc.constantFrom('nat', 'dr'),
    policy: fc.constantFrom('Cluster', 'Local'),
    ranges: fc.constantFrom([], ['10.0.0.0/8'], ['10.0.0.0/8', '2001:db8::/32'], ['bad']),
    age: fc.constantFrom('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'),
  })
  .map((parts) =>
    service({
      name: parts.name,
      metadata: {
        creationTimestamp: parts.age,
        annotations: { 'vipvs.io/forwarding': parts.forwarding, 'vipvs.io/drain-seconds': '5' },
      },
      spec: {
        ports: parts.ports.map((port) => ({ name: `p${port}`, port, targetPort: port })),
        externalTrafficPolicy: parts.policy,
        loadBalancerSourceRanges: parts.ranges,
      },
      ingress: parts.ingress,
    }),
  );

const someSlice = fc
  .record({
    of: name,
    isSix: fc.boolean(),
    endpoints: fc.uniqueArray(fc.nat(3), { maxLength: 3 }),
    ports: fc.uniqueArray(fc.constantFrom(80, 443), { maxLength: 2 }),
  })
  .map(({ of, isSix, endpoints, ports }) =>
    slice(
      endpoints.map((i) => `${isSix ? '2001:db8:1::' : '10.0.0.'}${i + 1}@n${(i % 2) + 1}`),
      {
        of,
        name: `${of}-${isSix ? 6 : 4}`,
        addressType: isSix ? 'IPv6' : 'IPv4',
        ports: ports.map((port) => ({ name: `p${port}`, port })),
      },
    ),
  );

const someObject: fc.Arbitrary<ClusterObject> = fc.oneof(
  { weight: 4, arbitrary: someService },
  { weight: 4, arbitrary: someSlice },
  fc
    .record({ address, claims: fc.option(fc.subarray(NAMES), { nil: undefined }) })
    .map((parts) => ip(parts.address, parts.claims)),
  fc
    .constantFrom({}, { bindInterface: 'eth1' }, { driver: 'f5' }, { addresses: ['192.0.2.2/32'] })
    .map((spec) => pool(spec)),
  fc
    .constantFrom('203.0.113.2', '203.0.113.3', '192.0.2.1')
    .map((text) => node('n2', text, '2001:db8:f::2')),
  fc.constantFrom('203.0.113.1', '192.0.2.2').map((text) => node('n1', text)),
);

type Change = { readonly set: ClusterObject } | { readonly kind: Kind; readonly key: string };

const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 5, arbitrary: someObject.map((set) => ({ set })) },
  {
    weight: 1,
    arbitrary: someObject.map((object) => ({ kind: object.kind, key: keyOf(object) })),
  },
);

function textOf(state: NodeState): string {
  const sets = [...state.firewall.sets].map(
    ([set, each]) => `${set}: ${[...each.keys()].sort().join(', ')}`,
  );
  const drains = [...state.virtualServers]
    .map(([key, each]) => `${key} ${each.service} ${each.drainSeconds}`)
    .sort();
  const behind = [...state.addresses].map(
    ([key, each]) => `${key}: ${[...each.virtualServers].sort().join()}`,
  );
  return [formatNodeState(state), ...sets, ...drains, ...behind.sort()].join('\n');
}

test('the index after any changes is the index made anew', () => {
  const property = fc.property(fc.array(change, { maxLength: 25 }), (changes) => {
    const store = storeOf(pool());
    const index = new DesiredIndex(store, NODE);
    for (const each of changes) {
      const [kind, key] = 'set' in each ? [each.set.kind, keyOf(each.set)] : [each.kind, each.key];
      const before = store.get(kind, key);
      if ('set' in each) store.set(each.set);
      else store.delete(kind, key);
      index.update(index.touchedBy(before, 'set' in each ? each.set : undefined));
    }
    const fresh = desiredNode(store, NODE);
    assert.equal(textOf(index.state), textOf(fresh.state));
    const services = [...index.services].sort();
    assert.deepEqual(
      services.flatMap((key) => index.problemsOf(key)),
      fresh.problems,
    );
  });
  fc.assert(property, { numRuns: 200 });
});

test('an agent on a kernel that fails one time in ten gets to the same state', async () => {
  const property = fc.asyncProperty(
    fc.array(change, { maxLength: 25 }),
    fc.integer(),
    async (changes, seed) => {
      const under = await AgentUnderTest.started({
        objects: [pool()],
        seed,
        faultProbability: 0.1,
      });
      for (const [i, each] of changes.entries()) {
        if ('set' in each) under.set(each.set);
        else under.delete(each.kind, each.key);
        if (i % 3 === 0) await under.advance(100);
        if (i % 11 === 5) under.kernel.flush();
      }
      await under.advance(400_000);
      under.kernel.faultProbability = 0;
      await under.advance(130_000);
      const wanted = formatNodeState(desiredNode(under.store, NODE).state);
      const lines = wanted.split('\n').filter((line) => !line.startsWith('sysctl'));
      assert.equal(under.kernel.dump(), lines.join('\n'));
      for (const [set, each] of desiredNode(under.store, NODE).state.firewall.sets) {
        assert.deepEqual(
          [...(under.kernel.firewall.get(set)?.keys() ?? [])].sort(),
          [...each.keys()].sort(),
          set,
        );
      }
      await under.agent.stop();
    },
  );
  await fc.assert(property, { numRuns: 20 });
});
