// The agent when the kernel refuses, answers get lost, links go, and others edit the same tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Op } from '../../../../src/ipvs-node/model/kernel.ts';
import { parseIp } from '../../../../src/net/address.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';
import { AgentUnderTest, lines, OK, SERVED, WEB } from './agent-under-test.ts';
import { pool, service, slice } from '../objects.ts';

const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const VIP = parseIp('192.0.2.10');

test('a scheduler that the kernel lacks is a problem of that Service only', async () => {
  const mh = service({
    name: 'mh',
    metadata: { annotations: { 'vipvs.io/scheduler': 'mh' } },
    ingress: ['192.0.2.11'],
  });
  const under = await AgentUnderTest.started({
    objects: [...WEB, mh, slice(['10.0.0.1'], { of: 'mh' })],
    schedulers: ['rr'],
  });
  assert.equal(under.kernel.dump(), SERVED);
  assert.deepEqual(under.problems('default/mh'), [
    'SchedulerMissing: cannot add virtual server 192.0.2.11:80/TCP: the kernel has no scheduler mh (module ip_vs_mh); it is tried again',
  ]);
  assert.equal(under.reports.get('default/mh')?.isProgrammed, false);
  assert.deepEqual(under.reports.get('default/web'), OK);
  under.takeOps();
  await under.advance(60_000);
  const tries = under.takeOps().filter((op) => op === 'vs.add').length;
  assert.ok(tries >= 4 && tries <= 9, `tried ${tries} times in a minute, ever more seldom`);
  assert.equal(under.reportCount, 2);
});

test('an interface that comes late', async () => {
  const under = await AgentUnderTest.started({ objects: WEB, interfaces: ['lo'] });
  assert.equal(lines(under).length, 3, 'the virtual server is there');
  assert.deepEqual(under.problems('default/web'), [
    'InterfaceMissing: cannot add address 192.0.2.10 on eth0: the interface is missing (ENODEV); it is tried again',
  ]);
  under.kernel.setLink('eth0', true);
  await under.advance(100);
  assert.equal(under.kernel.dump(), SERVED);
  assert.deepEqual(under.reports.get('default/web'), OK);
});

test('a link that goes down is said; when it is back its addresses are announced', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.tell({ kind: 'link', interface: 'eth0', up: false });
  await under.advance(100);
  assert.deepEqual(under.problems('default/web'), [
    'InterfaceMissing: 192.0.2.10: interface eth0 is down',
  ]);
  under.takeOps();
  under.kernel.tell({ kind: 'link', interface: 'eth0', up: true });
  under.kernel.tell({ kind: 'link', interface: 'eth9', up: true });
  await under.advance(100);
  assert.deepEqual(under.takeOps(), ['vip.announce']);
  assert.deepEqual(under.reports.get('default/web'), OK);
});

const NOT_OURS: readonly { readonly name: string; readonly isForeign: boolean }[] = [
  { name: 'that somebody else bound', isForeign: true },
  { name: 'that could not be bound', isForeign: false },
];
for (const { name, isForeign } of NOT_OURS) {
  test(`a VIP ${name} is not announced when the link comes up`, async () => {
    const under = new AgentUnderTest({ objects: WEB });
    if (isForeign) under.kernel.addForeignAddress(VIP, 'eth0');
    else under.kernel.fault = (op) => (op.op === 'vip.add' ? 'EPERM' : undefined);
    under.agent.setSynced(true);
    await under.advance(10);
    under.kernel.tell({ kind: 'link', interface: 'eth0', up: true });
    await under.advance(5000);
    assert.ok(!under.takeOps().includes('vip.announce'));
  });
}

