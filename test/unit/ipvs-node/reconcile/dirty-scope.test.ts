// What a round over a scope settles.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DirtyScope } from '../../../../src/ipvs-node/reconcile/dirty-scope.ts';
import type { Target } from '../../../../src/ipvs-node/reconcile/retries.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { elementKey } from '../../../../src/ipvs-node/model/firewall.ts';
import type { VirtualServerKey } from '../../../../src/net/ipvs.ts';

const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const VIP = parseIp('192.0.2.10');
const TARGETS: readonly Target[] = [
  { kind: 'virtual server', key: KEY },
  { kind: 'address', address: VIP },
  { kind: 'announcement', address: VIP },
  { kind: 'firewall' },
  { kind: 'sysctls' },
];
const NOTHING = {
  virtualServers: new Set<VirtualServerKey>(),
  addresses: new Set<never>(),
  firewall: new Map<never, never>(),
  sysctls: false,
  services: new Set<string>(),
};

const CASES: readonly {
  readonly name: string;
  readonly given: Parameters<DirtyScope['add']>[0];
  readonly want: readonly Target['kind'][];
}[] = [
  {
    name: 'its virtual server',
    given: { ...NOTHING, virtualServers: new Set([KEY]) },
    want: ['virtual server'],
  },
  {
    name: 'another virtual server',
    given: { ...NOTHING, virtualServers: new Set(['192.0.2.10:81/TCP' as VirtualServerKey]) },
    want: [],
  },
  // announced again is what stands in the announce queue
  { name: 'its address', given: { ...NOTHING, addresses: new Set([VIP]) }, want: ['address'] },
  {
    name: 'another address',
    given: { ...NOTHING, addresses: new Set([parseIp('192.0.2.11')]) },
    want: [],
  },
  // a fault of the firewall names no element: only a round over all of them settles it
  {
    name: 'an element of the firewall',
    given: { ...NOTHING, firewall: new Map([['vips4', new Set([elementKey(VIP)])]]) },
    want: [],
  },
  { name: 'the settings', given: { ...NOTHING, sysctls: true }, want: ['sysctls'] },
];
for (const { name, given, want } of CASES) {
  test(`a round over ${name} settles ${want.join() || 'nothing'}`, () => {
    const scope = new DirtyScope();
    scope.add(given);
    assert.equal(scope.isEmpty, false);
    const covered = TARGETS.filter((target) => scope.covers(target)).map(({ kind }) => kind);
    assert.deepEqual(covered, want);
  });
}

test('an empty scope settles nothing', () => {
  const scope = new DirtyScope();
  scope.add(NOTHING);
  assert.equal(scope.isEmpty, true);
  assert.deepEqual(
    TARGETS.filter((target) => scope.covers(target)),
    [],
  );
});

test('elements of one set that change one after the other are all in it', () => {
  const scope = new DirtyScope();
  for (const element of ['192.0.2.10', '192.0.2.11']) {
    scope.add({
      ...NOTHING,
      firewall: new Map([['vips4', new Set([elementKey(parseIp(element))])]]),
    });
  }
  assert.deepEqual([...(scope.firewall.get('vips4') ?? [])], ['192.0.2.10', '192.0.2.11']);
});
