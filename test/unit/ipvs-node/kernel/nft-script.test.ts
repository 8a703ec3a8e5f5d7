import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  LAYOUT_CHAIN,
  LAYOUT_SCRIPT,
  parseErrors,
  parseListing,
  renderChanges,
  renderOnePerLine,
} from '../../../../src/ipvs-node/kernel/firewall/nft-script.ts';
import { ipFromBigInt, parseIp } from '../../../../src/net/address.ts';
import { emptyFirewall, FIREWALL_SETS } from '../../../../src/ipvs-node/model/firewall.ts';
import { parseRange } from '../../../../src/net/range.ts';
import { addElement, deleteElement } from '../../../contract/firewall-op.ts';
import { listing } from './nft-listing.ts';

const KEY = { vip: parseIp('192.0.2.10'), protocol: 'TCP', port: 80 } as const;

test('the layout names no other table, and makes ours anew', () => {
  const tables = [...LAYOUT_SCRIPT.matchAll(/table (\S+ \S+)/g)].map((match) => match[1]);
  assert.deepEqual(new Set(tables), new Set(['inet vipvs']));
  assert.match(LAYOUT_SCRIPT, /^table inet vipvs\ndelete table inet vipvs\ntable inet vipvs \{/);
  assert.match(LAYOUT_SCRIPT, new RegExp(`chain ${LAYOUT_CHAIN} \\{`));
  for (const set of FIREWALL_SETS) assert.match(LAYOUT_SCRIPT, new RegExp(`set ${set} \\{ type `));
});

const renderings = [
  { name: 'nothing', given: [], want: '' },
  {
    name: 'neighbours of one kind in one command, protocols as numbers',
    given: [
      addElement('ports4', KEY),
      addElement('ports4', { ...KEY, protocol: 'SCTP', port: 81 }),
    ],
    want: 'add element inet vipvs ports4 { 192.0.2.10 . 6 . 80, 192.0.2.10 . 132 . 81 }\n',
  },
  {
    name: 'the order of changes of different kinds',
    given: [
      addElement('vips4', KEY.vip),
      deleteElement('vips4', parseIp('192.0.2.2')),
      addElement('vips6', parseIp('2001:db8::1')),
    ],
    want:
      'add element inet vipvs vips4 { 192.0.2.10 }\n' +
      'delete element inet vipvs vips4 { 192.0.2.2 }\n' +
      'add element inet vipvs vips6 { 2001:db8::1 }\n',
  },
  {
    name: 'addresses, CIDRs and ranges',
    given: ['10.1.2.3/8', '10.1.2.3/32', '10.1.0.1 - 10.1.0.9'].flatMap((text) => [
      addElement('local4', parseRange(text)),
      addElement('sources4', { port: KEY, source: parseRange(text) }),
    ]),
    want:
      'add element inet vipvs local4 { 10.0.0.0/8 }\n' +
      'add element inet vipvs sources4 { 192.0.2.10 . 6 . 80 . 10.0.0.0/8 }\n' +
      'add element inet vipvs local4 { 10.1.2.3 }\n' +
      'add element inet vipvs sources4 { 192.0.2.10 . 6 . 80 . 10.1.2.3 }\n' +
      'add element inet vipvs local4 { 10.1.0.1-10.1.0.9 }\n' +
      'add element inet vipvs sources4 { 192.0.2.10 . 6 . 80 . 10.1.0.1-10.1.0.9 }\n',
  },
];
for (const { name, given, want } of renderings) {
  test(`renders ${name}`, () => assert.equal(renderChanges(given), want));
}

test('long lists are cut into several commands, and one change a line on demand', () => {
  const many = Array.from({ length: 1001 }, (_, i) =>
    addElement('vips4', ipFromBigInt(4, 0x0a000000n + BigInt(i))),
  );
  assert.equal(renderChanges(many).trimEnd().split('\n').length, 3);
  assert.equal(renderOnePerLine(many).length, 1001);
  assert.equal(
    renderOnePerLine([deleteElement('ports4', { ...KEY, protocol: 'UDP', port: 53 })])[0],
    'delete element inet vipvs ports4 { 192.0.2.10 . 17 . 53 }\n',
  );
});

const errors = [
  {
    name: 'a refusal of the kernel, with its line',
    given:
      '/dev/stdin:2:36-54: Error: Could not process rule: No such file or directory\ndelete element\n      ^^^^\n',
    want: ['2 ENOENT'],
  },
  {
    name: 'overlapping intervals',
    given: '/dev/stdin:4:33-43: Error: interval overlaps with an existing one\n',
    want: ['4 EEXIST'],
  },
  {
    name: 'a list command',
    given: 'Error: No such file or directory\n',
    want: ['undefined ENOENT'],
  },
  {
    name: 'no permission',
    given: 'Operation not permitted (you must be root)\nError: Operation not permitted\n',
    want: ['undefined EPERM'],
  },
  {
    name: 'a kernel without the family',
    given: '/dev/stdin:1:1-27: Error: Could not process rule: Operation not supported\n',
    want: ['1 EOPNOTSUPP'],
  },
  {
    name: 'bad syntax',
    given: '/dev/stdin:1:1-2: Error: syntax error, unexpected !\n',
    want: ['1 EINVAL'],
  },
  { name: 'nothing', given: '', want: [] },
];
for (const { name, given, want } of errors) {
  test(`reads ${name}`, () => {
    assert.deepEqual(
      parseErrors(given).map((error) => `${error.line} ${error.errno}`),
      want,
    );
  });
}

test('a listing of our table gives its elements as values, by their keys', () => {
  const read = parseListing(listing());
  assert.ok(read.layout === 'ours');
  const sets = Object.fromEntries([...read.firewall.sets].map(([set, each]) => [set, [...each]]));
  const empty = Object.fromEntries(FIREWALL_SETS.map((set) => [set, []]));
  const udp = { ...KEY, protocol: 'UDP', port: 53 } as const;
  const sctp = { ...KEY, protocol: 'SCTP' } as const;
  const [ten, one] = [parseRange('10.0.0.0/8'), parseRange('10.1.2.3')];
  assert.deepEqual(sets, {
    ...empty,
    vips4: [['192.0.2.10', KEY.vip]],
    local4: [
      ['10.1.0.0/16', parseRange('10.1.0.0/16')],
      ['10.2.0.1-10.2.0.9', parseRange('10.2.0.1-10.2.0.9')],
    ],
    ports4: [
      ['192.0.2.10:80/TCP', KEY],
      ['192.0.2.10:53/UDP', udp],
    ],
    sources4: [
      ['192.0.2.10:80/SCTP 10.0.0.0/8', { port: sctp, source: ten }],
      ['192.0.2.10:80/TCP 10.1.2.3', { port: KEY, source: one }],
    ],
  });
});

const strangers = [
  { set: 'vips4', elem: { elem: { val: '192.0.2.1', comment: 'mine' } } },
  { set: 'vips4', elem: { prefix: { addr: '192.0.2.0', len: 24 } } },
  { set: 'vips4', elem: 'nonsense' },
  { set: 'local4', elem: { prefix: { addr: '10.0.0.0', len: 99 } } },
  { set: 'local4', elem: { range: ['10.0.0.9', '10.0.0.1'] } },
  { set: 'local4', elem: { jump: 1 } },
  { set: 'ports4', elem: '192.0.2.1' },
  { set: 'ports4', elem: { concat: ['192.0.2.1', 33, 80] } },
  { set: 'ports4', elem: { concat: ['192.0.2.1', 6, { range: [80, 90] }] } },
  { set: 'ranged4', elem: { concat: ['192.0.2.1', 6, 80, '10.0.0.1'] } },
  { set: 'sources4', elem: { concat: ['192.0.2.1', 6, 80] } },
  { set: 'sources4', elem: { concat: ['192.0.2.1', 6, 80, 'nonsense'] } },
  { set: 'sources4', elem: { concat: ['192.0.2.1', 6, { range: [80, 90] }, '10.0.0.1'] } },
  {
    set: 'sources4',
    elem: { concat: [{ prefix: { addr: '192.0.2.0', len: 24 } }, 6, 80, '10.0.0.1'] },
  },
];
for (const { set, elem } of strangers) {
  test(`an element of ${set} that vipvs never makes: ${JSON.stringify(elem)}`, () => {
    const isSet = (item: object): boolean =>
      JSON.stringify(item).startsWith(`{"set":{"name":"${set}"`);
    const replaced = listing((items) =>
      items.map((item) => (isSet(item) ? { set: { name: set, elem: [elem] } } : item)),
    );
    assert.equal(parseListing(replaced).layout, 'other');
  });
}

const damages: Readonly<Record<string, (items: object[]) => object[]>> = {
  'a rule is missing': (items) => items.slice(0, -1),
  'a rule was added': (items) => [...items, { rule: { chain: 'vip4' } }],
  'a set is missing': (items) => items.filter((_, i) => i !== 2),
  'the layout is of another version': (items) =>
    items.filter((item) => !JSON.stringify(item).includes(LAYOUT_CHAIN)),
};
for (const [name, change] of Object.entries(damages)) {
  test(`a table is not ours to use where ${name}`, () => {
    assert.equal(parseListing(listing(change)).layout, 'other');
  });
}

test('text that nft does not print is an error, not an empty table', () => {
  for (const text of ['', '{}', '{"nftables": 1}']) assert.throws(() => parseListing(text));
  const strange = { nftables: [{ set: { name: 'vips4', elem: '192.0.2.1' } }] };
  assert.equal(parseListing(JSON.stringify(strange)).layout, 'other');
});

test('an empty firewall has every set', () => {
  assert.deepEqual([...emptyFirewall().sets.keys()], [...FIREWALL_SETS]);
});
