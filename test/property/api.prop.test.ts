// Properties of Pools against brute force: what a pool hands out is what a list of all its addresses would give.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ANNOTATIONS, REQUEST_KEYS } from '../../src/api/annotations.ts';
import { parseObject } from '../../src/api/parse.ts';
import {
  capacityOf,
  exclusionOf,
  isDeclared,
  nextAllowed,
  parsePoolSpace,
  spaceHas,
  withoutNodes,
  type PoolSpace,
} from '../../src/api/pool-space.ts';
import { poolOf, resolvePools } from '../../src/api/pools.ts';
import { resolveRequest } from '../../src/api/request.ts';
import { resolveTraffic } from '../../src/api/traffic.ts';
import {
  ipFromBigInt,
  ipToBigInt,
  parseIp,
  type Family,
  type IpAddress,
} from '../../src/net/address.ts';
import { formatRange, parseRange, rangeHas, type IpRange } from '../../src/net/range.ts';
import { poolOfSpec, serviceWith } from '../unit/api/objects.ts';

const RUNS = { numRuns: 200 };

/** Around 10.0.0.250 and 2001:db8::fa: where octets are avoided. */
const BASE: Readonly<Record<Family, bigint>> = {
  4: ipToBigInt(parseIp('10.0.0.240')),
  6: ipToBigInt(parseIp('2001:db8::f0')),
};
const SPAN = 48;
const universe: readonly IpAddress[] = ([4, 6] as const).flatMap((family) =>
  Array.from({ length: SPAN }, (_, i) => ipFromBigInt(family, BASE[family] + BigInt(i))),
);

const range = fc
  .tuple(fc.constantFrom<Family>(4, 4, 6), fc.nat(SPAN - 1), fc.nat(SPAN - 1))
  .map(([family, a, b]): IpRange => ({
    family,
    first: BASE[family] + BigInt(Math.min(a, b)),
    last: BASE[family] + BigInt(Math.max(a, b)),
  }));
const ranges = (minLength: number, maxLength: number) =>
  fc.array(range.map(formatRange), { minLength, maxLength });
const spec = fc.record(
  {
    addresses: ranges(1, 5),
    filterIPs: ranges(0, 4),
    avoidBuggyIPs: fc.boolean(),
    avoidGatewayIPs: fc.boolean(),
  },
  { noNullPrototype: true },
);
type Spec = typeof spec extends fc.Arbitrary<infer T> ? T : never;
const nodes = fc.array(fc.constantFrom(...universe), { maxLength: 3 });

function isHandedOut(given: Spec, nodeAddresses: readonly IpAddress[], ip: IpAddress): boolean {
  const isIn = (text: string) => rangeHas(parseRange(text), ip);
  const octet = /\.(0|1|254|255)$/.exec(ip)?.[1];
  const isAvoided =
    ((octet === '0' || octet === '255') && given.avoidBuggyIPs) ||
    ((octet === '1' || octet === '254') && given.avoidGatewayIPs);
  return (
    given.addresses.some(isIn) &&
    !given.filterIPs.some(isIn) &&
    !isAvoided &&
    !nodeAddresses.includes(ip)
  );
}

/** In declared order, lowest first, each once. */
function bruteForce(given: Spec, nodeAddresses: readonly IpAddress[]): readonly IpAddress[] {
  const inOrder = given.addresses.flatMap((text) =>
    universe.filter((ip) => rangeHas(parseRange(text), ip)),
  );
  return [...new Set(inOrder)].filter((ip) => isHandedOut(given, nodeAddresses, ip));
}

function handedOut(space: PoolSpace, family: Family): readonly IpAddress[] {
  const all: IpAddress[] = [];
  for (
    let value = nextAllowed(space, family);
    value !== undefined;
    value = nextAllowed(space, family, value)
  ) {
    all.push(ipFromBigInt(family, value));
    assert.ok(all.length <= SPAN);
  }
  return all;
}

