// The mirror follows what was reached, and keeps what a torn dump could not tell.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KernelMirror } from '../../../../src/ipvs-node/reconcile/mirror.ts';
import { parseIp, type IpAddress } from '../../../../src/net/address.ts';
import {
  realServerKey,
  virtualServerKey,
  type RealServer,
  type VirtualServer,
} from '../../../../src/net/ipvs.ts';
import type { DesiredVirtualServer } from '../../../../src/ipvs-node/model/state.ts';
import { FakeKernel } from '../../../contract/fake-kernel.ts';
import { addElement, deleteElement } from '../../../contract/firewall-op.ts';
import { elementKey, type FirewallElement } from '../../../../src/ipvs-node/model/firewall.ts';
import { firewallOf, observedOf } from '../kernel-text.ts';

const VIP = parseIp('192.0.2.10');
const server: VirtualServer = {
  vip: VIP,
  port: 80,
  protocol: 'TCP',
  scheduler: 'rr',
  schedulerFlags: [],
  persistenceSeconds: 0,
};
const real: RealServer = {
  address: parseIp('10.0.0.1'),
  port: 80,
  method: 'masquerade',
  weight: 1,
};
const VS = '-A -t 192.0.2.10:80 -s rr';
const ADDRESS = 'ip address add 192.0.2.10/32 dev eth0';
const at = { address: VIP, interface: 'eth0' };

test('before the first dump nothing is known, whatever is applied', () => {
  const mirror = new KernelMirror(new FakeKernel());
  mirror.apply({ op: 'vs.add', server });
  mirror.apply({ op: 'rs.add', server, real });
  mirror.apply({ op: 'vs.del', server });
  mirror.apply({ op: 'vip.add', ...at });
  mirror.apply({ op: 'vip.del', ...at });
  mirror.apply(addElement('vips4', VIP));
  mirror.forgetAddress(VIP, 'eth0');
  mirror.loadVirtualServers(observedOf([VS]).virtualServers?.keys() ?? [], new Map());
  mirror.loadVirtualServers(
    observedOf([VS]).virtualServers?.keys() ?? [],
    observedOf([VS]).virtualServers ?? new Map(),
  );
  assert.deepEqual(
    [mirror.virtualServers, mirror.addresses, mirror.firewall],
    [undefined, undefined, undefined],
  );
});

test('a torn dump keeps what was known of the part', () => {
  const mirror = new KernelMirror(new FakeKernel());
  assert.equal(mirror.load(observedOf([VS, ADDRESS])), true);
  const torn = { virtualServers: undefined, addresses: undefined, firewall: undefined };
  assert.equal(mirror.load({ ...observedOf([]), ...torn }), false);
  assert.equal(mirror.virtualServers?.size, 1);
  assert.equal(mirror.addresses?.size, 1);
  assert.equal(mirror.firewall, 'absent');
});

test('what a reading lacks is gone, and is not ours any more; what it does not tell stays', async () => {
  const kernel = new FakeKernel();
  const mirror = new KernelMirror(kernel);
  const servers = [80, 81, 82].map((port): VirtualServer => ({ ...server, port }));
  await kernel.run(servers.map((each) => ({ op: 'vs.add', server: each })));
  await kernel.run([{ op: 'vip.add', ...at }]);
  const [key = assert.fail(), second = assert.fail(), third] = servers.map(virtualServerKey);
  const owned = (): unknown => [
    [...mirror.owned.virtualServers.keys()],
    [...mirror.owned.addresses.keys()],
  ];
  const all = await kernel.observe();
  mirror.load(all);
  const found = await kernel.observeVirtualServers([second]);
  mirror.loadVirtualServers([key, second], found ?? new Map());
  assert.equal(mirror.virtualServers?.size, 2);
  assert.deepEqual(owned(), [[second, third], ['192.0.2.10 eth0']]);
  mirror.load({ ...all, virtualServers: undefined, addresses: undefined });
  assert.deepEqual(owned(), [[second, third], ['192.0.2.10 eth0']]);
  mirror.load({ ...all, virtualServers: found });
  assert.deepEqual(owned(), [[second], ['192.0.2.10 eth0']]);
  mirror.loadHost({ ...all, addresses: new Map() });
  assert.deepEqual(owned(), [[second], []]);
});

