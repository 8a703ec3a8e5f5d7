// Least privilege of the agent, proven as the assigner's is: the API server's audit log of an agent that did everything it
// can do, against its shipped RBAC.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { ALL_HELD } from '../../src/ipvs-node/model/held-groups.ts';
import { systemClock, type Clock } from '../../src/runtime/clock.ts';
import { until } from '../api/clocks.ts';
import { installCrds, NAMESPACE, pool, service, startBareWorld } from './assigner-world.ts';
import { asked, granted } from './audit.ts';
import type { ControlPlane } from './control-plane.ts';
import { startNode, type RunningNode } from './node-program.ts';
import { slice } from './node-world.ts';
import { without } from './rights.ts';

const USER = `system:serviceaccount:${NAMESPACE}:vipvs-node`;
const CLUSTER_ROLE = { kind: 'clusterrole', role: 'vipvs-node' } as const;
/** Longer than a repeated Event waits to be counted. */
const EVENT_PAUSE_MS = 61_000;
/**
 * The API server asks for it inside of a server-side apply of an object that is not there, which stands in the log as
 * one patch.
 */
const WITHIN_APPLY = 'create directors.vipvs.io';

suite('the RBAC of the agent', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let node: RunningNode;
  let laterMs = 0;

  before(async () => {
    plane = await startBareWorld({ audit: true });
    await installCrds(plane);
    const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + laterMs };
    const leaseTimes = { leaseMs: 200_000, renewDeadlineMs: 180_000, retryMs: 300 };
    node = await startNode(plane, { clock, leaseTimes });
  });
  after(async () => {
    await node.stop();
    await plane.stop();
  });

  const apply = (text: string): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: text });
  const untilAsked = (path: RegExp): Promise<void> =>
    until(String(path), () => node.client.calls.some((call) => path.test(call)));
  const log = (): ReturnType<typeof asked> =>
    asked(plane, USER, NAMESPACE, ['coordination.k8s.io']);

  test('grants what it uses, and no more', async () => {
    await until('it announces', () => node.program.held === ALL_HELD);
    await untilAsked(/^PATCH .*\/directors\/n1$/);
    await untilAsked(/^PATCH .*\/directors\/n1\/status$/);
    await untilAsked(/^PUT .*\/leases\/vipvs-announcer$/);
    await apply(pool('public', '10.5.0.0/28'));
    await apply(slice('web', []));
    await apply(service('web'));
    const address = '{"status":{"loadBalancer":{"ingress":[{"ip":"10.5.0.1","ipMode":"Proxy"}]}}}';
    await plane.kubectl(['patch', 'svc', 'web', '--subresource=status', '-p', address]);
    // the same Warning twice, no endpoint is ready: events create, then patch; another one tells of the VIP
    await until('it is told', () => {
      return node.client.calls.filter((call) => /^POST .*\/events$/.test(call)).length === 2;
    });
    const untilRealServers = (count: number): Promise<void> =>
      until(`${count} real servers`, () => {
        const [server] = node.kernel.virtualServers.values();
        return server?.realServers.size === count;
      });
    await apply(slice('web', ['10.0.0.1']));
    await untilRealServers(1);
    laterMs += EVENT_PAUSE_MS;
    await apply(slice('web', []));
    await untilAsked(/^PATCH .*\/events\//);
    // an answer is logged after it was asked for
    await until('the log is whole', async () =>
      (await log()).rights.has('patch events.events.k8s.io'),
    );
    const { rights, refused } = await log();
    const all = [
      ...(await granted(plane, 'vipvs-node')),
      ...(await granted(plane, 'vipvs-node', NAMESPACE)),
    ];
    assert.deepEqual([...rights, WITHIN_APPLY].sort(), [...new Set(all)].sort());
    assert.deepEqual(refused, []);
    assert.equal(all.length, new Set(all).size, 'nothing is granted twice');
  });

  test('and the one that no log shows is needed', async () => {
    const missing = { ...CLUSTER_ROLE, group: 'vipvs.io', resource: 'directors', verb: 'create' };
    await without(plane, missing, async () => {
      await plane.kubectl(['delete', 'director', 'n1']);
      await until('it is refused', async () => (await log()).refused.length > 0);
    });
    assert.deepEqual(new Set((await log()).refused), new Set(['patch directors.vipvs.io']));
    await until('the Director is back', async () => {
      return (await plane.kubectl(['get', 'directors', '-o', 'name'])) !== '';
    });
  });
});
