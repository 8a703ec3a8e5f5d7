// What goes in and out of the kernel's IPVS: operations, and dumps in full, with every shape that others may have put
// there (marks instead of addresses, protocols and schedulers we never use). virtualServerOf and realServerOf give the
// values of net/ipvs.ts where an entry is exactly one that we could have made, undefined for every other. Pure.
import { formatEndpoint } from '../../../net/ipvs.ts';
import {
  SCHEDULERS,
  SCHEDULER_FLAGS,
  type Method,
  type Protocol,
  type RealServer,
  type RealServerAddress,
  type Scheduler,
  type Tunnel,
  type TunnelChecksum,
  type VirtualServer,
  type VirtualServerAddress,
} from '../../../net/ipvs.ts';
import { familyOf, type Family, type IpAddress } from '../../../net/address.ts';

/** Key of any virtual server. With a mark (not 0) the protocol is 0, the address all zeros, the port 0. */
export interface ServiceKey {
  readonly family: Family;
  /** IPPROTO_*: 6 TCP, 17 UDP, 132 SCTP, and what others use. */
  readonly protocol: number;
  readonly address: IpAddress;
  readonly port: number;
  readonly fwmark: number;
}

/** A virtual server as the kernel has it. */
export interface KernelService {
  readonly key: ServiceKey;
  /** `none` where it has no scheduler. */
  readonly scheduler: string;
  /** IP_VS_SVC_F_*: 1 persistent, 2 hashed, 4 one-packet, 8, 16 and 32 the scheduler's. */
  readonly flags: number;
  readonly persistenceSeconds: number;
  /** IPv4: the mask as number, 0xffffffff; IPv6: the prefix length. */
  readonly netmask: number;
  /** `sip`, or empty. */
  readonly persistenceEngine: string;
}

/** linux/ip_vs.h IP_VS_SVC_F_*. `hashed` is the kernel's own and always set in a dump. */
const SERVICE_FLAGS = {
  persistent: 0x1,
  hashed: 0x2,
  onePacket: 0x4,
  scheduler1: 0x8,
  scheduler2: 0x10,
  scheduler3: 0x20,
} as const;

/** A real server as the kernel has it. */
export interface KernelDest {
  readonly address: IpAddress;
  readonly port: number;
  /** IP_VS_CONN_F_*: 0 masquerade, 1 local, 2 tunnel, 3 direct, 4 bypass. */
  readonly forward: number;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  /** 0 ipip, 1 gue, 2 gre. */
  readonly tunnelType: number;
  readonly tunnelPort: number;
  /** 0 none, 1 full, 2 remote. */
  readonly tunnelFlags: number;
}

/** Numbers above 2^53 lose their last digits. The kernel refreshes them every two seconds. */
export interface Counters {
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

export interface DumpedService extends KernelService {
  readonly counters: Counters;
}

export interface DumpedDest extends KernelDest {
  /** Live, unlike the counters. */
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly persistentConnections: number;
  readonly counters: Counters;
}

/** Seconds. */
export interface IpvsTimeouts {
  readonly tcpSeconds: number;
  readonly tcpFinSeconds: number;
  readonly udpSeconds: number;
}

export interface IpvsInfo {
  /** `1.2.1` */
  readonly version: string;
  readonly connectionTableSize: number;
}

export type SyncRole = 'master' | 'backup';

/** A connection synchronisation daemon. What is left out is the kernel's choice: 224.0.0.81, 8848, ttl 1, by MTU. */
export interface SyncDaemon {
  readonly role: SyncRole;
  readonly interface: string;
  /** 0 to 255; daemons with different ones ignore each other. */
  readonly syncId: number;
  readonly maxLengthBytes?: number;
  readonly group?: IpAddress;
  readonly port?: number;
  readonly ttl?: number;
}

/** The first three are model/kernel.ts's own operations, so that a plan goes in as it is. */
export type IpvsOp =
  | { readonly op: 'vs.add' | 'vs.set'; readonly server: VirtualServer }
  | { readonly op: 'vs.del' | 'vs.zero'; readonly server: VirtualServerAddress }
  | {
      readonly op: 'rs.add' | 'rs.set';
      readonly server: VirtualServerAddress;
      readonly real: RealServer;
    }
  | {
      readonly op: 'rs.del';
      readonly server: VirtualServerAddress;
      readonly real: RealServerAddress;
    }
  /** The same on whatever the kernel may hold. */
  | { readonly op: 'service.add' | 'service.set'; readonly service: KernelService }
  | { readonly op: 'service.del' | 'service.zero'; readonly key: ServiceKey }
  | { readonly op: 'dest.add' | 'dest.set'; readonly key: ServiceKey; readonly dest: KernelDest }
  | {
      readonly op: 'dest.del';
      readonly key: ServiceKey;
      readonly dest: Pick<KernelDest, 'address' | 'port'>;
    }
  | { readonly op: 'daemon.start'; readonly daemon: SyncDaemon }
  | { readonly op: 'daemon.stop'; readonly role: SyncRole }
  /** A timeout of 0 stays as it is. */
  | { readonly op: 'timeouts.set'; readonly timeouts: IpvsTimeouts };

export const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };
const PROTOCOL_NAMES: ReadonlyMap<number, Protocol> = new Map([
  [6, 'TCP'],
  [17, 'UDP'],
  [132, 'SCTP'],
]);

