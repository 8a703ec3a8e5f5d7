// What each errno means for each operation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Op } from '../../../../src/ipvs-node/model/kernel.ts';
import { outcomeOf, type Outcome } from '../../../../src/ipvs-node/reconcile/outcome.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { addElement, deleteElement } from '../../../contract/firewall-op.ts';
import type { RealServer, VirtualServer } from '../../../../src/net/ipvs.ts';

const address = parseIp('192.0.2.10');
const server: VirtualServer = {
  vip: address,
  port: 80,
  protocol: 'TCP',
  scheduler: 'rr',
  schedulerFlags: [],
  persistenceSeconds: 0,
};
const real: RealServer = { address, port: 80, method: 'masquerade', weight: 1 };
const OPS: Readonly<Record<Op['op'], Op>> = {
  'vs.add': { op: 'vs.add', server },
  'vs.set': { op: 'vs.set', server },
  'vs.del': { op: 'vs.del', server },
  'rs.add': { op: 'rs.add', server, real },
  'rs.set': { op: 'rs.set', server, real },
  'rs.del': { op: 'rs.del', server, real },
  'vip.add': { op: 'vip.add', address, interface: 'eth0' },
  'vip.del': { op: 'vip.del', address, interface: 'eth0' },
  'vip.announce': { op: 'vip.announce', address, interface: 'eth0' },
  'fw.add': addElement('vips4', address),
  'fw.del': deleteElement('vips4', address),
  'sysctl.set': { op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: 1 },
};

const TABLE: readonly (readonly [Op['op'], string, Outcome])[] = [
  ['vs.add', 'EEXIST', 'resync'],
  ['vs.add', 'ENOENT', 'refused'],
  ['vs.add', 'EINVAL', 'refused'],
  ['vs.add', 'ENOBUFS', 'resync'],
  ['vs.set', 'ESRCH', 'resync'],
  ['vs.set', 'ENOENT', 'refused'],
  ['vs.del', 'ESRCH', 'drift'],
  ['vs.del', 'EPERM', 'refused'],
  ['vs.del', 'unknown', 'resync'],
  ['rs.add', 'EEXIST', 'resync'],
  ['rs.add', 'ESRCH', 'resync'],
  ['rs.add', 'EINVAL', 'refused'],
  ['rs.set', 'ENOENT', 'resync'],
  ['rs.del', 'ENOENT', 'drift'],
  ['rs.del', 'ESRCH', 'drift'],
  ['vip.add', 'EEXIST', 'resync'],
  ['vip.add', 'ENODEV', 'refused'],
  ['vip.del', 'EADDRNOTAVAIL', 'drift'],
  ['vip.del', 'ENODEV', 'drift'],
  ['vip.del', 'EPERM', 'refused'],
  ['vip.announce', 'ENETDOWN', 'refused'],
  ['fw.add', 'EEXIST', 'resync'],
  ['fw.add', 'EOPNOTSUPP', 'refused'],
  ['fw.del', 'ENOENT', 'drift'],
  ['sysctl.set', 'EROFS', 'refused'],
  ['sysctl.set', 'ENOENT', 'refused'],
];
for (const [op, errno, want] of TABLE) {
  test(`${op} ${errno}: ${want}`, () => {
    assert.equal(outcomeOf(OPS[op], { ok: false, errno, message: errno }), want);
  });
}

test('every operation can succeed', () => {
  for (const op of Object.values(OPS)) assert.equal(outcomeOf(op, { ok: true }), 'done');
});
