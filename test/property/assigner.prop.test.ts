// What must hold for any Pools, Services, reservations and leftovers, whatever their order and wherever we were killed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClusterStore, keyOf, type ClusterObject } from '../../src/api/cluster.ts';
import type { IP } from '../../src/api/ip.ts';
import { namespacedName, type Service } from '../../src/api/kubernetes.ts';
import { resolvePools } from '../../src/api/pools.ts';
import { spaceHas } from '../../src/api/pool-space.ts';
import type { Pool } from '../../src/api/pool.ts';
import { formatTimestamp } from '../../src/api/timestamp.ts';
import { parseIp } from '../../src/net/address.ts';
import { applyAction } from '../../src/assigner/carry-out.ts';
import { simulate } from '../../src/assigner/simulate.ts';
import { CONFIG, ip, node, NOW_MS, pool, service } from '../unit/assigner/objects.ts';

const RUNS = { numRuns: 200 };

const NAMESPACES = ['a', 'b'];
/** Small ranges, so that Pools run full, share, exclude and overlap. */
const RANGES = [
  '192.0.2.0/30',
  '192.0.2.4-192.0.2.6',
  '192.0.2.254-192.0.3.1',
  '2001:db8::/126',
  '192.0.2.20',
];
const ADDRESSES = [
  '192.0.2.0',
  '192.0.2.1',
  '192.0.2.5',
  '192.0.2.255',
  '192.0.2.20',
  '192.0.9.9',
  '2001:db8::2',
];

const pools: fc.Arbitrary<Pool[]> = fc
  .uniqueArray(
    fc.record({
      name: fc.constantFrom('p', 'q', 'r'),
      addresses: fc.uniqueArray(fc.constantFrom(...RANGES), { minLength: 1, maxLength: 3 }),
      spec: fc.record(
        {
          avoidBuggyIPs: fc.boolean(),
          autoAssign: fc.boolean(),
          disabled: fc.constantFrom(false, false, true),
          perNamespaceLimit: fc.constantFrom(1, 2),
          ignoreNamespaces: fc.constant(['b']),
          filterIPs: fc.constant(['192.0.2.1']),
          serviceAllocation: fc.record({
            priority: fc.constantFrom(0, 1, 2),
            namespaces: fc.constant(['a']),
          }),
        },
        { requiredKeys: [] },
      ),
      metadata: fc.constantFrom({}, { annotations: { 'vipvs.io/allow-renumber': 'true' } }),
    }),
    { selector: ({ name }) => name, minLength: 1, maxLength: 3 },
  )
  .map((all) =>
    all.map(({ name, addresses, spec, metadata }) => pool(name, addresses, spec, metadata)),
  );

const services: fc.Arbitrary<Service[]> = fc
  .uniqueArray(
    fc.record({
      key: fc
        .tuple(fc.constantFrom(...NAMESPACES), fc.constantFrom('s', 't', 'u', 'v'))
        .map((parts) => parts.join('/')),
      ports: fc.uniqueArray(fc.constantFrom(80, 443, 53), { minLength: 1, maxLength: 2 }),
      annotations: fc.record(
        {
          'vipvs.io/pool': fc.constantFrom('p', 'q', 'nowhere', 'p,q'),
          'vipvs.io/addresses': fc.constantFrom(...ADDRESSES, 'garbage', '192.0.2.5,2001:db8::2'),
          'vipvs.io/sharing-key': fc.constantFrom('k', 'l'),
          'vipvs.io/sharing-namespaces': fc.constantFrom('a', 'b', '*'),
        },
        { requiredKeys: [] },
      ),
      spec: fc.record(
        {
          ipFamilyPolicy: fc.constantFrom('SingleStack', 'PreferDualStack', 'RequireDualStack'),
          loadBalancerClass: fc.constantFrom('vipvs.io/vipvs', 'else.where/lb'),
          type: fc.constantFrom('LoadBalancer', 'LoadBalancer', 'ClusterIP'),
          clusterIP: fc.constantFrom('192.0.2.1', '192.0.2.20', 'None'),
        },
        { requiredKeys: [] },
      ),
      shows: fc.uniqueArray(fc.constantFrom(...ADDRESSES), { maxLength: 1 }),
      uid: fc.constantFrom('u1', 'u2'),
      born: fc.integer({ min: 10, max: 13 }),
    }),
    { selector: ({ key }) => key, maxLength: 7 },
  )
  .map((all) =>
    all.map(({ key, ports, annotations, spec, shows, uid, born }) =>
      service(key, {
        ports,
        annotations,
        spec,
        ...(shows.length === 0 ? {} : { shows }),
        metadata: { uid, creationTimestamp: `2026-01-01T00:00:${born}Z` },
      }),
    ),
  );

