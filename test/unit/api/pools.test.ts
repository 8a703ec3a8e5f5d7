import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capacityOf } from '../../../src/api/pool-space.ts';
import { poolOf, resolvePools } from '../../../src/api/pools.ts';
import { formatProblem } from '../../../src/api/problem.ts';
import { parseIp } from '../../../src/net/address.ts';
import { poolOfSpec } from './objects.ts';

const pool = (name: string, addresses: readonly string[], created?: string, spec: object = {}) =>
  poolOfSpec(name, { addresses, ...spec }, { creationTimestamp: created });
const names = (pools: readonly { readonly name: string }[]) => pools.map(({ name }) => name);

test('valid pools come in name order', () => {
  const { valid, failed, problems } = resolvePools([
    pool('b', ['10.0.1.0/24']),
    pool('a', ['10.0.0.0/24', '2001:db8::/64']),
  ]);
  assert.deepEqual([names(valid), failed.size, problems], [['a', 'b'], 0, []]);
});

test('a bad pool never stops another, and holds no address', () => {
  const { valid, failed } = resolvePools([
    pool('bad', ['10.0.0.0/24', 'x'], '2026-01-01T00:00:00Z'),
    pool('good', ['10.0.0.0/24'], '2026-01-02T00:00:00Z'),
  ]);
  assert.deepEqual(names(valid), ['good']);
  assert.deepEqual([...failed.keys()], ['bad']);
});

const OVERLAPS = [
  { name: 'the older works', a: '2026-01-02T00:00:00Z', b: '2026-01-01T00:00:00Z', works: 'b', fails: 'a', why: 'is older' },
  { name: 'of the same age: by name', a: '2026-01-01T00:00:00Z', b: '2026-01-01T00:00:00Z', works: 'a', fails: 'b', why: 'comes first by its name' },
  { name: 'neither has a date', a: undefined, b: undefined, works: 'a', fails: 'b', why: 'comes first by its name' },
  { name: 'one without a date is the newest', a: undefined, b: '2026-01-01T00:00:00Z', works: 'b', fails: 'a', why: 'comes first, as it has a creationTimestamp' },
]; // prettier-ignore
for (const { name, a, b, works, fails, why } of OVERLAPS) {
  test(`overlap: ${name}`, () => {
    const { valid, failed, problems } = resolvePools([
      pool('a', ['9.0.0.1', '10.0.0.100-10.0.0.200'], a),
      pool('b', ['10.0.0.150-10.0.0.250'], b),
    ]);
    assert.deepEqual(names(valid), [works]);
    const want = `Pool ${fails}: PoolOverlap: 10.0.0.150-10.0.0.200 is already in pool ${works}, which ${why}; take it out of one of them (spec.addresses, or spec.filterIPs)`;
    assert.deepEqual(problems.map(formatProblem), [want]);
    assert.deepEqual(failed.get(fails)?.map(formatProblem), [want]);
  });
}

test('one pool inside another overlaps, whichever is older', () => {
  const wide = ['10.0.0.0/16'];
  const narrow = ['10.0.5.5'];
  const old = '2026-01-01T00:00:00Z';
  for (const pools of [
    [pool('old', wide, old), pool('new', narrow)],
    [pool('old', narrow, old), pool('new', wide)],
  ]) {
    const { failed } = resolvePools(pools);
    assert.match(failed.get('new')?.[0]?.message ?? '', /^10\.0\.5\.5 is already in pool old/);
  }
});

test('what both hold but one filters out is no overlap; a failed pool does not block', () => {
  const old = '2026-01-01T00:00:00Z';
  const { valid, failed } = resolvePools([
    pool('a', ['10.0.0.0/24'], old, { filterIPs: ['10.0.0.128/25'] }),
    pool('b', ['10.0.0.128/25', '10.0.2.0/24'], '2026-01-02T00:00:00Z'),
    pool('c', ['10.0.0.0/16'], '2026-01-03T00:00:00Z'),
    pool('d', ['10.0.3.0/24'], '2026-01-04T00:00:00Z'),
  ]);
  assert.deepEqual(names(valid), ['a', 'b', 'd']);
  assert.deepEqual([...failed.keys()], ['c']);
});

test('addresses of nodes are left out, with a warning', () => {
  const nodes = ['10.0.0.1', '10.0.0.2', '10.0.9.9'].map(parseIp);
  const { valid, problems } = resolvePools(
    [pool('a', ['10.0.0.0/30']), pool('b', ['10.0.1.0/24'])],
    nodes,
  );
  assert.deepEqual(
    valid.map(({ space }) => capacityOf(space)),
    [2n, 256n],
  );
  assert.deepEqual(problems.map(formatProblem), [
    'Pool a: NodeAddressInPool: 10.0.0.1-10.0.0.2 belongs to nodes; it is left out',
  ]);
  assert.equal(problems[0]?.isWarning, true);
});

test('poolOf finds the one pool that hands out an address', () => {
  const nodes = [parseIp('10.0.1.7')];
  const pools = resolvePools(
    [
      pool('a', ['10.0.0.0/24', '2001:db8::/64'], undefined, { avoidBuggyIPs: true }),
      pool('b', ['10.0.1.0/24']),
      pool('x', ['nonsense']),
    ],
    nodes,
  );
  const find = (text: string) => poolOf(pools, parseIp(text))?.name;
  const given = ['10.0.0.9', '10.0.0.0', '10.0.1.0', '10.0.1.7', '2001:db8::', '9.0.0.1', 'fd00::'];
  assert.deepEqual(given.map(find), ['a', undefined, 'b', undefined, 'a', undefined, undefined]);
});
