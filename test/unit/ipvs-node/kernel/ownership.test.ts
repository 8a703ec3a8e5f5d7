import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';

import type { Entry } from '../../../../src/ipvs-node/kernel/ownership/journal.ts';
import {
  Ownership,
  UnrecordedError,
} from '../../../../src/ipvs-node/kernel/ownership/ownership.ts';
import { OperationalError } from '../../../../src/runtime/errors.ts';
import type { ObservedAddress } from '../../../../src/ipvs-node/model/owned.ts';
import { parseIp, type IpAddress } from '../../../../src/net/address.ts';
import { virtualServerKey } from '../../../../src/net/ipvs.ts';

const SCOPE = { bootId: 'b00t', netnsInode: '4026531840' };
const HEADER = 'vipvs-owned 1 boot b00t netns 4026531840\n';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'vipvs-owned.'));
  file = path.join(directory, 'owned-4026531840');
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function server(port: number, vip = '192.0.2.10'): Entry {
  return {
    kind: 'virtualServer',
    key: virtualServerKey({ vip: parseIp(vip), port, protocol: 'TCP' }),
  };
}
function address(text: string, name = 'eth0'): Entry {
  return { kind: 'address', address: parseIp(text), interface: name };
}
const open = (): Ownership => new Ownership(directory, SCOPE);
function texts(ownership: Ownership): readonly string[] {
  const { virtualServers, addresses } = ownership.owned;
  return [...virtualServers.keys(), ...addresses.keys()];
}

function seenAt(
  ...places: readonly (readonly [string, string, ObservedAddress['mark']])[]
): ReadonlyMap<IpAddress, readonly ObservedAddress[]> {
  const seen = places.map(([text, name, mark]): ObservedAddress => {
    return { address: parseIp(text), interface: name, mark };
  });
  return Map.groupBy(seen, (each) => each.address);
}

test('the first start has no file and owns nothing', () => {
  const ownership = new Ownership(path.join(directory, 'not', 'there'), SCOPE);
  assert.deepEqual(texts(ownership), []);
  ownership.claim([server(80)]);
  ownership.close();
  assert.deepEqual(texts(new Ownership(path.join(directory, 'not', 'there'), SCOPE)), [
    '192.0.2.10:80/TCP',
  ]);
});

test('claims are in the file when claim returns, and releases strike them out', () => {
  const ownership = open();
  ownership.claim([server(80), server(443, '2001:db8::1'), address('192.0.2.10')]);
  assert.equal(
    readFileSync(file, 'utf8'),
    `${HEADER}+vs 192.0.2.10:80/TCP\n+vs [2001:db8::1]:443/TCP\n+address 192.0.2.10 eth0\n`,
  );
  ownership.release([server(80), server(81)]);
  assert.match(readFileSync(file, 'utf8'), /-vs 192\.0\.2\.10:80\/TCP\n$/);
  ownership.close();
  const again = open();
  assert.deepEqual(texts(again), ['[2001:db8::1]:443/TCP', '192.0.2.10 eth0']);
  assert.deepEqual(
    again.virtualServers.map((each) => each.port),
    [443],
  );
  assert.deepEqual(again.addresses, [{ address: '192.0.2.10', interface: 'eth0' }]);
});

test('what is claimed already is not written again', () => {
  const ownership = open();
  ownership.claim([server(80)]);
  const before = readFileSync(file, 'utf8');
  ownership.claim([server(80)]);
  ownership.claim([]);
  assert.equal(readFileSync(file, 'utf8'), before);
});

const contents = [
  {
    name: 'a half line at the end',
    given: `${HEADER}+vs 192.0.2.10:80/TCP\n+vs 192.0.2.1`,
    want: 1,
  },
  { name: 'a header that is cut', given: HEADER.slice(0, 20), want: 0 },
  { name: 'an empty file', given: '', want: 0 },
  {
    name: 'another boot',
    given: 'vipvs-owned 1 boot 0ther netns 4026531840\n+vs 192.0.2.10:80/TCP\n',
    want: 0,
  },
  {
    name: 'another namespace whose number was used again',
    given: 'vipvs-owned 1 boot b00t netns 7\n+vs 192.0.2.10:80/TCP\n',
    want: 0,
  },
];
for (const { name, given, want } of contents) {
  test(`reads ${name}, and goes on writing whole lines`, () => {
    writeFileSync(file, given);
    const ownership = open();
    assert.equal(texts(ownership).length, want);
    assert.equal(ownership.unreadable, 0);
    ownership.claim([server(8080)]);
    ownership.close();
    assert.equal(texts(open()).length, want + 1);
    assert.equal(readFileSync(file, 'utf8').startsWith(HEADER), true);
  });
}

