// A plan as a table: both sides as text, the lines an operator would type as the answer.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planNode } from '../../../../src/ipvs-node/plan/plan.ts';
import type { NodeState, Observed } from '../../../../src/ipvs-node/model/state.ts';
import type { DrainStarts } from '../../../../src/ipvs-node/model/state.ts';
import { opText } from '../kernel-text.ts';
import type { VirtualServerKey } from '../../../../src/net/ipvs.ts';

export const LIMITS = { orphanDrainSeconds: 300 };
export const NOW = 1_000_000;
export const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;

export const VS = '-A -t 192.0.2.10:80 -s rr';
export const RS1 = '-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1';
export const RS2 = '-a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m -w 1';
export const VS81 = '-A -t 192.0.2.10:81 -s rr';
export const RS81 = '-a -t 192.0.2.10:81 -r 10.0.0.1:8081 -m -w 1';
export const VIP = 'ip address add 192.0.2.10/32 dev eth0';
export const ANNOUNCE = 'arping -c 1 -U -I eth0 192.0.2.10';
export const DRAIN1 = 'ipvsadm -e -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 0';
export const WEIGHT0 = RS1.replace('-w 1', '-w 0');
export const DELETE1 = 'ipvsadm -d -t 192.0.2.10:80 -r 10.0.0.1:8080';

export interface Case {
  readonly name: string;
  readonly desired: NodeState;
  readonly observed: Observed;
  readonly drains?: DrainStarts;
  readonly want: readonly string[];
  readonly wakeInMs?: number;
  readonly problems?: readonly string[];
}

export function checkPlans(cases: readonly Case[]): void {
  for (const { name, desired, observed, drains, want, wakeInMs, problems = [] } of cases) {
    test(name, () => {
      const plan = planNode(desired, observed, drains ?? new Map(), NOW, LIMITS);
      assert.deepEqual(plan.ops.map(opText), want);
      assert.equal(plan.wakeAtMs, wakeInMs === undefined ? undefined : NOW + wakeInMs);
      assert.equal(plan.drains.size, wakeInMs === undefined ? 0 : 1);
      const lines = plan.problems.map(
        (each) => `${each.target.kind} ${each.reason} ${each.message}`,
      );
      assert.equal(lines.length, problems.length);
      for (const [i, line] of lines.entries()) assert.ok(line.startsWith(problems[i] ?? ''), line);
    });
  }
}
