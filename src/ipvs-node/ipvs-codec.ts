// IPVS operations -> the flat records of native/vipvs.h. Pure, and nothing is allocated: 60,000 operations go through
// here in one round. Out-of-range numbers are carried over, not cut (ports are 32 bits wide in the records), so that
// the library refuses them with a reason.
import { familyOf, type Family, type IpAddress } from '../net/address.ts';
import type {
  RealServer,
  RealServerAddress,
  VirtualServer,
  VirtualServerAddress,
} from '../net/ipvs.ts';
import {
  AF_INET,
  AF_INET6,
  LITTLE,
  RECORD_BYTES,
  putAddress,
  putName,
  type Records,
} from './ipvs-records.ts';
import {
  CHECKSUM_NUMBERS,
  FORWARD_NUMBERS,
  PROTOCOL_NUMBERS,
  TUNNEL_NUMBERS,
  fullNetmask,
  serviceFlagsOf,
  type IpvsOp,
  type KernelDest,
  type KernelService,
  type ServiceKey,
  type SyncDaemon,
} from './ipvs-values.ts';

function putKeyFields(
  view: DataView,
  at: number,
  family: Family,
  protocol: number,
  port: number,
  fwmark: number,
  address: IpAddress,
): void {
  view.setUint16(at, family === 4 ? AF_INET : AF_INET6, LITTLE);
  view.setUint16(at + 2, protocol, LITTLE);
  view.setUint32(at + 4, port, LITTLE);
  view.setUint32(at + 8, fwmark, LITTLE);
  putAddress(view, at + 12, address, family);
}

function putKey(view: DataView, at: number, key: ServiceKey): void {
  putKeyFields(view, at, key.family, key.protocol, key.port, key.fwmark, key.address);
}

function putServer(view: DataView, at: number, server: VirtualServerAddress): Family {
  const family = familyOf(server.vip);
  const protocol = PROTOCOL_NUMBERS[server.protocol];
  putKeyFields(view, at, family, protocol, server.port, 0, server.vip);
  return family;
}

export function encodeKey(records: Records, index: number, key: ServiceKey): void {
  putKey(records.view, index * RECORD_BYTES.key, key);
}

/** enum vipvs_kind */
const KINDS: Readonly<Record<IpvsOp['op'], number>> = {
  'vs.add': 1,
  'vs.set': 2,
  'vs.del': 3,
  'rs.add': 4,
  'rs.set': 5,
  'rs.del': 6,
  'vs.zero': 7,
  'service.add': 1,
  'service.set': 2,
  'service.del': 3,
  'dest.add': 4,
  'dest.set': 5,
  'dest.del': 6,
  'service.zero': 7,
  'daemon.start': 8,
  'daemon.stop': 9,
  'timeouts.set': 10,
};
const KEY = 4;
const BODY = 32;
/** Flags are set as a whole; the kernel keeps IP_VS_SVC_F_HASHED by itself. */
const ALL_FLAGS = 0xffff_ffff;

function putVirtualServer(view: DataView, at: number, server: VirtualServer): void {
  const family = putServer(view, at + KEY, server);
  putServiceBody(
    view,
    at + BODY,
    serviceFlagsOf(server),
    server.persistenceSeconds,
    fullNetmask(family),
    server.scheduler,
    '',
  );
}

function putService(view: DataView, at: number, service: KernelService): void {
  putKey(view, at + KEY, service.key);
  putServiceBody(
    view,
    at + BODY,
    service.flags,
    service.persistenceSeconds,
    service.netmask,
    service.scheduler,
    service.persistenceEngine,
  );
}

function putServiceBody(
  view: DataView,
  at: number,
  flags: number,
  timeoutSeconds: number,
  netmask: number,
  scheduler: string,
  engine: string,
): void {
  view.setUint32(at, flags, LITTLE);
  view.setUint32(at + 4, ALL_FLAGS, LITTLE);
  view.setUint32(at + 8, timeoutSeconds, LITTLE);
  view.setUint32(at + 12, netmask, LITTLE);
  putName(view, at + 16, scheduler);
  putName(view, at + 32, engine);
}

function putDestKey(view: DataView, at: number, dest: RealServerAddress): void {
  const family = familyOf(dest.address);
  view.setUint16(at, family === 4 ? AF_INET : AF_INET6, LITTLE);
  view.setUint32(at + 4, dest.port, LITTLE);
  putAddress(view, at + 8, dest.address, family);
}