test('an announcement that fails is tried again, until nobody wants the address', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  let failures = 2;
  under.kernel.fault = (op: Op) =>
    op.op === 'vip.announce' && failures-- > 0 ? 'ENETDOWN' : undefined;
  under.agent.setSynced(true);
  await under.advance(10);
  assert.ok(under.problems('default/web')?.[0]?.includes('the interface is down (ENETDOWN)'));
  await under.advance(5000);
  assert.deepEqual(under.reports.get('default/web'), OK);
  under.kernel.fault = (op: Op) => (op.op === 'vip.announce' ? 'ENETDOWN' : undefined);
  under.kernel.removeAddress(VIP, 'eth0');
  await under.advance(100);
  under.delete('Service', 'default/web');
  await under.advance(5000);
  under.takeOps();
  await under.advance(30_000);
  assert.deepEqual(under.takeOps(), []);
});

test('what fails in building is not followed by drains and deletions', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.fault = (op: Op) => (op.op === 'rs.add' ? 'EPERM' : undefined);
  under.takeOps();
  under.set(slice(['10.0.0.3']));
  await under.advance(100);
  assert.deepEqual(under.takeOps(), ['rs.add']);
  assert.ok(under.problems('default/web')?.[0]?.startsWith('KernelError: cannot add real server'));
  under.kernel.fault = undefined;
  await under.advance(5000);
  assert.deepEqual(under.takeOps().slice(0, 3), ['rs.add', 'rs.set', 'rs.set']);
  assert.deepEqual(under.reports.get('default/web'), OK);
});

test('answers that are lost lead to a dump, and to no complaint', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  let failures = 1;
  under.kernel.fault = (op: Op) => (op.op === 'rs.add' && failures-- > 0 ? 'unknown' : undefined);
  under.set(slice(['10.0.0.1', '10.0.0.2', '10.0.0.3']));
  await under.advance(2000);
  assert.equal(under.kernel.virtualServers.get(KEY)?.realServers.size, 3);
  assert.equal(under.kernel.observeCount, 2);
  assert.deepEqual(under.reports.get('default/web'), OK);
});

test('somebody edits by hand: EEXIST, ESRCH and ENOENT end in the wanted state', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.virtualServers.get(KEY)?.realServers.delete('10.0.0.1:8080' as RealServerKey);
  under.set(slice(['10.0.0.2', '10.0.0.3']));
  await under.advance(5000);
  under.kernel.flush();
  under.set(slice(['10.0.0.2', '10.0.0.1']));
  await under.advance(5000);
  assert.equal(under.kernel.dump(), SERVED);
});

test('a virtual server that turns out to be somebody elses gets none of our real servers', async () => {
  const under = await AgentUnderTest.started({ objects: [pool()] });
  under.kernel.addForeign({
    server: {
      vip: VIP,
      port: 80,
      protocol: 'TCP',
      scheduler: 'wlc',
      schedulerFlags: [],
      persistenceSeconds: 0,
    },
    realServers: new Map(),
  });
  under.set(...WEB);
  await under.advance(5000);
  assert.equal(under.kernel.dump(), '-A -t 192.0.2.10:80 -s wlc\n');
  assert.ok(under.problems('default/web')?.[0]?.startsWith('ForeignVirtualServer'));
});

test('a virtual server of somebody else is left alone until it is gone', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  under.kernel.addForeign({
    server: {
      vip: VIP,
      port: 80,
      protocol: 'TCP',
      scheduler: 'wlc',
      schedulerFlags: [],
      persistenceSeconds: 0,
    },
    realServers: new Map(),
  });
  under.agent.setSynced(true);
  await under.advance(10);
  assert.equal(under.kernel.dump(), '-A -t 192.0.2.10:80 -s wlc\n');
  assert.ok(under.problems('default/web')?.[0]?.startsWith('ForeignVirtualServer'));
  const { observeCount } = under.kernel;
  under.kernel.flush();
  await under.advance(5_000);
  assert.equal(under.kernel.dump(), SERVED, 'it asks for that one, and waits for no audit');
  assert.equal(under.kernel.observeCount, observeCount);
  assert.deepEqual(under.reports.get('default/web'), OK);
});

