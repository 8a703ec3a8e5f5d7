import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  LAYOUT_CHAIN,
  LAYOUT_SCRIPT,
  parseErrors,
  parseListing,
  renderChanges,
  renderOnePerLine,
  type FirewallChange,
} from '../../../../src/ipvs-node/kernel/firewall/nft-script.ts';
import { FIREWALL_SETS } from '../../../../src/ipvs-node/model/state.ts';
import { parseIp } from '../../../../src/net/address.ts';
import {
  emptyFirewall,
  localElement,
  portElement,
  sourceElement,
  vipElement,
} from '../../../../src/ipvs-node/model/firewall-elements.ts';
import { listing } from './nft-listing.ts';

const KEY = { vip: parseIp('192.0.2.10'), protocol: 'TCP', port: 80 } as const;

test('elements have the form that nft prints', () => {
  assert.equal(vipElement(KEY.vip), '192.0.2.10');
  assert.equal(portElement(KEY), '192.0.2.10 . tcp . 80');
  assert.equal(sourceElement(KEY, '10.1.2.3/8'), '192.0.2.10 . tcp . 80 . 10.0.0.0/8');
  assert.equal(sourceElement(KEY, '10.1.2.3/32'), '192.0.2.10 . tcp . 80 . 10.1.2.3');
  assert.equal(localElement('10.1.0.0/16'), '10.1.0.0/16');
  assert.equal(localElement('10.1.0.1 - 10.1.0.9'), '10.1.0.1-10.1.0.9');
});

test('the layout names no other table, and makes ours anew', () => {
  const tables = [...LAYOUT_SCRIPT.matchAll(/table (\S+ \S+)/g)].map((match) => match[1]);
  assert.deepEqual(new Set(tables), new Set(['inet vipvs']));
  assert.match(LAYOUT_SCRIPT, /^table inet vipvs\ndelete table inet vipvs\ntable inet vipvs \{/);
  assert.match(LAYOUT_SCRIPT, new RegExp(`chain ${LAYOUT_CHAIN} \\{`));
  for (const set of FIREWALL_SETS) assert.match(LAYOUT_SCRIPT, new RegExp(`set ${set} \\{ type `));
});

const add = (set: FirewallChange['set'], element: string): FirewallChange => {
  return { op: 'fw.add', set, element };
};
const del = (set: FirewallChange['set'], element: string): FirewallChange => {
  return { op: 'fw.del', set, element };
};

const renderings = [
  { name: 'nothing', given: [], want: '' },
  {
    name: 'neighbours of one kind in one command, protocols as numbers',
    given: [add('ports4', '192.0.2.1 . tcp . 80'), add('ports4', '192.0.2.1 . sctp . 81')],
    want: 'add element inet vipvs ports4 { 192.0.2.1 . 6 . 80, 192.0.2.1 . 132 . 81 }\n',
  },
  {
    name: 'the order of changes of different kinds',
    given: [add('vips4', '192.0.2.1'), del('vips4', '192.0.2.2'), add('vips6', '2001:db8::1')],
    want:
      'add element inet vipvs vips4 { 192.0.2.1 }\n' +
      'delete element inet vipvs vips4 { 192.0.2.2 }\n' +
      'add element inet vipvs vips6 { 2001:db8::1 }\n',
  },
];
for (const { name, given, want } of renderings) {
  test(`renders ${name}`, () => assert.equal(renderChanges(given), want));
}

test('long lists are cut into several commands, and one change a line on demand', () => {
  const many = Array.from({ length: 1001 }, (_, i) => add('vips4', `10.0.0.${i}`));
  assert.equal(renderChanges(many).trimEnd().split('\n').length, 3);
  assert.equal(renderOnePerLine(many).length, 1001);
  assert.equal(
    renderOnePerLine([del('ports4', '192.0.2.1 . udp . 53')])[0],
    'delete element inet vipvs ports4 { 192.0.2.1 . 17 . 53 }\n',
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

test('a listing of our table gives its elements in our form', () => {
  const read = parseListing(listing());
  assert.ok(read.layout === 'ours');
  const sets = Object.fromEntries([...read.firewall.sets].map(([set, each]) => [set, [...each]]));
  assert.deepEqual(sets, {
    vips4: ['192.0.2.10'],
    local4: ['10.1.0.0/16', '10.2.0.1-10.2.0.9'],
    ports4: ['192.0.2.10 . tcp . 80', '192.0.2.10 . udp . 53'],
    ranged4: [],
    sources4: ['192.0.2.10 . sctp . 80 . 10.0.0.0/8', '192.0.2.10 . tcp . 80 . 10.1.2.3'],
    vips6: [],
    local6: [],
    ports6: [],
    ranged6: [],
    sources6: [],
  });
});

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
  const strange = (elem: unknown): string =>
    JSON.stringify({ nftables: [{ set: { name: 'vips4', elem } }] });
  assert.throws(() => parseListing(strange([{ jump: 1 }])), /not known/);
  assert.throws(() => parseListing(strange('192.0.2.1')), /no list/);
});

test('an empty firewall has every set', () => {
  assert.deepEqual([...emptyFirewall().sets.keys()], [...FIREWALL_SETS]);
});
