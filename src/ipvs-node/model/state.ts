// What a director should hold (NodeState) and what its kernel holds (Observed): the two sides that plan/
// compares. Values only; every map is keyed by the canonical text of what it holds.
import type { IpAddress } from '../../net/address.ts';
import type { RealServer, RealServerKey, VirtualServer, VirtualServerKey } from '../../net/ipvs.ts';
import type { FirewallState } from './firewall.ts';
import type { ObservedAddress, Owned } from './owned.ts';

export interface DesiredVirtualServer {
  readonly server: VirtualServer;
  /** May be empty: clients then get an immediate refusal. */
  readonly realServers: ReadonlyMap<RealServerKey, RealServer>;
  /**
   * Real servers whose endpoints terminate and still serve: they get no new connections, and keep what they have without
   * a deadline. Absent: none.
   */
  readonly leaving?: ReadonlySet<RealServerKey>;
  /** How long one that stopped serving, or is no longer listed, may keep its connections. */
  readonly drainSeconds: number;
  /** `namespace/name` of the Service it comes from. */
  readonly service: string;
}

/** Virtual server -> real server -> when its drain began, on the monotonic clock of this process; or NOT_BEGUN. */
export type DrainStarts = ReadonlyMap<VirtualServerKey, ReadonlyMap<RealServerKey, number>>;
/** It still serves: its time does not count yet. */
export const NOT_BEGUN = Number.POSITIVE_INFINITY;

export interface DesiredAddress {
  readonly address: IpAddress;
  readonly interface: string;
  /** The virtual servers behind it: it is bound only while one of them can be ours. */
  readonly virtualServers: readonly VirtualServerKey[];
}

export interface NodeState {
  readonly virtualServers: ReadonlyMap<VirtualServerKey, DesiredVirtualServer>;
  readonly addresses: ReadonlyMap<IpAddress, DesiredAddress>;
  readonly firewall: FirewallState;
  /** `net/ipv4/vs/conntrack` -> least value; of EXACT_SYSCTLS the very value. */
  readonly sysctls: ReadonlyMap<SysctlKey, number>;
}

/** Every sysctl that desired/ may ask for, and so what an adapter reads in observe(). */
export const SYSCTLS = [
  'net/ipv4/vs/conntrack',
  'net/ipv4/vs/expire_nodest_conn',
  'net/ipv4/vs/expire_quiescent_template',
  'net/ipv4/vs/conn_reuse_mode',
  'net/ipv4/ip_forward',
  'net/ipv6/conf/all/forwarding',
] as const;
export type SysctlKey = (typeof SYSCTLS)[number];
/** More is not better here: their value is set as it is. */
export const EXACT_SYSCTLS: ReadonlySet<SysctlKey> = new Set(['net/ipv4/vs/conn_reuse_mode']);

/** Counts are read where they matter, for what drains; absent means none, or not read. */
export interface ObservedRealServer extends RealServer {
  readonly activeConnections?: number;
  readonly inactiveConnections?: number;
}

export interface ObservedVirtualServer {
  readonly server: VirtualServer;
  readonly realServers: ReadonlyMap<RealServerKey, ObservedRealServer>;
}

/** What a plan compares with. */
export interface Observed extends Reading {
  readonly owned: Owned;
}

/**
 * What a kernel was seen to hold. Each part is undefined while its dump is missing or incomplete: that is a third answer
 * beside present and absent, and nothing is deleted on it.
 */
export interface Reading extends ObservedHost {
  readonly virtualServers: ReadonlyMap<VirtualServerKey, ObservedVirtualServer> | undefined;
}

/** All but the virtual servers. */
export interface ObservedHost {
  readonly addresses: ReadonlyMap<IpAddress, readonly ObservedAddress[]> | undefined;
  /** `absent`: the kernel has no nft, its parts of the plan are left out. */
  readonly firewall: FirewallState | 'absent' | undefined;
  /** What could be read of SYSCTLS; one that is missing is left as it is. */
  readonly sysctls: ReadonlyMap<string, number>;
}
