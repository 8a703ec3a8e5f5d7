import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseIp } from '../../../../src/net/address.ts';
import type { VirtualServer, VirtualServerAddress } from '../../../../src/net/ipvs.ts';
import {
  encodeAnnouncement,
  encodeKey,
  encodeOp,
} from '../../../../src/ipvs-node/kernel/ipvs/codec.ts';
import { RECORD_BYTES, createRecords } from '../../../../src/ipvs-node/kernel/ipvs/records.ts';
import {
  serviceKeyOf,
  type IpvsOp,
  type KernelDest,
  type ServiceKey,
} from '../../../../src/ipvs-node/kernel/ipvs/values.ts';

const web: VirtualServerAddress = { vip: parseIp('192.0.2.10'), port: 80, protocol: 'TCP' };
const dns: VirtualServerAddress = { vip: parseIp('2001:db8::1'), port: 53, protocol: 'UDP' };
const webServer: VirtualServer = {
  ...web,
  scheduler: 'mh',
  schedulerFlags: ['flag-1', 'flag-2'],
  persistenceSeconds: 300,
};
const mark: ServiceKey = { ...serviceKeyOf(dns), protocol: 0, address: parseIp('::'), port: 0, fwmark: 8 }; // prettier-ignore
const dest: KernelDest = {
  address: parseIp('10.0.0.1'),
  port: 8080,
  forward: 4,
  weight: 70000,
  upperThreshold: 9,
  lowerThreshold: 3,
  tunnelType: 7,
  tunnelPort: 6,
  tunnelFlags: 5,
};

const FILL = 0xeeee_eeee;

/** Bytes as four-byte groups in network order, as addresses and names lie. */
function bytesAsWords(...bytes: readonly number[]): readonly number[] {
  const padded = Uint8Array.from(
    { length: Math.ceil(bytes.length / 4) * 4 },
    (_, i) => bytes[i] ?? 0,
  );
  return [...new Uint32Array(padded.buffer)];
}

function name(text: string): readonly number[] {
  return bytesAsWords(...Buffer.from(text.padEnd(16, '\0')));
}

