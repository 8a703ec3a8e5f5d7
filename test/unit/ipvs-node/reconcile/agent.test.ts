// The agent over time: rounds, drains, restarts, and how little a change costs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT_MS, CANARY_MS } from '../../../../src/ipvs-node/reconcile/agenda.ts';
import { parseIp } from '../../../../src/net/address.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';
import { AgentUnderTest, lines, OK, SERVED, WEB } from './agent-under-test.ts';
import { ip, node, pool, service, slice } from '../objects.ts';

const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const VIP = parseIp('192.0.2.10');
const FOREIGN = parseIp('192.0.2.99');

test('nothing is read or written before the source has synced', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  under.agent.changed(undefined, WEB[1]);
  under.agent.audit();
  await under.advance(2 * AUDIT_MS);
  assert.deepEqual([under.kernel.observeCount, under.takeOps()], [0, []]);
  assert.equal(under.agent.isReady, false);
});

test('the first full round', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  assert.equal(under.kernel.dump(), SERVED);
  assert.equal(under.agent.isReady, true);
  assert.deepEqual(under.reports.get('default/web'), OK);
  assert.equal(under.rounds[0]?.counts.get('rs.add ok'), 2);
  assert.ok(under.agent.observed.owned.virtualServers.has(KEY));
  assert.equal(under.agent.desired.virtualServers.size, 1);
});

test('a round with nothing to do writes nothing and dumps nothing', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.takeOps();
  for (const object of WEB) under.set(object);
  await under.advance(AUDIT_MS / 2);
  assert.deepEqual(under.takeOps(), []);
  assert.equal(under.kernel.observeCount, 1);
  assert.equal(under.kernel.partialObserveCount, 0);
  assert.equal(under.reportCount, 1);
});

test('one endpoint among 20,000 Services: one operation, no dump', async () => {
  const objects = [pool({ addresses: ['10.128.0.0/16'] })];
  for (let i = 0; i < 20_000; i++) {
    const address = `10.128.${(i >> 8) & 255}.${i & 255}`;
    objects.push(
      service({ name: `s${i}`, ingress: [address] }),
      slice(['10.0.0.1', '10.0.0.2'], { of: `s${i}` }),
    );
  }
  const under = await AgentUnderTest.started({ objects });
  assert.equal(under.kernel.virtualServers.size, 20_000);
  under.takeOps();
  under.set(slice(['10.0.0.1', '10.0.0.2', '10.0.0.3'], { of: 's777' }));
  await under.advance(100);
  assert.deepEqual(under.takeOps(), ['rs.add']);
  assert.equal(under.kernel.observeCount, 1);
  assert.equal(under.kernel.partialObserveCount, 0);
});

test('changes that come together are one round', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  for (let i = 3; i < 50; i++) under.set(slice(['10.0.0.1', '10.0.0.2', `10.0.0.${i}`]));
  await under.advance(1000);
  assert.equal(under.rounds.length, 2);
});

test('ipvsadm -C is repaired within two seconds', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.flush();
  await under.advance(2000);
  assert.equal(under.kernel.dump(), SERVED);
});

test('the canary looks at every virtual server in turn', async () => {
  const ports = [80, 81, 82, 83, 84].map((port) => ({ port, targetPort: 8080 }));
  const under = await AgentUnderTest.started({ objects: [pool(), service({ spec: { ports } })] });
  under.kernel.virtualServers.delete('192.0.2.10:84/TCP' as VirtualServerKey);
  await under.advance(4 * CANARY_MS);
  assert.equal(under.kernel.virtualServers.size, 5);
});

test('an address that somebody removes is restored at once', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.takeOps();
  await under.advance(200);
  under.kernel.removeAddress(VIP, 'eth0');
  await under.advance(10);
  assert.deepEqual(under.takeOps(), ['vip.add', 'vip.announce']);
  assert.equal(under.kernel.dump(), SERVED);
});