test('garbage between good lines is counted and left out', () => {
  const garbage = [
    '+vs 192.0.2.10:80/TCP',
    '+vs 192.0.2.10:99999/TCP',
    '+vs 192.0.2.10:80/ICMP',
    '+vs 0192.0.2.10:80/TCP more',
    '+vs [2001:DB8::1]:80/TCP',
    '+address 192.0.2.300 eth0',
    '+address 192.0.2.1',
    'sysctl net/ipv4/ip_forward yes',
    'nonsense',
    '',
    '+address 192.0.2.10 eth0 x',
  ];
  writeFileSync(file, `${HEADER}${garbage.join('\n')}\n`);
  const ownership = open();
  assert.deepEqual(texts(ownership), ['192.0.2.10:80/TCP']);
  assert.equal(ownership.unreadable, 10);
});

test('the first value of a setting is the one that is kept', () => {
  const ownership = open();
  ownership.rememberSysctl('net/ipv4/ip_forward', 0);
  ownership.rememberSysctl('net/ipv4/ip_forward', 1);
  ownership.close();
  const again = open();
  assert.deepEqual([...again.sysctls], [['net/ipv4/ip_forward', 0]]);
  again.claim([server(80)]);
  assert.equal(
    readFileSync(file, 'utf8'),
    `${HEADER}sysctl net/ipv4/ip_forward 0\n+vs 192.0.2.10:80/TCP\n`,
  );
});

test('settling drops what is gone and shortens a long journal', () => {
  const ownership = open();
  for (let i = 0; i < 600; i++) {
    ownership.claim([server(1)]);
    ownership.release([server(1)]);
  }
  ownership.claim([server(80), server(81), address('192.0.2.10'), address('192.0.2.11')]);
  assert.ok(readFileSync(file, 'utf8').split('\n').length > 1200);
  const gone = [virtualServerKey({ vip: parseIp('192.0.2.10'), port: 81, protocol: 'TCP' })];
  ownership.settle({ gone, addresses: seenAt(['192.0.2.10', 'eth0', 'plain']) });
  assert.equal(
    readFileSync(file, 'utf8'),
    `${HEADER}+vs 192.0.2.10:80/TCP\n+address 192.0.2.10 eth0\n`,
  );
  ownership.claim([server(82)]);
  ownership.close();
  assert.equal(texts(open()).length, 3);
});

const VIP_OF_ALL = '192.0.2.10';
const readings = [
  { name: 'it is there', seen: [[VIP_OF_ALL, 'eth0', 'plain']], want: ['192.0.2.10 eth0'] },
  { name: 'nothing is there', seen: [], want: [] },
  { name: 'it is elsewhere', seen: [[VIP_OF_ALL, 'eth1', 'plain']], want: [] },
  {
    name: 'it is elsewhere with our tag',
    seen: [[VIP_OF_ALL, 'eth1', 'tagged']],
    want: ['192.0.2.10 eth1'],
  },
  { name: 'it is a network of the host', seen: [[VIP_OF_ALL, 'eth0', 'network']], want: [] },
  {
    name: 'it is both',
    seen: [
      [VIP_OF_ALL, 'eth0', 'network'],
      [VIP_OF_ALL, 'eth0', 'tagged'],
    ],
    want: ['192.0.2.10 eth0'],
  },
  { name: 'others are there', seen: [['192.0.2.99', 'eth0', 'plain']], want: [] },
] as const;
for (const { name, seen, want } of readings) {
  test(`an address that is recorded, and ${name}`, () => {
    const ownership = open();
    ownership.claim([address(VIP_OF_ALL), server(80)]);
    const { owned } = ownership;
    ownership.settle({ gone: [], addresses: seenAt(...seen) });
    assert.deepEqual([...owned.addresses.keys()], want);
    assert.equal(owned.virtualServers.size, 1, 'the set is live, and of the rest nothing was said');
    ownership.close();
    const again = open();
    // what carries our tag needs no line
    again.settle({ gone: [], addresses: seenAt(...seen) });
    assert.deepEqual([...again.owned.addresses.keys()], want);
  });
}

