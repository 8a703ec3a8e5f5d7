// Gathers the facts that host-check.ts judges. Reads only; the one thing that it may cause is that the kernel loads the
// module ip_vs, which is what it wants to know.
import { accessSync, constants, readFileSync, readlinkSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { release } from 'node:os';

import { SCHEDULERS, type Scheduler } from '../../net/ipvs.ts';
import { messageOf, OperationalError } from '../../runtime/errors.ts';
import type { HostFacts, InterfaceFacts } from './host-check.ts';
import { findInstance } from '../kernel/instance-lock.ts';
import { IpvsSocket } from '../kernel/ipvs/socket.ts';
import { probeKubeProxy } from './kube-proxy-probe.ts';
import { NftFirewall } from '../kernel/firewall/nft.ts';
import { runProcess } from '../kernel/run-process.ts';
import { RtNetlink } from '../kernel/addresses/rtnetlink.ts';
import { SYSCTLS } from '../model/state.ts';
import { readSysctl, SYSCTL_ROOT } from '../kernel/sysctl.ts';

/** linux/capability.h */
const CAP_NET_ADMIN = 12n;
const CAP_NET_RAW = 13n;
const PROGRAM_TIMEOUT_MS = 5_000;

export async function gatherHostFacts(wantedInterface: string | undefined): Promise<HostFacts> {
  const capabilities = effectiveCapabilities();
  // first: the settings below net/ipv4/vs come with the module
  const ipvs = await ipvsFacts();
  const [nft, interfaces, kubeProxyTraces, keepalivedVersion, running] = await Promise.all([
    nftFacts(),
    interfaceFacts(),
    findKubeProxyTraces(),
    readKeepalivedVersion(),
    findInstance(),
  ]);
  // alone: what keeps this process busy on a slow machine would use up the time for its answers
  const kubeProxy = await probeKubeProxy();
  return {
    kernelRelease: release(),
    canAdministerNetwork: has(capabilities, CAP_NET_ADMIN) && isInitialUserNamespace(),
    canSendRawPackets: has(capabilities, CAP_NET_RAW),
    ipvs,
    missingSchedulers: findMissingSchedulers(),
    nft,
    sysctls: sysctlFacts(wantedInterface),
    canWriteSysctls: canWrite(`${SYSCTL_ROOT}/net/ipv4/ip_forward`),
    wantedInterface,
    interfaces,
    kubeProxy,
    kubeProxyTraces,
    keepalivedVersion,
    running,
  };
}

function has(capabilities: bigint, capability: bigint): boolean {
  return ((capabilities >> capability) & 1n) === 1n;
}

function effectiveCapabilities(): bigint {
  const match = /^CapEff:\s*([0-9a-f]+)$/m.exec(readText('/proc/self/status') ?? '');
  return BigInt(`0x${match?.[1] ?? '0'}`);
}

/** The initial one maps everything: `0 0 4294967295` (user_namespaces(7)). */
function isInitialUserNamespace(): boolean {
  const map = readText('/proc/self/uid_map');
  return map === undefined || /^\s*0\s+0\s+4294967295\s*$/.test(map);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined; // not there, or not for us: both mean that it says nothing
  }
}

function canWrite(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false; // EROFS in a container, EACCES without root
  }
}

async function ipvsFacts(): Promise<HostFacts['ipvs']> {
  let ipvs: IpvsSocket;
  try {
    ipvs = IpvsSocket.open();
  } catch (error) {
    if (error instanceof OperationalError) return { failure: error.message };
    throw error;
  }
  try {
    const { version, connectionTableSize } = await ipvs.info();
    const connections = readText('/proc/net/ip_vs_conn');
    // one line a connection, under one line of heads
    const lines = connections?.split('\n').length;
    return {
      version,
      connectionTableSize,
      connections: lines === undefined ? undefined : Math.max(0, lines - 2),
    };
  } catch (error) {
    return { failure: messageOf(error) };
  } finally {
    await ipvs.close();
  }
}

/** undefined: the kernel's modules can't be seen from here (a container). */
function findMissingSchedulers(): readonly Scheduler[] | undefined {
  const folder = `/lib/modules/${release()}`;
  const onDisk = readText(`${folder}/modules.dep`);
  if (onDisk === undefined) return undefined;
  const known = `${onDisk}\n${readText(`${folder}/modules.builtin`) ?? ''}`;
  return SCHEDULERS.filter((name) => !known.includes(`/ip_vs_${name}.ko`));
}

async function nftFacts(): Promise<HostFacts['nft']> {
  const firewall = new NftFirewall();
  await firewall.observe();
  const outcome = await runProcess('nft', ['--version'], { timeoutMs: PROGRAM_TIMEOUT_MS });
  const version = outcome.kind === 'exit' ? /v(\d+(\.\d+)*)/.exec(outcome.stdout)?.[1] : undefined;
  return { version, absence: firewall.absence?.reason };
}

async function interfaceFacts(): Promise<readonly InterfaceFacts[]> {
  const route = new RtNetlink();
  try {
    const links = await route.links();
    return links.map(({ name, up, mtu, isEthernet }) => ({ name, up, mtu, isEthernet }));
  } finally {
    route.close();
  }
}

function sysctlFacts(wantedInterface: string | undefined): ReadonlyMap<string, number> {
  const interfaces = ['all', ...(wantedInterface === undefined ? [] : [wantedInterface])];
  const keys = [
    ...SYSCTLS,
    'net/ipv6/conf/all/disable_ipv6',
    ...interfaces.flatMap((name) => [
      `net/ipv4/conf/${name}/rp_filter`,
      `net/ipv4/conf/${name}/arp_ignore`,
    ]),
  ];
  const values = new Map<string, number>();
  for (const key of keys) {
    const read = readSysctl(key);
    if ('value' in read) values.set(key, read.value);
  }
  return values;
}

/** What a kube-proxy that does not answer leaves to be seen. */
async function findKubeProxyTraces(): Promise<readonly string[]> {
  const [listed, pids] = await Promise.all([
    runProcess('nft', ['list', 'chains', 'ip'], { timeoutMs: PROGRAM_TIMEOUT_MS }),
    readdir('/proc'),
  ]);
  const chains = listed.kind === 'exit' ? listed.stdout : '';
  const here = namespaceOf('self');
  return [
    ...pids
      .filter((pid) => readText(`/proc/${pid}/comm`)?.trim() === 'kube-proxy')
      .filter((pid) => namespaceOf(pid) === here)
      .map((pid) => `process ${pid}`),
    ...(/^table ip kube-proxy /m.test(chains) ? ['nft table ip kube-proxy'] : []),
    ...(/^\tchain KUBE-SERVICES /m.test(chains) ? ['iptables chain KUBE-SERVICES'] : []),
  ];
}

/** undefined: gone, or not for us to see. */
function namespaceOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return undefined; // a process may end at any time
  }
}

async function readKeepalivedVersion(): Promise<string | undefined> {
  const outcome = await runProcess('keepalived', ['--version'], { timeoutMs: PROGRAM_TIMEOUT_MS });
  if (outcome.kind !== 'exit') return undefined;
  return /^Keepalived v\S+/m.exec(`${outcome.stderr}\n${outcome.stdout}`)?.[0];
}
