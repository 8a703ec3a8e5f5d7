// The audit as the agent runs it: what it repairs, what waits for it, and readings of the host that others disturb.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT_MS } from '../../../../src/ipvs-node/reconcile/agenda.ts';
import { parseIp } from '../../../../src/net/address.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';
import { settle } from '../../runtime/fake-clock.ts';
import { AgentUnderTest, SERVED, WEB } from './agent-under-test.ts';
import { pool, service, slice } from '../objects.ts';

const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const VIP = parseIp('192.0.2.10');
const FOREIGN = parseIp('192.0.2.99');

test('the audit reads all after a minute and finds nothing to do', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.takeOps();
  await under.advance(AUDIT_MS + 1000);
  const { observeCount, partialObserveCount, hostObserveCount } = under.kernel;
  assert.deepEqual([observeCount, partialObserveCount, hostObserveCount], [1, 1, 1]);
  assert.deepEqual(under.takeOps(), []);
  await under.advance(AUDIT_MS);
  assert.equal(under.kernel.hostObserveCount, 2);
});

test('the audit repairs what somebody edited behind our back', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  const real = '10.0.0.1:8080' as RealServerKey;
  const found = under.kernel.virtualServers.get(KEY)?.realServers;
  const entry = found?.get(real);
  if (found === undefined || entry === undefined) throw new Error('not served');
  found.set(real, { ...entry, weight: 0 });
  under.kernel.firewall.clear();
  under.kernel.sysctls.set('net/ipv4/vs/conntrack', 0);
  under.kernel.addresses.delete(VIP);
  under.takeOps();
  await under.advance(AUDIT_MS + 1000);
  assert.equal(under.kernel.dump(), SERVED);
  const ops = under.takeOps();
  for (const op of ['rs.set', 'vip.add', 'fw.add', 'sysctl.set']) assert.ok(ops.includes(op), op);
});

test('a change does not wait for the audit', async () => {
  const objects = [pool({ addresses: ['10.128.0.0/16'] })];
  for (let i = 0; i < 1000; i++) {
    const ingress = [`10.128.${(i >> 8) & 255}.${i & 255}`];
    objects.push(service({ name: `s${i}`, ingress }), slice(['10.0.0.1'], { of: `s${i}` }));
  }
  const under = await AgentUnderTest.started({ objects });
  await under.advance(AUDIT_MS + 100);
  const begun = under.kernel.partialObserveCount;
  assert.ok(begun > 0 && begun < 5, `${begun} steps`);
  under.takeOps();
  under.set(slice(['10.0.0.1', '10.0.0.2'], { of: 's999' }));
  await under.advance(60);
  assert.deepEqual(under.takeOps(), ['rs.add']);
  assert.equal(under.kernel.hostObserveCount, 0, 'the audit goes on');
  await under.advance(2000);
  assert.equal(under.kernel.hostObserveCount, 1);
  assert.equal(under.kernel.observeCount, 1);
});

test('a step of the audit that misses a virtual server takes it for a flush', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.canary = () => Promise.resolve(true);
  under.kernel.flush();
  await under.advance(AUDIT_MS + 1000);
  assert.equal(under.kernel.dump(), SERVED);
  assert.equal(under.kernel.observeCount, 2);
});

test('a host that can not be read in steps is read at once', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.observeHost = () => Promise.reject(new Error('no memory'));
  await under.advance(AUDIT_MS + 1000);
  assert.equal(under.kernel.observeCount, 2);
  assert.equal(under.kernel.dump(), SERVED);
});

test('a host that is never read undisturbed is read at once', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  const { kernel } = under;
  const observeHost = kernel.observeHost.bind(kernel);
  kernel.observeHost = () => {
    kernel.addForeignAddress(FOREIGN, 'eth0');
    kernel.removeAddress(FOREIGN, 'eth0');
    return observeHost();
  };
  await under.advance(AUDIT_MS + 30_000);
  assert.deepEqual([kernel.hostObserveCount, kernel.observeCount], [5, 2]);
  assert.equal(kernel.dump(), SERVED);
});

/** Through its first round, and reading the host's part: as it is now, answered when the test says so. */
async function readingHost(): Promise<{ readonly under: AgentUnderTest; answer: () => void }> {
  const under = await AgentUnderTest.started({ objects: WEB });
  const { kernel } = under;
  const observeHost = kernel.observeHost.bind(kernel);
  const held = Promise.withResolvers<undefined>();
  kernel.observeHost = async () => {
    const host = await observeHost();
    await held.promise;
    return host;
  };
  await under.advance(AUDIT_MS + 1000);
  assert.equal(kernel.hostObserveCount, 1);
  return { under, answer: () => held.resolve(undefined) };
}

test('a reading of the host from before our own edit does not count', async () => {
  const { under, answer } = await readingHost();
  under.takeOps();
  under.set(service({ name: 'new', ingress: ['192.0.2.11'] }), slice(['10.0.0.3'], { of: 'new' }));
  await under.advance(100);
  assert.ok(under.takeOps().includes('vip.add'));
  answer();
  await under.advance(AUDIT_MS / 2);
  assert.deepEqual(under.takeOps(), []);
  assert.equal(under.kernel.hostObserveCount, 2, 'it is read again');
});

test('stop waits for the reading of the host', async () => {
  const { under, answer } = await readingHost();
  let isStopped = false;
  const stopped = under.agent.stop().then(() => {
    isStopped = true;
  });
  await settle();
  assert.equal(isStopped, false);
  answer();
  await stopped;
});
