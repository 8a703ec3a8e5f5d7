// Pools that stand together: names, overlaps, and those for addresses that no other hands out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  announcedPool as pool,
  migrateText,
  notesOf,
  serviceText,
  specsOf,
} from './read-objects.ts';

test('two Pools of one name: the second gets another', () => {
  const eip = (name: string, address: string): string =>
    `---\napiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: ${name}}\nspec: {address: ${address}, protocol: vip}\n`;
  const migration = migrateText(
    pool('p', { addresses: ['192.0.2.0/28'] }) +
      eip('p', '198.51.100.1') +
      pool('p-openelb', { addresses: ['192.0.2.64/28'] }),
  );
  assert.deepEqual(Object.keys(specsOf(migration)), ['p', 'p-openelb', 'p-openelb-2']);
  assert.deepEqual(notesOf(migration), [
    'ambiguous Eip p: there is another Pool p: this one is called p-openelb-2',
  ]);
});

test('two Pools of one name in one system: in the order of where they come from', () => {
  const migration = migrateText(
    pool('p', { addresses: ['192.0.2.0/28'] }, 'z') +
      pool('p', { addresses: ['192.0.2.16/28'] }, 'y'),
  );
  assert.deepEqual(specsOf(migration), {
    p: { addresses: ['192.0.2.16/28'] },
    'p-metallb': { addresses: ['192.0.2.0/28'] },
  });
});

test('Pools that overlap: the one for named namespaces keeps the addresses, an empty one is not made', () => {
  const migration = migrateText(
    pool('a', { addresses: ['192.0.2.0/24'] }) +
      pool('b', {
        addresses: ['192.0.2.16-192.0.2.31'],
        serviceAllocation: { namespaces: ['x'] },
      }) +
      pool('c', { addresses: ['192.0.2.0/28'] }),
  );
  assert.deepEqual(specsOf(migration), {
    a: { addresses: ['192.0.2.0/24'], filterIPs: ['192.0.2.16/28'] },
    b: { addresses: ['192.0.2.16-192.0.2.31'], serviceAllocation: { namespaces: ['x'] } },
  });
  assert.deepEqual(notesOf(migration), [
    'ambiguous IPAddressPool m/a: 192.0.2.16/28 is in IPAddressPool m/b, too: it stays in Pool b',
    'ambiguous IPAddressPool m/c: 192.0.2.0/28 is in IPAddressPool m/a, too: it stays in Pool a',
    'ambiguous IPAddressPool m/c: nothing is left of it: no Pool is made',
  ]);
});

test('Pools that overlap at their ends, and in more pieces than filterIPs takes', () => {
  const pieces = Array.from({ length: 5 }, (_, i) =>
    pool(`s${i}`, {
      addresses: Array.from({ length: 256 }, (_each, j) => `10.${i}.${j}.1`),
      serviceAllocation: { namespaces: ['x'] },
    }),
  );
  const migration = migrateText(
    pool('a', { addresses: ['192.0.2.10-192.0.2.30'] }) +
      pool('b', { addresses: ['192.0.2.20-192.0.2.40', '192.0.2.1-192.0.2.12'] }) +
      pool('big', { addresses: ['10.0.0.0/8'] }) +
      pieces.join(''),
  );
  const specs = specsOf(migration);
  assert.deepEqual(specs['b'], {
    addresses: ['192.0.2.20-192.0.2.40', '192.0.2.1-192.0.2.12'],
    filterIPs: ['192.0.2.10-192.0.2.12', '192.0.2.20-192.0.2.30'],
  });
  assert.equal(specs['big'], undefined);
  const [note] = notesOf(migration).filter((each) => each.startsWith('error'));
  assert.equal(
    note,
    'error IPAddressPool m/big: spec.filterIPs: must have at most 1024 items, is a list of 1280; no Pool is made',
  );
});

test('kept addresses: one Pool for each interface, with a name that is free, in pieces of 256', () => {
  const l2 =
    '---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: i, namespace: m}\nspec: {interfaces: [eth1]}\n';
  const buggy = `---\napiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: kept-addresses, namespace: m}\nspec: {addresses: [192.0.2.0/24], avoidBuggyIPs: true}\n`;
  const strays = Array.from({ length: 257 }, (_, i) =>
    serviceText(`a/s${i}`, { ips: [`10.${Math.floor(i / 100)}.${i % 100}.1`] }),
  );
  const migration = migrateText(
    buggy + l2 + strays.join('') + serviceText('a/x', { ips: ['192.0.2.0'] }),
  );
  const sizes = Object.entries(specsOf(migration)).map(([name, spec]) => {
    assert.ok(typeof spec === 'object' && spec !== null && 'addresses' in spec);
    assert.ok(Array.isArray(spec.addresses));
    return `${name} ${spec.addresses.length} ${'bindInterface' in spec ? String(spec.bindInterface) : '-'}`;
  });
  assert.deepEqual(sizes, [
    'kept-addresses 1 eth1',
    'kept-addresses-eth1 1 eth1',
    'kept-addresses-more 256 -',
    'kept-addresses-more-2 1 -',
  ]);
});
