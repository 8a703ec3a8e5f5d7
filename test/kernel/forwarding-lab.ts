// What the forwarding tests share: VIPs, and the operations that a plan of the agent has for one of them.
import assert from 'node:assert/strict';

import type { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import type { Op } from '../../src/ipvs-node/model/kernel.ts';
import { SYSCTLS } from '../../src/ipvs-node/model/state.ts';
import { familyOf, parseIp, type IpAddress } from '../../src/net/address.ts';
import type { Method, Protocol, RealServer, Tunnel } from '../../src/net/ipvs.ts';
import { SETS_OF } from '../../src/ipvs-node/model/firewall.ts';
import { addElement } from '../contract/firewall-op.ts';
import type { LabNode } from '../lab/topology.ts';

export const RUN = '/run/vipvs-test';
export const VIPS = [parseIp('10.0.0.100'), parseIp('fd00::100')] as const;
export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;

export interface Rule {
  readonly vip: IpAddress;
  readonly protocol: Protocol;
  readonly method: Method;
  readonly port?: number;
  readonly realPort?: number;
  readonly tunnel?: Tunnel;
}

function realServers(rule: Rule, backends: readonly LabNode[]): readonly RealServer[] {
  return backends.map((node) => ({
    address: parseIp(familyOf(rule.vip) === 4 ? node.v4 : node.v6),
    port: rule.realPort ?? 80,
    method: rule.method,
    weight: 1,
    ...(rule.tunnel === undefined ? {} : { tunnel: rule.tunnel }),
  }));
}

/** In the agent's order: settings, firewall, virtual server and real servers, address, announcement. */
export function opsFor(rule: Rule, backends: readonly LabNode[]): readonly Op[] {
  const { vip, protocol, port = 80 } = rule;
  const family = familyOf(vip);
  const server = {
    vip,
    port,
    protocol,
    scheduler: 'rr' as const,
    schedulerFlags: [],
    persistenceSeconds: 0,
  };
  return [
    addElement(SETS_OF[family].vips, vip),
    addElement(SETS_OF[family].ports, server),
    { op: 'vs.add', server },
    ...realServers(rule, backends).map((real): Op => ({ op: 'rs.add', server, real })),
  ];
}

export function bindAll(vips: readonly IpAddress[]): readonly Op[] {
  return vips.flatMap((address): readonly Op[] => [
    { op: 'vip.add', address, interface: 'eth0' },
    { op: 'vip.announce', address, interface: 'eth0' },
  ]);
}

export function raiseSettings(): readonly Op[] {
  return SYSCTLS.map((key) => ({ op: 'sysctl.set', key, value: 1 }));
}

export async function mustRun(kernel: LinuxKernel, ops: readonly Op[]): Promise<void> {
  const results = await kernel.run(ops);
  const failures = ops.flatMap((op, i) =>
    results[i]?.ok === true ? [] : [{ op, result: results[i] }],
  );
  assert.deepEqual(failures, []);
}
