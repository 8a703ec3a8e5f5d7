// Facts about this machine -> what speaks for and against it as a director. Pure: host-facts.ts gathers the facts.
import type { Scheduler } from '../../net/ipvs.ts';
import type { KubeProxy } from '../model/kube-proxy.ts';

export type Level = 'PASS' | 'WARN' | 'FAIL';

export interface HostCheck {
  readonly level: Level;
  /** Stable name for scripts. */
  readonly id: string;
  /** One line: what was found, and what to do about it. */
  readonly message: string;
}

export interface InterfaceFacts {
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  readonly isEthernet: boolean;
}

/** Undefined: it could not be found out. */
export interface HostFacts {
  /** `6.1.0-56-amd64` */
  readonly kernelRelease: string;
  readonly canAdministerNetwork: boolean;
  readonly canSendRawPackets: boolean;
  readonly ipvs:
    | {
        readonly version: string;
        readonly connectionTableSize: number;
        readonly connections: number | undefined;
      }
    | { readonly failure: string };
  readonly missingSchedulers: readonly Scheduler[] | undefined;
  readonly nft: {
    readonly version: string | undefined;
    readonly absence: string | undefined;
  };
  /** By key below /proc/sys; one that can't be read is missing. */
  readonly sysctls: ReadonlyMap<string, number>;
  readonly canWriteSysctls: boolean;
  /** The name that was asked for, and what stands behind it. */
  readonly wantedInterface: string | undefined;
  readonly interfaces: readonly InterfaceFacts[];
  /** Undefined: none answers. */
  readonly kubeProxy: KubeProxy | undefined;
  /** What else tells of one: `process 123`, `nft table ip kube-proxy`. */
  readonly kubeProxyTraces: readonly string[];
  readonly keepalivedVersion: string | undefined;
  /** A vipvs that runs in this network namespace: `process 123`. */
  readonly running: string | undefined;
}

export function checkHost(facts: HostFacts): readonly HostCheck[] {
  return [
    kernelCheck(facts),
    permissionCheck(facts),
    ...ipvsChecks(facts),
    nftCheck(facts),
    ...sysctlChecks(facts),
    interfaceCheck(facts),
    reversePathCheck(facts),
    arpCheck(facts),
    ipv6Check(facts),
    ...kubeProxyChecks(facts),
    neighbourCheck(facts),
    keepalivedCheck(facts),
    instanceCheck(facts),
  ];
}

export function isSuitable(checks: readonly HostCheck[]): boolean {
  return checks.every((check) => check.level !== 'FAIL');
}

function pass(id: string, message: string): HostCheck {
  return { level: 'PASS', id, message };
}
function warn(id: string, message: string): HostCheck {
  return { level: 'WARN', id, message };
}
function fail(id: string, message: string): HostCheck {
  return { level: 'FAIL', id, message };
}

function isOlder(release: string, major: number, minor: number): boolean {
  const [haveMajor = 0, haveMinor = 0] = release
    .split('.')
    .map((part) => Number.parseInt(part, 10));
  return haveMajor < major || (haveMajor === major && haveMinor < minor);
}

function kernelCheck({ kernelRelease }: HostFacts): HostCheck {
  if (isOlder(kernelRelease, 5, 9)) {
    return warn(
      'kernel',
      `Linux ${kernelRelease}: before 5.9 a new connection from a port that was just used waits a second; ` +
        'vipvs sets conn_reuse_mode=0 against it',
    );
  }
  if (isOlder(kernelRelease, 5, 18)) {
    return warn(
      'kernel',
      `Linux ${kernelRelease}: before 5.18 addresses carry no tag; which are ours is known by the run directory only`,
    );
  }
  return pass('kernel', `Linux ${kernelRelease}`);
}

function permissionCheck(facts: HostFacts): HostCheck {
  if (!facts.canAdministerNetwork) {
    return fail('permissions', 'no CAP_NET_ADMIN in the initial user namespace; run as root');
  }
  if (!facts.canSendRawPackets) {
    return warn(
      'permissions',
      'no CAP_NET_RAW: no gratuitous ARP and neighbour advertisements; neighbours learn of a moved VIP late',
    );
  }
  return pass('permissions', 'CAP_NET_ADMIN and CAP_NET_RAW');
}

/** Connections per bucket above which a lookup walks a long list (ipvs.md 5, 31). */
const MOST_CONNECTIONS_PER_BUCKET = 8;

