// The flat records of native/vipvs.h -> values: results, dumps and the small answers. Whatever the kernel holds has a
// value here; nothing in this file throws. Pure.
import {
  AF_INET,
  LITTLE,
  RECORD_BYTES,
  getAddress,
  getCount,
  getName,
  type Records,
} from './ipvs-records.ts';
import type {
  Counters,
  DumpedDest,
  DumpedService,
  IpvsInfo,
  IpvsTimeouts,
  ServiceKey,
  SyncDaemon,
} from './ipvs-values.ts';

function getCounters(view: DataView, at: number): Counters {
  return {
    connections: getCount(view, at),
    inPackets: getCount(view, at + 8),
    outPackets: getCount(view, at + 16),
    inBytes: getCount(view, at + 24),
    outBytes: getCount(view, at + 32),
  };
}

function getKey(view: DataView, at: number): ServiceKey {
  const af = view.getUint16(at, LITTLE);
  return {
    family: af === AF_INET ? 4 : 6,
    protocol: view.getUint16(at + 2, LITTLE),
    address: getAddress(view, at + 12, af),
    port: view.getUint32(at + 4, LITTLE),
    fwmark: view.getUint32(at + 8, LITTLE),
  };
}

/** struct vipvs_result: an errno and an enum vipvs_detail. */
export interface RawResult {
  readonly error: number;
  readonly detail: number;
}

export function decodeResult(records: Records, index: number): RawResult {
  const at = index * RECORD_BYTES.result;
  return {
    error: records.view.getUint32(at, LITTLE),
    detail: records.view.getUint32(at + 4, LITTLE),
  };
}

/** The errno alone: of most operations nothing else is looked at. */
export function decodeResultError(records: Records, index: number): number {
  return records.view.getUint32(index * RECORD_BYTES.result, LITTLE);
}

export function decodeService(records: Records, index: number): DumpedService {
  const { view } = records;
  const at = index * RECORD_BYTES.service;
  return {
    key: getKey(view, at),
    scheduler: getName(view, at + 40),
    flags: view.getUint32(at + 28, LITTLE),
    persistenceSeconds: view.getUint32(at + 32, LITTLE),
    netmask: view.getUint32(at + 36, LITTLE),
    persistenceEngine: getName(view, at + 56),
    counters: getCounters(view, at + 72),
  };
}

/** The destination, and which of the asked-for keys it belongs to. */
export function decodeDest(
  records: Records,
  index: number,
): { readonly keyIndex: number; readonly dest: DumpedDest } {
  const { view } = records;
  const at = index * RECORD_BYTES.dest;
  const dest = {
    address: getAddress(view, at + 12, view.getUint16(at + 4, LITTLE)),
    port: view.getUint32(at + 8, LITTLE),
    forward: view.getUint32(at + 28, LITTLE),
    weight: view.getUint32(at + 32, LITTLE),
    upperThreshold: view.getUint32(at + 36, LITTLE),
    lowerThreshold: view.getUint32(at + 40, LITTLE),
    tunnelType: view.getUint32(at + 60, LITTLE),
    tunnelPort: view.getUint32(at + 56, LITTLE),
    tunnelFlags: view.getUint16(at + 6, LITTLE),
    activeConnections: view.getUint32(at + 44, LITTLE),
    inactiveConnections: view.getUint32(at + 48, LITTLE),
    persistentConnections: view.getUint32(at + 52, LITTLE),
    counters: getCounters(view, at + 64),
  };
  return { keyIndex: view.getUint32(at, LITTLE), dest };
}

export function decodeDaemon(records: Records, index: number): SyncDaemon {
  const { view } = records;
  const at = index * RECORD_BYTES.daemon;
  const af = view.getUint32(at + 20, LITTLE);
  return {
    role: view.getUint32(at, LITTLE) === 1 ? 'master' : 'backup',
    interface: getName(view, at + 24),
    syncId: view.getUint32(at + 4, LITTLE),
    maxLengthBytes: view.getUint32(at + 8, LITTLE),
    port: view.getUint32(at + 12, LITTLE),
    ttl: view.getUint32(at + 16, LITTLE),
    ...(af === 0 ? {} : { group: getAddress(view, at + 40, af) }),
  };
}

export function decodeTimeouts(records: Records): IpvsTimeouts {
  return {
    tcpSeconds: records.view.getUint32(0, LITTLE),
    tcpFinSeconds: records.view.getUint32(4, LITTLE),
    udpSeconds: records.view.getUint32(8, LITTLE),
  };
}

export function decodeInfo(records: Records): IpvsInfo {
  const version = records.view.getUint32(0, LITTLE);
  return {
    version: `${(version >> 16) & 255}.${(version >> 8) & 255}.${version & 255}`,
    connectionTableSize: records.view.getUint32(4, LITTLE),
  };
}

/** struct vipvs_chunk */
export interface Chunk {
  readonly count: number;
  readonly more: boolean;
  readonly error: number;
  readonly nextKey: number;
}

export function decodeChunk(records: Records): Chunk {
  return {
    count: records.view.getUint32(0, LITTLE),
    more: records.view.getUint32(4, LITTLE) !== 0,
    error: records.view.getUint32(8, LITTLE),
    nextKey: records.view.getUint32(12, LITTLE),
  };
}

export function decodeAnnouncementError(records: Records, index: number): number {
  return records.view.getUint32(index * RECORD_BYTES.announcement + 20, LITTLE);
}
