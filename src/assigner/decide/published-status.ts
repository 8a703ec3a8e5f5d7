// What the assigner writes into IPs and Pools beside the decisions for Services: their published status. Pure.
import type { IP } from '../../api/ip.ts';
import { cutText, listed } from '../../api/bounded-text.ts';
import { REASON_MAX } from '../../api/limits.ts';
import { clusterIpText } from '../../api/pools.ts';
import { shownCount } from '../../api/pool-space.ts';
import type { PoolStatus } from '../../api/pool.ts';
import { compareIp, ipOfObjectName, type IpAddress } from '../../net/address.ts';
import type { Action, AssignerView, Decision, EventNote } from './decision.ts';
import {
  claimedStatus,
  ipStatus,
  sameIpStatus,
  withoutClaim,
  type IpSurroundings,
} from '../holders/ip-object.ts';
import type { Holders } from '../holders/holders.ts';
import type { PoolEntry } from '../holders/pools.ts';

function surroundings(address: IpAddress, view: AssignerView): IpSurroundings {
  return {
    pool: view.holders.pools.poolOf(address)?.name,
    clash: view.holders.clashOf(address),
    holdSeconds: view.config.holdSeconds,
    nowMs: view.nowMs,
  };
}

/** The object with the status that it should show. It must have a holder. */
export function withStatus(ip: IP, address: IpAddress, view: AssignerView): IP {
  return { ...ip, status: claimedStatus(ip, surroundings(address, view)) };
}

/** The write that takes the Service off an IP: it stays, with other holders or in another phase, or goes. */
export function writeReleased(
  held: IP,
  service: string,
  address: IpAddress,
  view: AssignerView,
): Action {
  const around = surroundings(address, view);
  const ip = withoutClaim(held, service, around);
  const status = ipStatus(ip, around);
  return status === 'gone' ? { do: 'ip.delete', ip } : { do: 'ip.update', ip: { ...ip, status } };
}

/** The write that brings an IP's status, or its end, in line with everything else; undefined if it is. */
export function decideIp(name: string, view: AssignerView): Action | undefined {
  const reason = view.holders.malformed(name);
  const address = ipOfObjectName(name);
  const record = address === undefined ? undefined : view.holders.record(address);
  if (reason !== undefined || address === undefined || record === undefined) {
    const ip = view.cluster.ips.get(name);
    if (ip === undefined || reason === undefined) return undefined;
    const status = { phase: 'Failed', reason } as const;
    return sameIpStatus(ip.status, status) ? undefined : { do: 'ip.status', ip: { ...ip, status } };
  }
  const { ip } = record;
  const status = ipStatus(ip, surroundings(address, view));
  if (status === 'gone') return { do: 'ip.delete', ip };
  return sameIpStatus(ip.status, status) ? undefined : { do: 'ip.status', ip: { ...ip, status } };
}

/** The status that a Pool should show. */
function poolStatus(entry: PoolEntry, holders: Holders): PoolStatus {
  const { pool, failure } = entry;
  if (failure !== undefined) {
    return { phase: 'Failed', reason: cutText(failure.message, REASON_MAX) };
  }
  const { capacity } = entry;
  let occupied = 0;
  for (const free of entry.free.values()) occupied += free.occupied;
  const clusterIps = holders.clusterIpsIn(entry.name);
  const unused = clusterIps.filter((address) => holders.record(address) === undefined).length;
  const isTerminating = pool.metadata.deletionTimestamp !== undefined;
  const inUse = occupied - unused;
  const warnings = [
    ...(isTerminating ? [`is being deleted; ${inUse} of its addresses are in use`] : []),
    ...outsideText(holders.outside(entry.name)),
    ...(clusterIps.length === 0 ? [] : [clusterIpText(clusterIps)]),
    ...entry.warnings.map((problem) => problem.message),
  ];
  return {
    phase: isTerminating ? 'Terminating' : 'Active',
    ...(warnings.length === 0 ? {} : { reason: cutText(warnings.join('; '), REASON_MAX) }),
    capacity: shownCount(capacity),
    allocatable: isTerminating ? 0 : shownCount(capacity - BigInt(occupied)),
  };
}

const ADDRESSES_SHOWN = 10;

function outsideText(addresses: readonly IpAddress[]): readonly string[] {
  if (addresses.length === 0) return [];
  const shown = listed([...addresses].sort(compareIp), ADDRESSES_SHOWN);
  return [`kept, though no longer in the pool: ${shown}`];
}

/** The write that brings a Pool's status in line, and what its owner is told; undefined if it is. */
export function decidePool(
  entry: PoolEntry,
  holders: Holders,
  old: PoolStatus | undefined,
): Decision | undefined {
  const status = poolStatus(entry, holders);
  if (
    old?.phase === status.phase &&
    old?.reason === status.reason &&
    old?.capacity === status.capacity &&
    old?.allocatable === status.allocatable
  ) {
    return undefined;
  }
  const isTold = old?.phase === status.phase && old?.reason === status.reason;
  return {
    actions: [{ do: 'pool.status', pool: entry.name, status }],
    events: isTold ? [] : [poolEvent(entry, status, holders)],
    waits: [],
  };
}

function poolEvent(entry: PoolEntry, status: PoolStatus, holders: Holders): EventNote {
  const regarding = { kind: 'Pool', name: entry.name } as const;
  const note = status.reason ?? `hands out ${shownCount(entry.capacity)} addresses`;
  if (entry.failure !== undefined) {
    return { regarding, type: 'Warning', reason: entry.failure.reason, note };
  }
  if (status.phase === 'Terminating') {
    return { regarding, type: 'Normal', reason: 'Terminating', note };
  }
  const isOutside = holders.outside(entry.name).length > 0;
  const ofCluster = holders.clusterIpsIn(entry.name).length > 0 ? 'ClusterIpInPool' : undefined;
  const reason = isOutside ? 'AddressesOutsidePool' : (ofCluster ?? entry.warnings[0]?.reason);
  return reason === undefined
    ? { regarding, type: 'Normal', reason: 'Active', note }
    : { regarding, type: 'Warning', reason, note };
}
