// Operations as the line that an operator would type: `vipvs plan`, logs and tests speak the language of ipvsadm and ip.
import { compareIp, familyOf, type IpAddress } from '../../net/address.ts';
import {
  formatRealServer,
  formatRealServerAddress,
  formatRules,
  formatVirtualServer,
  formatVirtualServerAddress,
} from '../../net/ipvsadm.ts';
import type { FirewallOp, Op } from './kernel.ts';
import { SYSCTLS, type NodeState } from './state.ts';

/** The nft table is no text that anybody types: its changes are one script, which kernel/firewall makes. */
export function formatOp(op: Exclude<Op, FirewallOp>): string {
  switch (op.op) {
    case 'vs.add':
      return `ipvsadm -A ${formatVirtualServer(op.server)}`;
    case 'vs.set':
      return `ipvsadm -E ${formatVirtualServer(op.server)}`;
    case 'vs.del':
      return `ipvsadm -D ${formatVirtualServerAddress(op.server)}`;
    case 'rs.add':
      return `ipvsadm -a ${formatVirtualServerAddress(op.server)} ${formatRealServer(op.real)}`;
    case 'rs.set':
      return `ipvsadm -e ${formatVirtualServerAddress(op.server)} ${formatRealServer(op.real)}`;
    case 'rs.del':
      return `ipvsadm -d ${formatVirtualServerAddress(op.server)} ${formatRealServerAddress(op.real)}`;
    case 'vip.add':
      return `ip address add ${formatHost(op.address)} dev ${op.interface}`;
    case 'vip.del':
      return `ip address del ${formatHost(op.address)} dev ${op.interface}`;
    case 'vip.announce':
      // iputils' arping and ndisc6's ndsend are what one would type
      return familyOf(op.address) === 4
        ? `arping -c 1 -U -I ${op.interface} ${op.address}`
        : `ndsend ${op.address} ${op.interface}`;
    case 'sysctl.set':
      return `sysctl -w ${formatSysctl(op.key, op.value)}`;
  }
}

/** `192.0.2.10/32` */
function formatHost(address: IpAddress): string {
  return `${address}/${familyOf(address) === 4 ? 32 : 128}`;
}

/** `net/ipv4/vs/conntrack` -> `net.ipv4.vs.conntrack=1` */
function formatSysctl(key: string, value: number): string {
  return `${key.replaceAll('/', '.')}=${value}`;
}

/** The inverse of what formatOp says about a sysctl; undefined for any other text. */
export function parseSysctlLine(
  text: string,
): { readonly key: string; readonly value: number } | undefined {
  const match = /^sysctl -w ([a-z0-9_.]+)=(\d+)$/.exec(text);
  const [, key, value] = match ?? [];
  if (key === undefined || value === undefined) return undefined;
  return { key: key.replaceAll('.', '/'), value: Number(value) };
}

/** `ip address add 192.0.2.10/32 dev eth0` */
function formatAddressLine(address: IpAddress, interfaceName: string): string {
  return formatOp({ op: 'vip.add', address, interface: interfaceName });
}

/** The whole desired state: `ipvsadm-save -n` text, then addresses, then sysctls. */
export function formatNodeState(state: NodeState): string {
  const rules = formatRules(
    [...state.virtualServers.values()].map(({ server, realServers }) => ({
      server,
      realServers: [...realServers.values()],
    })),
  );
  const addresses = [...state.addresses.values()]
    .sort((a, b) => compareIp(a.address, b.address))
    .map((each) => formatAddressLine(each.address, each.interface));
  const sysctls = SYSCTLS.flatMap((key): readonly string[] => {
    const value = state.sysctls.get(key);
    return value === undefined ? [] : [formatOp({ op: 'sysctl.set', key, value })];
  });
  return rules + [...addresses, ...sysctls].map((line) => `${line}\n`).join('');
}