function putRealServer(view: DataView, at: number, real: RealServer): void {
  const tunnel = real.tunnel;
  const checksum =
    tunnel === undefined || tunnel.type === 'ipip' ? 0 : CHECKSUM_NUMBERS[tunnel.checksum];
  putDestKey(view, at, real);
  view.setUint16(at + 2, checksum, LITTLE);
  view.setUint32(at + 24, FORWARD_NUMBERS[real.method], LITTLE);
  view.setUint32(at + 28, real.weight, LITTLE);
  view.setUint32(at + 32, 0, LITTLE);
  view.setUint32(at + 36, 0, LITTLE);
  view.setUint32(at + 40, tunnel?.type === 'gue' ? tunnel.port : 0, LITTLE);
  view.setUint32(at + 44, tunnel === undefined ? 0 : TUNNEL_NUMBERS[tunnel.type], LITTLE);
}

function putDest(view: DataView, at: number, dest: KernelDest): void {
  putDestKey(view, at, dest);
  view.setUint16(at + 2, dest.tunnelFlags, LITTLE);
  view.setUint32(at + 24, dest.forward, LITTLE);
  view.setUint32(at + 28, dest.weight, LITTLE);
  view.setUint32(at + 32, dest.upperThreshold, LITTLE);
  view.setUint32(at + 36, dest.lowerThreshold, LITTLE);
  view.setUint32(at + 40, dest.tunnelPort, LITTLE);
  view.setUint32(at + 44, dest.tunnelType, LITTLE);
}

const ROLE_NUMBERS = { master: 1, backup: 2 } as const;

function putDaemon(view: DataView, at: number, daemon: SyncDaemon): void {
  const family = daemon.group === undefined ? undefined : familyOf(daemon.group);
  view.setUint32(at, ROLE_NUMBERS[daemon.role], LITTLE);
  view.setUint32(at + 4, daemon.syncId, LITTLE);
  view.setUint32(at + 8, daemon.maxLengthBytes ?? 0, LITTLE);
  view.setUint32(at + 12, daemon.port ?? 0, LITTLE);
  view.setUint32(at + 16, daemon.ttl ?? 0, LITTLE);
  view.setUint32(at + 20, family === undefined ? 0 : family === 4 ? AF_INET : AF_INET6, LITTLE);
  putName(view, at + 24, daemon.interface);
  if (daemon.group !== undefined) {
    putAddress(view, at + 40, daemon.group, familyOf(daemon.group));
  }
}

/** Writes one operation into its record; every field that its kind uses is written, the others keep old bytes. */
export function encodeOp(records: Records, index: number, op: IpvsOp): void {
  const { view } = records;
  const at = index * RECORD_BYTES.op;
  view.setUint32(at, KINDS[op.op], LITTLE);
  switch (op.op) {
    case 'vs.add':
    case 'vs.set':
      putVirtualServer(view, at, op.server);
      break;
    case 'vs.del':
    case 'vs.zero':
      putServer(view, at + KEY, op.server);
      break;
    case 'rs.add':
    case 'rs.set':
      putServer(view, at + KEY, op.server);
      putRealServer(view, at + BODY, op.real);
      break;
    case 'rs.del':
      putServer(view, at + KEY, op.server);
      putDestKey(view, at + BODY, op.real);
      break;
    case 'service.add':
    case 'service.set':
      putService(view, at, op.service);
      break;
    case 'service.del':
    case 'service.zero':
      putKey(view, at + KEY, op.key);
      break;
    case 'dest.add':
    case 'dest.set':
      putKey(view, at + KEY, op.key);
      putDest(view, at + BODY, op.dest);
      break;
    case 'dest.del':
      putKey(view, at + KEY, op.key);
      putDestKey(view, at + BODY, op.dest);
      break;
    case 'daemon.start':
      putDaemon(view, at + BODY, op.daemon);
      break;
    case 'daemon.stop':
      view.setUint32(at + BODY, ROLE_NUMBERS[op.role], LITTLE);
      break;
    case 'timeouts.set':
      view.setUint32(at + BODY, op.timeouts.tcpSeconds, LITTLE);
      view.setUint32(at + BODY + 4, op.timeouts.tcpFinSeconds, LITTLE);
      view.setUint32(at + BODY + 8, op.timeouts.udpSeconds, LITTLE);
      break;
  }
}

export function encodeAnnouncement(
  records: Records,
  index: number,
  address: IpAddress,
  isRouter: boolean,
): void {
  const at = index * RECORD_BYTES.announcement;
  const family = familyOf(address);
  records.view.setUint16(at, family === 4 ? AF_INET : AF_INET6, LITTLE);
  records.view.setUint16(at + 2, isRouter ? 1 : 0, LITTLE);
  putAddress(records.view, at + 4, address, family);
}
