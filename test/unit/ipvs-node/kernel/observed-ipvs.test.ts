import assert from 'node:assert/strict';
import { test } from 'node:test';

import type {
  DumpedDest,
  DumpedService,
  ServiceKey,
} from '../../../../src/ipvs-node/kernel/ipvs/values.ts';
import {
  INEXPRESSIBLE,
  isOurKindOfKey,
  observedVirtualServers,
} from '../../../../src/ipvs-node/kernel/ipvs/observed.ts';
import { parseIp } from '../../../../src/net/address.ts';

const COUNTERS = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };
const KEY: ServiceKey = {
  family: 4,
  protocol: 6,
  address: parseIp('192.0.2.10'),
  port: 80,
  fwmark: 0,
};

function service(change: Partial<DumpedService> = {}): DumpedService {
  return {
    key: KEY,
    scheduler: 'rr',
    flags: 2,
    persistenceSeconds: 0,
    netmask: 0xffffffff,
    persistenceEngine: '',
    counters: COUNTERS,
    ...change,
  };
}
function dest(change: Partial<DumpedDest> = {}): DumpedDest {
  return {
    address: parseIp('10.0.0.1'),
    port: 8080,
    forward: 0,
    weight: 5,
    upperThreshold: 0,
    lowerThreshold: 0,
    tunnelType: 0,
    tunnelPort: 0,
    tunnelFlags: 0,
    activeConnections: 3,
    inactiveConnections: 4,
    persistentConnections: 0,
    counters: COUNTERS,
    ...change,
  };
}

const keys = [
  { name: 'TCP with a port', given: KEY, want: true },
  { name: 'SCTP', given: { ...KEY, protocol: 132 }, want: true },
  { name: 'a firewall mark', given: { ...KEY, fwmark: 7 }, want: false },
  { name: 'all ports', given: { ...KEY, port: 0 }, want: false },
  { name: 'ESP', given: { ...KEY, protocol: 50 }, want: false },
];
for (const { name, given, want } of keys) {
  test(`our kind of key: ${name}: ${want}`, () => assert.equal(isOurKindOfKey(given), want));
}

test('what we have words for is read as it is', () => {
  const observed = observedVirtualServers([service()], [[dest()]]);
  const found = observed?.get('192.0.2.10:80/TCP' as never);
  assert.deepEqual(found?.server, {
    vip: '192.0.2.10',
    port: 80,
    protocol: 'TCP',
    scheduler: 'rr',
    schedulerFlags: [],
    persistenceSeconds: 0,
  });
  assert.deepEqual(
    [...found.realServers],
    [
      [
        '10.0.0.1:8080',
        {
          address: '10.0.0.1',
          port: 8080,
          method: 'masquerade',
          weight: 5,
          activeConnections: 3,
          inactiveConnections: 4,
        },
      ],
    ],
  );
});

test('what we have no words for equals nothing that can be wanted', () => {
  const observed = observedVirtualServers(
    [service({ flags: 6 }), service({ key: { ...KEY, protocol: 17 }, scheduler: 'none' })],
    [[dest({ upperThreshold: 9 })], []],
  );
  const [first, second] = [...(observed?.values() ?? [])];
  assert.equal(first?.server.persistenceSeconds, INEXPRESSIBLE);
  assert.deepEqual(
    [...first.realServers.values()].map(({ weight }) => weight),
    [INEXPRESSIBLE],
  );
  assert.equal(second?.server.persistenceSeconds, INEXPRESSIBLE);
  assert.deepEqual([...(observed?.keys() ?? [])], ['192.0.2.10:80/TCP', '192.0.2.10:80/UDP']);
});

test('one part that is missing makes the whole unknown', () => {
  assert.equal(observedVirtualServers([service(), service()], [[], undefined]), undefined);
  assert.equal(observedVirtualServers([service()], []), undefined);
  assert.equal(observedVirtualServers([service(), service()], [[], []])?.size, 1, 'shown twice');
});
