// The assigner where something is missing that an administrator has to provide: the CRDs, or a verb in its RBAC. It waits,
// says what is missing in its readiness and its log, and goes on by itself when it is there.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { until } from '../api/clocks.ts';
import {
  installCrds,
  pool,
  service,
  startAssigner,
  startBareWorld,
  type RunningAssigner,
} from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import { nameOf, without, type GrantedVerb } from './rights.ts';

const OF_CLUSTER = { kind: 'clusterrole', role: 'vipvs-assigner' } as const;

suite('the assigner where something is missing', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let assigner: RunningAssigner;

  before(async () => {
    plane = await startBareWorld();
    assigner = await startAssigner(plane);
  });
  after(async () => {
    await assigner.stop();
    await plane.stop();
  });

  const apply = (text: string): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: text });
  const untilSays = (text: string): Promise<void> =>
    until(`readiness says ${text}`, () =>
      assigner.program.notReady().some((reason) => reason.includes(text)),
    );
  const untilReady = (): Promise<void> =>
    until('it is ready', () => assigner.program.notReady().length === 0);
  const logSays = (text: string): boolean => assigner.log.some((line) => line.includes(text));
  const untilServed = (name: string): Promise<void> =>
    until(`${name} has an address`, async () => {
      const path = 'jsonpath={.status.loadBalancer.ingress[*].ip}';
      return (await plane.kubectl(['get', 'svc', name, '-o', path])) !== '';
    });

  test('CRDs that are not installed yet are waited for', async () => {
    await untilSays('does not know pools.vipvs.io: its CRD is not installed (yet)');
    await untilSays('does not know ips.vipvs.io');
    assert.ok(logSays('its CRD is not installed'));
    assert.equal(assigner.program.isLeading, false);
    await apply(service('first'));
    await installCrds(plane);
    await apply(pool('public', '10.3.0.0/24'));
    await untilReady();
    await untilServed('first');
  });

  const writes = [
    {
      group: 'vipvs.io',
      resource: 'ips',
      verb: 'create',
      provoke: () => apply(service('w1')),
      want: () => untilServed('w1'),
    },
    {
      group: '',
      resource: 'services/status',
      verb: 'patch',
      provoke: () => apply(service('w2')),
      want: () => untilServed('w2'),
    },
    {
      group: '',
      resource: 'services',
      verb: 'get',
      provoke: () => plane.kubectl(['delete', 'svc', 'w1']),
      want: () => untilIps(2),
    },
    {
      group: 'vipvs.io',
      resource: 'ips',
      verb: 'delete',
      provoke: () => plane.kubectl(['delete', 'svc', 'w2']),
      want: () => untilIps(1),
    },
    {
      group: 'vipvs.io',
      resource: 'pools/status',
      verb: 'patch',
      provoke: () => apply(pool('second', '10.4.0.0/24')),
      want: () => untilPhase('second'),
    },
    {
      group: 'vipvs.io',
      resource: 'pools',
      verb: 'patch',
      provoke: () => apply(service('w3', {}, { 'vipvs.io/pool': 'second' })),
      want: () =>
        until('the finalizer is there', async () => {
          const path = 'jsonpath={.metadata.finalizers}';
          return (await plane.kubectl(['get', 'pool', 'second', '-o', path])) !== '';
        }),
    },
    {
      group: 'events.k8s.io',
      resource: 'events',
      verb: 'create',
      provoke: () => apply(service('w4', {}, { 'vipvs.io/pool': 'none' })),
      // an Event is not tried again for the same: the next one shows that it is over
      want: () => apply(service('w5', {}, { 'vipvs.io/pool': 'none, too' })),
    },
  ];
  const untilIps = (count: number): Promise<void> =>
    until(`${count} IPs are left`, async () => {
      const names = await plane.kubectl(['get', 'ips', '-o', 'name']);
      return names.split('\n').filter((name) => name !== '').length === count;
    });
  const untilPhase = (name: string): Promise<void> =>
    until(`${name} is Active`, async () => {
      const path = 'jsonpath={.status.phase}';
      return (await plane.kubectl(['get', 'pool', name, '-o', path])) === 'Active';
    });

  for (const { provoke, want, ...right } of writes) {
    const missing: GrantedVerb = { ...OF_CLUSTER, ...right };
    test(`${nameOf(missing)} that is missing is named`, async () => {
      const says = `RBAC: the verb ${nameOf(missing)} is missing`;
      await without(plane, missing, async () => {
        await provoke();
        await untilSays(says);
        await until('the log says it', () => logSays(says));
      });
      await want();
      await untilReady();
    });
  }

  const leases = {
    kind: 'role',
    role: 'vipvs-assigner',
    group: 'coordination.k8s.io',
    resource: 'leases',
  } as const;
  const atStart: readonly GrantedVerb[] = [
    { ...OF_CLUSTER, group: '', resource: 'nodes', verb: 'list' },
    { ...OF_CLUSTER, group: 'networking.k8s.io', resource: 'servicecidrs', verb: 'list' },
    { ...OF_CLUSTER, group: 'vipvs.io', resource: 'ips', verb: 'watch' },
    { ...OF_CLUSTER, group: 'vipvs.io', resource: 'directors', verb: 'list' },
    { ...leases, verb: 'get' },
    { ...leases, verb: 'update' },
  ];
  for (const missing of atStart) {
    test(`${nameOf(missing)} that is missing at the start is named`, async () => {
      await assigner.stop();
      await without(plane, missing, async () => {
        assigner = await startAssigner(plane);
        await untilSays(`RBAC: the verb ${nameOf(missing)} is missing`);
      });
      await untilReady();
      await until('it leads', () => assigner.program.isLeading);
    });
  }
});
