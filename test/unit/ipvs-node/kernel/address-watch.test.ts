import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  AddressWatch,
  type AddressOwner,
  type AddressPort,
} from '../../../../src/ipvs-node/kernel/addresses/address-watch.ts';
import {
  ADDRESS_TAG,
  type AddressRecord,
  type LinkRecord,
} from '../../../../src/ipvs-node/kernel/addresses/rtnetlink-codec.ts';
import type { Binding, Entry } from '../../../../src/ipvs-node/kernel/ownership/journal.ts';
import { IncompleteDumpError } from '../../../../src/ipvs-node/kernel/addresses/rtnetlink.ts';
import { parseIp, type IpAddress } from '../../../../src/net/address.ts';

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
  error: Error | undefined;
  onChange: () => void = () => undefined;
  onRead: () => Promise<unknown> = () => Promise.resolve();

  links(): Promise<readonly LinkRecord[]> {
    if (this.isBroken) return Promise.reject(new IncompleteDumpError('no answer'));
    return Promise.resolve(this.links_);
  }
  async addresses(): Promise<readonly AddressRecord[]> {
    const read = this.addresses_;
    await this.onRead();
    return read;
  }
  change(changes: Parameters<AddressPort['change']>[0]): Promise<readonly string[]> {
    this.onChange();
    if (this.error !== undefined) return Promise.reject(this.error);
    this.sent.push(...changes.map((each) => `${each.op} ${each.ip} ${each.ifindex}`));
    return Promise.resolve(changes.map(() => this.outcomes.shift() ?? 'ok'));
  }
}

class FakeOwner implements AddressOwner {
  readonly held = new Map<string, Binding>();

  get addresses(): readonly Binding[] {
    return [...this.held.values()];
  }
  has(entry: Entry): boolean {
    return entry.kind === 'address' && this.held.has(`${entry.address} ${entry.interface}`);
  }
  release(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.kind === 'address') this.held.delete(`${entry.address} ${entry.interface}`);
    }
  }
  claim(...addresses: readonly IpAddress[]): void {
    for (const address of addresses) {
      this.held.set(`${address} eth0`, { address, interface: 'eth0' });
    }
  }
}

function setUp(): { port: FakePort; book: AddressWatch; owner: FakeOwner; told: string[] } {
  const port = new FakePort();
  const owner = new FakeOwner();
  const told: string[] = [];
  const book = new AddressWatch(port, owner, (change) => {
    const detail = change.kind === 'link' ? (change.up ? 'up' : 'down') : change.address;
    told.push(`${change.kind} ${change.interface} ${detail}`);
  });
  return { port, book, owner, told };
}

const add = (address = VIP, name = 'eth0') =>
  ({ op: 'vip.add', address, interface: name }) as const;
const del = (address = VIP, name = 'eth0') =>
  ({ op: 'vip.del', address, interface: name }) as const;

test('observing says what is single and tagged, and gives up nothing', async () => {
  const { port, book, owner } = setUp();
  const host = parseIp('10.0.0.1');
  const untagged = parseIp('10.0.0.2');
  port.addresses_ = [record(), record(host, 0, 24), record(VIP6, ADDRESS_TAG, 128)];
  port.addresses_.push(
    record(untagged, 0),
    { ...record(), ifindex: 1 },
    { ...record(), ifindex: 9 },
  );
  owner.claim(VIP, parseIp('192.0.2.99'));
  assert.deepEqual(
    [...((await book.observe()) ?? [])],
    [
      [
        VIP,
        [
          { address: VIP, interface: 'eth0', mark: 'tagged' },
          { address: VIP, interface: 'lo', mark: 'tagged' },
        ],
      ],
      [host, [{ address: host, interface: 'eth0', mark: 'network' }]],
      [VIP6, [{ address: VIP6, interface: 'eth0', mark: 'tagged' }]],
      [untagged, [{ address: untagged, interface: 'eth0', mark: 'plain' }]],
    ],
  );
  assert.equal(owner.held.size, 2);
});

test('a dump that is not whole gives no answer', async () => {
  const { port, book } = setUp();
  port.isBroken = true;
  assert.equal(await book.observe(), undefined);
});