test('addresses of the host are those of the last reading that vipvs did not put there', async () => {
  const kernel = new FakeKernel();
  const mirror = new KernelMirror(kernel);
  const found = (): readonly IpAddress[] | undefined =>
    mirror.hostAddresses && [...mirror.hostAddresses];
  assert.equal(found(), undefined);
  await kernel.run([{ op: 'vip.add', ...at }]);
  kernel.addForeignAddress(parseIp('192.0.2.1'), 'eth0');
  mirror.load(await kernel.observe());
  assert.deepEqual(found(), ['192.0.2.1']);
  mirror.loadHost({ ...(await kernel.observeHost()), addresses: undefined });
  assert.deepEqual(found(), ['192.0.2.1']);
});

test('operations', () => {
  const mirror = new KernelMirror(new FakeKernel());
  const dump = observedOf([], undefined, { firewall: {} });
  mirror.load(dump);
  mirror.apply({ op: 'rs.add', server, real });
  assert.equal(mirror.virtualServers?.size, 0, 'a real server needs its virtual server');
  mirror.apply({ op: 'vs.add', server });
  mirror.apply({ op: 'rs.add', server, real });
  mirror.apply({ op: 'vs.set', server: { ...server, scheduler: 'wrr' } });
  const [entry] = mirror.virtualServers.values();
  assert.equal(entry?.server.scheduler, 'wrr');
  assert.deepEqual([...entry.realServers.values()], [real]);
  mirror.apply({ op: 'rs.del', server, real });
  assert.equal([...mirror.virtualServers.values()][0]?.realServers.size, 0);
  mirror.apply({ op: 'vip.add', ...at });
  mirror.apply({ op: 'vip.add', ...at, interface: 'eth1' });
  mirror.apply({ op: 'vip.announce', ...at });
  mirror.apply({ op: 'vip.del', ...at });
  assert.deepEqual(
    mirror.addresses?.get(VIP)?.map((each) => each.interface),
    ['eth1'],
  );
  mirror.apply({ op: 'vip.del', ...at, interface: 'eth1' });
  assert.equal(mirror.addresses.has(VIP), false);
  mirror.apply(addElement('vips4', VIP));
  mirror.apply(addElement('vips4', parseIp('192.0.2.11')));
  mirror.apply(deleteElement('vips4', parseIp('192.0.2.11')));
  const sets = typeof mirror.firewall === 'object' ? mirror.firewall.sets : undefined;
  assert.deepEqual([...(sets?.get('vips4')?.keys() ?? [])], [VIP]);
  mirror.apply({ op: 'sysctl.set', key: 'net/ipv4/ip_forward', value: 1 });
  assert.equal(mirror.sysctls.get('net/ipv4/ip_forward'), 1);
  mirror.apply({ op: 'vs.del', server });
  assert.equal(mirror.virtualServers.size, 0);
  assert.equal(dump.virtualServers?.size, 0, 'the dump itself is as it was');
});