test('the address of the host itself is refused, and taken when it is free', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  under.kernel.addForeignAddress(VIP, 'lo');
  under.agent.setSynced(true);
  await under.advance(10);
  assert.equal(under.kernel.dump(), 'ip address add 192.0.2.10/32 dev lo\n');
  assert.ok(under.problems('default/web')?.[0]?.startsWith('AddressOfHost'));
  const { observeCount } = under.kernel;
  under.kernel.removeAddress(parseIp('192.0.2.77'), 'lo');
  await under.advance(100);
  assert.equal(under.kernel.observeCount, observeCount, 'nobody waits for that one');
  under.kernel.removeAddress(VIP, 'lo');
  await under.advance(100);
  assert.equal(under.kernel.dump(), SERVED);
});

test('a kernel that cannot be read is tried again', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  const observe = under.kernel.observe.bind(under.kernel);
  let failures = 3;
  under.kernel.observe = () => (failures-- > 0 ? Promise.reject(new Error('broken')) : observe());
  under.agent.setSynced(true);
  await under.advance(10_000);
  assert.equal(under.kernel.dump(), SERVED);
});

test('a setting that cannot be made concerns the node, not a Service', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  under.kernel.fault = (op: Op) => (op.op === 'sysctl.set' ? 'EROFS' : undefined);
  under.agent.setSynced(true);
  await under.advance(10);
  assert.deepEqual(under.reports.get('default/web'), OK);
  assert.deepEqual(under.agent.nodeProblems, [
    'cannot set sysctl net/ipv4/vs/conntrack to 1: EROFS; it is tried again',
  ]);
  under.kernel.fault = undefined;
  await under.advance(5000);
  assert.deepEqual(under.agent.nodeProblems, []);
  assert.equal(under.kernel.sysctls.get('net/ipv4/vs/conntrack'), 1);
});

test('a firewall element that cannot be added is a problem of its Services', async () => {
  const under = new AgentUnderTest({ objects: [pool(), service(), slice(['10.0.0.1@n1'])] });
  under.kernel.fault = (op: Op) => (op.op === 'fw.add' ? 'EOPNOTSUPP' : undefined);
  under.agent.setSynced(true);
  await under.advance(10);
  assert.ok(under.problems('default/web')?.[0]?.startsWith('KernelError: cannot add nft element'));
  under.kernel.fault = undefined;
  await under.advance(5000);
  assert.deepEqual(under.reports.get('default/web'), OK);
  assert.equal(under.kernel.firewall.get('local4')?.size, 1);
});

test('a kernel without nft', async () => {
  const under = await AgentUnderTest.started({ objects: WEB, hasFirewall: false });
  assert.equal(under.kernel.dump(), SERVED);
  assert.ok(!under.takeOps().includes('fw.add'));
});

test('kube-proxy in mode ipvs is named beside what somebody else holds; its change is seen', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  under.kernel.addForeignAddress(VIP, 'kube-ipvs0');
  under.kernel.addForeign({
    server: {
      vip: VIP,
      port: 80,
      protocol: 'TCP',
      scheduler: 'rr',
      schedulerFlags: [],
      persistenceSeconds: 0,
    },
    realServers: new Map(),
  });
  under.agent.setKubeProxy({ hasKubeProxy: true, kubeProxyMode: 'ipvs' });
  under.agent.setSynced(true);
  await under.advance(10);
  assert.match(under.problems('default/web')?.join() ?? '', /^TakenByKubeProxy[^,]*mode ipvs/);
  under.set(service({ ingress: [{ ip: '192.0.2.10', ipMode: 'Proxy' }] }));
  await under.advance(1000);
  const text = under.problems('default/web')?.join() ?? '';
  assert.match(text, /AddressOfHost/);
  under.agent.setKubeProxy({ hasKubeProxy: false });
  await under.advance(1000);
  assert.match(under.problems('default/web')?.join() ?? '', /AddressOfHost/);
});
