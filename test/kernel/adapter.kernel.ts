// The Linux adapter against a real kernel: what the port's contract does not say. Tags, other people's state, hands that
// edit and delete things.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { cleanUp } from '../../src/ipvs-node/host/cleanup.ts';
import type { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import type { KernelChange, Op } from '../../src/ipvs-node/model/kernel.ts';
import { emptyFirewall } from '../../src/ipvs-node/model/firewall.ts';
import { bindingKey } from '../../src/ipvs-node/model/owned.ts';
import { ADDRESS_TAG } from '../../src/ipvs-node/kernel/addresses/rtnetlink-codec.ts';
import { RtNetlink } from '../../src/ipvs-node/kernel/addresses/rtnetlink.ts';
import { ipFromBigInt, parseIp, type IpAddress } from '../../src/net/address.ts';
import { realServerKey, virtualServerKey } from '../../src/net/ipvs.ts';
import { SELF, ip, run } from '../lab/topology.ts';
import {
  DEVICE,
  RUN,
  VIP,
  VIP6,
  add,
  bind,
  errnos,
  makeDevice,
  openKernel,
  realServer,
  until,
  virtualServer,
} from './adapter-lab.ts';
import { parseRange } from '../../src/net/range.ts';
import { addElement, deleteElement } from '../contract/firewall-op.ts';

let kernel: LinuxKernel;

before(async () => {
  await makeDevice();
  kernel = await openKernel();
});

afterEach(async () => {
  await kernel.close();
  await cleanUp({ runDirectory: RUN, dryRun: false });
  await run(SELF, ['ipvsadm', '-C']);
  kernel = await openKernel();
});

after(async () => {
  await kernel.close();
});

test('a plan goes in and is read back', async () => {
  const server = virtualServer();
  const results = await kernel.run([
    { op: 'sysctl.set', key: 'net/ipv4/vs/conntrack', value: 1 },
    addElement('vips4', VIP),
    addElement('ports4', server),
    add(server),
    { op: 'rs.add', server, real: realServer(1) },
    { op: 'rs.add', server, real: realServer(2) },
    bind(),
    { op: 'vip.announce', address: VIP, interface: DEVICE },
  ]);
  assert.deepEqual(
    errnos(results),
    results.map(() => 'ok'),
  );
  const observed = await kernel.observe();
  const found = observed.virtualServers?.get(virtualServerKey(server));
  assert.deepEqual(found?.server, server);
  assert.deepEqual([...found.realServers.keys()].sort(), ['10.1.0.1:8080', '10.1.0.2:8080']);
  assert.deepEqual(observed.addresses?.get(VIP), [
    { address: VIP, interface: DEVICE, mark: 'tagged' },
  ]);
  assert.ok(typeof observed.firewall === 'object');
  assert.deepEqual(
    [...(observed.firewall.sets.get('ports4')?.keys() ?? [])],
    ['192.0.2.10:80/TCP'],
  );
  assert.equal(observed.sysctls.get('net/ipv4/vs/conntrack'), 1);
  assert.deepEqual([...kernel.owned.virtualServers.keys()], ['192.0.2.10:80/TCP']);
  assert.deepEqual([...kernel.owned.addresses.keys()], [bindingKey(VIP, DEVICE)]);
  assert.equal(await kernel.canary(virtualServerKey(server)), true);
  const some = await kernel.observeVirtualServers([
    virtualServerKey(server),
    virtualServerKey(virtualServer(VIP, 81)),
  ]);
  assert.deepEqual([...(some?.keys() ?? [])], ['192.0.2.10:80/TCP']);
});

test('VIPs carry our tag, and IPv6 ones are neither tentative nor preferred', async () => {
  await kernel.run([bind(VIP), bind(VIP6)]);
  const route = new RtNetlink();
  const ours = (await route.addresses()).filter((record) => record.protocol === ADDRESS_TAG);
  route.close();
  assert.deepEqual(ours.map((record) => `${record.ip}/${record.prefixLength}`).sort(), [
    '192.0.2.10/32',
    '2001:db8::10/128',
  ]);
  const shown = (await run(SELF, ['ip', '-6', 'address', 'show', 'dev', DEVICE])).stdout;
  assert.match(
    shown,
    /2001:db8::10\/128 scope global nodad deprecated[^\n]*\n\s+valid_lft forever preferred_lft 0sec/,
  );
});

test('an address that somebody removes is told at once, one that we remove is not', async () => {
  const changes: KernelChange[] = [];
  kernel.onChange((change) => changes.push(change));
  await kernel.run([bind(VIP), bind(VIP6)]);
  await kernel.run([{ op: 'vip.del', address: VIP6, interface: DEVICE }]);
  await ip(SELF, [`address del ${VIP}/32 dev ${DEVICE}`, `address add 198.51.100.9/32 dev lo`]);
  await ip(SELF, ['address del 198.51.100.9/32 dev lo']);
  const told = (kind: KernelChange['kind']): readonly KernelChange[] =>
    changes.filter((change) => change.kind === kind);
  await until('the changes are told', () => told('address.freed').length === 2);
  assert.deepEqual(told('address.removed'), [
    { kind: 'address.removed', address: VIP, interface: DEVICE },
  ]);
  assert.deepEqual(told('address.freed').at(-1), {
    kind: 'address.freed',
    address: parseIp('198.51.100.9'),
    interface: 'lo',
  });
  assert.deepEqual(errnos(await kernel.run([bind(VIP)])), ['ok']);
});

test('thousands of addresses that go at once are all told', async () => {
  const vips = Array.from({ length: 3000 }, (_, i) => ipFromBigInt(4, 0x0a640000n + BigInt(i)));
  const gone = new Set<IpAddress>();
  kernel.onChange((change) => {
    if (change.kind === 'address.removed') gone.add(change.address);
  });
  await kernel.run(vips.map((vip) => bind(vip)));
  await run(SELF, ['ip', 'address', 'flush', 'dev', DEVICE, 'to', '10.100.0.0/16']);
  await until('every removal is told', () => gone.size === vips.length);
});

test('links that go down, come back and vanish are told', async () => {
  const changes: string[] = [];
  kernel.onChange((change) => {
    if (change.kind === 'link') changes.push(`${change.interface} ${change.up ? 'up' : 'down'}`);
  });
  await ip(SELF, ['link add other0 type dummy', 'link set other0 up']);
  await until('up', () => changes.includes('other0 up'));
  await ip(SELF, ['link set other0 down']);
  await until('down', () => changes.at(-1) === 'other0 down');
  changes.length = 0;
  await ip(SELF, ['link set other0 up']);
  await until('up again', () => changes.includes('other0 up'));
  await ip(SELF, ['link del other0']);
  await until('gone', () => changes.at(-1) === 'other0 down');
});

test('a missing interface is an answer with its name, and the rest is done', async () => {
  const results = await kernel.run([
    bind(VIP, 'eth77'),
    bind(VIP),
    { op: 'vip.announce', address: VIP, interface: 'eth77' },
    { op: 'vip.del', address: VIP, interface: 'eth77' },
  ]);
  assert.deepEqual(errnos(results), ['ENODEV', 'ok', 'ENODEV', 'EADDRNOTAVAIL']);
  assert.deepEqual(results[0], {
    ok: false,
    errno: 'ENODEV',
    message: 'there is no interface eth77',
  });
  assert.deepEqual([...kernel.owned.addresses.keys()], [bindingKey(VIP, DEVICE)]);
});

test('an interface that appears later is found', async () => {
  assert.deepEqual(errnos(await kernel.run([bind(VIP, 'late0')])), ['ENODEV']);
  await ip(SELF, ['link add late0 type dummy', 'link set late0 up']);
  assert.deepEqual(errnos(await kernel.run([bind(VIP, 'late0')])), ['ok']);
  await ip(SELF, ['link del late0']);
});

test('a scheduler that the kernel lacks is refused and leaves no trace', async () => {
  const results = await kernel.run([add({ ...virtualServer(), scheduler: 'twos' })]);
  assert.deepEqual(errnos(results), ['ENOENT']);
  assert.deepEqual([...kernel.owned.virtualServers.keys()], []);
});

test('races with somebody who edits by hand end in answers', async () => {
  const server = virtualServer();
  await run(SELF, ['ipvsadm', '-A', '-t', `${VIP}:80`, '-s', 'wlc']);
  await ip(SELF, [`address add ${VIP}/32 dev ${DEVICE}`]);
  const results = await kernel.run([
    add(server),
    { op: 'rs.del', server, real: realServer(1) },
    { op: 'rs.set', server, real: realServer(1) },
    { op: 'vs.del', server: virtualServer(VIP, 81) },
    { op: 'rs.add', server: virtualServer(VIP, 81), real: realServer(1) },
    bind(),
    { op: 'vip.del', address: VIP6, interface: DEVICE },
  ]);
  assert.deepEqual(errnos(results), [
    'EEXIST',
    'ENOENT',
    'ENOENT',
    'ESRCH',
    'ESRCH',
    'EEXIST',
    'EADDRNOTAVAIL',
  ]);
  // what was there before us is not ours
  const { addresses } = await kernel.observe();
  kernel.settle({ gone: [], addresses });
  assert.deepEqual([kernel.owned.virtualServers.size, kernel.owned.addresses.size], [0, 0]);
  assert.equal(addresses?.get(VIP)?.[0]?.mark, 'plain');
  await ip(SELF, [`address del ${VIP}/32 dev ${DEVICE}`]);
});

test('an outside ipvsadm -C is seen by the canary and by the next dump', async () => {
  await kernel.run([add()]);
  assert.equal(await kernel.canary(virtualServerKey(virtualServer())), true);
  await run(SELF, ['ipvsadm', '-C']);
  assert.equal(await kernel.canary(virtualServerKey(virtualServer())), false);
  assert.equal((await kernel.observe()).virtualServers?.size, 0);
  assert.deepEqual(errnos(await kernel.run([add()])), ['ok']);
});

test('a virtual server that somebody changed beyond our words is seen as different and set back', async () => {
  const server = virtualServer();
  await kernel.run([add(server), { op: 'rs.add', server, real: realServer(1) }]);
  await run(SELF, [
    'ipvsadm',
    '-E',
    '-t',
    `${VIP}:80`,
    '-s',
    'rr',
    '-p',
    '60',
    '-M',
    '255.255.255.0',
  ]);
  await run(SELF, [
    'ipvsadm',
    '-e',
    '-t',
    `${VIP}:80`,
    '-r',
    '10.1.0.1:8080',
    '-m',
    '-w',
    '100',
    '-x',
    '9',
  ]);
  const changed = (await kernel.observe()).virtualServers?.get(virtualServerKey(server));
  assert.notDeepEqual(changed?.server, server);
  const real = realServer(1);
  assert.notEqual(changed?.realServers.get(realServerKey(real))?.weight, real.weight);
  await kernel.run([
    { op: 'vs.set', server },
    { op: 'rs.set', server, real },
  ]);
  const repaired = (await kernel.observe()).virtualServers?.get(virtualServerKey(server));
  assert.deepEqual(repaired?.server, server);
  assert.equal(repaired.realServers.get(realServerKey(real))?.weight, real.weight);
});

const firewallHands: Readonly<Record<string, readonly string[]>> = {
  'the table': ['delete', 'table', 'inet', 'vipvs'],
  'a chain': ['flush', 'chain', 'inet', 'vipvs', 'postrouting'],
  'its set': ['flush', 'set', 'inet', 'vipvs', 'vips4'],
};

for (const [what, command] of Object.entries(firewallHands)) {
  test(`somebody empties or deletes ${what}: it is seen and filled again`, async () => {
    const fill: readonly Op[] = [addElement('vips4', VIP), addElement('vips6', VIP6)];
    await kernel.run(fill);
    await run(SELF, ['nft', ...command]);
    const seen = (await kernel.observe()).firewall;
    assert.ok(typeof seen === 'object');
    assert.equal(seen.sets.get('vips4')?.size, 0);
    assert.deepEqual(errnos(await kernel.run(fill)), ['ok', 'ok']);
    const filled = (await kernel.observe()).firewall;
    assert.ok(typeof filled === 'object');
    assert.deepEqual([...(filled.sets.get('vips4')?.keys() ?? [])], [VIP]);
    const rules = (await run(SELF, ['nft', 'list', 'chain', 'inet', 'vipvs', 'postrouting']))
      .stdout;
    assert.equal(rules.match(/masquerade/g)?.length, 4);
  });
}

test('a refused firewall element does not hinder the others', async () => {
  const results = await kernel.run([
    addElement('local4', parseRange('10.1.0.0/16')),
    deleteElement('vips4', parseIp('192.0.2.99')),
    addElement('local4', parseRange('10.1.2.0/24')),
    addElement('vips4', VIP),
  ]);
  assert.deepEqual(errnos(results), ['ok', 'ENOENT', 'EEXIST', 'ok']);
});

const strangers = {
  'a port range': 'sources4 { 192.0.2.10 . tcp . 80-90 . 10.0.0.0/8 }',
  'a range of VIPs': 'sources4 { 192.0.2.0/24 . tcp . 80 . 10.0.0.0/8 }',
  'another protocol': 'ports4 { 192.0.2.10 . dccp . 80 }',
  'a comment': 'vips4 { 192.0.2.99 comment "mine" }',
};
for (const [what, element] of Object.entries(strangers)) {
  test(`somebody adds an element with ${what}: the table is made anew`, async () => {
    const fill = [addElement('vips4', VIP), addElement('ports4', virtualServer())];
    await kernel.run(fill);
    await run(SELF, ['nft', `add element inet vipvs ${element}`]);
    const { firewall } = await kernel.observe();
    assert.deepEqual(firewall, emptyFirewall());
    assert.deepEqual(errnos(await kernel.run(fill)), ['ok', 'ok']);
    const listed = (await run(SELF, ['nft', 'list', 'table', 'inet', 'vipvs'])).stdout;
    assert.equal(
      listed.includes('10.0.0.0/8') || listed.includes('dccp') || listed.includes('mine'),
      false,
    );
  });
}
