import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  capacityOf,
  exclusionOf,
  isDeclared,
  nextAllowed,
  nextInRange,
  parsePoolSpace,
  shownCount,
  spaceHas,
  spaceHasValue,
  withoutNodes,
  type PoolSpace,
} from '../../../src/api/pool-space.ts';
import { formatProblem } from '../../../src/api/problem.ts';
import { ipFromBigInt, ipToBigInt, parseIp, type Family } from '../../../src/net/address.ts';
import { formatRange, parseRange } from '../../../src/net/range.ts';
import { poolOfSpec } from './objects.ts';

function spaceOf(spec: object): PoolSpace {
  const { space, problems } = parsePoolSpace(poolOfSpec('p', spec));
  assert.ok(space !== undefined, problems.map(formatProblem).join());
  return space;
}

/** What the pool hands out, in its order, by stepping from one address to the next. */
function handedOut(space: PoolSpace): readonly string[] {
  const all: string[] = [];
  for (const family of [4, 6] as const) {
    for (
      let value = nextAllowed(space, family);
      value !== undefined;
      value = nextAllowed(space, family, value)
    ) {
      all.push(ipFromBigInt(family, value));
      assert.ok(all.length <= 100);
    }
  }
  return all;
}

const NET = '172.22.132';
const lastOctets = (octets: readonly number[]): string[] =>
  octets.map((octet) => `${NET}.${octet}`);
const K = [
  { name: 'K-1 both flags', addresses: [`${NET}.0/30`], buggy: true, gateway: true, want: [2, 3] },
  { name: 'K-2 buggy', addresses: [`${NET}.0/30`], buggy: true, want: [1, 2, 3] },
  { name: 'K-2 gateway', addresses: [`${NET}.0/30`], gateway: true, want: [0, 2, 3] },
  { name: 'K-2 none', addresses: [`${NET}.0/30`], want: [0, 1, 2, 3] },
  { name: 'K-3 filters', addresses: [`${NET}.0-${NET}.5`], buggy: true, gateway: true, filterIPs: [`${NET}.4`, `${NET}.5`], want: [2, 3] },
  { name: 'K-4', addresses: [`${NET}.0/30`], buggy: true, filterIPs: [`${NET}.3`], want: [1, 2] },
  { name: 'K-5', addresses: [`${NET}.50-${NET}.60`], want: [50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60] },
  { name: 'K-6', addresses: [`${NET}.0-${NET}.5`], buggy: true, want: [1, 2, 3, 4, 5] },
  { name: 'K-7', addresses: [`${NET}.0-${NET}.5`, `${NET}.250-${NET}.255`], buggy: true, want: [1, 2, 3, 4, 5, 250, 251, 252, 253, 254] },
  { name: 'the example pool `test`', addresses: [`${NET}.0-${NET}.15`, `${NET}.250-${NET}.255`], buggy: true, gateway: true, filterIPs: [`${NET}.10`], want: [2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 250, 251, 252, 253] },
  { name: 'filters may be CIDRs and ranges', addresses: [`${NET}.0/28`], filterIPs: [`${NET}.0/30`, `${NET}.6-${NET}.15`], want: [4, 5] },
  { name: 'declared order, lowest first', addresses: [`${NET}.9`, `${NET}.4-${NET}.5`, `${NET}.7`], want: [9, 4, 5, 7] },
  { name: 'an overlap counts once, where it is first', addresses: [`${NET}.4-${NET}.5`, `${NET}.3-${NET}.6`], want: [4, 5, 3, 6] },
  { name: 'everything is filtered', addresses: [`${NET}.4`], filterIPs: [`${NET}.0/24`], want: [] },
  { name: 'everything is avoided', addresses: [`${NET}.0-${NET}.1`], buggy: true, gateway: true, want: [] },
  { name: 'a range of avoided ones in the middle', addresses: [`${NET}.3`, `${NET}.0`, `${NET}.8`], buggy: true, want: [3, 8] },
]; // prettier-ignore
for (const { name, addresses, buggy, gateway, filterIPs, want } of K) {
  test(`hands out: ${name}`, () => {
    const space = spaceOf({
      addresses,
      filterIPs: filterIPs ?? [],
      avoidBuggyIPs: buggy ?? false,
      avoidGatewayIPs: gateway ?? false,
    });
    assert.deepEqual(handedOut(space), lastOctets(want));
    assert.equal(capacityOf(space), BigInt(want.length));
    assert.equal(capacityOf(space, 6), 0n);
  });
}

test('the edge of every /24 inside a range is avoided', () => {
  const space = spaceOf({
    addresses: ['10.0.0.253-10.0.1.2'],
    avoidBuggyIPs: true,
    avoidGatewayIPs: true,
  });
  assert.deepEqual(handedOut(space), ['10.0.0.253', '10.0.1.2']);
});

