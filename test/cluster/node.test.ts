// The agents of two directors in the lab's guest against a real API server, each with its own token and its shipped RBAC,
// the assigner on the host: what a user does with kubectl, down to the kernel and to answers at the VIP.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Condition } from '../../src/api/kubernetes.ts';
import { pool, service } from './assigner-world.ts';
import { patiently as until } from './guest.ts';
import { CLIENT, NodeWorld, served, slice, VIP } from './node-world.ts';

suite('agents on a real API server and a real kernel', { timeout: 890_000 }, () => {
  let world: NodeWorld;

  before(async () => {
    // longer than the restart of an agent takes on a busy machine: d2 must not follow meanwhile
    world = await NodeWorld.start({ leaseSeconds: 120 });
  });
  after(async () => {
    await world.stop();
  });

  test('Pool, Service, EndpointSlice: an address, rules on both directors, the VIP on one', async () => {
    await world.apply(pool('public', '10.0.0.100-10.0.0.109'));
    await world.apply(service('web', {}, { 'vipvs.io/drain-seconds': '1' }));
    await world.apply(slice('web', ['10.0.0.21', '10.0.0.22']));
    await world.untilRules(served(1, 2));
    await world.untilAnnounces('d1');
    assert.equal(await world.hasVip('d2'), false);
    assert.match(
      await world.get('svc web', '{.status.loadBalancer.ingress[0].ip}'),
      new RegExp(VIP),
    );
    assert.match(await world.answers(), /be1=3 be2=3/);
  });

  test('kubectl get directors shows what each of them holds', async () => {
    await until('both directors say it', async () => {
      const text = await world.plane.kubectl(['get', 'directors', '--no-headers']);
      const rows = text
        .trim()
        .split('\n')
        .map((line) => line.split(/ +/).slice(0, 5).join(' '));
      return rows.join() === 'd1 true 1 0 True,d2 false 1 0 True';
    });
    assert.equal(await world.announcer(), 'd1');
    // at most one write a second: what a write in the middle of the round did not show comes with the next one
    const REST = '{.status.addresses} {.status.realServers} {.status.conditions[*].type}';
    await until('the rest of it', async () => {
      return (await world.get('director d1', REST)) === '1 2 Ready Programmed';
    });
  });

  test('an endpoint is added and removed', async () => {
    await world.apply(slice('web', ['10.0.0.21', '10.0.0.22', '10.0.0.23']));
    await world.untilRules(served(1, 2, 3));
    await world.apply(slice('web', ['10.0.0.22', '10.0.0.23']));
    await world.untilRules(served(2, 3));
    assert.match(await world.answers(), /be2=3 be3=3/);
  });

  test('what fails stands in the Director, in the condition and in the events of the Service', async () => {
    const PROGRAMMED = '{.status.conditions[?(@.type=="vipvs.io/Programmed")].status}';
    assert.equal(
      await world.get('svc web', PROGRAMMED),
      '',
      'nothing was written for a healthy Service',
    );
    await world.guest.output('d1', ['ipvsadm', '-A', '-t', '10.0.0.101:80', '-s', 'wlc']);
    await world.apply(service('odd'));
    await until('the Director names it', async () => {
      return (await world.get('director d1', '{.status.failed[*].service}')) === 'default/odd';
    });
    await until('kubectl describe says it', async () => {
      return (await world.plane.kubectl(['describe', 'svc', 'odd'])).includes(
        'ForeignVirtualServer',
      );
    });
    await until(
      'the condition says it',
      async () => (await world.get('svc odd', PROGRAMMED)) === 'False',
    );
    assert.equal(
      await world.rules('d1').then((text) => text.includes('10.0.0.101:80 -s wlc')),
      true,
    );
    await world.guest.output('d1', ['ipvsadm', '-D', '-t', '10.0.0.101:80']);
    await until('it is solved', async () => (await world.get('svc odd', PROGRAMMED)) === 'True');
    assert.equal(await world.get('director d1', '{.status.failedServices}'), '0');
    await world.plane.kubectl(['delete', 'svc', 'odd']);
    await world.untilRules(served(2, 3));
  });

  test('what no director can see of forwarding dr stands in the condition of the Service', async () => {
    const { plane } = world;
    await world.apply(slice('direct', ['10.0.0.21']));
    await world.apply(service('direct', {}, { 'vipvs.io/forwarding': 'dr' }));
    const SAID = '{.status.conditions[?(@.type=="vipvs.io/Programmed")]}';
    await until('the condition says it', async () => (await world.get('svc direct', SAID)) !== '');
    const { status, reason, message } = JSON.parse(
      await world.get('svc direct', SAID),
    ) as Condition;
    assert.equal(`${status} ${reason}`, 'True RealServersUnchecked');
    assert.match(message, /vipvs can't see whether 10\.0\.0\.21 hold .*docs\/forwarding\.md/);
    await plane.kubectl(['delete', 'svc', 'direct']);
    await world.untilRules(served(2, 3));
  });

  test('kubectl describe shows which director announces the VIP', async () => {
    await until('the Event is there', async () => {
      const text = await world.plane.kubectl(['describe', 'svc', 'web']);
      return text.includes(`director d1 announces ${VIP} on eth0`);
    });
  });

  test('an agent restarts under a connection in use: the kernel is adopted as it is', async () => {
    const stream = await world.guest.start('client', [CLIENT, 'stream', VIP, '80', '12', '20']);
    await until('the stream runs', async () => (await stream.read()).stdout.includes('name='));
    await world.stopAgent('d1');
    assert.equal(await world.hasVip('d1'), true, 'the VIP stays without the agent');
    await world.startAgent('d1');
    await until('the stream ends', async () => (await stream.read()).code !== -1);
    const { stdout } = await stream.read();
    assert.match(stdout, /end=ok/);
    assert.equal(await world.kernelOps('d1'), '', 'nothing was asked of the kernel');
    assert.equal(await world.hasVip('d1'), true);
    assert.equal(await world.hasVip('d2'), false);
  });

  test('the Service is deleted: both kernels are clean', async () => {
    await world.plane.kubectl(['delete', 'svc', 'web']);
    await world.untilRules(['']);
    await until(
      'the VIP is gone',
      async () => !(await world.hasVip('d1')) && !(await world.hasVip('d2')),
    );
  });
});
