// The same agents while the API server is away for longer than the Lease can be renewed.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { pool, service } from './assigner-world.ts';
import { patiently as until } from './guest.ts';
import { DIRECTORS } from './guest-protocol.ts';
import { NodeWorld, served, slice } from './node-world.ts';

/** Long enough for the guest's one processor. */
const LEASE_SECONDS = 30;

suite('agents without an API server', { timeout: 890_000 }, () => {
  let world: NodeWorld;

  before(async () => {
    world = await NodeWorld.start({ leaseSeconds: LEASE_SECONDS });
    await world.apply(pool('public', '10.0.0.100-10.0.0.109'));
    await world.apply(service('web', {}, { 'vipvs.io/drain-seconds': '1' }));
    await world.apply(slice('web', ['10.0.0.22', '10.0.0.23']));
    await world.untilRules(served(2, 3));
    await world.untilAnnounces('d1');
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
    await new Promise((resolve) => setTimeout(resolve, LEASE_SECONDS * 1000));
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
});
