// IPVS operations -> the flat records of native/vipvs.h. Pure, and nothing is allocated: 60,000 operations go through
// here in one round. Out-of-range numbers are carried over, not cut (ports are 32 bits wide in the records), so that
// the library refuses them with a reason.
import { familyOf, type Family, type IpAddress } from '../../../net/address.ts';
import type {
  RealServer,
  RealServerAddress,
  VirtualServer,
  VirtualServerAddress,
} from '../../../net/ipvs.ts';
import { afOf, putAddress, putName, stride, type Records } from './records.ts';
import {
  CHECKSUM_NUMBERS,
  FORWARD_NUMBERS,
  PROTOCOL_NUMBERS,
  ROLE_NUMBERS,
  TUNNEL_NUMBERS,
  fullNetmask,
  serviceFlagsOf,
  type IpvsOp,
  type KernelDest,
  type KernelService,
  type ServiceKey,
  type SyncDaemon,
} from './values.ts';

const OP_STRIDE = stride('op');
const KEY_STRIDE = stride('key');
const ANNOUNCEMENT_STRIDE = stride('announcement');

// ---- struct vipvs_key ------------------------------------------------------------------------------------------

function putKeyFields(
  records: Records,
  at: number,
  family: Family,
  protocol: number,
  port: number,
  fwmark: number,
  address: IpAddress,
): void {
  const { words } = records;
  words[at] = afOf(family);
  words[at + 1] = protocol;
  words[at + 2] = port;
  words[at + 3] = fwmark;
  putAddress(records, at + 4, address, family);
}

function putKey(records: Records, at: number, key: ServiceKey): void {
  putKeyFields(records, at, key.family, key.protocol, key.port, key.fwmark, key.address);
}

function putServer(records: Records, at: number, server: VirtualServerAddress): void {
  const { vip, port, protocol } = server;
  putKeyFields(records, at, familyOf(vip), PROTOCOL_NUMBERS[protocol], port, 0, vip);
}

export function encodeKey(records: Records, index: number, key: ServiceKey): void {
  putKey(records, index * KEY_STRIDE, key);
}

// ---- struct vipvs_op -------------------------------------------------------------------------------------------

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
const KEY = 1;
const BODY = 9;
/** Flags are set as a whole; the kernel keeps IP_VS_SVC_F_HASHED by itself. */
const ALL_FLAGS = 0xffff_ffff;

function putVirtualServer(records: Records, at: number, server: VirtualServer): void {
  putServiceBody(
    records,
    at,
    serviceFlagsOf(server),
    server.persistenceSeconds,
    fullNetmask(familyOf(server.vip)),
    server.scheduler,
    '',
  );
}

function putService(records: Records, at: number, service: KernelService): void {
  putServiceBody(
    records,
    at,
    service.flags,
    service.persistenceSeconds,
    service.netmask,
    service.scheduler,
    service.persistenceEngine,
  );
}

function putServiceBody(
  records: Records,
  at: number,
  flags: number,
  timeoutSeconds: number,
  netmask: number,
  scheduler: string,
  engine: string,
): void {
  const { words } = records;
  words[at] = flags;
  words[at + 1] = ALL_FLAGS;
  words[at + 2] = timeoutSeconds;
  words[at + 3] = netmask;
  putName(records, at + 4, scheduler);
  putName(records, at + 8, engine);
}

function putDestKey(records: Records, at: number, dest: RealServerAddress): void {
  const family = familyOf(dest.address);
  records.words[at] = afOf(family);
  records.words[at + 1] = dest.port;
  putAddress(records, at + 2, dest.address, family);
}

function putRealServer(records: Records, at: number, real: RealServer): void {
  const { words } = records;
  const { tunnel } = real;
  putDestKey(records, at, real);
  words[at + 6] = FORWARD_NUMBERS[real.method];
  words[at + 7] = real.weight;
  words[at + 8] = 0;
  words[at + 9] = 0;
  words[at + 10] = tunnel?.type === 'gue' ? tunnel.port : 0;
  words[at + 11] = tunnel === undefined ? 0 : TUNNEL_NUMBERS[tunnel.type];
  words[at + 12] =
    tunnel === undefined || tunnel.type === 'ipip' ? 0 : CHECKSUM_NUMBERS[tunnel.checksum];
}

function putDest(records: Records, at: number, dest: KernelDest): void {
  const { words } = records;
  putDestKey(records, at, dest);
  words[at + 6] = dest.forward;
  words[at + 7] = dest.weight;
  words[at + 8] = dest.upperThreshold;
  words[at + 9] = dest.lowerThreshold;
  words[at + 10] = dest.tunnelPort;
  words[at + 11] = dest.tunnelType;
  words[at + 12] = dest.tunnelFlags;
}

function putDaemon(records: Records, at: number, daemon: SyncDaemon): void {
  const { words } = records;
  const { group } = daemon;
  words[at] = ROLE_NUMBERS[daemon.role];
  words[at + 1] = daemon.syncId;
  words[at + 2] = daemon.maxLengthBytes ?? 0;
  words[at + 3] = daemon.port ?? 0;
  words[at + 4] = daemon.ttl ?? 0;
  words[at + 5] = group === undefined ? 0 : afOf(familyOf(group));
  putName(records, at + 6, daemon.interface);
  if (group !== undefined) putAddress(records, at + 10, group, familyOf(group));
}

/** Writes one operation into its record; every field that its kind uses is written, the others keep old bytes. */
export function encodeOp(records: Records, index: number, op: IpvsOp): void {
  const { words } = records;
  const at = index * OP_STRIDE;
  words[at] = KINDS[op.op];
  switch (op.op) {
    case 'vs.add':
    case 'vs.set':
      putServer(records, at + KEY, op.server);
      putVirtualServer(records, at + BODY, op.server);
      break;
    case 'vs.del':
    case 'vs.zero':
      putServer(records, at + KEY, op.server);
      break;
    case 'rs.add':
    case 'rs.set':
      putServer(records, at + KEY, op.server);
      putRealServer(records, at + BODY, op.real);
      break;
    case 'rs.del':
      putServer(records, at + KEY, op.server);
      putDestKey(records, at + BODY, op.real);
      break;
    case 'service.add':
    case 'service.set':
      putKey(records, at + KEY, op.service.key);
      putService(records, at + BODY, op.service);
      break;
    case 'service.del':
    case 'service.zero':
      putKey(records, at + KEY, op.key);
      break;
    case 'dest.add':
    case 'dest.set':
      putKey(records, at + KEY, op.key);
      putDest(records, at + BODY, op.dest);
      break;
    case 'dest.del':
      putKey(records, at + KEY, op.key);
      putDestKey(records, at + BODY, op.dest);
      break;
    case 'daemon.start':
      putDaemon(records, at + BODY, op.daemon);
      break;
    case 'daemon.stop':
      words[at + BODY] = ROLE_NUMBERS[op.role];
      break;
    case 'timeouts.set':
      words[at + BODY] = op.timeouts.tcpSeconds;
      words[at + BODY + 1] = op.timeouts.tcpFinSeconds;
      words[at + BODY + 2] = op.timeouts.udpSeconds;
      break;
  }
}

// ---- struct vipvs_announcement ---------------------------------------------------------------------------------

export function encodeAnnouncement(
  records: Records,
  index: number,
  address: IpAddress,
  isRouter: boolean,
): void {
  const at = index * ANNOUNCEMENT_STRIDE;
  const family = familyOf(address);
  records.words[at] = afOf(family);
  records.words[at + 1] = isRouter ? 1 : 0;
  putAddress(records, at + 2, address, family);
}