test('IPv6 knows no avoided octets', () => {
  const space = spaceOf({
    addresses: ['2001:db8::fe-2001:db8::101'],
    avoidBuggyIPs: true,
    avoidGatewayIPs: true,
  });
  assert.equal(capacityOf(space, 6), 4n);
  assert.equal(handedOut(space).length, 4);
});

const CAPACITIES = [
  { name: '30 of an example', spec: { addresses: ['172.22.132.200-172.22.132.230'], avoidBuggyIPs: true }, want: 31n },
  { name: 'a /25', spec: { addresses: ['140.145.33.128/25'], avoidBuggyIPs: true }, want: 127n },
  { name: 'a /8 with both flags', spec: { addresses: ['10.0.0.0/8'], avoidBuggyIPs: true, avoidGatewayIPs: true }, want: 65_536n * 252n },
  { name: 'a /64', spec: { addresses: ['2001:db8::/64'] }, want: 2n ** 64n },
  { name: 'both families', spec: { addresses: ['10.0.0.0/24', '2001:db8::/120'] }, want: 512n },
]; // prettier-ignore
for (const { name, spec, want } of CAPACITIES) {
  test(`capacity: ${name}`, () => assert.equal(capacityOf(spaceOf(spec)), want));
}

test('a count is shown up to 2^53-1', () => {
  assert.equal(shownCount(5n), 5);
  assert.equal(shownCount(2n ** 64n), Number.MAX_SAFE_INTEGER);
});

test('nextInRange starts at the range, steps over avoided ones, ends with it', () => {
  const space = spaceOf({ addresses: ['10.0.0.250-10.0.1.5'], avoidBuggyIPs: true });
  const [range] = space.ranges;
  assert.ok(range !== undefined);
  const next = (from: string) => {
    const value = nextInRange(space, range, ipToBigInt(parseIp(from)));
    return value === undefined ? undefined : ipFromBigInt(4, value);
  };
  assert.deepEqual(['10.0.0.1', '10.0.0.255', '10.0.1.5', '10.0.1.6'].map(next), [
    '10.0.0.250', '10.0.1.1', '10.0.1.5', undefined,
  ]); // prettier-ignore
});

test('why an address is not handed out', () => {
  const space = withoutNodes(
    spaceOf({
      addresses: ['10.0.0.0/24', '2001:db8::/120'],
      filterIPs: ['10.0.0.16/28'],
      avoidBuggyIPs: true,
      avoidGatewayIPs: true,
    }),
    [parseIp('10.0.0.5'), parseIp('10.9.9.9'), parseIp('2001:db8::5')],
  );
  const REASONS = [
    ['10.0.0.6', undefined],
    ['2001:db8::ff', undefined],
    ['10.0.1.1', 'it is not in spec.addresses'],
    ['10.0.0.17', 'spec.filterIPs has 10.0.0.16/28'],
    ['10.0.0.5', 'it is the address of a node'],
    ['2001:db8::5', 'it is the address of a node'],
    ['10.0.0.255', 'spec.avoidBuggyIPs leaves it out'],
    ['10.0.0.254', 'spec.avoidGatewayIPs leaves it out'],
  ] as const;
  for (const [text, want] of REASONS) {
    const ip = parseIp(text);
    assert.equal(exclusionOf(space, ip), want, text);
    assert.equal(spaceHas(space, ip), want === undefined, text);
    const family: Family = text.includes(':') ? 6 : 4;
    assert.equal(spaceHasValue(space, family, ipToBigInt(ip)), want === undefined, text);
    assert.equal(isDeclared(space, ip), want !== 'it is not in spec.addresses', text);
  }
  assert.equal(capacityOf(space, 6), 255n);
  assert.deepEqual(space.nodes.map(formatRange), ['10.0.0.5', '2001:db8::5']);
});

test('a pool that leaves only gateway addresses out says so', () => {
  const space = spaceOf({ addresses: ['10.0.0.0/24'], avoidGatewayIPs: true });
  assert.equal(exclusionOf(space, parseIp('10.0.0.1')), 'spec.avoidGatewayIPs leaves it out');
});

test('nodes elsewhere change nothing', () => {
  const space = spaceOf({ addresses: ['10.0.0.0/24'] });
  assert.equal(withoutNodes(space, [parseIp('10.0.1.1')]), space);
});

