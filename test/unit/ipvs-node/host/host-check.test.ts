import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  checkHost,
  isSuitable,
  type HostFacts,
} from '../../../../src/ipvs-node/host/host-check.ts';
import type { KubeProxy } from '../../../../src/ipvs-node/model/kube-proxy.ts';
import { SYSCTLS } from '../../../../src/ipvs-node/model/state.ts';

const RAISED: ReadonlyMap<string, number> = new Map<string, number>([
  ...SYSCTLS.map((key) => [key, 1] as const),
  ['net/ipv6/conf/all/disable_ipv6', 0],
  ['net/ipv4/conf/all/rp_filter', 0],
  ['net/ipv4/conf/eth0/rp_filter', 0],
]);

const GOOD: HostFacts = {
  kernelRelease: '6.1.0-56-amd64',
  canAdministerNetwork: true,
  canSendRawPackets: true,
  ipvs: { version: '1.2.1', connectionTableSize: 4096, connections: 12 },
  missingSchedulers: ['twos'],
  nft: { version: '1.0.6', absence: undefined },
  sysctls: RAISED,
  canWriteSysctls: true,
  wantedInterface: 'eth0',
  interfaces: [
    { name: 'lo', up: true, mtu: 65536, isEthernet: false },
    { name: 'eth0', up: true, mtu: 1500, isEthernet: true },
  ],
  kubeProxy: undefined,
  kubeProxyTraces: [],
  keepalivedVersion: undefined,
  running: undefined,
};

function proxy(mode: KubeProxy['mode'], change: Partial<KubeProxy> = {}): KubeProxy {
  return { mode, excludeCidrs: [], strictArp: false, ...change };
}
function withSysctls(...entries: readonly (readonly [string, number])[]): HostFacts['sysctls'] {
  return new Map([...RAISED, ...entries]);
}
const eth0 = (change: object): HostFacts['interfaces'] => [
  { name: 'eth0', up: true, mtu: 1500, isEthernet: true, ...change },
];

test('a good host passes every check', () => {
  const checks = checkHost(GOOD);
  assert.deepEqual(
    checks.filter((check) => check.level !== 'PASS'),
    [],
  );
  assert.equal(isSuitable(checks), true);
  assert.deepEqual(
    checks.map((check) => check.id),
    [
      'kernel', 'permissions', 'ipvs', 'connection-table', 'schedulers', 'nftables', 'sysctls', 'interface',
      'rp_filter', 'arp', 'ipv6', 'kube-proxy', 'others', 'keepalived', 'instance',
    ],
  ); // prettier-ignore
});

