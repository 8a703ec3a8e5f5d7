// Plans for the nft sets and the sysctls.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../../../src/net/address.ts';
import { parseRange } from '../../../../src/net/range.ts';
import { planNode } from '../../../../src/ipvs-node/plan/plan.ts';
import type { NodeState, Observed } from '../../../../src/ipvs-node/model/state.ts';
import { desiredOf, observedOf, opText } from '../kernel-text.ts';

interface Case {
  readonly name: string;
  readonly desired: NodeState;
  readonly observed: Observed;
  readonly want: readonly string[];
}

const [V, W, L] = [parseIp('192.0.2.1'), parseIp('192.0.2.2'), parseIp('10.9.0.1')];
const V1 = { vip: V, port: 1, protocol: 'TCP' } as const;
const W1 = { ...V1, vip: W };
const TEN = parseRange('10.0.0.0/8');

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
      firewall: { ports4: [V1], ranged4: [V1], sources4: [{ port: V1, source: TEN }], vips4: [V] },
    }),
    observed: observedOf([], undefined, {
      firewall: { ports4: [W1], ranged4: [W1], sources4: [{ port: W1, source: TEN }], local4: [L] },
    }),
    want: [
      'fw.add sources4 192.0.2.1:1/TCP 10.0.0.0/8',
      'fw.add ranged4 192.0.2.1:1/TCP',
      'fw.add ports4 192.0.2.1:1/TCP',
      'fw.add vips4 192.0.2.1',
      'fw.del local4 10.9.0.1',
      'fw.del ports4 192.0.2.2:1/TCP',
      'fw.del ranged4 192.0.2.2:1/TCP',
      'fw.del sources4 192.0.2.2:1/TCP 10.0.0.0/8',
    ],
  },
  {
    name: 'firewall: nft takes no overlap, so the old range of a port goes just before the new one',
    desired: desiredOf([], 60, {
      firewall: { sources4: [{ port: V1, source: parseRange('10.1.0.0/16') }] },
    }),
    observed: observedOf([], undefined, {
      firewall: {
        sources4: [
          { port: V1, source: TEN },
          { port: { ...V1, port: 2 }, source: TEN },
          { port: W1, source: TEN },
        ],
        local4: [parseRange('10.2.0.0/16')],
      },
    }),
    want: [
      'fw.del sources4 192.0.2.1:1/TCP 10.0.0.0/8',
      'fw.add sources4 192.0.2.1:1/TCP 10.1.0.0/16',
      'fw.del local4 10.2.0.0/16',
      'fw.del sources4 192.0.2.2:1/TCP 10.0.0.0/8',
      'fw.del sources4 192.0.2.1:2/TCP 10.0.0.0/8',
    ],
  },
  {
    name: 'firewall: what is there and wanted is no difference, be it another object',
    desired: desiredOf([], 60, { firewall: { ports4: [V1], local4: [L] } }),
    observed: observedOf([], undefined, {
      firewall: { ports4: [{ ...V1 }], local4: [parseRange('10.9.0.1')] },
    }),
    want: [],
  },
  ...(['absent', 'unread'] as const).map((firewall) => ({
    name: `firewall ${firewall}: left out`,
    desired: desiredOf([], 60, { firewall: { vips4: [V] } }),
    observed: observedOf([], undefined, { firewall }),
    want: [],
  })),
];
for (const { name, desired, observed, want } of CASES) {
  test(name, () => {
    const plan = planNode(desired, observed, new Map(), 0, { orphanDrainSeconds: 300 });
    assert.deepEqual(plan.ops.map(opText), want);
  });
}