export const FORWARD_NUMBERS: Readonly<Record<Method, number>> = {
  masquerade: 0,
  tunnel: 2,
  direct: 3,
};
const FORWARD_METHODS: ReadonlyMap<number, Method> = new Map([
  [0, 'masquerade'],
  [2, 'tunnel'],
  [3, 'direct'],
]);

export const TUNNEL_NUMBERS: Readonly<Record<Tunnel['type'], number>> = { ipip: 0, gue: 1, gre: 2 };
export const CHECKSUM_NUMBERS: Readonly<Record<TunnelChecksum, number>> = {
  none: 0,
  full: 1,
  remote: 2,
};
/** linux/ip_vs.h IP_VS_STATE_* */
export const ROLE_NUMBERS: Readonly<Record<SyncRole, number>> = { master: 1, backup: 2 };
const CHECKSUMS: readonly TunnelChecksum[] = ['none', 'full', 'remote'];

/** Mask or prefix that stands for the whole address. */
export function fullNetmask(family: Family): number {
  return family === 4 ? 0xffff_ffff : 128;
}

export function serviceKeyOf(server: VirtualServerAddress): ServiceKey {
  return {
    family: familyOf(server.vip),
    protocol: PROTOCOL_NUMBERS[server.protocol],
    address: server.vip,
    port: server.port,
    fwmark: 0,
  };
}

/** As `ipvsadm` names it: `192.0.2.10:80/TCP`, `[2001:db8::1]:0/50`, `FWM 7`, `FWM 7 IPv6`. */
export function formatServiceKey(key: ServiceKey): string {
  if (key.fwmark !== 0) return `FWM ${key.fwmark}${key.family === 6 ? ' IPv6' : ''}`;
  const protocol = PROTOCOL_NAMES.get(key.protocol) ?? String(key.protocol);
  return `${formatEndpoint(key.address, key.port)}/${protocol}`;
}

const SCHEDULER_BITS = [
  SERVICE_FLAGS.scheduler1,
  SERVICE_FLAGS.scheduler2,
  SERVICE_FLAGS.scheduler3,
] as const;

/** SERVICE_FLAGS bits of a virtual server of ours. */
export function serviceFlagsOf(server: VirtualServer): number {
  let flags = server.persistenceSeconds > 0 ? SERVICE_FLAGS.persistent : 0;
  const { schedulerFlags } = server;
  if (schedulerFlags.length === 0) return flags;
  SCHEDULER_FLAGS.forEach((flag, i) => {
    if (schedulerFlags.includes(flag)) flags |= SCHEDULER_BITS[i] ?? 0;
  });
  return flags;
}

const OUR_FLAGS = SCHEDULER_BITS.reduce<number>(
  (all, bit) => all | bit,
  SERVICE_FLAGS.persistent | SERVICE_FLAGS.hashed,
);

function schedulerOf(name: string): Scheduler | undefined {
  return SCHEDULERS.find((known) => known === name);
}

export function virtualServerOf(service: KernelService): VirtualServer | undefined {
  const { key, flags } = service;
  const protocol = PROTOCOL_NAMES.get(key.protocol);
  const scheduler = schedulerOf(service.scheduler);
  const isPersistent = (flags & SERVICE_FLAGS.persistent) !== 0;
  if (
    protocol === undefined ||
    scheduler === undefined ||
    key.fwmark !== 0 ||
    key.port === 0 ||
    (flags & ~OUR_FLAGS) !== 0 ||
    service.persistenceEngine !== '' ||
    service.netmask !== fullNetmask(key.family) ||
    isPersistent !== service.persistenceSeconds > 0
  ) {
    return undefined;
  }
  return {
    vip: key.address,
    port: key.port,
    protocol,
    scheduler,
    schedulerFlags: SCHEDULER_FLAGS.filter((_, i) => (flags & (SCHEDULER_BITS[i] ?? 0)) !== 0),
    persistenceSeconds: service.persistenceSeconds,
  };
}

function tunnelOf(dest: KernelDest): Tunnel | undefined {
  const checksum = CHECKSUMS[dest.tunnelFlags];
  if (checksum === undefined) return undefined;
  if (dest.tunnelType === TUNNEL_NUMBERS.gue)
    return { type: 'gue', port: dest.tunnelPort, checksum };
  if (dest.tunnelType === TUNNEL_NUMBERS.gre) return { type: 'gre', checksum };
  return dest.tunnelType === TUNNEL_NUMBERS.ipip && checksum === 'none'
    ? { type: 'ipip' }
    : undefined;
}

export function realServerOf(dest: KernelDest): RealServer | undefined {
  const method = FORWARD_METHODS.get(dest.forward);
  if (method === undefined || dest.upperThreshold !== 0 || dest.lowerThreshold !== 0) {
    return undefined;
  }
  const plain = { address: dest.address, port: dest.port, method, weight: dest.weight };
  if (method !== 'tunnel') return plain;
  const tunnel = tunnelOf(dest);
  if (tunnel === undefined) return undefined;
  // ipip is what an absent tunnel means: one form, so that equal things compare equal
  return tunnel.type === 'ipip' ? plain : { ...plain, tunnel };
}