test('what is wanted and there is in memory once; what differs stays apart', () => {
  const mirror = new KernelMirror(new FakeKernel());
  mirror.load(observedOf([]));
  const key = virtualServerKey(server);
  const second: RealServer = { ...real, port: 8081 };
  const wanted: DesiredVirtualServer = {
    server: { ...server },
    realServers: new Map([[realServerKey(real), { ...real }]]),
    drainSeconds: 0,
    service: 'default/web',
  };
  const desired = new Map([[key, wanted]]);
  const entry = (): unknown => mirror.virtualServers?.get(key);
  mirror.share(desired, [key]);
  assert.equal(entry(), undefined, 'nothing there yet');
  mirror.apply({ op: 'vs.add', server });
  mirror.apply({ op: 'rs.add', server, real });
  mirror.apply({ op: 'rs.add', server, real: second });
  mirror.share(desired, [key]);
  assert.notEqual(entry(), wanted, 'one more is there, it drains');
  mirror.apply({ op: 'rs.del', server, real: second });
  mirror.apply({ op: 'rs.set', server, real: { ...real, weight: 7 } });
  mirror.share(desired, [key]);
  assert.notEqual(entry(), wanted, 'another weight');
  mirror.apply({ op: 'rs.del', server, real });
  mirror.apply({ op: 'rs.add', server, real: second });
  mirror.share(desired, [key]);
  assert.notEqual(entry(), wanted, 'another real server');
  mirror.apply({ op: 'rs.del', server, real: second });
  mirror.apply({ op: 'rs.add', server, real });
  mirror.apply({ op: 'vs.set', server: { ...server, scheduler: 'wrr' } });
  mirror.share(desired, [key]);
  assert.notEqual(entry(), wanted, 'another scheduler');
  mirror.apply({ op: 'vs.set', server });
  mirror.share(new Map(), [key]);
  assert.notEqual(entry(), wanted, 'not wanted');
  mirror.share(desired, [key]);
  assert.equal(entry(), wanted);
  mirror.share(desired, [key]);
  mirror.apply({ op: 'vs.set', server: { ...server, scheduler: 'wrr' } });
  mirror.share(desired, [key]);
  mirror.apply({ op: 'vs.set', server });
  mirror.share(desired, [key]);
  assert.equal(entry(), wanted, 'the same real servers again');
  mirror.apply({ op: 'rs.add', server, real: second });
  assert.equal(wanted.realServers.size, 1, 'what is wanted is never edited');
});

test('elements that are there are in memory once: those known before, else those that are wanted', () => {
  const mirror = new KernelMirror(new FakeKernel());
  const port = (): FirewallElement => ({ vip: VIP, port: 80, protocol: 'TCP' });
  const held = (): unknown => {
    const sets = typeof mirror.firewall === 'object' ? mirror.firewall.sets : undefined;
    return sets?.get('ports4')?.get(elementKey(port()));
  };
  const read = (...ports4: readonly FirewallElement[]) =>
    observedOf([], undefined, { firewall: { ports4 } });
  const [first, second, wanted, other] = [port(), port(), port(), port()];
  mirror.shareFirewall(firewallOf({ ports4: [wanted] }));
  mirror.load(read(first));
  mirror.load(read(second));
  assert.equal(held(), first);
  mirror.shareFirewall(firewallOf({ ports4: [] }));
  assert.equal(held(), first, 'not wanted');
  mirror.shareFirewall(firewallOf({ ports4: [{ vip: VIP, port: 81, protocol: 'TCP' }] }));
  assert.equal(held(), first, 'another is wanted');
  mirror.shareFirewall(firewallOf({ ports4: [wanted] }));
  assert.equal(held(), wanted);
  mirror.load(read({ vip: VIP, port: 81, protocol: 'TCP' }, other));
  assert.equal(held(), other, 'one more is there');
  mirror.shareFirewall({ sets: new Map([['local4', new Map()]]) });
  assert.equal(held(), other);
});

test('elements of a set that the dump did not name', () => {
  const mirror = new KernelMirror(new FakeKernel());
  mirror.load({ ...observedOf([]), firewall: { sets: new Map() } });
  mirror.apply(addElement('local6', parseIp('2001:db8::1')));
  const sets = typeof mirror.firewall === 'object' ? mirror.firewall.sets : undefined;
  assert.equal(sets?.get('local6')?.size, 1);
});

test('a set of a real server that the last dump lacked adds it', () => {
  const mirror = new KernelMirror(new FakeKernel());
  mirror.load(observedOf([VS]));
  mirror.apply({ op: 'rs.set', server, real: { ...real, weight: 0 } });
  const entry = mirror.virtualServers?.get(virtualServerKey(server));
  assert.deepEqual(entry?.realServers.get(realServerKey(real)), { ...real, weight: 0 });
});
