// Virtual and real servers in the syntax of ipvsadm: what `ipvsadm-save -n` prints and `ipvsadm -R` reads.
// Checked against ipvsadm 1.31 on a real kernel: the fixture ipvsadm-save.txt is its output, byte for byte.
import {
  compareRealServers,
  compareVirtualServers,
  formatEndpoint,
  type Method,
  type Protocol,
  type RealServer,
  type RealServerAddress,
  type Tunnel,
  type TunnelChecksum,
  type VirtualServer,
  type VirtualServerAddress,
} from './ipvs.ts';
import { formatSchedulerFlags } from './scheduler-flags.ts';

export const PROTOCOL_OPTIONS: Readonly<Record<Protocol, string>> = {
  TCP: '-t',
  UDP: '-u',
  SCTP: '--sctp-service',
};
export const METHOD_OPTIONS: Readonly<Record<Method, string>> = {
  masquerade: '-m',
  direct: '-g',
  tunnel: '-i',
};
export const CHECKSUM_OPTIONS: Readonly<Record<TunnelChecksum, string>> = {
  none: '--tun-nocsum',
  full: '--tun-csum',
  remote: '--tun-remcsum',
};

/** A virtual server with its real servers. */
export interface Rule {
  readonly server: VirtualServer;
  readonly realServers: readonly RealServer[];
}

/** `-t 192.0.2.10:80` */
export function formatVirtualServerAddress(server: VirtualServerAddress): string {
  return `${PROTOCOL_OPTIONS[server.protocol]} ${formatEndpoint(server.vip, server.port)}`;
}

/** `-t 192.0.2.10:80 -s rr -p 10800 -b flag-1`: what follows -A or -E. */
export function formatVirtualServer(server: VirtualServer): string {
  const { scheduler, schedulerFlags, persistenceSeconds } = server;
  const persistence = persistenceSeconds > 0 ? ` -p ${persistenceSeconds}` : '';
  const flags = formatSchedulerFlags(scheduler, schedulerFlags);
  return `${formatVirtualServerAddress(server)} -s ${scheduler}${persistence}${flags === '' ? '' : ` -b ${flags}`}`;
}

/** `-r 10.1.0.1:8080` */
export function formatRealServerAddress(real: RealServerAddress): string {
  return `-r ${formatEndpoint(real.address, real.port)}`;
}

/** `-r 10.1.0.1:8080 -m -w 1`: what follows the virtual server after -a or -e. */
export function formatRealServer(real: RealServer): string {
  const tunnel = real.method === 'tunnel' ? formatTunnel(real.tunnel ?? { type: 'ipip' }) : '';
  return `${formatRealServerAddress(real)} ${METHOD_OPTIONS[real.method]} -w ${real.weight}${tunnel}`;
}

function formatTunnel(tunnel: Tunnel): string {
  const type = ` --tun-type ${tunnel.type}`;
  switch (tunnel.type) {
    case 'ipip':
      return type;
    case 'gue':
      return `${type} --tun-port ${tunnel.port} ${CHECKSUM_OPTIONS[tunnel.checksum]}`;
    case 'gre':
      return `${type} ${CHECKSUM_OPTIONS[tunnel.checksum]}`;
  }
}

/** The whole text, one rule a line, each real server below its virtual server, all in canonical order. */
export function formatRules(rules: Iterable<Rule>): string {
  const lines: string[] = [];
  const sorted = [...rules].sort((a, b) => compareVirtualServers(a.server, b.server));
  for (const { server, realServers } of sorted) {
    lines.push(`-A ${formatVirtualServer(server)}`);
    const address = formatVirtualServerAddress(server);
    for (const real of [...realServers].sort(compareRealServers)) {
      lines.push(`-a ${address} ${formatRealServer(real)}`);
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}