const WEB_VIP = bytesAsWords(192, 0, 2, 10);
const DNS_VIP = bytesAsWords(0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
const REAL = bytesAsWords(10, 0, 0, 1);
/** What is behind an IPv4 address is not written: the library does not look at it. */
const REST = [FILL, FILL, FILL];

const WEB_KEY = [2, 6, 80, 0, ...WEB_VIP, ...REST];
const DNS_KEY = [10, 17, 53, 0, ...DNS_VIP];
const MARK_KEY = [10, 0, 0, 8, 0, 0, 0, 0];

const cases: readonly { readonly name: string; readonly op: IpvsOp; readonly want: readonly number[] }[] = [
  {
    name: 'vs.add',
    op: { op: 'vs.add', server: webServer },
    want: [1, ...WEB_KEY, 0x19, 0xffff_ffff, 300, 0xffff_ffff, ...name('mh'), ...name('')],
  },
  {
    name: 'vs.set of IPv6 without persistence',
    op: { op: 'vs.set', server: { ...dns, scheduler: 'rr', schedulerFlags: ['flag-3'], persistenceSeconds: 0 } },
    want: [2, ...DNS_KEY, 0x20, 0xffff_ffff, 0, 128, ...name('rr'), ...name('')],
  },
  { name: 'vs.del', op: { op: 'vs.del', server: web }, want: [3, ...WEB_KEY] },
  { name: 'vs.zero', op: { op: 'vs.zero', server: dns }, want: [7, ...DNS_KEY] },
  {
    name: 'SCTP, and a port that is none',
    op: { op: 'vs.del', server: { ...web, protocol: 'SCTP', port: 65616 } },
    want: [3, 2, 132, 65616, 0, ...WEB_VIP, ...REST],
  },
  {
    name: 'rs.add masquerade',
    op: { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.1'), port: 8080, method: 'masquerade', weight: 3 } },
    want: [4, ...WEB_KEY, 2, 8080, ...REAL, ...REST, 0, 3, 0, 0, 0, 0, 0],
  },
  {
    name: 'rs.set direct, IPv6',
    op: { op: 'rs.set', server: dns, real: { address: parseIp('2001:db8::1'), port: 53, method: 'direct', weight: 0 } },
    want: [5, ...DNS_KEY, 10, 53, ...DNS_VIP, 3, 0, 0, 0, 0, 0, 0],
  },
  {
    name: 'rs.add tunnel ipip',
    op: { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.1'), port: 80, method: 'tunnel', weight: 1, tunnel: { type: 'ipip' } } },
    want: [4, ...WEB_KEY, 2, 80, ...REAL, ...REST, 2, 1, 0, 0, 0, 0, 0],
  },
  {
    name: 'rs.add tunnel gue',
    op: { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.1'), port: 80, method: 'tunnel', weight: 1, tunnel: { type: 'gue', port: 6080, checksum: 'remote' } } },
    want: [4, ...WEB_KEY, 2, 80, ...REAL, ...REST, 2, 1, 0, 0, 6080, 1, 2],
  },
  {
    name: 'rs.add tunnel gre',
    op: { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.1'), port: 80, method: 'tunnel', weight: 1, tunnel: { type: 'gre', checksum: 'full' } } },
    want: [4, ...WEB_KEY, 2, 80, ...REAL, ...REST, 2, 1, 0, 0, 0, 2, 1],
  },
  {
    name: 'rs.add with a weight below 0',
    op: { op: 'rs.add', server: web, real: { address: parseIp('10.0.0.1'), port: 80, method: 'masquerade', weight: -1 } },
    want: [4, ...WEB_KEY, 2, 80, ...REAL, ...REST, 0, 0xffff_ffff, 0, 0, 0, 0, 0],
  },
  {
    name: 'rs.del',
    op: { op: 'rs.del', server: web, real: { address: parseIp('10.0.0.1'), port: 8080 } },
    want: [6, ...WEB_KEY, 2, 8080, ...REAL],
  },
  {
    name: 'service.add of a mark',
    op: { op: 'service.add', service: { key: mark, scheduler: 'none', flags: 5, persistenceSeconds: 60, netmask: 64, persistenceEngine: 'sip' } },
    want: [1, ...MARK_KEY, 5, 0xffff_ffff, 60, 64, ...name('none'), ...name('sip')],
  },
  {
    name: 'service.set with names that the library must refuse',
    op: { op: 'service.set', service: { key: mark, scheduler: 'abcdefghijklmnopq', flags: 0, persistenceSeconds: 0, netmask: 1, persistenceEngine: 'ŲR\0' } },
    want: [2, ...MARK_KEY, 0, 0xffff_ffff, 0, 1, ...name('abcdefghijklmnop'), ...bytesAsWords(255, 82, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)],
  },
  { name: 'service.del', op: { op: 'service.del', key: mark }, want: [3, ...MARK_KEY] },
  { name: 'service.zero', op: { op: 'service.zero', key: mark }, want: [7, ...MARK_KEY] },
  {
    name: 'dest.add as it is',
    op: { op: 'dest.add', key: mark, dest },
    want: [4, ...MARK_KEY, 2, 8080, ...REAL, ...REST, 4, 70000, 9, 3, 6, 7, 5],
  },
  {
    name: 'dest.set as it is',
    op: { op: 'dest.set', key: mark, dest: { ...dest, weight: 1 } },
    want: [5, ...MARK_KEY, 2, 8080, ...REAL, ...REST, 4, 1, 9, 3, 6, 7, 5],
  },
  { name: 'dest.del', op: { op: 'dest.del', key: mark, dest }, want: [6, ...MARK_KEY, 2, 8080, ...REAL] },
  {
    name: 'daemon.start, kernel defaults',
    op: { op: 'daemon.start', daemon: { role: 'master', interface: 'eth0', syncId: 51 } },
    want: [8, ...Array<number>(8).fill(FILL), 1, 51, 0, 0, 0, 0, ...name('eth0')],
  },
  {
    name: 'daemon.start, everything',
    op: {
      op: 'daemon.start',
      daemon: { role: 'backup', interface: 'd', syncId: 255, maxLengthBytes: 1400, group: parseIp('2001:db8::1'), port: 9000, ttl: 3 },
    },
    want: [8, ...Array<number>(8).fill(FILL), 2, 255, 1400, 9000, 3, 10, ...name('d'), ...DNS_VIP],
  },
  {
    name: 'daemon.start, IPv4 group',
    op: { op: 'daemon.start', daemon: { role: 'backup', interface: 'd', syncId: 0, group: parseIp('192.0.2.10') } },
    want: [8, ...Array<number>(8).fill(FILL), 2, 0, 0, 0, 0, 2, ...name('d'), ...WEB_VIP],
  },
  {
    name: 'daemon.stop',
    op: { op: 'daemon.stop', role: 'backup' },
    want: [9, ...Array<number>(8).fill(FILL), 2],
  },
  {
    name: 'timeouts.set',
    op: { op: 'timeouts.set', timeouts: { tcpSeconds: 900, tcpFinSeconds: 0, udpSeconds: 30 } },
    want: [10, ...Array<number>(8).fill(FILL), 900, 0, 30],
  },
]; // prettier-ignore

for (const { name: title, op, want } of cases) {
  test(`encodes ${title}`, () => {
    const records = createRecords('op', 3);
    records.words.fill(FILL);
    encodeOp(records, 1, op);
    const stride = RECORD_BYTES.op / 4;
    const got = [...records.words];
    assert.deepEqual(got.slice(stride, stride + want.length), want);
    assert.ok(
      got.slice(stride + want.length).every((word) => word === FILL),
      'nothing is written behind it',
    );
    assert.ok(
      got.slice(0, stride).every((word) => word === FILL),
      'the record before it is untouched',
    );
  });
}

test('encodes a key', () => {
  const records = createRecords('key', 2);
  encodeKey(records, 1, serviceKeyOf(web));
  assert.deepEqual([...records.words.subarray(8)], [2, 6, 80, 0, ...WEB_VIP, 0, 0, 0]);
});

test('encodes announcements', () => {
  const records = createRecords('announcement', 2);
  encodeAnnouncement(records, 0, web.vip, false);
  encodeAnnouncement(records, 1, dns.vip, true);
  assert.deepEqual([...records.words], [2, 0, ...WEB_VIP, 0, 0, 0, 0, 10, 1, ...DNS_VIP, 0]);
});
