// The agent where something is missing that an administrator has to provide: the CRDs, or a verb in its RBAC. It waits,
// says what is missing in its readiness and its log, and goes on by itself when it is there.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { ALL_HELD } from '../../src/ipvs-node/model/held-groups.ts';
import { until } from '../api/clocks.ts';
import { installCrds, NAMESPACE, pool, service, startBareWorld } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import { patiently } from './guest.ts';
import { startNode, type RunningNode } from './node-program.ts';
import { nameOf, without, type GrantedVerb } from './rights.ts';

/** A Lease that is lost soon, so that a test of that need not wait half a minute. */
const LEASE = { leaseMs: 3000, renewDeadlineMs: 2000, retryMs: 300 };

suite('the agent where something is missing', { timeout: 890_000 }, () => {
  let plane: ControlPlane;
  let node: RunningNode;

  before(async () => {
    plane = await startBareWorld();
    node = await startNode(plane, { leaseTimes: LEASE });
  });
  after(async () => {
    await node.stop();
    await plane.stop();
  });

  const apply = (text: string): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: text });
  const untilSays = (text: string): Promise<void> =>
    until(`readiness and log say ${text}`, () => {
      const says = (line: string): boolean => line.includes(text);
      return node.program.notReady().some(says) && node.log.some(says);
    });
  const untilReady = (): Promise<void> =>
    // up to half a minute after a series of failures
    patiently('it is ready and announces', () => {
      const isReady = node.program.notReady().length === 0;
      return Promise.resolve(isReady && node.program.held === ALL_HELD);
    });
  const missingText = (missing: GrantedVerb): string =>
    `RBAC: the verb ${nameOf(missing)} is missing`;

  test('CRDs that are not installed yet are waited for', async () => {
    for (const plural of ['pools', 'ips', 'directors']) {
      await untilSays(`does not know ${plural}.vipvs.io: its CRD is not installed (yet)`);
    }
    assert.equal(node.program.state, undefined, 'the kernel is not touched');
    await installCrds(plane);
    await untilReady();
  });

  const ofCluster = { kind: 'clusterrole', role: 'vipvs-node' } as const;
  const ofNamespace = {
    kind: 'role',
    role: 'vipvs-node',
    group: 'coordination.k8s.io',
    resource: 'leases',
  } as const;
  const directors = { ...ofCluster, group: 'vipvs.io', resource: 'directors' } as const;
  const deleteDirector = (): Promise<string> => plane.kubectl(['delete', 'director', 'n1']);
  let count = 0;
  const failNext = async (): Promise<string> => {
    count += 1;
    await apply(pool(`p${count}`, `10.6.${count}.0/24`));
    await apply(service(`s${count}`));
    const ingress = [{ ip: `10.6.${count}.1`, ipMode: 'Proxy' }];
    const patch = JSON.stringify({ status: { loadBalancer: { ingress } } });
    return plane.kubectl(['patch', 'svc', `s${count}`, '--subresource=status', '-p', patch]);
  };
  const writes: readonly {
    readonly missing: GrantedVerb;
    readonly provoke: () => Promise<string>;
    readonly retry?: () => Promise<string>;
  }[] = [
    { missing: { ...directors, verb: 'create' }, provoke: deleteDirector },
    { missing: { ...directors, verb: 'patch' }, provoke: deleteDirector },
    {
      missing: { ...directors, resource: 'directors/status', verb: 'patch' },
      provoke: deleteDirector,
    },
    {
      missing: { ...ofCluster, group: 'events.k8s.io', resource: 'events', verb: 'create' },
      provoke: failNext,
      // an Event is not tried again for the same: the next one shows that it is over
      retry: failNext,
    },
    { missing: { ...ofNamespace, verb: 'update' }, provoke: () => Promise.resolve('') },
    {
      missing: { ...ofNamespace, verb: 'create' },
      provoke: () => plane.kubectl(['delete', 'lease', 'vipvs-announcer', '-n', NAMESPACE]),
    },
  ];
  for (const { missing, provoke, retry } of writes) {
    test(`${nameOf(missing)} that is missing is named`, async () => {
      node.kernel.fault = (op) => (op.op === 'vs.add' ? 'EINVAL' : undefined);
      await without(plane, missing, async () => {
        await provoke();
        await untilSays(missingText(missing));
      });
      await retry?.();
      await untilReady();
    });
  }

  const atStart: readonly GrantedVerb[] = [
    { ...ofCluster, group: '', resource: 'services', verb: 'list' },
    { ...ofCluster, group: '', resource: 'nodes', verb: 'watch' },
    { ...ofCluster, group: 'discovery.k8s.io', resource: 'endpointslices', verb: 'watch' },
    { ...ofCluster, group: 'vipvs.io', resource: 'pools', verb: 'list' },
    { ...ofCluster, group: 'vipvs.io', resource: 'ips', verb: 'list' },
    { ...directors, verb: 'list' },
    { ...ofNamespace, verb: 'get' },
  ];
  for (const missing of atStart) {
    test(`${nameOf(missing)} that is missing at the start is named`, async () => {
      await node.stop();
      await without(plane, missing, async () => {
        node = await startNode(plane, { leaseTimes: LEASE });
        await untilSays(missingText(missing));
        if (missing.verb === 'list') assert.equal(node.program.state, undefined);
      });
      await untilReady();
    });
  }
});
