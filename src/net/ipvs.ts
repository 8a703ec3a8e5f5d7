// The vocabulary of IPVS as values: virtual servers, real servers, their keys, text forms and canonical order.
import { compareIp, familyOf, type IpAddress } from './address.ts';

export const PROTOCOLS = ['TCP', 'UDP', 'SCTP'] as const;
export type Protocol = (typeof PROTOCOLS)[number];

/** Schedulers of the kernel (net/netfilter/ipvs/ip_vs_*.c); `twos` is not in Debian's kernels. */
export const SCHEDULERS = [
  'rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh', 'sed', 'nq', 'fo', 'ovf', 'mh', 'twos',
] as const; // prettier-ignore
export type Scheduler = (typeof SCHEDULERS)[number];

/** linux/ip_vs.h IP_VS_SVC_F_SCHED1..3; ipvsadm prints flag-1..3, or sh-/mh-fallback and sh-/mh-port. */
export const SCHEDULER_FLAGS = ['flag-1', 'flag-2', 'flag-3'] as const;
export type SchedulerFlag = (typeof SCHEDULER_FLAGS)[number];

/** linux/ip_vs.h IP_VS_CONN_F_MASQ, _DROUTE, _TUNNEL: ipvsadm's -m, -g, -i. */
export const METHODS = ['masquerade', 'direct', 'tunnel'] as const;
export type Method = (typeof METHODS)[number];

export interface VirtualServerAddress {
  readonly vip: IpAddress;
  /** 1 to 65535 */
  readonly port: number;
  readonly protocol: Protocol;
}

export interface VirtualServer extends VirtualServerAddress {
  readonly scheduler: Scheduler;
  /** Sorted, no duplicates. */
  readonly schedulerFlags: readonly SchedulerFlag[];
  /** 0 = off. Seconds a client sticks to its real server after its last connection. */
  readonly persistenceSeconds: number;
}

export type Tunnel =
  | { readonly type: 'ipip' }
  | { readonly type: 'gue'; readonly port: number; readonly checksum: TunnelChecksum }
  | { readonly type: 'gre'; readonly checksum: TunnelChecksum };
export type TunnelChecksum = 'none' | 'full' | 'remote';

export interface RealServerAddress {
  readonly address: IpAddress;
  /** 1 to 65535. With `direct` and `tunnel` it must be the virtual server's own port. */
  readonly port: number;
}

export interface RealServer extends RealServerAddress {
  readonly method: Method;
  /** 0 = draining: established connections go on, no new ones. At most 65535. */
  readonly weight: number;
  /** Only with method `tunnel`; ipip when absent. */
  readonly tunnel?: Tunnel;
}

declare const vsKey: unique symbol;
declare const rsKey: unique symbol;
/** `192.0.2.10:80/TCP`, `[2001:db8::1]:80/TCP` */
export type VirtualServerKey = string & { readonly [vsKey]: true };
/** `10.1.0.1:8080`, `[2001:db8::2]:8080` */
export type RealServerKey = string & { readonly [rsKey]: true };

export function formatEndpoint(address: IpAddress, port: number): string {
  // join makes one flat string; a template would keep its parts beside it, in 50,000 keys
  return [familyOf(address) === 6 ? `[${address}]` : address, port].join(':');
}

export function virtualServerKey({ vip, port, protocol }: VirtualServerAddress): VirtualServerKey {
  const host = familyOf(vip) === 6 ? `[${vip}]` : vip;
  return [host, ':', port, '/', protocol].join('') as VirtualServerKey;
}

export function realServerKey(server: RealServerAddress): RealServerKey {
  return formatEndpoint(server.address, server.port) as RealServerKey;
}

export function compareVirtualServers(a: VirtualServerAddress, b: VirtualServerAddress): number {
  return (
    compareIp(a.vip, b.vip) ||
    a.port - b.port ||
    PROTOCOLS.indexOf(a.protocol) - PROTOCOLS.indexOf(b.protocol)
  );
}

export function compareRealServers(a: RealServerAddress, b: RealServerAddress): number {
  return compareIp(a.address, b.address) || a.port - b.port;
}
