import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import {
  Announcer,
  type AnnounceTarget,
} from '../../../../src/ipvs-node/kernel/addresses/announcer.ts';
import type { OpResult } from '../../../../src/ipvs-node/model/kernel.ts';
import { OperationalError } from '../../../../src/runtime/errors.ts';
import { ipFromBigInt, parseIp, type IpAddress } from '../../../../src/net/address.ts';

const VIP = parseIp('192.0.2.10');
const OTHER = parseIp('192.0.2.11');

function target(address: IpAddress, name = 'eth0'): AnnounceTarget {
  return { address, interface: name };
}
const ok = (addresses: readonly IpAddress[]): readonly OpResult[] =>
  addresses.map(() => ({ ok: true }));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('three bursts within two seconds, the later ones only for what is still ours', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const sent: string[] = [];
    const held = new Set([VIP, OTHER]);
    const announcer = new Announcer(
      (name, addresses) => {
        sent.push(`${name} ${addresses.join(' ')}`);
        return Promise.resolve(ok(addresses));
      },
      ({ address }) => held.has(address),
    );
    await announcer.announce([target(VIP), target(OTHER)]);
    mock.timers.tick(1000);
    await turn();
    held.delete(VIP);
    mock.timers.tick(1000);
    await turn();
    assert.deepEqual(sent, [`eth0 ${VIP} ${OTHER}`, `eth0 ${VIP} ${OTHER}`, `eth0 ${OTHER}`]);
    mock.timers.tick(60_000);
    assert.equal(sent.length, 3);
  } finally {
    mock.timers.reset();
  }
});

test('close forgets the repeats, and what failed is not repeated', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    let bursts = 0;
    const announcer = new Announcer(
      (_, addresses) => {
        bursts++;
        return Promise.resolve(
          addresses.map((address) =>
            address === VIP ? { ok: false, errno: 'ENETDOWN', message: 'down' } : { ok: true },
          ),
        );
      },
      () => true,
    );
    const results = await announcer.announce([target(VIP)]);
    assert.deepEqual(results, [{ ok: false, errno: 'ENETDOWN', message: 'down' }]);
    mock.timers.tick(2000);
    assert.equal(bursts, 1);
    await announcer.announce([target(OTHER)]);
    announcer.close();
    mock.timers.tick(2000);
    assert.equal(bursts, 2);
  } finally {
    mock.timers.reset();
  }
});

test('results keep the order of the targets over interfaces and bursts', async () => {
  const sizes: number[] = [];
  const announcer = new Announcer(
    (name, addresses) => {
      sizes.push(addresses.length);
      if (name === 'gone0') {
        throw new OperationalError('interface-missing', 'there is no interface gone0');
      }
      return Promise.resolve(ok(addresses));
    },
    () => true,
  );
  const targets = Array.from({ length: 130 }, (_, i) =>
    target(ipFromBigInt(4, BigInt(i)), i % 13 === 0 ? 'gone0' : 'eth0'),
  );
  const results = await announcer.announce(targets);
  announcer.close();
  assert.deepEqual(sizes, [10, 64, 56]);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.errno)),
    targets.map((each) => (each.interface === 'gone0' ? 'ENODEV' : 'ok')),
  );
});

test('an error that is none of the environment is not swallowed', async () => {
  const announcer = new Announcer(
    () => {
      throw new Error('bug: x');
    },
    () => true,
  );
  await assert.rejects(announcer.announce([target(VIP)]), /bug: x/);
});
