import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parseIp } from '../../../../src/net/address.ts';
import {
  NOT_SENT,
  OUTCOME_UNKNOWN,
  resultOf,
} from '../../../../src/ipvs-node/kernel/ipvs/result.ts';
import {
  formatServiceKey,
  realServerOf,
  serviceFlagsOf,
  serviceKeyOf,
  virtualServerOf,
  type KernelDest,
  type KernelService,
  type ServiceKey,
} from '../../../../src/ipvs-node/kernel/ipvs/values.ts';

const key: ServiceKey = {
  family: 4,
  protocol: 6,
  address: parseIp('192.0.2.10'),
  port: 80,
  fwmark: 0,
};
const key6: ServiceKey = { ...key, family: 6, protocol: 132, address: parseIp('2001:db8::1') };
const service: KernelService = {
  key,
  scheduler: 'rr',
  flags: 2,
  persistenceSeconds: 0,
  netmask: 0xffff_ffff,
  persistenceEngine: '',
};
const ours = {
  vip: key.address,
  port: 80,
  protocol: 'TCP',
  scheduler: 'rr',
  schedulerFlags: [],
  persistenceSeconds: 0,
} as const;

const keys = [
  { given: key, want: '192.0.2.10:80/TCP' },
  { given: key6, want: '[2001:db8::1]:80/SCTP' },
  { given: { ...key, protocol: 50, port: 0 }, want: '192.0.2.10:0/50' },
  { given: { ...key, fwmark: 7 }, want: 'FWM 7' },
  { given: { ...key6, fwmark: 8 }, want: 'FWM 8 IPv6' },
] as const;
for (const { given, want } of keys) {
  test(`key ${want}`, () => {
    assert.equal(formatServiceKey(given), want);
  });
}

test('key of a virtual server of ours', () => {
  assert.deepEqual(serviceKeyOf({ vip: key.address, port: 80, protocol: 'TCP' }), key);
  assert.deepEqual(serviceKeyOf({ vip: key6.address, port: 80, protocol: 'SCTP' }), key6);
});

const servers: readonly {
  readonly name: string;
  readonly given: KernelService;
  readonly want: ReturnType<typeof virtualServerOf>;
}[] = [
  { name: 'plain', given: service, want: ours },
  {
    name: 'with everything of ours',
    given: { ...service, flags: 0x3b, persistenceSeconds: 60 },
    want: { ...ours, schedulerFlags: ['flag-1', 'flag-2', 'flag-3'], persistenceSeconds: 60 },
  },
  {
    name: 'IPv6, one flag',
    given: { ...service, key: key6, netmask: 128, flags: 0x12 },
    want: { ...ours, vip: key6.address, protocol: 'SCTP', schedulerFlags: ['flag-2'] },
  },
  { name: 'a mark', given: { ...service, key: { ...key, fwmark: 7 } }, want: undefined },
  { name: 'ESP', given: { ...service, key: { ...key, protocol: 50 } }, want: undefined },
  { name: 'all ports', given: { ...service, key: { ...key, port: 0 } }, want: undefined },
  { name: 'unknown scheduler', given: { ...service, scheduler: 'none' }, want: undefined },
  { name: 'one-packet', given: { ...service, flags: 6 }, want: undefined },
  { name: 'engine', given: { ...service, persistenceEngine: 'sip' }, want: undefined },
  { name: 'netmask', given: { ...service, netmask: 0xffff_ff00 }, want: undefined },
  { name: 'prefix', given: { ...service, key: key6, netmask: 64 }, want: undefined },
  { name: 'flag without time', given: { ...service, flags: 3 }, want: undefined },
  { name: 'time without flag', given: { ...service, persistenceSeconds: 9 }, want: undefined },
];
for (const { name, given, want } of servers) {
  test(`virtual server: ${name}`, () => {
    assert.deepEqual(virtualServerOf(given), want);
  });
}