const cases: readonly {
  readonly name: string;
  readonly given: Partial<HostFacts>;
  /** Level, id, and a part of the message of the one check that differs. */
  readonly want: readonly [string, string, RegExp];
}[] = [
  {
    name: 'an old kernel',
    given: { kernelRelease: '5.4.0' },
    want: ['WARN', 'kernel', /before 5\.9/],
  },
  {
    name: 'a kernel without address tags',
    given: { kernelRelease: '5.10.0-30-amd64' },
    want: ['WARN', 'kernel', /before 5\.18/],
  },
  {
    name: 'no root',
    given: { canAdministerNetwork: false },
    want: ['FAIL', 'permissions', /CAP_NET_ADMIN/],
  },
  {
    name: 'no raw sockets',
    given: { canSendRawPackets: false },
    want: ['WARN', 'permissions', /CAP_NET_RAW/],
  },
  {
    name: 'no IPVS',
    given: { ipvs: { failure: 'IPVS: no module' } },
    want: ['FAIL', 'ipvs', /no module/],
  },
  {
    name: 'a full connection table',
    given: { ipvs: { version: '1.2.1', connectionTableSize: 4096, connections: 40_000 } },
    want: ['WARN', 'connection-table', /conn_tab_bits=20/],
  },
  { name: 'no rr', given: { missingSchedulers: ['rr'] }, want: ['FAIL', 'schedulers', /rr/] },
  {
    name: 'no mh',
    given: { missingSchedulers: ['mh', 'twos'] },
    want: ['WARN', 'schedulers', /lacks mh;/],
  },
  {
    name: 'no nft',
    given: { nft: { version: undefined, absence: 'the program nft is not installed' } },
    want: ['WARN', 'nftables', /not installed: no masquerade/],
  },
  {
    name: 'settings that can not be written',
    given: { canWriteSysctls: false, sysctls: withSysctls(['net/ipv4/vs/conntrack', 0]) },
    want: ['FAIL', 'sysctls', /sysctl -w net\.ipv4\.vs\.conntrack=1/],
  },
  {
    name: 'no interface named',
    given: { wantedInterface: undefined },
    want: ['WARN', 'interface', /there are eth0$/],
  },
  {
    name: 'an interface that is not there',
    given: { wantedInterface: 'eth7' },
    want: ['FAIL', 'interface', /no interface eth7; there are eth0/],
  },
  {
    name: 'an interface that is down',
    given: { interfaces: eth0({ up: false }) },
    want: ['FAIL', 'interface', /down/],
  },
  {
    name: 'a small MTU',
    given: { interfaces: eth0({ mtu: 1400 }) },
    want: ['WARN', 'interface', /tunnels/],
  },
  {
    name: 'a tiny MTU',
    given: { interfaces: eth0({ mtu: 576 }) },
    want: ['WARN', 'interface', /IPv6/],
  },
  {
    name: 'strict rp_filter on the interface',
    given: { sysctls: withSysctls(['net/ipv4/conf/eth0/rp_filter', 1]) },
    want: ['WARN', 'rp_filter', /strict/],
  },
  {
    name: 'arp_ignore 8',
    given: { sysctls: withSysctls(['net/ipv4/conf/all/arp_ignore', 8]) },
    want: ['FAIL', 'arp', /no address/],
  },
  {
    name: 'IPv6 disabled',
    given: { sysctls: withSysctls(['net/ipv6/conf/all/disable_ipv6', 1]) },
    want: ['WARN', 'ipv6', /disabled/],
  },
  {
    name: 'kube-proxy ipvs',
    given: { kubeProxy: proxy('ipvs', { strictArp: true }) },
    want: ['WARN', 'kube-proxy', /excludeCIDRs is empty: add all Pools/],
  },
  {
    name: 'kube-proxy ipvs that does not tell its exclude CIDRs',
    given: { kubeProxy: proxy('ipvs', { excludeCidrs: undefined, strictArp: true }) },
    want: ['WARN', 'kube-proxy', /excludeCIDRs can not be read/],
  },
  {
    name: 'kube-proxy ipvs without strictARP',
    given: { kubeProxy: proxy('ipvs', { excludeCidrs: ['192.0.2.0/24'] }) },
    want: ['WARN', 'strict-arp', /is false.*set it to true/],
  },
  {
    name: 'kube-proxy ipvs, strictARP not known',
    given: {
      kubeProxy: proxy('ipvs', { excludeCidrs: ['192.0.2.0/24'], strictArp: undefined }),
    },
    want: ['WARN', 'strict-arp', /can not be read/],
  },
  {
    name: 'kube-proxy that answers its health check only',
    given: { kubeProxy: { mode: undefined, excludeCidrs: undefined, strictArp: undefined } },
    want: ['WARN', 'kube-proxy', /10256 only.*metrics-bind-address/],
  },
  {
    name: 'kube-proxy that does not answer',
    given: { kubeProxyTraces: ['process 7', 'nft table ip kube-proxy'] },
    want: ['WARN', 'kube-proxy', /is or was here \(process 7, nft table ip kube-proxy\)/],
  },
  {
    name: 'kube-proxy nftables',
    given: { kubeProxy: proxy('nftables') },
    want: ['WARN', 'kube-proxy', /flushes/],
  },
  {
    name: 'kube-router',
    given: { interfaces: [...GOOD.interfaces, ...eth0({ name: 'kube-dummy-if' })] },
    want: ['WARN', 'others', /kube-router/],
  },
];
for (const { name, given, want } of cases) {
  test(`${name}: ${want[0]}`, () => {
    const checks = checkHost({ ...GOOD, ...given });
    const bad = checks.filter((check) => check.level !== 'PASS');
    assert.deepEqual(
      bad.map((check) => [check.level, check.id]),
      [[want[0], want[1]]],
    );
    assert.match(bad[0]?.message ?? '', want[2]);
    assert.equal(isSuitable(checks), want[0] !== 'FAIL');
  });
}

const passing: readonly {
  readonly given: Partial<HostFacts>;
  readonly want: readonly [string, RegExp];
}[] = [
  {
    given: { sysctls: withSysctls(['net/ipv4/ip_forward', 0]) },
    want: ['sysctls', /vipvs sets.*ip_forward/],
  },
  { given: { missingSchedulers: undefined }, want: ['schedulers', /not visible/] },
  { given: { missingSchedulers: [] }, want: ['schedulers', /^all$/] },
  { given: { kubeProxy: proxy('iptables') }, want: ['kube-proxy', /mode iptables/] },
  {
    given: { kubeProxy: proxy('ipvs', { excludeCidrs: ['192.0.2.0/24', '2001:db8::/64'] }) },
    want: ['kube-proxy', /but for 192\.0\.2\.0\/24, 2001:db8::\/64/],
  },
  {
    given: { kubeProxy: proxy('ipvs', { strictArp: true }) },
    want: ['strict-arp', /is true/],
  },
  { given: { keepalivedVersion: 'Keepalived v2.2.7' }, want: ['keepalived', /2\.2\.7/] },
  { given: { running: 'process 12' }, want: ['instance', /process 12/] },
  {
    given: {
      kernelRelease: '7.2.0',
      ipvs: { version: '1.2.1', connectionTableSize: 256, connections: 9999 },
    },
    want: ['connection-table', /9999/],
  },
  {
    given: { ipvs: { version: '1.2.1', connectionTableSize: 4096, connections: undefined } },
    want: ['connection-table', /4096/],
  },
];
for (const { given, want } of passing) {
  test(`${want[0]} passes and says ${String(want[1])}`, () => {
    const check = checkHost({ ...GOOD, ...given }).find(({ id }) => id === want[0]);
    assert.equal(check?.level, 'PASS');
    assert.match(check.message, want[1]);
  });
}

test('a kernel without IPv6 and without any interface still gets its lines', () => {
  const bare = checkHost({
    ...GOOD,
    sysctls: new Map(),
    wantedInterface: undefined,
    interfaces: [],
  });
  const lines = bare.filter((check) => check.level === 'WARN').map((check) => check.message);
  assert.match(lines.join('\n'), /this host has none/);
  assert.match(lines.join('\n'), /no IPv6/);
});
