// The same agents when a director dies: the next one follows it, and it comes first again when it is back.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { pool, service } from './assigner-world.ts';
import { patiently as until } from './guest.ts';
import { NodeWorld, served, slice } from './node-world.ts';

suite('a director that dies', { timeout: 890_000 }, () => {
  let world: NodeWorld;

  before(async () => {
    world = await NodeWorld.start({ leaseSeconds: 30 });
    await world.apply(pool('public', '10.0.0.100-10.0.0.109'));
    await world.apply(service('web', {}, { 'vipvs.io/drain-seconds': '1' }));
    await world.apply(slice('web', ['10.0.0.21']));
    await world.untilRules(served(1));
    await world.untilAnnounces('d1');
  });
  after(async () => {
    await world.stop();
  });

  test('a director that dies is followed by the next, and comes first again when it is back', async () => {
    await world.stopAgent('d1', 'SIGKILL');
    await world.guest.output('d1', ['ip', 'link', 'set', 'eth0', 'down']);
    await until('d2 announces when the Lease has expired', () => world.hasVip('d2'));
    assert.match(await world.answers(), /be1=6/);
    await world.guest.output('d1', ['ip', 'link', 'set', 'eth0', 'up']);
    // it went with the link
    await world.guest.output('d1', ['ip', 'route', 'replace', 'default', 'via', '10.0.0.1']);
    await world.startAgent('d1');
    await until('d1 announces again', async () => {
      const holder = await world.announcer();
      return holder === 'd1' && (await world.hasVip('d1')) && !(await world.hasVip('d2'));
    });
    assert.match(await world.answers(), /be1=6/);
  });
});