test('an address that nobody wants stays away', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.addForeignAddress(FOREIGN, 'eth0');
  under.takeOps();
  under.kernel.removeAddress(FOREIGN, 'eth0');
  await under.advance(10);
  assert.deepEqual(under.takeOps(), []);
});

test('a real server drains, waits for its connections, and goes', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  const real = '10.0.0.1:8080' as RealServerKey;
  under.takeOps();
  under.kernel.setConnections(KEY, real, 3);
  under.set(slice(['10.0.0.2']));
  await under.advance(5000);
  assert.deepEqual(under.takeOps(), ['rs.set']);
  assert.ok(lines(under)[1]?.endsWith('10.0.0.1:8080 -m -w 0'));
  assert.equal(under.kernel.observeCount, 1, 'only the draining virtual server is read');
  under.kernel.setConnections(KEY, real, 0, 1);
  await under.advance(2000);
  assert.deepEqual(under.takeOps(), []);
  under.kernel.setConnections(KEY, real, 0);
  await under.advance(1000);
  assert.deepEqual(under.takeOps(), ['rs.del', 'fw.del'].slice(0, 1));
});

test('a change elsewhere in the virtual server never deletes on counts that are old', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.set(slice(['10.0.0.2']));
  await under.advance(60);
  under.kernel.setConnections(KEY, '10.0.0.1:8080' as RealServerKey, 1);
  under.takeOps();
  under.set(slice(['10.0.0.2', '10.0.0.3']));
  await under.advance(60);
  assert.deepEqual(under.takeOps(), ['rs.add']);
});

test('a drain ends at its deadline', async () => {
  const under = await AgentUnderTest.started({
    objects: [pool({ defaults: { drainSeconds: 10 } }), ...WEB.slice(1)],
  });
  under.kernel.setConnections(KEY, '10.0.0.1:8080' as RealServerKey, 1);
  under.takeOps();
  under.set(slice(['10.0.0.2']));
  await under.advance(9000);
  assert.deepEqual(under.takeOps(), ['rs.set']);
  await under.advance(1100);
  assert.deepEqual(under.takeOps(), ['rs.del']);
});

test('one that returns while it drains gets its weight back', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.setConnections(KEY, '10.0.0.1:8080' as RealServerKey, 1);
  under.set(slice(['10.0.0.2']));
  await under.advance(3000);
  under.takeOps();
  under.set(slice(['10.0.0.1', '10.0.0.2']));
  await under.advance(3000);
  assert.deepEqual(under.takeOps(), ['rs.set']);
  assert.equal(under.kernel.dump(), SERVED);
});

test('the counts of a drain cannot be read: nothing is deleted', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.set(slice(['10.0.0.2']));
  await under.advance(100);
  under.takeOps();
  under.kernel.unreadable.add('virtualServers');
  await under.advance(5000);
  assert.deepEqual(under.takeOps(), []);
  under.kernel.unreadable.clear();
  await under.advance(40_000);
  assert.deepEqual(under.takeOps(), ['rs.del']);
});

test('a deleted Service leaves nothing behind', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.takeOps();
  under.delete('Service', 'default/web');
  await under.advance(100);
  assert.equal(under.kernel.dump(), '');
  assert.deepEqual(under.takeOps(), ['vip.del', 'vs.del', 'fw.del', 'fw.del']);
  assert.deepEqual(
    [...under.kernel.firewall.values()].map((set) => set.size),
    Array(10).fill(0),
  );
  assert.equal(under.reports.size, 0);
});

test('a restart changes nothing', async () => {
  const first = await AgentUnderTest.started({ objects: WEB });
  await first.agent.stop();
  assert.equal(first.kernel.dump(), SERVED);
  first.takeOps();
  const second = await AgentUnderTest.started({ objects: WEB, kernel: first.kernel });
  await second.advance(5000);
  assert.deepEqual(second.takeOps(), []);
  assert.equal(second.agent.isReady, true);
});

