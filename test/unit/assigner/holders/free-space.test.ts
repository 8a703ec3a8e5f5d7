import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parsePoolSpace, type PoolSpace } from '../../../../src/api/pool-space.ts';
import { FreeSpace } from '../../../../src/assigner/holders/free-space.ts';
import { ipFromBigInt, ipToBigInt, parseIp, type Family } from '../../../../src/net/address.ts';
import { pool } from '../objects.ts';

function spaceOf(
  addresses: readonly string[],
  spec: Readonly<Record<string, unknown>> = {},
): PoolSpace {
  const { space } = parsePoolSpace(pool('p', addresses, spec));
  assert.ok(space !== undefined);
  return space;
}

function value(text: string): bigint {
  return ipToBigInt(parseIp(text));
}

/** Takes the first free address until none is left, at most `count` of them. */
function takeAll(free: FreeSpace, family: Family, count = 100): string[] {
  const taken: string[] = [];
  for (let i = 0; i < count; i++) {
    const first = free.first();
    if (first === undefined) break;
    assert.ok(free.occupy(first));
    taken.push(ipFromBigInt(family, first));
  }
  return taken;
}

const ROWS = [
  {
    name: 'declared order, lowest first',
    addresses: ['192.0.2.9', '192.0.2.4-192.0.2.5', '192.0.2.0/31'],
    want: ['192.0.2.9', '192.0.2.4', '192.0.2.5', '192.0.2.0', '192.0.2.1'],
  },
  {
    name: 'avoid flags at every edge of a /24',
    addresses: ['192.0.2.252-192.0.3.2'],
    spec: { avoidBuggyIPs: true, avoidGatewayIPs: true },
    want: ['192.0.2.252', '192.0.2.253', '192.0.3.2'],
  },
  {
    name: 'filters cut holes, and ranges that are nothing but excluded vanish',
    addresses: ['192.0.2.255', '192.0.2.0-192.0.2.5', '198.51.100.0'],
    spec: { avoidBuggyIPs: true, filterIPs: ['192.0.2.2-192.0.2.3'] },
    want: ['192.0.2.1', '192.0.2.4', '192.0.2.5'],
  },
  {
    name: 'a family that the Pool does not have',
    addresses: ['2001:db8::/64'],
    want: [],
  },
];

for (const { name, addresses, spec = {}, want } of ROWS) {
  test(`first free address: ${name}`, () => {
    assert.deepEqual(takeAll(new FreeSpace(spaceOf(addresses, spec), 4), 4), want);
  });
}

test('a /8 and a /64 cost one run, wherever their addresses are taken', () => {
  const free4 = new FreeSpace(spaceOf(['10.0.0.0/8'], { avoidBuggyIPs: true }), 4);
  const free6 = new FreeSpace(spaceOf(['2001:db8::/64']), 6);
  assert.equal(takeAll(free4, 4, 1000).at(-1), '10.0.3.238');
  assert.equal(free4.runs, 1);
  assert.equal(free4.occupied, 1000);
  assert.equal(takeAll(free6, 6, 1000).at(-1), '2001:db8::3e7');
  assert.equal(free6.runs, 1);
});

test('what is not of the Pool, excluded, taken or free can not be taken or given back twice', () => {
  const free = new FreeSpace(spaceOf(['192.0.2.0/29'], { avoidBuggyIPs: true }), 4);
  assert.equal(free.occupy(value('192.0.2.8')), false);
  assert.equal(free.occupy(value('192.0.1.0')), false);
  assert.equal(free.occupy(value('192.0.2.0')), false);
  assert.equal(free.release(value('192.0.2.0')), false);
  assert.equal(free.release(value('192.0.2.3')), false);
  assert.equal(free.occupy(value('192.0.2.3')), true);
  assert.equal(free.occupy(value('192.0.2.3')), false);
  assert.equal(free.release(value('192.0.2.3')), true);
  assert.equal(free.occupied, 0);
});

test('it says what a plain set says, after any takes and releases', () => {
  const addresses = ['192.0.2.250-192.0.3.6', '192.0.2.0/29', '192.0.2.20'];
  const spec = {
    avoidBuggyIPs: true,
    avoidGatewayIPs: true,
    filterIPs: ['192.0.2.3', '192.0.3.4'],
  };
  const space = spaceOf(addresses, spec);
  const order = takeAll(new FreeSpace(space, 4), 4).map(value);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.boolean(), fc.nat({ max: order.length - 1 })), { maxLength: 60 }),
      (steps) => {
        const free = new FreeSpace(space, 4);
        const taken = new Set<bigint>();
        for (const [isTake, index] of steps) {
          const address = order[index] ?? 0n;
          if (isTake) {
            assert.equal(free.occupy(address), !taken.has(address));
            taken.add(address);
          } else assert.equal(free.release(address), taken.delete(address));
          assert.equal(
            free.first(),
            order.find((each) => !taken.has(each)),
          );
          assert.equal(free.occupied, taken.size);
          assert.equal(free.placeOf(address) === undefined, false);
        }
      },
    ),
    { numRuns: 200 },
  );
});