function ipvsChecks({ ipvs, missingSchedulers, kernelRelease }: HostFacts): readonly HostCheck[] {
  if ('failure' in ipvs) return [fail('ipvs', ipvs.failure)];
  const checks = [pass('ipvs', `IPVS ${ipvs.version}`)];
  const size = ipvs.connectionTableSize;
  const connections = ipvs.connections ?? 0;
  if (isOlder(kernelRelease, 7, 1) && connections > MOST_CONNECTIONS_PER_BUCKET * size) {
    checks.push(
      warn(
        'connection-table',
        `${connections} connections in ${size} buckets; put "options ip_vs conn_tab_bits=20" into /etc/modprobe.d ` +
          'and load the module again',
      ),
    );
  } else checks.push(pass('connection-table', `${connections} connections in ${size} buckets`));
  checks.push(schedulerCheck(missingSchedulers));
  return checks;
}

function schedulerCheck(missing: readonly Scheduler[] | undefined): HostCheck {
  if (missing === undefined) {
    return pass('schedulers', 'not visible from here; the kernel loads them when they are used');
  }
  if (missing.includes('rr')) {
    return fail('schedulers', 'the kernel has no scheduler rr, which is the default');
  }
  // in no distribution's kernel that we know (CONFIG_IP_VS_TWOS)
  const notable = missing.filter((name) => name !== 'twos');
  if (notable.length > 0) {
    return warn(
      'schedulers',
      `the kernel lacks ${notable.join(', ')}; Services can not ask for them`,
    );
  }
  return pass('schedulers', missing.length === 0 ? 'all' : `all but ${missing.join(', ')}`);
}

function nftCheck({ nft }: HostFacts): HostCheck {
  if (nft.absence !== undefined) {
    return warn(
      'nftables',
      `${nft.absence}: no masquerade (real servers must send replies through this host), no ` +
        'loadBalancerSourceRanges, closed ports of a VIP reach this host',
    );
  }
  return pass('nftables', `nft ${nft.version ?? 'of unknown version'}, family inet`);
}

/** What vipvs raises, and what does not work without it. */
const NEEDED: readonly (readonly [key: string, why: string])[] = [
  ['net/ipv4/vs/conntrack', 'masquerade needs it'],
  ['net/ipv4/vs/expire_nodest_conn', 'clients of a deleted real server hang without it'],
  [
    'net/ipv4/vs/expire_quiescent_template',
    'sticky clients stay on a draining real server without it',
  ],
  ['net/ipv4/ip_forward', 'replies of real servers are not forwarded without it'],
  ['net/ipv6/conf/all/forwarding', 'IPv6 replies of real servers are not forwarded without it'],
];

function sysctlChecks(facts: HostFacts): readonly HostCheck[] {
  const low = NEEDED.filter(([key]) => {
    const value = facts.sysctls.get(key);
    return value !== undefined && value < 1;
  });
  if (low.length === 0) return [pass('sysctls', 'all as needed')];
  if (facts.canWriteSysctls) {
    const names = low.map(([key]) => dotted(key));
    return [pass('sysctls', `vipvs sets, where a Service needs it: ${names.join(', ')}`)];
  }
  return low.map(([key, why]) =>
    fail(
      'sysctls',
      `${dotted(key)} is 0 and can not be written from here: ${why}; sysctl -w ${dotted(key)}=1`,
    ),
  );
}

function dotted(key: string): string {
  return key.replaceAll('/', '.');
}

/** RFC 8200 5: every link of IPv6 takes packets of 1280 bytes. */
const LEAST_MTU = 1280;
const ETHERNET_MTU = 1500;

function interfaceCheck({ wantedInterface, interfaces }: HostFacts): HostCheck {
  const names = interfaces.filter((each) => each.isEthernet).map((each) => each.name);
  const known = names.length === 0 ? 'this host has none' : `there are ${names.join(', ')}`;
  if (wantedInterface === undefined) {
    return warn('interface', `not checked, because --bind-iface is not given; ${known}`);
  }
  const found = interfaces.find((each) => each.name === wantedInterface);
  if (found === undefined) {
    return fail('interface', `there is no interface ${wantedInterface}; ${known}`);
  }
  if (!found.up) {
    return fail(
      'interface',
      `${wantedInterface} is down or has no carrier; ip link set ${wantedInterface} up`,
    );
  }
  if (found.mtu < LEAST_MTU) {
    return warn('interface', `${wantedInterface} has MTU ${found.mtu}: too small for IPv6`);
  }
  if (found.mtu < ETHERNET_MTU) {
    return warn(
      'interface',
      `${wantedInterface} has MTU ${found.mtu}: tunnels to real servers take 20 to 50 bytes more`,
    );
  }
  return pass('interface', `${wantedInterface} is up, MTU ${found.mtu}`);
}

/** For settings where the kernel takes the greater one of `all` and the interface's own. */
function greatest(facts: HostFacts, setting: string): number {
  const own = facts.wantedInterface;
  return Math.max(
    facts.sysctls.get(`net/ipv4/conf/all/${setting}`) ?? 0,
    own === undefined ? 0 : (facts.sysctls.get(`net/ipv4/conf/${own}/${setting}`) ?? 0),
  );
}

