import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  createRecords,
  type RecordName,
  type Records,
} from '../../../../src/ipvs-node/kernel/ipvs/records.ts';
import {
  decodeAnnouncementError,
  decodeChunk,
  decodeDaemon,
  decodeDest,
  decodeDestKeyIndex,
  decodeInfo,
  decodeResult,
  decodeResultError,
  decodeService,
  decodeTimeouts,
} from '../../../../src/ipvs-node/kernel/ipvs/replies.ts';

/** Two records, the second one made of words and, at byte offsets, of bytes. */
function second(
  name: RecordName,
  words: readonly number[],
  bytes: Readonly<Record<number, readonly number[]>> = {},
): Records {
  const records = createRecords(name, 2);
  const start = records.words.length / 2;
  records.words.fill(0xdddd_dddd, 0, start);
  records.words.set(words, start);
  for (const [at, values] of Object.entries(bytes))
    records.bytes.set(values, start * 4 + Number(at));
  return records;
}

const ascii = (text: string): readonly number[] => [...Buffer.from(text)];
const V6 = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
/** A 64-bit number as two words in the host's order. */
const u64 = (high: number, low: number): readonly number[] => (LITTLE ? [low, high] : [high, low]);
const ZERO_COUNTERS = { connections: 0, inPackets: 0, outPackets: 0, inBytes: 0, outBytes: 0 };

test('decodes a virtual server', () => {
  const counters = [
    ...u64(0, 1),
    ...u64(0, 2),
    ...u64(0, 3),
    ...u64(1, 4),
    ...u64(0x1fffff, 0xffffffff),
  ];
  const records = second(
    'service',
    [2, 6, 80, 0, 0, 0, 0, 0, 0x1b, 300, 0xffff_ff00, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...counters],
    { 16: [192, 0, 2, 255], 48: ascii('mh'), 64: ascii('sip') },
  );
  assert.deepEqual(decodeService(records, 1), {
    key: { family: 4, protocol: 6, address: '192.0.2.255', port: 80, fwmark: 0 },
    flags: 0x1b,
    persistenceSeconds: 300,
    netmask: 0xffff_ff00,
    scheduler: 'mh',
    persistenceEngine: 'sip',
    counters: {
      connections: 1,
      inPackets: 2,
      outPackets: 3,
      inBytes: 2 ** 32 + 4,
      outBytes: Number.MAX_SAFE_INTEGER,
    },
  });
});

test('decodes shapes that others make', () => {
  const mark = second('service', [10, 0, 0, 4_000_000_000], { 48: ascii('a-very-long-nam') });
  const { key, scheduler } = decodeService(mark, 1);
  assert.deepEqual(key, { family: 6, protocol: 0, address: '::', port: 0, fwmark: 4_000_000_000 });
  assert.equal(scheduler, 'a-very-long-nam');
  const esp = decodeService(
    second('service', [10, 50, 0, 0], { 16: V6, 48: ascii('x'.repeat(16)) }),
    1,
  );
  assert.deepEqual(esp.key, {
    family: 6,
    protocol: 50,
    address: '2001:db8::1',
    port: 0,
    fwmark: 0,
  });
  assert.equal(esp.scheduler, 'x'.repeat(16), 'a name without its NUL ends with its room');
});

test('a name at the very end of memory without its NUL', () => {
  const records = second('daemon', [1], {
    24: ascii('e'.repeat(16)),
    40: Array<number>(16).fill(1),
  });
  assert.equal(decodeDaemon(records, 1).interface, 'e'.repeat(16));
});

test('decodes a real server', () => {
  const records = second('dest', [77, 2, 8080, 0, 0, 0, 0, 2, 65535, 9, 8, 7, 6, 5, 6080, 1, 2], {
    12: [10, 0, 0, 4],
  });
  assert.equal(decodeDestKeyIndex(records, 1), 77);
  assert.deepEqual(decodeDest(records, 1), {
    address: '10.0.0.4',
    port: 8080,
    forward: 2,
    weight: 65535,
    upperThreshold: 9,
    lowerThreshold: 8,
    activeConnections: 7,
    inactiveConnections: 6,
    persistentConnections: 5,
    tunnelPort: 6080,
    tunnelType: 1,
    tunnelFlags: 2,
    counters: ZERO_COUNTERS,
  });
  assert.equal(decodeDest(second('dest', [0, 10], { 12: V6 }), 1).address, '2001:db8::1');
});

test('decodes sync daemons', () => {
  const bytes = { 24: ascii('eth0'), 40: [224, 0, 0, 99] };
  assert.deepEqual(decodeDaemon(second('daemon', [2, 52, 1400, 9000, 3, 2], bytes), 1), {
    role: 'backup',
    interface: 'eth0',
    syncId: 52,
    maxLengthBytes: 1400,
    port: 9000,
    ttl: 3,
    group: '224.0.0.99',
  });
  const plain = decodeDaemon(second('daemon', [1, 51], { 24: ascii('eth0') }), 1);
  assert.equal(plain.role, 'master');
  assert.ok(!('group' in plain));
});

test('decodes the small answers', () => {
  const timeouts = createRecords('timeouts', 1);
  timeouts.words.set([900, 120, 300]);
  assert.deepEqual(decodeTimeouts(timeouts), {
    tcpSeconds: 900,
    tcpFinSeconds: 120,
    udpSeconds: 300,
  });
  const info = createRecords('info', 1);
  info.words.set([0x010201, 4096]);
  assert.deepEqual(decodeInfo(info), { version: '1.2.1', connectionTableSize: 4096 });
  const chunk = createRecords('chunk', 1);
  chunk.words.set([3, 1, 105, 2]);
  assert.deepEqual(decodeChunk(chunk), { count: 3, more: true, error: 105, nextKey: 2 });
  const result = second('result', [17, 2]);
  assert.deepEqual(decodeResult(result, 1), { error: 17, detail: 2 });
  assert.equal(decodeResultError(result, 1), 17);
  assert.equal(decodeAnnouncementError(second('announcement', [2, 0, 0, 0, 0, 0, 100]), 1), 100);
});