test('an earlier agent left a drain half done: it goes on', async () => {
  const first = await AgentUnderTest.started({ objects: WEB });
  first.kernel.setConnections(KEY, '10.0.0.1:8080' as RealServerKey, 1);
  first.set(slice(['10.0.0.2']));
  await first.advance(100);
  await first.agent.stop();
  const second = await AgentUnderTest.started({
    objects: [pool(), service(), slice(['10.0.0.2'])],
    kernel: first.kernel,
  });
  second.kernel.setConnections(KEY, '10.0.0.1:8080' as RealServerKey, 0);
  await second.advance(2000);
  assert.equal(second.kernel.virtualServers.get(KEY)?.realServers.size, 1);
});

test('the source goes away: nothing is deleted, what is lost is restored', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.agent.setSynced(false);
  under.delete('Service', 'default/web');
  await under.advance(2 * AUDIT_MS);
  assert.equal(under.kernel.dump(), SERVED);
  under.kernel.flush();
  await under.advance(2000);
  assert.equal(under.kernel.dump(), SERVED);
  under.agent.setSynced(true);
  await under.advance(100);
  assert.equal(under.kernel.dump(), '');
});

test('an incomplete dump deletes nothing and is read again', async () => {
  const first = await AgentUnderTest.started({ objects: WEB });
  for (const part of ['virtualServers', 'addresses', 'firewall'] as const) {
    const under = new AgentUnderTest({ objects: [pool()], kernel: first.kernel });
    first.kernel.unreadable.clear();
    first.kernel.unreadable.add(part);
    under.agent.setSynced(true);
    await under.advance(10);
    const deleted = under.takeOps();
    if (part === 'virtualServers') assert.ok(!deleted.includes('vs.del'));
    if (part === 'addresses') assert.ok(!deleted.includes('vip.del'));
    assert.equal(under.agent.isReady, false);
    assert.equal(under.reportCount, 0);
    first.kernel.unreadable.clear();
    await under.advance(1000);
    assert.equal(under.agent.isReady, true);
    await under.agent.stop();
  }
});

test('the first dump is incomplete: nothing is added blindly, then all is', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  under.kernel.unreadable.add('virtualServers');
  under.agent.setSynced(true);
  await under.advance(10);
  assert.equal(under.kernel.dump(), '');
  under.set(slice(['10.0.0.1']));
  await under.advance(60);
  assert.equal(under.reportCount, 0);
  under.kernel.unreadable.clear();
  await under.advance(1000);
  assert.equal(lines(under).length, 3);
  assert.deepEqual(under.reports.get('default/web'), OK);
});

test('objects that touch no Service cost no round; Pools, IPs and Nodes touch theirs', async () => {
  const dr = service({
    name: 'dr',
    metadata: { annotations: { 'vipvs.io/forwarding': 'dr' } },
    ingress: ['192.0.2.12'],
  });
  const under = await AgentUnderTest.started({
    objects: [...WEB, dr, slice(['10.0.0.9@n2'], { of: 'dr' }), node('n2', '203.0.113.2')],
  });
  under.takeOps();
  under.set(node('n2', '203.0.113.2'), pool(), slice(['10.0.0.1'], { of: 'nobody' }));
  await under.advance(200);
  assert.deepEqual(under.takeOps(), []);
  under.set(node('n2', '203.0.113.3'));
  await under.advance(2000);
  assert.deepEqual(under.takeOps(), ['rs.add', 'rs.set', 'rs.del']);
  under.set(pool({ bindInterface: 'eth1' }));
  await under.advance(200);
  assert.equal(lines(under).filter((line) => line.endsWith('dev eth1')).length, 2);
  under.set(ip('192.0.2.10', ['somebody']));
  await under.advance(200);
  assert.ok(under.problems('default/web')?.[0]?.startsWith('AddressInUse'));
  under.delete('IP', '192.0.2.10');
  under.set(node('n1', '192.0.2.10'));
  await under.advance(200);
  assert.ok(under.problems('default/web')?.[0]?.startsWith('AddressOfHost'));
});