test('flags go both ways', () => {
  for (const { given, want } of servers) {
    if (want !== undefined) assert.equal(serviceFlagsOf(want) | 2, given.flags);
  }
});

const dest: KernelDest = {
  address: parseIp('10.0.0.1'),
  port: 8080,
  forward: 0,
  weight: 3,
  upperThreshold: 0,
  lowerThreshold: 0,
  tunnelType: 0,
  tunnelPort: 0,
  tunnelFlags: 0,
};
const plain = { address: dest.address, port: 8080, method: 'masquerade', weight: 3 } as const;
const tunnel = { ...plain, method: 'tunnel' } as const;

const reals: readonly {
  readonly name: string;
  readonly given: KernelDest;
  readonly want: ReturnType<typeof realServerOf>;
}[] = [
  { name: 'masquerade', given: dest, want: plain },
  { name: 'direct', given: { ...dest, forward: 3 }, want: { ...plain, method: 'direct' } },
  { name: 'ipip', given: { ...dest, forward: 2 }, want: tunnel },
  {
    name: 'gue',
    given: { ...dest, forward: 2, tunnelType: 1, tunnelPort: 6080, tunnelFlags: 2 },
    want: { ...tunnel, tunnel: { type: 'gue', port: 6080, checksum: 'remote' } },
  },
  {
    name: 'gre',
    given: { ...dest, forward: 2, tunnelType: 2, tunnelFlags: 1 },
    want: { ...tunnel, tunnel: { type: 'gre', checksum: 'full' } },
  },
  { name: 'local', given: { ...dest, forward: 1 }, want: undefined },
  { name: 'upper threshold', given: { ...dest, upperThreshold: 5 }, want: undefined },
  { name: 'lower threshold', given: { ...dest, lowerThreshold: 5 }, want: undefined },
  { name: 'unknown type', given: { ...dest, forward: 2, tunnelType: 9 }, want: undefined },
  { name: 'unknown flags', given: { ...dest, forward: 2, tunnelFlags: 3 }, want: undefined },
  { name: 'ipip with flags', given: { ...dest, forward: 2, tunnelFlags: 1 }, want: undefined },
];
for (const { name, given, want } of reals) {
  test(`real server: ${name}`, () => {
    assert.deepEqual(realServerOf(given), want);
  });
}

const results = [
  { errno: 'EEXIST', detail: 0, op: 'vs.add', outcome: 'refused', message: 'this virtual server exists already' },
  { errno: 'ENOENT', detail: 0, op: 'rs.set', outcome: 'refused', message: 'there is no such real server' },
  { errno: 'ENOENT', detail: 0, op: 'service.add', outcome: 'refused', message: 'the kernel lacks this scheduler or persistence engine' },
  { errno: 'ESRCH', detail: 0, op: 'daemon.stop', outcome: 'refused', message: 'this sync daemon does not run' },
  { errno: 'EINVAL', detail: 0, op: 'timeouts.set', outcome: 'refused', message: 'EINVAL' },
  { errno: 'ENETDOWN', detail: 0, op: undefined, outcome: 'refused', message: 'ENETDOWN' },
  { errno: 'ENOBUFS', detail: OUTCOME_UNKNOWN, op: 'vs.add', outcome: 'unknown', message: 'the answer was lost, it may have happened' },
  { errno: 'ETIMEDOUT', detail: NOT_SENT, op: 'vs.add', outcome: 'not-sent', message: 'not sent, because the batch was ended by an earlier failure' },
  { errno: 'ERANGE', detail: 24, op: 'rs.add', outcome: 'refused', message: 'the weight must be 0 to 65535' },
  { errno: 'EINVAL', detail: 99, op: 'rs.add', outcome: 'refused', message: 'EINVAL' },
] as const; // prettier-ignore
for (const { errno, detail, op, outcome, message } of results) {
  test(`result ${errno}, ${message}, of ${op ?? 'an announcement'}`, () => {
    assert.deepEqual(resultOf(errno, detail, op), { ok: false, errno, outcome, message });
  });
}