const REFUSED = [
  { addresses: ['172.22.132.250-172.22.132.267'], want: 'spec.addresses[0]: "172.22.132.267" is not an IP address; allowed: an address, a CIDR (192.0.2.0/24) or a range (192.0.2.10-192.0.2.20)' },
  { addresses: ['10.0.0.1', '10.0.0.9-2001:db8::1'], want: 'spec.addresses[1]: range "10.0.0.9-2001:db8::1" goes from IPv4 to IPv6; allowed: an address, a CIDR (192.0.2.0/24) or a range (192.0.2.10-192.0.2.20)' },
  { addresses: ['0.0.0.0/0'], want: 'spec.addresses[0]: 0.0.0.0/0 is every address there is; name the ones you own' },
  { addresses: ['::/0'], want: 'spec.addresses[0]: ::/0 is every address there is; name the ones you own' },
  { addresses: ['127.0.0.0/24'], want: 'spec.addresses[0]: 127.0.0.0/24 has loopback addresses, which no VIP can have' },
  { addresses: ['224.0.0.0/4'], want: 'spec.addresses[0]: 224.0.0.0/4 has multicast addresses, which no VIP can have' },
  { addresses: ['169.254.0.1-169.254.0.9'], want: 'spec.addresses[0]: 169.254.0.1-169.254.0.9 has link-local addresses, which no VIP can have' },
  { addresses: ['::'], want: 'spec.addresses[0]: :: has unspecified addresses, which no VIP can have' },
  { addresses: ['255.255.255.255'], want: 'spec.addresses[0]: 255.255.255.255 has broadcast addresses, which no VIP can have' },
]; // prettier-ignore
for (const { addresses, want } of REFUSED) {
  test(`refused: ${addresses.join()}`, () => {
    const { space, problems } = parsePoolSpace(poolOfSpec('p', { addresses }));
    assert.equal(space, undefined);
    assert.deepEqual(problems.map(formatProblem), [`Pool p: InvalidPool: ${want}`]);
  });
}

test('every bad item is named; filters may be anything that is a range', () => {
  const spec = { addresses: ['x', '10.0.0.0/24', 'y'], filterIPs: ['z', '0.0.0.0/0', '::1'] };
  const { problems } = parsePoolSpace(poolOfSpec('p', spec));
  const paths = problems.map(({ message }) => message.split(':')[0]);
  assert.deepEqual(paths, ['spec.addresses[0]', 'spec.addresses[2]', 'spec.filterIPs[0]']);
});

test('an overlap inside the pool is a warning', () => {
  const spec = { addresses: ['10.0.0.0/24', '10.0.0.9', '10.0.1.1'] };
  const { space, problems } = parsePoolSpace(poolOfSpec('p', spec));
  assert.ok(space !== undefined);
  assert.equal(capacityOf(space), 257n);
  assert.deepEqual(space.declared, spec.addresses.map(parseRange));
  assert.deepEqual(problems, [
    {
      object: { kind: 'Pool', name: 'p' },
      reason: 'OverlapInPool',
      message:
        'spec.addresses[1] 10.0.0.9 overlaps spec.addresses[0] 10.0.0.0/24; each address counts once',
      isWarning: true,
    },
  ]);
});

const HOST_BITS = [
  { text: '192.0.2.200/28', want: '192.0.2.200/28 is 192.0.2.192/28, 192.0.2.192 to 192.0.2.207; did you mean 192.0.2.200-192.0.2.215 or 192.0.2.200/32?' },
  { text: ' 2001:db8::5/126 ', want: '2001:db8::5/126 is 2001:db8::4/126, 2001:db8::4 to 2001:db8::7; did you mean 2001:db8::5-2001:db8::8 or 2001:db8::5/128?' },
  { text: '192.0.2.192/28', want: undefined },
  { text: '192.0.2.1/32', want: undefined },
  { text: '192.0.2.1-192.0.2.5', want: undefined },
]; // prettier-ignore
for (const { text, want } of HOST_BITS) {
  test(`a CIDR with host bits is said, and works: ${text}`, () => {
    const { space, problems } = parsePoolSpace(poolOfSpec('p', { addresses: [text] }));
    assert.ok(space !== undefined);
    const found = problems.map(({ reason, message, isWarning }) => [reason, message, isWarning]);
    assert.deepEqual(
      found,
      want === undefined ? [] : [['HostBits', `spec.addresses[0]: ${want}`, true]],
    );
  });
}

test('host bits: filters, too; beyond the last address there is no range', () => {
  const spec = { addresses: ['10.0.0.0/8'], filterIPs: ['10.1.2.3/24', '255.255.255.250/24'] };
  assert.deepEqual(
    parsePoolSpace(poolOfSpec('p', spec)).problems.map(({ message }) => message),
    [
      'spec.filterIPs[0]: 10.1.2.3/24 is 10.1.2.0/24, 10.1.2.0 to 10.1.2.255; did you mean 10.1.2.3-10.1.3.2 or 10.1.2.3/32?',
      'spec.filterIPs[1]: 255.255.255.250/24 is 255.255.255.0/24, 255.255.255.0 to 255.255.255.255; did you mean 255.255.255.250/32?',
    ],
  );
});
