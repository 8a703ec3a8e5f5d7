// A plan in parts: what is in which, and that a flush makes one part of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isServerOp, serverKeyOf } from '../../../../src/ipvs-node/model/kernel.ts';
import { bindingKey } from '../../../../src/ipvs-node/model/owned.ts';
import { parseIp } from '../../../../src/net/address.ts';
import type { VirtualServerKey } from '../../../../src/net/ipvs.ts';
import { planNode } from '../../../../src/ipvs-node/plan/plan.ts';
import {
  inTurn,
  NOTHING_PLANNED,
  planParts,
  planRound,
} from '../../../../src/ipvs-node/plan/parts.ts';
import type { NodeState } from '../../../../src/ipvs-node/model/state.ts';
import { desiredOf, firewallOf, observedOf, opText } from '../kernel-text.ts';

const LIMITS = { orphanDrainSeconds: 1 };
const VS1 = '-A -t 192.0.2.1:80 -s rr';
const VS1B = '-A -t 192.0.2.1:81 -s rr';
const VS2 = '-A -t 192.0.2.2:80 -s rr';
const VS6 = '-A -t [2001:db8::1]:80 -s rr';
const R1 = '-a -t 192.0.2.1:80 -r 10.0.0.1:8080 -m -w 1';
const R2 = '-a -t 192.0.2.2:80 -r 10.0.0.1:8080 -m -w 1';
const VIP = (address: string): string => `ip address add ${address} dev eth0`;
const VIP1 = VIP('192.0.2.1/32');
const VIP2 = VIP('192.0.2.2/32');
const VIP3 = VIP('192.0.2.3/32');
const VS3 = '-A -t 192.0.2.3:80 -s rr';

const textOf = (parts: Iterable<{ readonly ops: readonly Parameters<typeof opText>[0][] }>) =>
  [...parts].map(({ ops }) => ops.map(opText).map((line) => line.replace('ipvsadm ', '')));

test('IPVS first, then the addresses; what goes, at the end', () => {
  const desired = desiredOf([VS2, R2, VIP2, VS1, VS1B, R1, VIP1, VS6]);
  const observed = observedOf([VIP3, VS3]);
  const parts = [...planParts(desired, observed, new Map(), 0, LIMITS, 2)];
  const garp = (address: string): string => `arping -c 1 -U -I eth0 ${address}`;
  assert.deepEqual(textOf(parts), [
    [],
    [VS1, R1, VS1B],
    [VS2, R2, VS6],
    [],
    [VIP1, garp('192.0.2.1'), VIP2, garp('192.0.2.2')],
    ['ip address del 192.0.2.3/32 dev eth0', '-D -t 192.0.2.3:80'],
    [],
  ]);
  assert.deepEqual(
    parts.map(({ safeOps }) => safeOps),
    [0, 3, 3, 0, 0, 0, 0],
  );
});

test('what stands on one VIP is adopted in one part: once the record knows one of it, the others would be foreign', () => {
  const lines = [VS1, VS1B, VIP1, VS2, VIP2];
  const owned = {
    virtualServers: new Set<VirtualServerKey>(),
    addresses: new Set(['192.0.2.1', '192.0.2.2'].map((vip) => bindingKey(parseIp(vip), 'eth0'))),
  };
  const observed = { ...observedOf(lines), owned };
  const adopted: string[][] = [];
  for (const { ops, problems } of planParts(desiredOf(lines), observed, new Map(), 0, LIMITS, 1)) {
    assert.deepEqual(problems, []);
    const keys = ops.filter(isServerOp).map(serverKeyOf);
    for (const key of keys) owned.virtualServers.add(key); // as the adapter does
    if (keys.length > 0) adopted.push(keys);
  }
  assert.deepEqual(adopted, [['192.0.2.1:80/TCP', '192.0.2.1:81/TCP'], ['192.0.2.2:80/TCP']]);
});

test('the firewall opens before the first address and closes after the last', () => {
  const desired = desiredOf([VS1, VIP1]);
  const ports = (port: number): NodeState['firewall'] =>
    firewallOf({ ports4: [{ vip: parseIp('192.0.2.1'), port, protocol: 'TCP' }] });
  const parts = planParts(
    { ...desired, firewall: ports(80) },
    { ...observedOf([]), firewall: ports(81) },
    ...([new Map(), 0, LIMITS] as const),
  );
  assert.deepEqual(
    [...parts].map(({ ops }) => ops.map(({ op }) => op)),
    [[], ['vs.add'], ['fw.add'], ['vip.add', 'vip.announce'], [], ['fw.del']],
  );
});

test('a virtual server that is recorded as ours and is nowhere asks for nothing', () => {
  const observed = observedOf([VS1, R1]);
  const gone = { ...observed, virtualServers: new Map() };
  const parts = planParts(desiredOf([]), gone, new Map(), 0, LIMITS, 1);
  assert.deepEqual(textOf(parts), [[], [], [], []]);
});

const ROUNDS: readonly {
  readonly name: string;
  readonly before: readonly string[] | undefined;
  readonly now: readonly string[];
  readonly parts: number;
}[] = [
  { name: 'nothing is known of before', before: undefined, now: [], parts: 5 },
  { name: 'nothing was lost', before: [VS1], now: [VS1], parts: 5 },
  { name: 'the kernel lost one', before: [VS1, R1], now: [], parts: 1 },
];
for (const { name, before, now, parts } of ROUNDS) {
  test(`a round: ${name}: ${parts} parts`, () => {
    const desired = desiredOf([VS1, R1]);
    const found = before === undefined ? undefined : observedOf(before).virtualServers;
    const round = planRound(desired, observedOf(now), found, new Map(), 0, LIMITS);
    assert.equal([...round].length, parts);
  });
}

test('a round without a whole dump is no flush', () => {
  const observed = { ...observedOf([]), virtualServers: undefined };
  const before = observedOf([VS1]).virtualServers;
  const round = planRound(desiredOf([VS1]), observed, before, new Map(), 0, LIMITS);
  assert.deepEqual(textOf(round).flat(), []);
});

test('one more behind the parts, none of them planned ahead', () => {
  const asked: string[] = [];
  const parts = (function* () {
    asked.push('first');
    yield NOTHING_PLANNED;
    asked.push('end');
  })();
  const last = planNode(desiredOf([VS1]), observedOf([]), new Map(), 0, LIMITS);
  const all = inTurn(parts, last);
  all.next();
  assert.deepEqual(asked, ['first']);
  assert.equal(all.next().value, last);
});