test('a file that somebody deletes is written whole again', () => {
  const ownership = open();
  ownership.claim([server(80)]);
  rmSync(file);
  ownership.claim([server(81)]);
  assert.equal(
    readFileSync(file, 'utf8'),
    `${HEADER}+vs 192.0.2.10:80/TCP\n+vs 192.0.2.10:81/TCP\n`,
  );
  rmSync(directory, { recursive: true });
  ownership.settle({ gone: [], addresses: undefined });
  assert.equal(readFileSync(file, 'utf8').split('\n').length, 4);
});

/** A kernel that takes so many bytes at once, and after so many of them has no room. */
function writeOf(
  atOnce: number,
  room = Number.POSITIVE_INFINITY,
): (descriptor: number, data: string | Uint8Array, from?: number) => number {
  let left = room;
  return (descriptor, data, from = 0) => {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    const length = Math.min(atOnce, left, bytes.length - from);
    if (length === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
    left -= length;
    return writeSync(descriptor, bytes, from, length);
  };
}

for (const atOnce of [1, 7, 50]) {
  test(`a disk that takes ${atOnce} bytes at once gets all of the text`, () => {
    const ownership = new Ownership(directory, SCOPE, writeOf(atOnce));
    ownership.claim([server(80), address('192.0.2.10', 'nätz→0')]);
    ownership.claim([server(81)]);
    const nic = '+address 192.0.2.10 nätz→0\n';
    const added = `+vs 192.0.2.10:80/TCP\n${nic}+vs 192.0.2.10:81/TCP\n`;
    assert.equal(readFileSync(file, 'utf8'), HEADER + added);
    ownership.close();
    new Ownership(directory, SCOPE, writeOf(atOnce)).claim([server(82)]);
    const rewritten = `+vs 192.0.2.10:80/TCP\n+vs 192.0.2.10:81/TCP\n${nic}`;
    assert.equal(readFileSync(file, 'utf8'), `${HEADER}${rewritten}+vs 192.0.2.10:82/TCP\n`);
  });
}

test('a disk that is full half-way: none of the lines, and the claim is refused', () => {
  const ownership = new Ownership(directory, SCOPE, writeOf(20, HEADER.length + 30));
  ownership.claim([server(80)]);
  assert.throws(
    () => ownership.claim([address('192.0.2.10', 'nätz→0')]),
    (error) => error instanceof UnrecordedError && error.errno === 'ENOSPC',
  );
  assert.deepEqual(texts(ownership), ['192.0.2.10:80/TCP']);
  assert.equal(readFileSync(file, 'utf8'), `${HEADER}+vs 192.0.2.10:80/TCP\n`);
});

test('where nothing can be written, a claim is refused and owns nothing', () => {
  const blocked = path.join(directory, 'a-file');
  writeFileSync(blocked, '');
  const ownership = new Ownership(path.join(blocked, 'run'), SCOPE);
  assert.throws(
    () => ownership.claim([server(80)]),
    (error) =>
      error instanceof UnrecordedError && error.errno !== '' && error.message.includes('a-file'),
  );
  assert.throws(() => ownership.rememberSysctl('net/ipv4/ip_forward', 0), UnrecordedError);
  assert.deepEqual(texts(ownership), []);
  assert.equal(ownership.sysctls.size, 0);
  rmSync(blocked);
  ownership.claim([server(80)]);
  assert.deepEqual(texts(ownership), ['192.0.2.10:80/TCP']);
});

test('a record that is there and can not be read is an error, not an empty record', () => {
  mkdirSync(file);
  assert.throws(
    open,
    (error) => error instanceof OperationalError && error.code === 'state-unreadable',
  );
});

test('remove forgets all, and may be called twice', () => {
  const ownership = open();
  ownership.claim([server(80)]);
  ownership.remove();
  ownership.remove();
  assert.deepEqual(texts(open()), []);
});
