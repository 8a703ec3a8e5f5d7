import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  AddressWatch,
  type AddressPort,
} from '../../../../src/ipvs-node/kernel/addresses/address-watch.ts';
import {
  ADDRESS_TAG,
  type AddressRecord,
  type LinkRecord,
} from '../../../../src/ipvs-node/kernel/addresses/rtnetlink-codec.ts';
import { IncompleteDumpError } from '../../../../src/ipvs-node/kernel/addresses/rtnetlink.ts';
import { parseIp } from '../../../../src/net/address.ts';

const VIP = parseIp('192.0.2.10');
const VIP6 = parseIp('2001:db8::10');

function link(ifindex: number, name: string, up = true): LinkRecord {
  return { ifindex, name, up, mtu: 1500, isEthernet: true };
}
function record(ip = VIP, protocol = ADDRESS_TAG, prefixLength = 32): AddressRecord {
  return { ip, prefixLength, ifindex: 2, protocol };
}

class FakePort implements AddressPort {
  readonly sent: string[] = [];
  links_: LinkRecord[] = [link(1, 'lo'), link(2, 'eth0')];
  addresses_: AddressRecord[] = [];
  outcomes: string[] = [];
  isBroken = false;

  links(): Promise<readonly LinkRecord[]> {
    if (this.isBroken) return Promise.reject(new IncompleteDumpError('no answer'));
    return Promise.resolve(this.links_);
  }
  addresses(): Promise<readonly AddressRecord[]> {
    return Promise.resolve(this.addresses_);
  }
  change(changes: Parameters<AddressPort['change']>[0]): Promise<readonly string[]> {
    this.sent.push(...changes.map((each) => `${each.op} ${each.ip} ${each.ifindex}`));
    return Promise.resolve(changes.map(() => this.outcomes.shift() ?? 'ok'));
  }
}

function setUp(): { port: FakePort; book: AddressWatch; told: string[] } {
  const port = new FakePort();
  const told: string[] = [];
  const book = new AddressWatch(port, (change) => {
    const detail = change.kind === 'link' ? (change.up ? 'up' : 'down') : change.address;
    told.push(`${change.kind} ${change.interface} ${detail}`);
  });
  return { port, book, told };
}

const add = (address = VIP, name = 'eth0') =>
  ({ op: 'vip.add', address, interface: name }) as const;
const del = (address = VIP, name = 'eth0') =>
  ({ op: 'vip.del', address, interface: name }) as const;

async function observed(book: AddressWatch) {
  return book.observe((seen) => seen.isSingle && seen.hasTag);
}

test('observing says what is single and tagged, and holds what is ours', async () => {
  const { port, book } = setUp();
  port.addresses_ = [record(), record(parseIp('10.0.0.1'), 0, 24), record(VIP6, ADDRESS_TAG, 128)];
  assert.deepEqual(await observed(book), [
    { address: VIP, interface: 'eth0', isSingle: true, hasTag: true },
    { address: '10.0.0.1', interface: 'eth0', isSingle: false, hasTag: false },
    { address: VIP6, interface: 'eth0', isSingle: true, hasTag: true },
  ]);
  assert.equal(book.holds(VIP, 'eth0'), true);
  assert.equal(book.holds(parseIp('10.0.0.1'), 'eth0'), false);
  assert.equal(book.holds(VIP, 'eth9'), false);
});

test('a dump that is not whole gives no answer, and keeps what was known', async () => {
  const { port, book } = setUp();
  port.addresses_ = [record()];
  await observed(book);
  port.isBroken = true;
  assert.equal(await observed(book), undefined);
  assert.equal(book.holds(VIP, 'eth0'), true);
});

test('changes go out in order with the index of the interface', async () => {
  const { port, book } = setUp();
  port.outcomes = ['ok', 'EEXIST', 'EADDRNOTAVAIL'];
  const results = await book.change([add(), add(VIP6), del(parseIp('192.0.2.11'))]);
  assert.deepEqual(port.sent, [`add ${VIP} 2`, `add ${VIP6} 2`, 'del 192.0.2.11 2']);
  assert.deepEqual(
    results.map((result) => (result.ok ? 'ok' : result.errno)),
    ['ok', 'EEXIST', 'EADDRNOTAVAIL'],
  );
  assert.equal(book.holds(VIP, 'eth0'), true);
  assert.equal(book.holds(VIP6, 'eth0'), false);
});

test('an interface that is not there is an answer, one that came meanwhile is found', async () => {
  const { port, book } = setUp();
  await observed(book);
  const missing = await book.change([add(VIP, 'eth1'), del(VIP, 'eth1')]);
  assert.deepEqual(
    missing.map((result) => (result.ok ? 'ok' : `${result.errno} ${result.message}`)),
    ['ENODEV there is no interface eth1', 'EADDRNOTAVAIL there is no interface eth1'],
  );
  port.links_.push(link(3, 'eth1'));
  assert.deepEqual(await book.change([add(VIP, 'eth1')]), [{ ok: true }]);
  assert.deepEqual(port.sent, [`add ${VIP} 3`]);
});

test('what is ours and goes unasked is told as lost, all else that goes as free', async () => {
  const { port, book, told } = setUp();
  port.addresses_ = [record(), record(VIP6, ADDRESS_TAG, 128)];
  await observed(book);
  await book.change([del(VIP6)]);
  book.take({ kind: 'address', removed: true, address: record(VIP6, 0, 128) });
  book.take({ kind: 'address', removed: true, address: record(parseIp('10.0.0.1'), 0, 32) });
  book.take({ kind: 'address', removed: true, address: record(VIP, 0, 24) });
  book.take({ kind: 'address', removed: false, address: record() });
  assert.deepEqual(told.splice(0), [
    `address.freed eth0 ${VIP6}`,
    'address.freed eth0 10.0.0.1',
    `address.freed eth0 ${VIP}`,
  ]);
  book.take({ kind: 'address', removed: true, address: record() });
  book.take({ kind: 'address', removed: true, address: record() });
  assert.deepEqual(told, [`address.removed eth0 ${VIP}`, `address.freed eth0 ${VIP}`]);
});

test('links are told when they come, change and go, and not for anything else', async () => {
  const { book, told } = setUp();
  await observed(book);
  const take = (each: LinkRecord, removed = false): void => {
    book.take({ kind: 'link', removed, link: each });
  };
  take(link(2, 'eth0'));
  take({ ...link(2, 'eth0'), mtu: 9000 });
  assert.deepEqual(told, []);
  take(link(2, 'eth0', false));
  take(link(2, 'eth0'));
  take(link(3, 'eth1'));
  take(link(3, 'eth1'), true);
  take(link(2, 'uplink'));
  assert.deepEqual(told, [
    'link eth0 down',
    'link eth0 up',
    'link eth1 up',
    'link eth1 down',
    'link uplink up',
  ]);
});

test('lost notifications are made up for by reading', async () => {
  const { port, book, told } = setUp();
  port.addresses_ = [record(), record(VIP6, ADDRESS_TAG, 128)];
  port.links_.push(link(3, 'eth1'));
  await observed(book);
  port.addresses_ = [record(VIP6, ADDRESS_TAG, 128)];
  port.links_ = [link(1, 'lo'), link(2, 'eth0', false)];
  book.take({ kind: 'lost' });
  book.take({ kind: 'lost' }); // while the first is being made up for
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told, [`address.removed eth0 ${VIP}`, 'link eth1 down', 'link eth0 down']);
  port.isBroken = true;
  book.take({ kind: 'lost' });
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(told.length, 3);
});