test('an address is held that is ours and is not being changed', async () => {
  const { port, book, owner } = setUp();
  assert.equal(book.holds({ address: VIP, interface: 'eth0' }), false);
  owner.claim(VIP, VIP6);
  assert.equal(book.holds({ address: VIP, interface: 'eth0' }), true);
  assert.equal(book.holds({ address: VIP, interface: 'eth9' }), false);
  const seen: boolean[] = [];
  port.onChange = () => {
    seen.push(...[VIP, VIP6].map((address) => book.holds({ address, interface: 'eth0' })));
  };
  await book.change([del()]);
  assert.deepEqual(seen, [false, true]);
  assert.equal(book.holds({ address: VIP, interface: 'eth0' }), true, 'until it is released');
  port.error = new Error('broken');
  await assert.rejects(book.change([del()]), /broken/);
  assert.equal(book.holds({ address: VIP, interface: 'eth0' }), true);
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
});

test('an interface that is not there is an answer, one that came meanwhile is found', async () => {
  const { port, book } = setUp();
  await book.observe();
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
  const { port, book, owner, told } = setUp();
  const take = (address: AddressRecord, removed = true): void => {
    book.take({ kind: 'address', removed, address });
  };
  await book.observe();
  owner.claim(VIP, VIP6);
  port.onChange = () => take(record(VIP6, ADDRESS_TAG, 128));
  await book.change([del(VIP6)]);
  owner.release([{ kind: 'address', address: VIP6, interface: 'eth0' }]);
  take(record(VIP6, 0, 128));
  take(record(parseIp('10.0.0.1'), 0, 32));
  take(record(VIP, 0, 24));
  take(record(), false);
  assert.deepEqual(told.splice(0), [
    `address.freed eth0 ${VIP6}`,
    `address.freed eth0 ${VIP6}`,
    'address.freed eth0 10.0.0.1',
    `address.freed eth0 ${VIP}`,
  ]);
  take(record());
  assert.equal(owner.held.size, 0, 'somebody else may put it there now');
  take(record());
  assert.deepEqual(told, [`address.removed eth0 ${VIP}`, `address.freed eth0 ${VIP}`]);
});

test('what is heard of an address while it is added is of before', async () => {
  const { port, book, owner, told } = setUp();
  owner.claim(VIP);
  const removed = (): void => {
    book.take({ kind: 'address', removed: true, address: record() });
  };
  port.onChange = removed;
  // the interface is not known yet: links are read first, and that takes its time
  const changing = book.change([add()]);
  removed();
  assert.deepEqual(await changing, [{ ok: true }]);
  assert.deepEqual(told, [`address.freed interface 2 ${VIP}`, `address.freed eth0 ${VIP}`]);
  assert.equal(owner.held.size, 1);
});

test('links are told when they come, change and go, and not for anything else', async () => {
  const { book, told } = setUp();
  await book.observe();
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

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('lost notifications are made up for by reading', async () => {
  const { port, book, owner, told } = setUp();
  port.links_.push(link(3, 'eth1'));
  await book.observe();
  owner.claim(VIP, VIP6);
  port.addresses_ = [record(VIP6, ADDRESS_TAG, 128), { ...record(), ifindex: 7 }];
  port.links_ = [link(1, 'lo'), link(2, 'eth0', false)];
  book.take({ kind: 'lost' });
  book.take({ kind: 'lost' }); // while the first is being made up for
  await turn();
  assert.deepEqual(told, [`address.removed eth0 ${VIP}`, 'link eth1 down', 'link eth0 down']);
  assert.deepEqual(owner.addresses, [{ address: VIP6, interface: 'eth0' }]);
  port.isBroken = true;
  book.take({ kind: 'lost' });
  await turn();
  assert.equal(told.length, 3);
});

test('what was read while an address was added tells nothing about addresses', async () => {
  const { port, book, owner, told } = setUp();
  await book.observe();
  owner.claim(VIP);
  // it is there before the reading has ended, and the reading has it not
  port.onRead = () => book.change([add()]);
  book.take({ kind: 'lost' });
  await turn();
  assert.deepEqual(told, []);
  assert.equal(owner.held.size, 1);
});