/** Reservations and leftovers of an earlier life. */
const ips: fc.Arbitrary<IP[]> = fc
  .uniqueArray(
    fc.record({
      address: fc.constantFrom('192.0.2.0', '192.0.2.1', '192.0.2.5', '192.0.2.20'),
      poolName: fc.constantFrom('p', 'q', 'gone'),
      spec: fc.record(
        {
          retain: fc.boolean(),
          holdSeconds: fc.constantFrom(0, 60),
          reservedFor: fc.constantFrom({ namespace: 'a' }, { namespace: 'b', service: 's' }),
          claims: fc.constantFrom(
            [],
            [{ namespace: 'a', name: 's', ports: [{ port: 80, protocol: 'TCP' }] }],
            [
              {
                namespace: 'a',
                name: 't',
                uid: 'u1',
                sharingKey: 'k',
                ports: [{ port: 443, protocol: 'TCP' }],
              },
            ],
            [
              {
                namespace: 'a',
                name: 'u',
                sharingKey: 'k',
                ports: [{ port: 80, protocol: 'TCP' }],
              },
              {
                namespace: 'b',
                name: 'u',
                sharingKey: 'k',
                ports: [{ port: 53, protocol: 'TCP' }],
              },
            ],
          ),
        },
        { requiredKeys: [] },
      ),
      metadata: fc.constantFrom(
        {},
        { annotations: { 'vipvs.io/last-service': 'a/s' } },
        {
          annotations: {
            'vipvs.io/last-service': 'b/u',
            'vipvs.io/held-until': formatTimestamp(NOW_MS + 1000),
          },
        },
      ),
      status: fc.constantFrom(
        undefined,
        { phase: 'Active' },
        { phase: 'Reserved' },
        { phase: 'Failed' },
        { phase: 'Conflict' },
        { phase: 'Held' },
        { phase: 'Held', heldUntil: formatTimestamp(NOW_MS - 1000) },
        { phase: 'Held', heldUntil: formatTimestamp(NOW_MS + 1000) },
        { phase: 'Held', heldUntil: 'never' },
      ),
    }),
    { selector: ({ address }) => address, maxLength: 2 },
  )
  .map((all) =>
    all.map(({ address, poolName, spec, metadata, status }) =>
      ip(address, poolName, spec, { metadata: { name: address, ...metadata }, status }),
    ),
  );

const SERVICE_CIDR: ClusterObject = {
  apiVersion: 'networking.k8s.io/v1',
  kind: 'ServiceCIDR',
  metadata: { name: 'kubernetes' },
  spec: { cidrs: ['192.0.2.4/31', '2001:db8::2/127'] },
};

const cluster: fc.Arbitrary<ClusterObject[]> = fc
  .tuple(
    pools,
    services,
    ips,
    fc.constantFrom([], [node('n', ['192.0.2.2', 'host.example'])]),
    fc.constantFrom([], [], [SERVICE_CIDR]),
  )
  .map((parts) => parts.flat());

function text(objects: readonly ClusterObject[]): string {
  return objects.map((object) => JSON.stringify(object)).join('\n');
}

function servicesOf(objects: readonly ClusterObject[]): Service[] {
  return objects.filter((object) => object.kind === 'Service');
}

function addressesOf(service: Service): string[] {
  return (service.status?.loadBalancer?.ingress ?? []).map((entry) => entry.ip ?? '');
}

function isOurs({ spec }: Service): boolean {
  return spec.type === 'LoadBalancer' && spec.loadBalancerClass !== 'else.where/lb';
}

/** No two Services have one (address, protocol, port), and every shown address is a claim. */
function assertUnique(objects: readonly ClusterObject[]): void {
  const owners = new Map<string, string>();
  for (const object of objects) {
    if (object.kind !== 'IP') continue;
    for (const claim of object.spec.claims ?? []) {
      for (const { port, protocol } of claim.ports) {
        const endpoint: string = `${object.spec.address}:${port}/${protocol}`;
        assert.equal(owners.get(endpoint), undefined, endpoint);
        owners.set(endpoint, namespacedName(claim));
      }
    }
  }
  for (const each of servicesOf(objects).filter(isOurs)) {
    for (const entry of each.status?.loadBalancer?.ingress ?? []) {
      for (const { port, protocol, error } of entry.ports ?? []) {
        const owner = owners.get(`${entry.ip ?? ''}:${port}/${protocol}`);
        if (error === undefined) assert.equal(owner, namespacedName(each.metadata));
      }
    }
  }
}

