// Addresses are bound only while the director announces; the virtual servers are the same on all of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AgentUnderTest, SERVED, WEB } from './agent-under-test.ts';
import { NODE, service } from '../objects.ts';

const RULES = SERVED.replace(/^ip address.*\n/m, '');
const SILENT = { ...NODE, announces: false };

test('a director that does not announce has the rules and no address', async () => {
  const under = await AgentUnderTest.started({ objects: WEB, node: SILENT });
  assert.equal(under.kernel.dump(), RULES);
  assert.equal(under.reports.get('default/web')?.isProgrammed, true);
});

test('it binds and announces when it is told, and withdraws again', async () => {
  const under = await AgentUnderTest.started({ objects: WEB, node: SILENT });
  under.takeOps();
  const announced = under.agent.setAnnounces(true);
  await under.advance(100);
  await announced;
  assert.equal(under.kernel.dump(), SERVED);
  assert.deepEqual(under.takeOps(), ['vip.add', 'vip.announce']);
  const same = under.agent.setAnnounces(true);
  await under.advance(100);
  await same;
  assert.deepEqual(under.takeOps(), []);
  const withdrawn = under.agent.setAnnounces(false);
  await under.advance(100);
  await withdrawn;
  assert.equal(under.kernel.dump(), RULES);
  assert.deepEqual(under.takeOps(), ['vip.del']);
});

test('what is withdrawn waits for nothing else', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.takeOps();
  under.set(service({ name: 'new', ingress: ['192.0.2.11'] }));
  void under.agent.setAnnounces(false);
  await under.advance(100);
  assert.deepEqual(under.takeOps()[0], 'vip.del');
});

test('a VIP that an earlier life left bound goes where another director announces', async () => {
  const before = await AgentUnderTest.started({ objects: WEB });
  await before.agent.stop();
  const after = await AgentUnderTest.started({
    objects: WEB,
    kernel: before.kernel,
    node: SILENT,
  });
  assert.equal(after.kernel.dump(), RULES);
});

test('before the caches are filled it is only remembered', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  await under.agent.setAnnounces(false);
  under.agent.setSynced(true);
  await under.advance(1);
  assert.equal(under.kernel.dump(), RULES);
});
