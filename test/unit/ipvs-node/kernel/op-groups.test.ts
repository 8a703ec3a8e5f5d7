import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Op } from '../../../../src/ipvs-node/model/kernel.ts';
import { groupAt } from '../../../../src/ipvs-node/kernel/op-groups.ts';
import { addElement, deleteElement } from '../../../contract/firewall-op.ts';
import { parseIp } from '../../../../src/net/address.ts';

const VIP = parseIp('192.0.2.10');
const server = { vip: VIP, port: 80, protocol: 'TCP' } as const;
const real = { address: parseIp('10.0.0.1'), port: 80, method: 'masquerade', weight: 1 } as const;
const full = { ...server, scheduler: 'rr', schedulerFlags: [], persistenceSeconds: 0 } as const;

const OPS: readonly Op[] = [
  { op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: 1 },
  addElement('vips4', VIP),
  deleteElement('vips4', VIP),
  { op: 'vs.add', server: full },
  { op: 'vs.set', server: full },
  { op: 'rs.add', server, real },
  { op: 'rs.set', server, real },
  { op: 'rs.del', server, real },
  { op: 'vs.del', server },
  { op: 'vip.add', address: VIP, interface: 'eth0' },
  { op: 'vip.del', address: VIP, interface: 'eth0' },
  { op: 'vip.announce', address: VIP, interface: 'eth0' },
];

test('runs of one executor, in order, nothing left out', () => {
  const groups: string[] = [];
  for (let at = 0; at < OPS.length;) {
    const group = groupAt(OPS, at);
    groups.push(`${group.kind} ${group.ops.length}`);
    assert.deepEqual(group.ops, OPS.slice(at, at + group.ops.length));
    at += group.ops.length;
  }
  assert.deepEqual(groups, ['sysctl 1', 'firewall 2', 'ipvs 6', 'address 2', 'announce 1']);
});

test('behind the end there is nothing', () => {
  assert.deepEqual(groupAt(OPS, OPS.length), { kind: 'ipvs', ops: [] });
});