test('every new address is in a usable pool, and no port of an address is given twice', () => {
  fc.assert(
    fc.property(cluster, (objects) => {
      const before = new Set(
        objects.flatMap((each) => (each.kind === 'IP' ? [each.spec.address] : [])),
      );
      const result = simulate(objects, CONFIG, NOW_MS);
      assertUnique(result.objects);
      const nodes = objects.some((each) => each.kind === 'Node') ? [parseIp('192.0.2.2')] : [];
      const { valid } = resolvePools(
        objects.filter((each) => each.kind === 'Pool'),
        nodes,
      );
      for (const each of result.objects) {
        if (each.kind !== 'IP' || before.has(each.spec.address)) continue;
        const owner = valid.find(({ name }) => name === each.spec.poolName);
        assert.ok(owner !== undefined && spaceHas(owner.space, parseIp(each.spec.address)));
      }
    }),
    RUNS,
  );
});

test('the order of the objects does not matter', () => {
  fc.assert(
    fc.property(
      cluster.chain((objects) =>
        fc.tuple(fc.constant(objects), fc.shuffledSubarray(objects, { minLength: objects.length })),
      ),
      ([objects, shuffled]) => {
        assert.equal(
          text(simulate(shuffled, CONFIG, NOW_MS).objects),
          text(simulate(objects, CONFIG, NOW_MS).objects),
        );
      },
    ),
    RUNS,
  );
});

test('a second run has nothing to do', () => {
  fc.assert(
    fc.property(cluster, (objects) => {
      const first = simulate(objects, CONFIG, NOW_MS);
      const second = simulate(first.objects, CONFIG, NOW_MS);
      assert.deepEqual(second.actions, []);
      assert.deepEqual(second.events, []);
    }),
    RUNS,
  );
});

test('killed after any write and started again, it ends in the same state', () => {
  fc.assert(
    fc.property(cluster, (objects) => {
      const whole = simulate(objects, CONFIG, NOW_MS);
      const want = text(whole.objects);
      for (let cut = 0; cut < whole.actions.length; cut++) {
        const store = new ClusterStore();
        for (const object of objects) store.set(object);
        for (const action of whole.actions.slice(0, cut)) applyAction(store, action);
        const again = simulate(store.objects(), CONFIG, NOW_MS);
        assert.equal(text(again.objects), want, `cut after ${cut} writes`);
      }
    }),
    RUNS,
  );
});

test('an address never moves: not for a new Service, not at an edit elsewhere', () => {
  fc.assert(
    fc.property(cluster, services, pools, (objects, newcomers, edited) => {
      const settled = simulate(objects, CONFIG, NOW_MS).objects;
      const keys = new Set(settled.map((each) => `${each.kind} ${keyOf(each)}`));
      const fresh = newcomers.filter((each) => !keys.has(`Service ${keyOf(each)}`));
      const names = new Set(edited.map((each) => each.metadata.name));
      const kept = settled.filter((each) => each.kind !== 'Pool' || !names.has(each.metadata.name));
      // the edited Pools do not allow renumbering
      const edits = edited.map((each) => ({ ...each, metadata: { name: each.metadata.name } }));
      const after = simulate([...kept, ...edits, ...fresh], CONFIG, NOW_MS).objects;
      const renumbering = settled.some(
        (each) =>
          each.kind === 'Pool' &&
          !names.has(each.metadata.name) &&
          each.metadata.annotations !== undefined,
      );
      if (renumbering) return;
      // without a claim another one may show it, too, or it may be reserved for another
      const claimed = new Set(
        settled.flatMap((each) =>
          each.kind === 'IP' && (each.spec.claims ?? []).length > 0 ? each.spec.address : [],
        ),
      );
      const byKey = new Map(servicesOf(after).map((each) => [keyOf(each), each]));
      for (const old of servicesOf(settled).filter(isOurs)) {
        const now = byKey.get(keyOf(old));
        assert.ok(now !== undefined);
        if (old.metadata.annotations?.['vipvs.io/pool'] !== undefined) continue;
        if (old.metadata.annotations?.['vipvs.io/addresses'] !== undefined) continue;
        for (const address of addressesOf(old)) {
          assert.ok(!claimed.has(address) || addressesOf(now).includes(address), address);
        }
      }
    }),
    RUNS,
  );
});

test('nobody waits while an address is free for him', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 0, max: 12 }), (count, kept) => {
      const many = Array.from({ length: count }, (_, i) => service(`s${i}`));
      const first = simulate([pool('p', ['192.0.2.0/29']), ...many], CONFIG).objects;
      const left = first.filter(
        (each) => each.kind !== 'Service' || Number(each.metadata.name.slice(1)) >= kept,
      );
      const after = simulate([...left, service('late')], CONFIG).objects;
      const all = servicesOf(after);
      const served = all.filter((each) => addressesOf(each).length > 0).length;
      assert.equal(served, Math.min(all.length, 8));
    }),
    RUNS,
  );
});
