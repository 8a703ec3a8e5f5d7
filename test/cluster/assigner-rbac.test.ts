// Least privilege, proven: the API server's audit log of an assigner that did everything it can do, against its shipped
// RBAC. Each verb granted is used, and nothing that it asked for was refused.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { systemClock, type Clock } from '../../src/runtime/clock.ts';
import { until } from '../api/clocks.ts';
import {
  installCrds,
  LONG_LEASE,
  NAMESPACE,
  pool,
  service,
  startAssigner,
  startBareWorld,
  type RunningAssigner,
} from './assigner-world.ts';
import { asked, granted } from './audit.ts';
import type { ControlPlane } from './control-plane.ts';

const USER = `system:serviceaccount:${NAMESPACE}:vipvs-assigner`;
/** Longer than a repeated Event waits to be counted. */
const EVENT_PAUSE_MS = 61_000;

suite('the RBAC of the assigner', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let assigner: RunningAssigner;
  let laterMs = 0;

  before(async () => {
    plane = await startBareWorld({ audit: true });
    await installCrds(plane);
    const clock: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + laterMs };
    const leaseTimes = { ...LONG_LEASE, leaseMs: 200_000, renewDeadlineMs: 180_000 };
    assigner = await startAssigner(plane, { clock, leaseTimes });
  });
  after(async () => {
    await assigner.stop();
    await plane.stop();
  });

  const apply = (text: string): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: text });
  const reserve = (address: string): Promise<string> =>
    apply(
      JSON.stringify({
        apiVersion: 'vipvs.io/v1alpha1',
        kind: 'IP',
        metadata: { name: address },
        spec: { address, poolName: 'public', retain: true },
      }),
    );
  const untilAsked = (path: RegExp): Promise<void> =>
    until(String(path), () => assigner.client.calls.some((call) => path.test(call)));
  const untilServed = (name: string): Promise<void> =>
    until(`${name} has an address`, async () => {
      const path = 'jsonpath={.status.loadBalancer.ingress[*].ip}';
      return (await plane.kubectl(['get', 'svc', name, '-o', path])) !== '';
    });

  test('grants what it uses, and no more', async () => {
    const { client } = assigner;
    await apply(pool('public', '10.5.0.0/28'));
    await reserve('10.5.0.9'); // ips/status patch
    await untilAsked(/^PATCH .*\/ips\/10\.5\.0\.9\/status$/);
    await apply(service('one'));
    await untilServed('one');
    await untilAsked(/^PATCH .*\/pools\/public$/);
    await untilAsked(/^PATCH .*\/pools\/public\/status$/);
    // somebody takes the address that it is about to take: ips get
    let isTaken = false;
    client.before = async (call) => {
      if (isTaken || call.method !== 'POST' || !call.path.endsWith('/ips')) return;
      isTaken = true;
      await reserve('10.5.0.1');
    };
    await apply(service('two'));
    await untilServed('two');
    await untilAsked(/^GET .*\/ips\/10\.5\.0\.1$/);
    // a Service that takes a reserved address, and gives it back: ips patch
    await apply(service('three', {}, { 'vipvs.io/addresses': '10.5.0.9' }));
    await untilServed('three');
    await plane.kubectl(['delete', 'svc', 'three', 'two']);
    await untilAsked(/^DELETE .*\/ips\//);
    await untilAsked(/^GET .*\/services\/two$/);
    // the same Warning twice: events create, then patch
    for (const address of ['203.0.113.1', '203.0.113.2', '203.0.113.1']) {
      const before = client.calls.length;
      await apply(service('wrong', {}, { 'vipvs.io/addresses': address }));
      await until('it was told', () =>
        client.calls
          .slice(before)
          .some((call) => call.endsWith('/events') || /\/events\//.test(call)),
      );
      laterMs += EVENT_PAUSE_MS;
    }
    await untilAsked(/^PATCH .*\/events\//);
    await untilAsked(/^PUT .*\/leases\/vipvs-assigner$/);
    const log = (): ReturnType<typeof asked> =>
      asked(plane, USER, NAMESPACE, ['coordination.k8s.io']);
    // an answer is logged after it was asked for
    await until('the log is whole', async () =>
      (await log()).rights.has('patch events.events.k8s.io'),
    );
    const { rights, refused } = await log();
    const all = [
      ...(await granted(plane, 'vipvs-assigner')),
      ...(await granted(plane, 'vipvs-assigner', NAMESPACE)),
    ];
    assert.deepEqual([...rights].sort(), [...new Set(all)].sort());
    assert.deepEqual(refused, []);
    assert.equal(all.length, new Set(all).size, 'nothing is granted twice');
  });
});
