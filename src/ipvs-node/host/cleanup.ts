// Takes out of the kernel what vipvs made, and nothing else: addresses with our tag or in the record, recorded virtual
// servers, the nft table, and settings back to what they were. Idempotent. Invariant: what neither the record nor the
// tag names as ours is not touched, not even to look nicer.
import { virtualServerKey, type VirtualServerAddress } from '../../net/ipvs.ts';
import { bitsOf, familyOf } from '../../net/address.ts';
import { OperationalError, messageOf } from '../../runtime/errors.ts';
import { takeInstanceLock } from '../kernel/instance-lock.ts';
import { IpvsSocket } from '../kernel/ipvs/socket.ts';
import { probeKubeProxy } from './kube-proxy-probe.ts';
import { NftFirewall } from '../kernel/firewall/nft.ts';
import { DrainRecord } from '../kernel/ownership/drain-record.ts';
import { Ownership } from '../kernel/ownership/ownership.ts';
import {
  ADDRESS_TAG,
  type AddressRecord,
  type LinkRecord,
} from '../kernel/addresses/rtnetlink-codec.ts';
import { RtNetlink } from '../kernel/addresses/rtnetlink.ts';
import { readSysctl, sysctlProblem, writeSysctl } from '../kernel/sysctl.ts';

export interface CleanupOptions {
  readonly runDirectory: string;
  /** Finds out what would be done, and does nothing; works while a vipvs is running, too. */
  readonly dryRun: boolean;
}

export interface CleanupStep {
  /** `virtual server 192.0.2.10:80/TCP`, `address 192.0.2.10 on eth0`, … */
  readonly what: string;
  readonly action: 'delete' | 'restore' | 'leave';
  /** Undefined: done (or, with dryRun, to be done). */
  readonly failure?: string;
}

/** Throws OperationalError already-running, library-missing, not-permitted. */
export async function cleanUp(options: CleanupOptions): Promise<readonly CleanupStep[]> {
  const lock = options.dryRun ? undefined : await takeInstanceLock();
  try {
    const ownership = new Ownership(options.runDirectory);
    const steps = [
      // as on any removal: first nobody comes any more, then nothing is served
      ...(await removeAddresses(ownership, options.dryRun)),
      ...(await removeVirtualServers(ownership, options.dryRun)),
      ...(await removeFirewall(options.dryRun)),
      ...(await restoreSysctls(ownership, options.dryRun)),
    ];
    const isClean = steps.every((step) => step.failure === undefined);
    if (isClean && !options.dryRun) {
      ownership.remove();
      new DrainRecord(options.runDirectory).remove();
    }
    ownership.close();
    return steps;
  } finally {
    await lock?.release();
  }
}

async function removeAddresses(
  ownership: Ownership,
  dryRun: boolean,
): Promise<readonly CleanupStep[]> {
  const route = new RtNetlink();
  try {
    const links = new Map((await route.links()).map((link) => [link.ifindex, link]));
    const records = await route.addresses();
    const ours = records.filter((record) => isOurs(record, links, ownership));
    const what = ours.map((record): CleanupStep => {
      const name = links.get(record.ifindex)?.name ?? `interface ${record.ifindex}`;
      return { action: 'delete', what: `address ${record.ip} on ${name}` };
    });
    if (dryRun) return what;
    const outcomes = await route.change(
      ours.map(({ ip, ifindex }) => ({ op: 'del', ip, ifindex })),
    );
    return what.map((step, i) => {
      const outcome = outcomes[i] ?? 'unknown';
      const isGone = outcome === 'ok' || outcome === 'EADDRNOTAVAIL' || outcome === 'ENODEV';
      return isGone ? step : { ...step, failure: outcome };
    });
  } finally {
    route.close();
  }
}

function isOurs(
  record: AddressRecord,
  links: ReadonlyMap<number, LinkRecord>,
  ownership: Ownership,
): boolean {
  if (record.prefixLength !== bitsOf(familyOf(record.ip))) return false;
  if (record.protocol === ADDRESS_TAG) return true;
  const name = links.get(record.ifindex)?.name ?? '';
  return ownership.has({ kind: 'address', address: record.ip, interface: name });
}

async function removeVirtualServers(
  ownership: Ownership,
  dryRun: boolean,
): Promise<readonly CleanupStep[]> {
  const recorded = ownership.virtualServers;
  // a kernel without the module is not made to load it
  if (recorded.length === 0) return [];
  const ipvs = openIpvs();
  if (ipvs === undefined) return [];
  try {
    const present: VirtualServerAddress[] = [];
    const services = await ipvs.dumpServices();
    const keys = new Set(
      services.entries.map(({ key }) => `${key.protocol} ${key.address} ${key.port} ${key.fwmark}`),
    );
    for (const server of recorded) {
      const number = { TCP: 6, UDP: 17, SCTP: 132 }[server.protocol];
      const isListed = keys.has(`${number} ${server.vip} ${server.port} 0`);
      if (isListed || !services.complete) present.push(server);
    }
    const steps = present.map((server): CleanupStep => {
      return { action: 'delete', what: `virtual server ${virtualServerKey(server)}` };
    });
    if (dryRun) return steps;
    const results = await ipvs.run(present.map((server) => ({ op: 'vs.del', server })));
    return steps.flatMap((step, i): readonly CleanupStep[] => {
      const result = results[i];
      if (result?.ok === true) return [step];
      if (result?.errno === 'ESRCH') return [];
      return [{ ...step, failure: result?.message ?? 'no answer' }];
    });
  } finally {
    await ipvs.close();
  }
}

function openIpvs(): IpvsSocket | undefined {
  try {
    return IpvsSocket.open();
  } catch (error) {
    // no IPVS, no virtual servers
    if (error instanceof OperationalError && error.code === 'ipvs-missing') return undefined;
    throw error;
  }
}

async function removeFirewall(dryRun: boolean): Promise<readonly CleanupStep[]> {
  const firewall = new NftFirewall();
  const step = { action: 'delete', what: 'nft table inet vipvs' } as const;
  try {
    const isThere = dryRun ? await firewall.exists() : await firewall.remove();
    return isThere ? [step] : [];
  } catch (error) {
    return [{ ...step, failure: messageOf(error) }];
  }
}

async function restoreSysctls(
  ownership: Ownership,
  dryRun: boolean,
): Promise<readonly CleanupStep[]> {
  // it needs most of them itself, and sets them only when it starts
  const isNeeded = (await probeKubeProxy()) !== undefined;
  return [...ownership.sysctls].flatMap(([key, value]): readonly CleanupStep[] => {
    const now = readSysctl(key);
    // gone with its module or its interface, or as it was
    if ('errno' in now || now.value === value) return [];
    if (isNeeded) {
      const what = `sysctl ${key.replaceAll('/', '.')} ${now.value}: kube-proxy runs here`;
      return [{ action: 'leave', what }];
    }
    const step: CleanupStep = {
      action: 'restore',
      what: `sysctl ${key.replaceAll('/', '.')} ${now.value} -> ${value}`,
    };
    const errno = dryRun ? undefined : writeSysctl(key, value);
    return [
      errno === undefined
        ? step
        : { ...step, failure: `${errno}: ${sysctlProblem(key, value, errno)}` },
    ];
  });
}
