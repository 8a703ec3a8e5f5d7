// The order after a flush: what the kernel has just thrown away comes back from the last to the first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planNode } from '../../../../src/ipvs-node/plan/plan.ts';
import { rebuildOrder } from '../../../../src/ipvs-node/plan/order.ts';
import { desiredOf, observedOf, opText } from '../kernel-text.ts';

const VS = '-A -t 192.0.2.10:80 -s rr';
const VS81 = '-A -t 192.0.2.10:81 -s rr';
const [R1, R2, R3] = [1, 2, 3].map((i) => `-a -t 192.0.2.10:80 -r 10.0.0.${i}:8080 -m -w 1`) as [
  string,
  string,
  string,
];
const R81 = '-a -t 192.0.2.10:81 -r 10.0.0.1:8081 -m -w 1';
const VIP = 'ip address add 192.0.2.10/32 dev eth0';

test('flushed: real servers in reverse order of the dump, new ones before them', () => {
  const desired = desiredOf([VS, R1, R2, R3, VS81, R81, VIP]);
  const before = observedOf([VS81, R81, VS, R2, R1, VIP]);
  const plan = planNode(desired, observedOf([]), new Map(), 0, { orphanDrainSeconds: 1 });
  const ops = rebuildOrder(plan.ops, plan.safeOps, before.virtualServers);
  assert.deepEqual(
    ops.map(opText),
    [VS, R3, VS81, R1, R2, R81]
      .map((line) => `ipvsadm ${line}`)
      .concat(VIP, 'arping -c 1 -U -I eth0 192.0.2.10'),
  );
});

test('nothing was lost, or nothing is known of before: the plan as it is', () => {
  const desired = desiredOf([VS, R1, VIP]);
  const plan = planNode(desired, observedOf([]), new Map(), 0, { orphanDrainSeconds: 1 });
  const known = observedOf([VS81, R81]).virtualServers;
  assert.equal(rebuildOrder(plan.ops, plan.safeOps, undefined), plan.ops);
  assert.equal(rebuildOrder(plan.ops, plan.safeOps, known), plan.ops);
});
