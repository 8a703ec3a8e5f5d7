import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../src/net/address.ts';
import {
  compareRealServers,
  compareVirtualServers,
  realServerKey,
  virtualServerKey,
  type Protocol,
} from '../../../src/net/ipvs.ts';
import { formatSchedulerFlags, parseSchedulerFlags } from '../../../src/net/scheduler-flags.ts';

const server = (vip: string, port: number, protocol: Protocol = 'TCP') => ({
  vip: parseIp(vip),
  port,
  protocol,
});
const real = (address: string, port: number) => ({ address: parseIp(address), port });

test('keys', () => {
  assert.equal(virtualServerKey(server('192.0.2.10', 80)), '192.0.2.10:80/TCP');
  assert.equal(virtualServerKey(server('2001:db8::1', 53, 'UDP')), '[2001:db8::1]:53/UDP');
  assert.equal(realServerKey(real('10.1.0.1', 8080)), '10.1.0.1:8080');
  assert.equal(realServerKey(real('2001:db8::2', 8080)), '[2001:db8::2]:8080');
});

test('order of virtual servers: address, port, protocol', () => {
  const want = [
    server('9.0.0.1', 443),
    server('10.0.0.1', 80, 'TCP'),
    server('10.0.0.1', 80, 'UDP'),
    server('10.0.0.1', 80, 'SCTP'),
    server('10.0.0.1', 443),
    server('2001:db8::1', 1),
  ];
  assert.deepEqual([...want].reverse().sort(compareVirtualServers), want);
});

test('order of real servers: address, port', () => {
  const want = [real('9.0.0.1', 8080), real('10.0.0.1', 80), real('10.0.0.1', 443)];
  assert.deepEqual([...want].reverse().sort(compareRealServers), want);
});

const FLAGS = [
  { scheduler: 'mh', names: [], want: [], text: '' },
  { scheduler: 'mh', names: ['mh-port', 'mh-fallback'], want: ['flag-1', 'flag-2'], text: 'mh-fallback,mh-port' },
  { scheduler: 'mh', names: ['flag-2', 'mh-port', 'flag-3'], want: ['flag-2', 'flag-3'], text: 'mh-port,flag-3' },
  { scheduler: 'sh', names: ['sh-fallback'], want: ['flag-1'], text: 'sh-fallback' },
  { scheduler: 'rr', names: ['flag-3', 'flag-1'], want: ['flag-1', 'flag-3'], text: 'flag-1,flag-3' },
  { scheduler: 'rr', names: ['mh-port'], want: undefined, text: '' },
  { scheduler: 'sh', names: ['mh-port'], want: undefined, text: '' },
  { scheduler: 'mh', names: ['flag-4'], want: undefined, text: '' },
  { scheduler: 'mh', names: [''], want: undefined, text: '' },
] as const; // prettier-ignore
for (const { scheduler, names, want, text } of FLAGS) {
  test(`flags of ${scheduler}: ${JSON.stringify(names)}`, () => {
    const flags = parseSchedulerFlags(scheduler, names);
    assert.deepEqual(flags, want);
    if (flags !== undefined) assert.equal(formatSchedulerFlags(scheduler, flags), text);
  });
}
