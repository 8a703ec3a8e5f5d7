// Addresses are bound only where the director holds their group; the virtual servers are the same on all of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL_HELD, heldGroups, NONE_HELD } from '../../../../src/ipvs-node/model/held-groups.ts';
import { AgentUnderTest, lines, SERVED, WEB } from './agent-under-test.ts';
import { NODE, service } from '../objects.ts';

const RULES = SERVED.replace(/^ip address.*\n/m, '');
const SILENT = { ...NODE, held: NONE_HELD };

test('a director that holds nothing has the rules and no address', async () => {
  const under = await AgentUnderTest.started({ objects: WEB, node: SILENT });
  assert.equal(under.kernel.dump(), RULES);
  assert.equal(under.reports.get('default/web')?.isProgrammed, true);
});

test('it binds and announces when it is told, and withdraws again', async () => {
  const under = await AgentUnderTest.started({ objects: WEB, node: SILENT });
  under.takeOps();
  const announced = under.agent.setHeld(ALL_HELD);
  await under.advance(100);
  await announced;
  assert.equal(under.kernel.dump(), SERVED);
  assert.deepEqual(under.takeOps(), ['vip.add', 'vip.announce']);
  const same = under.agent.setHeld(ALL_HELD);
  await under.advance(100);
  await same;
  assert.deepEqual(under.takeOps(), []);
  const withdrawn = under.agent.setHeld(NONE_HELD);
  await under.advance(100);
  await withdrawn;
  assert.equal(under.kernel.dump(), RULES);
  assert.deepEqual(under.takeOps(), ['vip.del']);
});

test('each group moves by itself; what goes is gone before what comes is bound', async () => {
  const groupOf = (vip: string): string => (/[02468]$/.test(vip) ? 'even' : 'odd');
  const only = (...groups: readonly string[]) => heldGroups(groups, groupOf);
  const vips = (): readonly string[] =>
    lines(under).flatMap((line) => /^ip address add (\S+)\//.exec(line)?.[1] ?? []);
  const objects = [...WEB, service({ name: 'odd', ingress: ['192.0.2.11'] })];
  const under = await AgentUnderTest.started({ objects, node: { ...NODE, held: only('even') } });
  assert.deepEqual(vips(), ['192.0.2.10']);
  under.takeOps();
  void under.agent.setHeld(only('odd'));
  await under.advance(100);
  assert.deepEqual(vips(), ['192.0.2.11']);
  assert.deepEqual(under.takeOps(), ['vip.del', 'vip.add', 'vip.announce']);
  void under.agent.setHeld(only('even', 'odd'));
  await under.advance(100);
  assert.deepEqual(under.takeOps(), ['vip.add', 'vip.announce']);
  // a new Service's VIP is bound where its group is, and one that moves between Services stays
  void under.agent.setHeld(only('odd'));
  under.set(service({ name: 'new', ingress: ['192.0.2.12'] }));
  under.set(service({ name: 'newer', ingress: ['192.0.2.13'] }));
  await under.advance(100);
  assert.deepEqual(vips(), ['192.0.2.11', '192.0.2.13']);
});

test('what is withdrawn waits for nothing else', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.takeOps();
  under.set(service({ name: 'new', ingress: ['192.0.2.11'] }));
  void under.agent.setHeld(NONE_HELD);
  await under.advance(100);
  assert.deepEqual(under.takeOps()[0], 'vip.del');
});

test('a VIP that an earlier life left bound goes where another director holds it', async () => {
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
  await under.agent.setHeld(NONE_HELD);
  under.agent.setSynced(true);
  await under.advance(1);
  assert.equal(under.kernel.dump(), RULES);
});
