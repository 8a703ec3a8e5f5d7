// That an address came to this director is said once it is announced, and of nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT_MS } from '../../../../src/ipvs-node/reconcile/agenda.ts';
import { FirstAnnouncements } from '../../../../src/ipvs-node/reconcile/first-announcements.ts';
import { ALL_HELD, NONE_HELD } from '../../../../src/ipvs-node/model/held-groups.ts';
import { parseIp } from '../../../../src/net/address.ts';
import { AgentUnderTest, SERVED, WEB } from './agent-under-test.ts';
import { NODE, service } from '../objects.ts';

const VIP = parseIp('192.0.2.10');
const NEWS = '192.0.2.10 eth0 default/web';

test('an address is news at its first announcement since it was bound', () => {
  const first = new FirstAnnouncements();
  const here = (): boolean => true;
  assert.deepEqual(first.take({ bound: [], announced: [VIP] }, here), []);
  assert.deepEqual(first.take({ bound: [VIP], announced: [] }, here), []);
  assert.deepEqual(first.take({ bound: [], announced: [VIP] }, here), [VIP]);
  assert.deepEqual(first.take({ bound: [], announced: [VIP] }, here), []);
  assert.deepEqual(first.take({ bound: [VIP], announced: [VIP] }, here), [VIP]);
});

test('an address that went before it was announced is forgotten', () => {
  const first = new FirstAnnouncements();
  first.take({ bound: [VIP], announced: [] }, () => false);
  assert.deepEqual(
    first.take({ bound: [], announced: [VIP] }, () => true),
    [],
  );
});

test('it is told of each Service of the address, when it comes and when it comes back', async () => {
  const shared = service({ name: 'other', spec: { ports: [{ port: 81 }] } });
  const node = { ...NODE, held: NONE_HELD };
  const under = await AgentUnderTest.started({ objects: [...WEB, shared], node });
  assert.deepEqual(under.announced, []);
  void under.agent.setHeld(ALL_HELD);
  await under.advance(100);
  assert.deepEqual(under.announced, ['192.0.2.10 eth0 default/other,default/web']);
  void under.agent.setHeld(NONE_HELD);
  await under.advance(100);
  void under.agent.setHeld(ALL_HELD);
  await under.advance(100);
  assert.equal(under.announced.length, 2);
});

test('it is not told before the announcement was sent', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  under.kernel.fault = ({ op }) => (op === 'vip.announce' ? 'ENETDOWN' : undefined);
  under.agent.setSynced(true);
  await under.advance(100);
  assert.ok(under.kernel.addresses.has(VIP));
  assert.deepEqual(under.announced, []);
  under.kernel.fault = undefined;
  await under.advance(30_000);
  assert.deepEqual(under.announced, [NEWS]);
});

test('it is not told by a restart, a repair, or a link that comes up', async () => {
  const { kernel, announced } = await AgentUnderTest.started({ objects: WEB });
  assert.deepEqual(announced, [NEWS]);
  const under = await AgentUnderTest.started({ objects: WEB, kernel });
  kernel.removeAddress(VIP, 'eth0');
  await under.advance(100);
  assert.equal(kernel.dump(), SERVED);
  kernel.addresses.delete(VIP); // nobody tells of it
  await under.advance(2 * AUDIT_MS);
  assert.equal(kernel.dump(), SERVED);
  kernel.tell({ kind: 'link', interface: 'eth0', up: true });
  await under.advance(100);
  assert.deepEqual(under.announced, []);
});
