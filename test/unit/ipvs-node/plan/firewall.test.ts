// Plans for the nft sets and the sysctls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatOp } from '../../../../src/ipvs-node/model/format.ts';
import { planNode } from '../../../../src/ipvs-node/plan/plan.ts';
import type { NodeState, Observed } from '../../../../src/ipvs-node/model/state.ts';
import { desiredOf, observedOf } from '../kernel-text.ts';

interface Case {
  readonly name: string;
  readonly desired: NodeState;
  readonly observed: Observed;
  readonly want: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: 'sysctls: enough, too little, not known, and an exact one',
    desired: desiredOf([], 60, {
      sysctls: {
        'net/ipv4/vs/conntrack': 1,
        'net/ipv4/vs/expire_nodest_conn': 1,
        'net/ipv4/ip_forward': 1,
        'net/ipv4/vs/conn_reuse_mode': 0,
      },
    }),
    observed: observedOf([], undefined, {
      sysctls: {
        'net/ipv4/vs/conntrack': 2,
        'net/ipv4/vs/expire_nodest_conn': 0,
        'net/ipv4/vs/conn_reuse_mode': 1,
      },
    }),
    want: ['sysctl -w net.ipv4.vs.expire_nodest_conn=1', 'sysctl -w net.ipv4.vs.conn_reuse_mode=0'],
  },
  {
    name: 'sysctls: the exact one is right',
    desired: desiredOf([], 60, { sysctls: { 'net/ipv4/vs/conn_reuse_mode': 0 } }),
    observed: observedOf([], undefined, { sysctls: { 'net/ipv4/vs/conn_reuse_mode': 0 } }),
    want: [],
  },
  {
    name: 'firewall: closing comes before opening, and goes after it',
    desired: desiredOf([], 60, {
      firewall: {
        ports4: ['v . tcp . 1'],
        ranged4: ['v . tcp . 1'],
        sources4: ['v . tcp . 1 . 10.0.0.0/8'],
        vips4: ['v'],
      },
    }),
    observed: observedOf([], undefined, {
      firewall: {
        ports4: ['w . tcp . 1'],
        ranged4: ['w . tcp . 1'],
        sources4: ['w . tcp . 1 . 10.0.0.0/8'],
        local4: ['l'],
      },
    }),
    want: [
      'nft add element inet vipvs sources4 { v . tcp . 1 . 10.0.0.0/8 }',
      'nft add element inet vipvs ranged4 { v . tcp . 1 }',
      'nft add element inet vipvs ports4 { v . tcp . 1 }',
      'nft add element inet vipvs vips4 { v }',
      'nft delete element inet vipvs local4 { l }',
      'nft delete element inet vipvs ports4 { w . tcp . 1 }',
      'nft delete element inet vipvs ranged4 { w . tcp . 1 }',
      'nft delete element inet vipvs sources4 { w . tcp . 1 . 10.0.0.0/8 }',
    ],
  },
  {
    name: 'firewall: nft takes no overlap, so the old range of a port goes just before the new one',
    desired: desiredOf([], 60, { firewall: { sources4: ['v . tcp . 1 . 10.1.0.0/16'] } }),
    observed: observedOf([], undefined, {
      firewall: { sources4: ['v . tcp . 1 . 10.0.0.0/8', 'v . tcp . 2 . 10.0.0.0/8'] },
    }),
    want: [
      'nft delete element inet vipvs sources4 { v . tcp . 1 . 10.0.0.0/8 }',
      'nft add element inet vipvs sources4 { v . tcp . 1 . 10.1.0.0/16 }',
      'nft delete element inet vipvs sources4 { v . tcp . 2 . 10.0.0.0/8 }',
    ],
  },
  ...(['absent', 'unread'] as const).map((firewall) => ({
    name: `firewall ${firewall}: left out`,
    desired: desiredOf([], 60, { firewall: { vips4: ['v'] } }),
    observed: observedOf([], undefined, { firewall }),
    want: [],
  })),
];
for (const { name, desired, observed, want } of CASES) {
  test(name, () => {
    const plan = planNode(desired, observed, new Map(), 0, { orphanDrainSeconds: 300 });
    assert.deepEqual(plan.ops.map(formatOp), want);
  });
}
