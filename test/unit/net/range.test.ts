import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { AddressError, parseIp } from '../../../src/net/address.ts';
import {
  findRange,
  indexAtOrAfter,
  mergeRanges,
  subtractRanges,
} from '../../../src/net/range-set.ts';
import {
  formatRange,
  parseRange,
  rangeHas,
  rangesOverlap,
  rangeSize,
} from '../../../src/net/range.ts';
import { specialUseIn, specialUseOf } from '../../../src/net/special.ts';
import { fixtureJson } from '../../fixtures/read-fixture.ts';

const vectorsSchema = z.object({
  valid: z.array(z.tuple([z.string(), z.string(), z.number()])),
  invalid: z.array(z.tuple([z.string(), z.string()])),
});
const vectors = fixtureJson('net/ranges.json', vectorsSchema);

for (const [given, want, size] of vectors.valid) {
  test(`parseRange: ${given} -> ${want}`, () => {
    const range = parseRange(given);
    assert.equal(formatRange(range), want);
    assert.equal(rangeSize(range), BigInt(size));
    assert.deepEqual(parseRange(want), range);
  });
}

for (const [given, message] of vectors.invalid) {
  test(`parseRange refuses ${JSON.stringify(given)}`, () => {
    assert.throws(() => parseRange(given), new AddressError(message));
  });
}

test('a /64 is arithmetic', () => {
  const range = parseRange('2001:db8::/64');
  assert.equal(rangeSize(range), 2n ** 64n);
  assert.equal(formatRange(range), '2001:db8::/64');
});

test('rangeHas: ends are inside, families are apart', () => {
  const range = parseRange('192.0.2.10-192.0.2.20');
  const has = (ip: string): boolean => rangeHas(range, parseIp(ip));
  assert.deepEqual(['192.0.2.9', '192.0.2.10', '192.0.2.20', '192.0.2.21', '::1'].map(has), [
    false, true, true, false, false,
  ]); // prettier-ignore
});

test('rangesOverlap', () => {
  const overlap = (a: string, b: string): boolean => rangesOverlap(parseRange(a), parseRange(b));
  assert.equal(overlap('192.0.2.0/25', '192.0.2.127-192.0.2.130'), true);
  assert.equal(overlap('192.0.2.0/25', '192.0.2.128/25'), false);
  assert.equal(overlap('192.0.2.128/25', '192.0.2.0/25'), false);
  assert.equal(overlap('0.0.0.0/0', '::/0'), false);
});

const parseAll = (texts: readonly string[]) => texts.map(parseRange);
const formatAll = (ranges: ReturnType<typeof mergeRanges>) => ranges.map(formatRange);

test('mergeRanges joins what touches, keeps families apart, sorts', () => {
  const given = ['::/128', '10.0.0.6', '10.0.0.0-10.0.0.3', '10.0.0.2', '10.0.0.4/31', '9.0.0.1'];
  assert.deepEqual(formatAll(mergeRanges(parseAll(given))), ['9.0.0.1', '10.0.0.0-10.0.0.6', '::']);
  assert.deepEqual(mergeRanges([]), []);
  assert.deepEqual(formatAll(mergeRanges(parseAll(['10.0.0.0/31', '10.0.0.0/31']))), [
    '10.0.0.0/31',
  ]);
});

const SUBTRACTIONS = [
  { name: 'nothing', cut: [], want: ['10.0.0.0-10.0.0.9'] },
  { name: 'the middle', cut: ['10.0.0.4-10.0.0.5'], want: ['10.0.0.0/30', '10.0.0.6-10.0.0.9'] },
  { name: 'the start', cut: ['9.0.0.0-10.0.0.3'], want: ['10.0.0.4-10.0.0.9'] },
  { name: 'the end', cut: ['10.0.0.8-10.0.0.20'], want: ['10.0.0.0/29'] },
  { name: 'all', cut: ['10.0.0.0/24'], want: [] },
  { name: 'beside', cut: ['9.0.0.0/8', '10.0.0.10', '::/0'], want: ['10.0.0.0-10.0.0.9'] },
];
for (const { name, cut, want } of SUBTRACTIONS) {
  test(`subtractRanges: ${name}`, () => {
    const left = subtractRanges(parseRange('10.0.0.0-10.0.0.9'), mergeRanges(parseAll(cut)));
    assert.deepEqual(formatAll(left), want);
  });
}

test('findRange and indexAtOrAfter', () => {
  const ranges = mergeRanges(parseAll(['10.0.0.0/30', '10.0.0.8/30', '::8']));
  const find = (text: string) => {
    const { family, first } = parseRange(text);
    const range = findRange(ranges, family, first);
    return range === undefined ? undefined : formatRange(range);
  };
  assert.equal(find('10.0.0.3'), '10.0.0.0/30');
  assert.equal(find('10.0.0.4'), undefined);
  assert.equal(find('10.0.0.12'), undefined);
  assert.equal(find('::8'), '::8');
  assert.equal(find('::9'), undefined);
  assert.equal(indexAtOrAfter(ranges, 6, 0n), 2);
  assert.equal(indexAtOrAfter(ranges, 6, 9n), 3);
});

const SPECIAL = [
  ['192.0.2.1', undefined],
  ['1.2.3.4', undefined],
  ['203.0.113.1', undefined],
  ['240.0.0.1', undefined],
  ['223.255.255.255', undefined],
  ['169.253.0.1', undefined],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['127.0.0.53', 'loopback'],
  ['169.254.1.1', 'link-local'],
  ['224.0.0.1', 'multicast'],
  ['239.1.2.3', 'multicast'],
  ['255.255.255.255', 'broadcast'],
  ['2001:db8::1', undefined],
  ['fd00::1', undefined],
  ['::2', undefined],
  ['fec0::1', undefined],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['ff02::1', 'multicast'],
] as const;
for (const [text, want] of SPECIAL) {
  test(`specialUseOf: ${text} is ${want ?? 'usable'}`, () => {
    const ip = parseIp(text);
    assert.equal(specialUseOf(ip), want);
    assert.equal(specialUseIn(parseRange(text)), want);
  });
}

test('specialUseIn finds what a wide range touches', () => {
  assert.equal(specialUseIn(parseRange('126.0.0.0-128.0.0.0')), 'loopback');
  assert.equal(specialUseIn(parseRange('::2-::1:0:0:0')), 'IPv4-mapped');
  assert.equal(specialUseIn(parseRange('10.0.0.0/8')), undefined);
});
