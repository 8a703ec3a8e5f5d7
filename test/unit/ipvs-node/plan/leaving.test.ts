// Real servers that leave: what becomes of them by protocol, and from when their time counts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planNode } from '../../../../src/ipvs-node/plan/plan.ts';
import type { NodeState } from '../../../../src/ipvs-node/model/state.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';
import { desiredOf, observedOf, withConnections, opText } from '../kernel-text.ts';
import {
  checkPlans,
  DELETE1,
  KEY,
  LIMITS,
  NOW,
  RS1,
  VIP,
  VS,
  WEIGHT0,
  type Case,
} from './plan-case.ts';

const UDP_VS = '-A -u 192.0.2.10:53 -s rr';
const UDP1 = '-a -u 192.0.2.10:53 -r 10.0.0.1:53 -m -w 1';
const UDP2 = '-a -u 192.0.2.10:53 -r 10.0.0.2:53 -m -w 1';
const UDP_KEY = '192.0.2.10:53/UDP' as VirtualServerKey;
const UDP_DELETE1 = 'ipvsadm -d -u 192.0.2.10:53 -r 10.0.0.1:53';
const UDP_DRAIN1 = 'ipvsadm -e -u 192.0.2.10:53 -r 10.0.0.1:53 -m -w 0';
const EXPIRES = { sysctls: { 'net/ipv4/vs/expire_nodest_conn': 1 } };
const KEEPS = { sysctls: { 'net/ipv4/vs/expire_nodest_conn': 0 } };
const UDP_BEFORE = [UDP_VS, UDP1, VIP];

/** The desired state in which these real servers terminate and still serve. */
function leaving(
  desired: NodeState,
  key: VirtualServerKey,
  ...reals: readonly string[]
): NodeState {
  const server = desired.virtualServers.get(key);
  assert.ok(server);
  const changed = { ...server, leaving: new Set(reals as readonly RealServerKey[]) };
  return { ...desired, virtualServers: new Map([...desired.virtualServers, [key, changed]]) };
}

const LEAVING_CASES: readonly Case[] = [
  {
    name: 'UDP: one that is no longer listed is deleted after the others came, without a drain',
    desired: desiredOf([UDP_VS, UDP2, VIP]),
    observed: observedOf(UDP_BEFORE, undefined, EXPIRES),
    want: [`ipvsadm ${UDP2}`, UDP_DELETE1],
  },
  {
    name: 'UDP: the last one is deleted, too',
    desired: desiredOf([UDP_VS, VIP]),
    observed: observedOf(UDP_BEFORE, undefined, EXPIRES),
    want: [UDP_DELETE1],
  },
  {
    name: 'UDP: while it terminates and serves it has weight 0',
    desired: leaving(desiredOf([UDP_VS, UDP2, VIP]), UDP_KEY, '10.0.0.1:53'),
    observed: observedOf([UDP_VS, UDP1, UDP2, VIP], undefined, EXPIRES),
    want: [UDP_DRAIN1],
    wakeInMs: 1000,
  },
  {
    name: 'UDP: a port that left while its address stays takes its senders with it',
    desired: desiredOf([VS, VIP]),
    observed: observedOf([VS, UDP_VS, UDP1, VIP], undefined, EXPIRES),
    want: ['ipvsadm -D -u 192.0.2.10:53'],
  },
  {
    name: 'UDP: where a deletion would be a silent black hole it drains, and that is said',
    desired: desiredOf([UDP_VS, UDP2, VIP]),
    observed: observedOf([UDP_VS, UDP1, UDP2, VIP], undefined, KEEPS),
    want: [UDP_DRAIN1],
    wakeInMs: 1000,
    problems: [
      'virtual server KernelError 192.0.2.10:53/UDP: 10.0.0.1:53 serves no more, but senders with a fixed port go on ' +
        'to it while net.ipv4.vs.expire_nodest_conn is not 1',
    ],
  },
  {
    name: 'UDP: the same for a port that left',
    desired: desiredOf([VS, VIP]),
    observed: observedOf([VS, UDP_VS, UDP1, VIP]),
    want: [UDP_DRAIN1],
    wakeInMs: 1000,
    problems: ['virtual server KernelError 192.0.2.10:53/UDP: 10.0.0.1:53 serves no more'],
  },
  {
    name: 'SCTP drains like TCP: deleting its server ends the association',
    desired: desiredOf(['-A --sctp-service 192.0.2.10:80 -s rr', VIP]),
    observed: observedOf(
      [
        '-A --sctp-service 192.0.2.10:80 -s rr',
        '-a --sctp-service 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1',
        VIP,
      ],
      undefined,
      EXPIRES,
    ),
    want: ['ipvsadm -e --sctp-service 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 0'],
    wakeInMs: 1000,
  },
];

checkPlans(LEAVING_CASES);

test('the deadline counts from when it stopped serving, not from when it began to terminate', () => {
  const observed = withConnections(observedOf([VS, WEIGHT0, VIP]), KEY, '10.0.0.1:8080', 1);
  const gone = desiredOf([VS, VIP]);
  const terminating = leaving(gone, KEY, '10.0.0.1:8080');
  const hour = 3_600_000;
  const first = planNode(terminating, observed, new Map(), NOW, LIMITS);
  const second = planNode(terminating, observed, first.drains, NOW + hour, LIMITS);
  assert.deepEqual(second.ops, []);
  assert.equal(second.wakeAtMs, NOW + hour + 1000);
  const third = planNode(gone, observed, second.drains, NOW + hour, LIMITS);
  assert.deepEqual([...(third.drains.get(KEY) ?? [])], [['10.0.0.1:8080', NOW + hour]]);
  const before = planNode(gone, observed, third.drains, NOW + hour + 59_999, LIMITS);
  assert.deepEqual(before.ops, []);
  const last = planNode(gone, observed, before.drains, NOW + hour + 60_000, LIMITS);
  assert.deepEqual(last.ops.map(opText), [DELETE1]);
});

test('one that is lowered once it serves no more keeps the time at which it was lowered', () => {
  const lowered = planNode(
    desiredOf([VS, VIP]),
    observedOf([VS, RS1, VIP]),
    new Map(),
    NOW,
    LIMITS,
  );
  assert.deepEqual([...(lowered.drains.get(KEY) ?? [])], [['10.0.0.1:8080', NOW]]);
});
