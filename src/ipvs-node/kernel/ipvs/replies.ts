// The flat records of native/vipvs.h -> values: results, dumps and the small answers. Whatever the kernel holds has a
// value here; nothing in this file throws. Pure.
import {
  AF_INET,
  getAddress,
  getCount,
  getName,
  getWord,
  stride,
  type Records,
} from './records.ts';
import { ROLE_NUMBERS } from './values.ts';
import type {
  Counters,
  DumpedDest,
  DumpedService,
  IpvsInfo,
  IpvsTimeouts,
  ServiceKey,
  SyncDaemon,
} from './values.ts';

/** struct vipvs_result: an errno and an enum vipvs_detail. */
export interface RawResult {
  readonly error: number;
  readonly detail: number;
}

const RESULT_STRIDE = stride('result');

export function decodeResult(records: Records, index: number): RawResult {
  const at = index * RESULT_STRIDE;
  return { error: getWord(records, at), detail: getWord(records, at + 1) };
}

/** The errno alone: of most operations nothing else is looked at. */
export function decodeResultError(records: Records, index: number): number {
  return getWord(records, index * RESULT_STRIDE);
}

function getKey(records: Records, at: number): ServiceKey {
  const af = getWord(records, at);
  return {
    family: af === AF_INET ? 4 : 6,
    protocol: getWord(records, at + 1),
    address: getAddress(records, at + 4, af),
    port: getWord(records, at + 2),
    fwmark: getWord(records, at + 3),
  };
}

function getCounters(records: Records, at: number): Counters {
  return {
    connections: getCount(records, at),
    inPackets: getCount(records, at + 2),
    outPackets: getCount(records, at + 4),
    inBytes: getCount(records, at + 6),
    outBytes: getCount(records, at + 8),
  };
}

const SERVICE_STRIDE = stride('service');

export function decodeService(records: Records, index: number): DumpedService {
  const at = index * SERVICE_STRIDE;
  return {
    key: getKey(records, at),
    flags: getWord(records, at + 8),
    persistenceSeconds: getWord(records, at + 9),
    netmask: getWord(records, at + 10),
    scheduler: getName(records, at + 12),
    persistenceEngine: getName(records, at + 16),
    counters: getCounters(records, at + 20),
  };
}

const DEST_STRIDE = stride('dest');

export function decodeDest(records: Records, index: number): DumpedDest {
  const at = index * DEST_STRIDE;
  return {
    address: getAddress(records, at + 3, getWord(records, at + 1)),
    port: getWord(records, at + 2),
    forward: getWord(records, at + 7),
    weight: getWord(records, at + 8),
    upperThreshold: getWord(records, at + 9),
    lowerThreshold: getWord(records, at + 10),
    activeConnections: getWord(records, at + 11),
    inactiveConnections: getWord(records, at + 12),
    persistentConnections: getWord(records, at + 13),
    tunnelPort: getWord(records, at + 14),
    tunnelType: getWord(records, at + 15),
    tunnelFlags: getWord(records, at + 16),
    counters: getCounters(records, at + 18),
  };
}

/** Which of the keys that were asked for a destination belongs to. */
export function decodeDestKeyIndex(records: Records, index: number): number {
  return getWord(records, index * DEST_STRIDE);
}

const DAEMON_STRIDE = stride('daemon');

export function decodeDaemon(records: Records, index: number): SyncDaemon {
  const at = index * DAEMON_STRIDE;
  const af = getWord(records, at + 5);
  return {
    role: getWord(records, at) === ROLE_NUMBERS.master ? 'master' : 'backup',
    interface: getName(records, at + 6),
    syncId: getWord(records, at + 1),
    maxLengthBytes: getWord(records, at + 2),
    port: getWord(records, at + 3),
    ttl: getWord(records, at + 4),
    ...(af === 0 ? {} : { group: getAddress(records, at + 10, af) }),
  };
}

export function decodeTimeouts(records: Records): IpvsTimeouts {
  return {
    tcpSeconds: getWord(records, 0),
    tcpFinSeconds: getWord(records, 1),
    udpSeconds: getWord(records, 2),
  };
}

export function decodeInfo(records: Records): IpvsInfo {
  const version = getWord(records, 0);
  return {
    version: `${(version >> 16) & 255}.${(version >> 8) & 255}.${version & 255}`,
    connectionTableSize: getWord(records, 1),
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
    count: getWord(records, 0),
    more: getWord(records, 1) !== 0,
    error: getWord(records, 2),
    nextKey: getWord(records, 3),
  };
}

export function decodeAnnouncementError(records: Records, index: number): number {
  return getWord(records, index * stride('announcement') + 6);
}