function reversePathCheck(facts: HostFacts): HostCheck {
  return greatest(facts, 'rp_filter') === 1
    ? warn(
        'rp_filter',
        'strict (1): clients that come in by another interface than their route are dropped, and so are tunnelled ' +
          'packets on real servers; 2 or 0 on `all` and the interface lets them in',
      )
    : pass('rp_filter', 'not strict');
}

function arpCheck(facts: HostFacts): HostCheck {
  // Documentation/networking/ip-sysctl.rst: 8 = do not reply for all local addresses
  return greatest(facts, 'arp_ignore') >= 8
    ? fail('arp', 'arp_ignore is 8: no address of this host is ever answered for')
    : pass('arp', 'ARP is answered for addresses of the interface');
}

function ipv6Check({ sysctls }: HostFacts): HostCheck {
  const disabled = sysctls.get('net/ipv6/conf/all/disable_ipv6');
  if (disabled === undefined) return warn('ipv6', 'the kernel has no IPv6: only IPv4 VIPs');
  return disabled === 0 ? pass('ipv6', 'on') : warn('ipv6', 'disabled: only IPv4 VIPs');
}

function kubeProxyChecks({ kubeProxy, kubeProxyTraces }: HostFacts): readonly HostCheck[] {
  if (kubeProxy === undefined) {
    return kubeProxyTraces.length === 0
      ? [pass('kube-proxy', 'none answers at 127.0.0.1:10249 or 127.0.0.1:10256')]
      : [warn('kube-proxy', `is or was here (${kubeProxyTraces.join(', ')}), ${SILENT}`)];
  }
  switch (kubeProxy.mode) {
    case undefined:
      return [warn('kube-proxy', `answers at 127.0.0.1:10256 only, ${SILENT}`)];
    case 'ipvs':
      return [excludeCheck(kubeProxy), strictArpCheck(kubeProxy)];
    case 'nftables':
      return [
        warn(
          'kube-proxy',
          'runs in mode nftables, which flushes IPVS whenever it starts; vipvs repairs the table within two seconds',
        ),
      ];
    case 'iptables':
      return [pass('kube-proxy', 'runs in mode iptables')];
  }
}

const SILENT =
  'and its mode can not be read: let it answer at --metrics-bind-address=127.0.0.1:10249';

function excludeCheck({ excludeCidrs }: KubeProxy): HostCheck {
  const start =
    'runs in mode ipvs, which deletes virtual servers that it does not know at every sync';
  if (excludeCidrs === undefined || excludeCidrs.length === 0) {
    const found = excludeCidrs === undefined ? 'can not be read' : 'is empty';
    return warn(
      'kube-proxy',
      `${start}; its ipvs.excludeCIDRs ${found}: add all Pools to it (vipvs repairs the table within two seconds otherwise)`,
    );
  }
  const list = excludeCidrs.join(', ');
  return pass('kube-proxy', `${start}, but for ${list}: all Pools must be in there`);
}

function strictArpCheck({ strictArp }: KubeProxy): HostCheck {
  if (strictArp === true) return pass('strict-arp', 'ipvs.strictARP is true');
  const found = strictArp === undefined ? 'can not be read' : 'is false';
  return warn(
    'strict-arp',
    `ipvs.strictARP of kube-proxy ${found}: if false, every node answers ARP for what is on kube-ipvs0 ` +
      '(spec.externalIPs, addresses of load balancers without ipMode Proxy); set it to true',
  );
}

/** Interfaces that give away who else programs this host. */
const NEIGHBOURS: ReadonlyMap<string, string> = new Map([
  [
    'kube-ipvs0',
    'kube-proxy in mode ipvs is or was here; it deletes virtual servers that it does not know',
  ],
  ['kube-dummy-if', 'kube-router is or was here; it deletes virtual servers that it does not know'],
  [
    'cilium_host',
    'Cilium is here; with eBPF host routing or its kube-proxy replacement, replies of pods bypass IPVS',
  ],
]);

function neighbourCheck({ interfaces }: HostFacts): HostCheck {
  const found = interfaces.flatMap(({ name }) => {
    const meaning = NEIGHBOURS.get(name);
    return meaning === undefined ? [] : [`${name}: ${meaning}`];
  });
  return found.length === 0
    ? pass('others', 'no other program that edits IPVS was seen')
    : warn('others', found.join('; '));
}

function keepalivedCheck({ keepalivedVersion }: HostFacts): HostCheck {
  return pass(
    'keepalived',
    keepalivedVersion ?? 'not installed; only several directors with VRRP need it',
  );
}

function instanceCheck({ running }: HostFacts): HostCheck {
  return pass('instance', running === undefined ? 'no vipvs runs here' : `vipvs runs (${running})`);
}
