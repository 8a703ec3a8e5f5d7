// What the tests of the Linux adapter share: the adapter itself, opened on an interface of its own, and short words.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

import { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import type { Op, OpResult } from '../../src/ipvs-node/model/kernel.ts';
import { parseIp, type IpAddress } from '../../src/net/address.ts';
import type { RealServer, VirtualServer } from '../../src/net/ipvs.ts';
import { SELF, ip, run } from '../lab/topology.ts';

export const RUN = '/run/vipvs-test';
export const VIP = parseIp('192.0.2.10');
export const VIP6 = parseIp('2001:db8::10');
export const DEVICE = 'vip0';
/** Relative to the repository, which is the working directory in the guest, too. */
export const CHILD = 'test/kernel/adapter-child.ts';

export function openKernel(): Promise<LinuxKernel> {
  return LinuxKernel.open({ runDirectory: RUN });
}

export async function makeDevice(): Promise<void> {
  await run(SELF, ['modprobe', '-a', 'dummy', 'ip_vs'], { mayFail: true });
  await ip(SELF, [
    `link add ${DEVICE} type dummy`,
    `link set ${DEVICE} up`,
    `address add 198.51.100.1/24 dev ${DEVICE}`,
  ]);
}

export function virtualServer(vip: IpAddress = VIP, port = 80): VirtualServer {
  return {
    vip,
    port,
    protocol: 'TCP',
    scheduler: 'rr',
    schedulerFlags: [],
    persistenceSeconds: 0,
  };
}

export function realServer(last: number): RealServer {
  return { address: parseIp(`10.1.0.${last}`), port: 8080, method: 'masquerade', weight: 100 };
}

export const add = (server = virtualServer()): Op => ({ op: 'vs.add', server });
export const bind = (address: IpAddress = VIP, name = DEVICE): Op => ({
  op: 'vip.add',
  address,
  interface: name,
});

export function errnos(results: readonly OpResult[]): readonly string[] {
  return results.map((result) => (result.ok ? 'ok' : result.errno));
}

/** Waits for a condition; far longer than anything takes, also in a guest on a loaded machine. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2400; i++) {
    if (await isTrue()) return;
    await delay(25);
  }
  assert.fail(`did not come true within a minute: ${what}`);
}

export async function ipvsRules(): Promise<string> {
  return (await run(SELF, ['ipvsadm', '-Sn'])).stdout;
}
