// Gathers the facts that host-check.ts judges. Reads only; the one thing that it may cause is that the kernel loads the
// module ip_vs, which is what it wants to know.
import { accessSync, constants, readFileSync } from 'node:fs';
import { get } from 'node:http';
import { release } from 'node:os';

import { SCHEDULERS, type Scheduler } from '../net/ipvs.ts';
import { messageOf, OperationalError } from '../runtime/errors.ts';
import type { HostFacts, InterfaceFacts } from './host-check.ts';
import { findInstance } from './instance-lock.ts';
import { IpvsSocket } from './ipvs-socket.ts';
import { NftFirewall } from './nft.ts';
import { runProcess } from './run-process.ts';
import { RtNetlink } from './rtnetlink.ts';
import { SYSCTLS } from './state.ts';
import { readSysctl, SYSCTL_ROOT } from './sysctl.ts';

/** linux/capability.h */
const CAP_NET_ADMIN = 12n;
const CAP_NET_RAW = 13n;
const PROGRAM_TIMEOUT_MS = 5_000;
const KUBE_PROXY_TIMEOUT_MS = 1_000;

export async function gatherHostFacts(wantedInterface: string | undefined): Promise<HostFacts> {
  const capabilities = effectiveCapabilities();
  // first: the settings below net/ipv4/vs come with the module
  const ipvs = await ipvsFacts();
  const [nft, interfaces, kubeProxyMode, keepalivedVersion, running] = await Promise.all([
    nftFacts(),
    interfaceFacts(),
    readKubeProxyMode(),
    readKeepalivedVersion(),
    findInstance(),
  ]);
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
    kubeProxyMode,
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

/** kube-proxy's metrics address (--metrics-bind-address) answers with one word. */
export function readKubeProxyMode(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const request = get(
      'http://127.0.0.1:10249/proxyMode',
      { timeout: KUBE_PROXY_TIMEOUT_MS, agent: false },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part.slice(0, 64)));
        response.on('error', () => resolve(undefined));
        response.on('end', () => resolve(/^[a-z]{1,20}$/.exec(text.trim())?.[0]));
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(undefined)); // nobody listens: no kube-proxy
  });
}

async function readKeepalivedVersion(): Promise<string | undefined> {
  const outcome = await runProcess('keepalived', ['--version'], { timeoutMs: PROGRAM_TIMEOUT_MS });
  if (outcome.kind !== 'exit') return undefined;
  return /^Keepalived v\S+/m.exec(`${outcome.stderr}\n${outcome.stdout}`)?.[0];
}
