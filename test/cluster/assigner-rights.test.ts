// The assigner where something is missing that an administrator has to provide: the CRDs, or a verb in its RBAC. It waits,
// says what is missing in its readiness and its log, and goes on by itself when it is there.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { until } from '../api/clocks.ts';
import {
  installCrds,
  NAMESPACE,
  pool,
  service,
  startAssigner,
  startBareWorld,
  type RunningAssigner,
} from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

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

  /** The role of the kind, without one verb on one resource. */
  const without = async (
    kind: 'clusterrole' | 'role',
    group: string,
    resource: string,
    verb: string,
  ): Promise<{ readonly less: string; readonly whole: string }> => {
    const scope = kind === 'role' ? ['-n', NAMESPACE] : [];
    const text = await plane.kubectl(['get', kind, ...scope, 'vipvs-assigner', '-o', 'json']);
    const role = JSON.parse(text) as { metadata: object; rules: readonly Rule[] };
    const rules = role.rules.flatMap((rule): readonly Rule[] => {
      if (!rule.apiGroups.includes(group) || !rule.resources.includes(resource)) return [rule];
      const others = rule.resources.filter((each) => each !== resource);
      return [
        ...(others.length === 0 ? [] : [{ ...rule, resources: others }]),
        { ...rule, resources: [resource], verbs: rule.verbs.filter((each) => each !== verb) },
      ].filter(({ verbs }) => verbs.length > 0);
    });
    const whole = JSON.stringify({ rules: role.rules });
    return { less: JSON.stringify({ rules }), whole };
  };
  const patchRole = (kind: string, patch: string): Promise<string> =>
    plane.kubectl(['patch', kind, '-n', NAMESPACE, 'vipvs-assigner', '--type=merge', '-p', patch]);

  const writes = [
    {
      ...{ group: 'vipvs.io', resource: 'ips', verb: 'create', says: 'create on ips.vipvs.io' },
      provoke: () => apply(service('w1')),
      want: () => untilServed('w1'),
    },
    {
      ...{
        group: '',
        resource: 'services/status',
        verb: 'patch',
        says: 'patch on services/status',
      },
      provoke: () => apply(service('w2')),
      want: () => untilServed('w2'),
    },
    {
      ...{ group: '', resource: 'services', verb: 'get', says: 'get on services' },
      provoke: () => plane.kubectl(['delete', 'svc', 'w1']),
      want: () => untilIps(2),
    },
    {
      ...{ group: 'vipvs.io', resource: 'ips', verb: 'delete', says: 'delete on ips.vipvs.io' },
      provoke: () => plane.kubectl(['delete', 'svc', 'w2']),
      want: () => untilIps(1),
    },
    {
      ...{ group: 'vipvs.io', resource: 'pools/status', verb: 'patch' },
      says: 'patch on pools.vipvs.io/status',
      provoke: () => apply(pool('second', '10.4.0.0/24')),
      want: () => untilPhase('second'),
    },
    {
      ...{ group: 'vipvs.io', resource: 'pools', verb: 'patch', says: 'patch on pools.vipvs.io' },
      provoke: () => apply(service('w3', {}, { 'vipvs.io/pool': 'second' })),
      want: () =>
        until('the finalizer is there', async () => {
          const path = 'jsonpath={.metadata.finalizers}';
          return (await plane.kubectl(['get', 'pool', 'second', '-o', path])) !== '';
        }),
    },
    {
      ...{ group: 'events.k8s.io', resource: 'events', verb: 'create' },
      says: 'create on events.events.k8s.io',
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

  for (const { group, resource, verb, says, provoke, want } of writes) {
    test(`${verb} on ${resource} that is missing is named`, async () => {
      const { less, whole } = await without('clusterrole', group, resource, verb);
      await patchRole('clusterrole', less);
      try {
        await provoke();
        await untilSays(`RBAC: the verb ${says} is missing`);
        await until('the log says it', () => logSays(`RBAC: the verb ${says} is missing`));
      } finally {
        await patchRole('clusterrole', whole);
      }
      await want();
      await untilReady();
    });
  }

  const atStart = [
    { kind: 'clusterrole', group: '', resource: 'nodes', verb: 'list' },
    { kind: 'clusterrole', group: 'vipvs.io', resource: 'ips', verb: 'watch' },
    { kind: 'role', group: 'coordination.k8s.io', resource: 'leases', verb: 'get' },
    { kind: 'role', group: 'coordination.k8s.io', resource: 'leases', verb: 'update' },
  ] as const;
  for (const { kind, group, resource, verb } of atStart) {
    test(`${verb} on ${resource} that is missing at the start is named`, async () => {
      await assigner.stop();
      const { less, whole } = await without(kind, group, resource, verb);
      await patchRole(kind, less);
      assigner = await startAssigner(plane);
      try {
        const name = group === '' ? resource : `${resource}.${group}`;
        await untilSays(`RBAC: the verb ${verb} on ${name} is missing`);
      } finally {
        await patchRole(kind, whole);
      }
      await untilReady();
      await until('it leads', () => assigner.program.isLeading);
    });
  }
});
