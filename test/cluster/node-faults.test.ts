// The same agents when things fail: the API server away for longer than the Lease can be renewed, and a director that dies.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { pool, service } from './assigner-world.ts';
import { patiently as until } from './guest.ts';
import { DIRECTORS } from './guest-protocol.ts';
import { NodeWorld, served, slice } from './node-world.ts';

suite('agents and faults', { timeout: 290_000 }, () => {
  let world: NodeWorld;

  before(async () => {
    world = await NodeWorld.start();
    await world.apply(pool('public', '10.0.0.100-10.0.0.109'));
    await world.apply(service('web', {}, { 'vipvs.io/drain-seconds': '1' }));
    await world.apply(slice('web', ['10.0.0.22', '10.0.0.23']));
    await world.untilRules(served(2, 3));
    await until('d1 announces', () => world.hasVip('d1'));
  });
  after(async () => {
    await world.stop();
  });

  test('the API server is killed and comes back: no churn, and then it goes on', async () => {
    const before = await Promise.all(DIRECTORS.map((name) => world.kernelOps(name)));
    await world.plane.apiserver.kill();
    await until('the agent says so', async () => {
      return (await world.ready('d1')) === undefined;
    });
    // longer than the Lease can be renewed: still nothing is withdrawn
    await new Promise((resolve) => setTimeout(resolve, 22_000));
    assert.match(await world.answers(), /be2=3 be3=3/, 'the data plane goes on');
    await world.plane.apiserver.start();
    await until('the agents are ready again', async () => {
      const ready = DIRECTORS.map((name) => world.ready(name));
      return (await Promise.all(ready)).every((each) => each !== undefined);
    });
    assert.deepEqual(await Promise.all(DIRECTORS.map((name) => world.kernelOps(name))), before);
    await world.apply(slice('web', ['10.0.0.21']));
    await world.untilRules(served(1));
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