test('a pool hands out what brute force does, in the same order', () => {
  fc.assert(
    fc.property(spec, nodes, (given, nodeAddresses) => {
      const { space: parsed } = parsePoolSpace(poolOfSpec('p', given));
      assert.ok(parsed !== undefined);
      const space = withoutNodes(parsed, nodeAddresses);
      const want = bruteForce(given, nodeAddresses);
      for (const family of [4, 6] as const) {
        const ofFamily = want.filter((ip) => ip.includes(':') === (family === 6));
        assert.deepEqual(handedOut(space, family), ofFamily);
        assert.equal(capacityOf(space, family), BigInt(ofFamily.length));
      }
      assert.equal(capacityOf(space), BigInt(want.length));
      for (const ip of universe) {
        const isIn = want.includes(ip);
        assert.equal(spaceHas(space, ip), isIn, ip);
        assert.equal(exclusionOf(space, ip) === undefined, isIn, ip);
        const isNamed = given.addresses.some((text) => rangeHas(parseRange(text), ip));
        assert.equal(isDeclared(space, ip), isNamed, ip);
      }
    }),
    RUNS,
  );
});

const pools = fc
  .array(
    fc.tuple(spec, fc.constantFrom(undefined, '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z')),
    { maxLength: 5 },
  )
  .map((given) =>
    given.map(([each, creationTimestamp], i) =>
      poolOfSpec(`p${i}`, each, {
        ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      }),
    ),
  );

test('usable pools never share an address, every pool is usable or failed, input order is irrelevant', () => {
  fc.assert(
    fc.property(pools, nodes, fc.gen(), (given, nodeAddresses, random) => {
      const resolved = resolvePools(given, nodeAddresses);
      const shuffled = random(() =>
        fc.shuffledSubarray(given, { minLength: given.length, maxLength: given.length }),
      );
      assert.deepEqual(resolvePools(shuffled, nodeAddresses), resolved);
      const names = [...resolved.valid.map(({ name }) => name), ...resolved.failed.keys()];
      assert.deepEqual(names.sort(), given.map(({ metadata }) => metadata.name).sort());
      for (const ip of universe) {
        const owners = resolved.valid.filter(({ space }) => spaceHas(space, ip));
        assert.ok(owners.length <= 1, ip);
        assert.equal(poolOf(resolved, ip), owners[0], ip);
      }
    }),
    RUNS,
  );
});

const annotations = fc.dictionary(
  fc.constantFrom(...Object.values(ANNOTATIONS), ...Object.values(REQUEST_KEYS).flat()),
  fc.oneof(
    fc.string(),
    fc.constantFrom('192.0.2.1', '192.0.2.1,2001:db8::1', 'web', 'rr', 'mh,mh-port', '300', 'dr'),
  ),
  { noNullPrototype: true, maxKeys: 8 },
);

test('no annotation makes reading a Service throw, and their order means nothing', () => {
  fc.assert(
    fc.property(annotations, (given) => {
      const service = serviceWith(given);
      const request = resolveRequest(service);
      assert.equal(new Set(request.addresses).size, request.addresses.length);
      for (const ip of request.addresses) assert.equal(parseIp(ip), ip);
      const { problems, ...traffic } = resolveTraffic(service);
      for (const { message } of [...problems, ...request.problems]) {
        assert.doesNotMatch(message, /\n/);
      }
      assert.ok(traffic.persistenceSeconds >= 0 && traffic.drainSeconds >= 0);
      // the order in which annotations stand in the object means nothing
      const reversed = Object.fromEntries(Object.entries(given).reverse());
      assert.deepEqual(resolveRequest(serviceWith(reversed)), request);
    }),
    { numRuns: 500 },
  );
});

test('parsing is stable: what was parsed is parsed to the same, and nothing makes it throw', () => {
  const kinds = fc.constantFrom(
    ['v1', 'Service'], ['v1', 'Node'], ['v1', 'Namespace'], ['discovery.k8s.io/v1', 'EndpointSlice'],
    ['vipvs.io/v1alpha1', 'Pool'], ['vipvs.io/v1alpha1', 'IP'],
  ); // prettier-ignore
  const raw = fc
    .tuple(
      kinds,
      fc.oneof(fc.anything(), fc.constant({ name: 'x' })),
      fc.oneof(fc.anything(), spec),
    )
    .map(([[apiVersion, kind], metadata, body]) => ({ apiVersion, kind, metadata, spec: body }));
  fc.assert(
    fc.property(fc.oneof(raw, fc.anything()), (given) => {
      const parsed = parseObject(given);
      if (parsed.kind === 'issues') assert.ok(parsed.issues.length > 0);
      if (parsed.kind !== 'object') return;
      const again = parseObject(parsed.object);
      assert.deepEqual(again.kind === 'object' && again.object, parsed.object);
    }),
    { numRuns: 500 },
  );
});
