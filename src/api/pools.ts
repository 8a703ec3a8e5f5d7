// All Pools together: which of them may be used. One bad pool never stops another, and no address is in two
// usable pools: of two that overlap the older one works, the newer is Failed and names the other.
import { compareIp, familyOf, ipToBigInt, quoted, type IpAddress } from '../net/address.ts';
import { indexAtOrAfter } from '../net/range-set.ts';
import { formatRange, rangesOverlap, type IpRange } from '../net/range.ts';
import { ALLOW_NODE_ADDRESS } from './annotations.ts';
import { listed } from './bounded-text.ts';
import type { ClusterRange } from './cluster-ranges.ts';
import { poolFlag, unreadFlags } from './pool-flag.ts';
import {
  capacityOf,
  parsePoolSpace,
  spaceHas,
  spaceHasValue,
  whyNothing,
  withoutCluster,
  withoutNodes,
  type PoolSpace,
} from './pool-space.ts';
import type { Pool } from './pool.ts';
import type { Problem } from './problem.ts';
import type { Reason } from './reasons.ts';

export interface ValidPool {
  readonly name: string;
  readonly pool: Pool;
  readonly space: PoolSpace;
}

export interface ResolvedPools {
  /** In name order. */
  readonly valid: readonly ValidPool[];
  /** Why each Failed pool is Failed. */
  readonly failed: ReadonlyMap<string, readonly Problem[]>;
  /** Those of `failed`, and warnings about valid ones. */
  readonly problems: readonly Problem[];
  /** The ranges of all valid pools, sorted and disjoint: for poolOf. */
  readonly owned: readonly OwnedRange[];
}

export interface OwnedRange extends IpRange {
  readonly owner: ValidPool;
}

/** What the cluster uses itself beside the nodes' addresses. */
interface ClusterUse {
  /** Service CIDRs and pod CIDRs: left out of every pool. */
  readonly ranges: readonly ClusterRange[];
  /** ClusterIPs: a pool that names one is warned. Who hands addresses out must pass them over himself: they come and go. */
  readonly clusterIps: readonly IpAddress[];
}

const NO_USE: ClusterUse = { ranges: [], clusterIps: [] };

/**
 * Node addresses (Node.status.addresses, or this host's own) are left out of every pool that is not annotated to have them.
 */
export function resolvePools(
  pools: Iterable<Pool>,
  nodeAddresses: readonly IpAddress[] = [],
  { ranges, clusterIps }: ClusterUse = NO_USE,
): ResolvedPools {
  const valid: ValidPool[] = [];
  const failed = new Map<string, readonly Problem[]>();
  const problems: Problem[] = [];
  const owned: OwnedRange[] = [];
  for (const pool of [...pools].sort(byAge)) {
    const name = pool.metadata.name;
    const parsed = parsePoolSpace(pool);
    problems.push(...parsed.problems);
    if (parsed.space === undefined) {
      failed.set(name, parsed.problems);
      continue;
    }
    const overlap = overlapOf(owned, parsed.space);
    if (overlap !== undefined) {
      const problem = overlapProblem(pool, overlap);
      problems.push(problem);
      failed.set(name, [problem]);
      continue;
    }
    const isForNodes = poolFlag(pool, ALLOW_NODE_ADDRESS);
    const withNodes = withoutNodes(parsed.space, isForNodes ? [] : nodeAddresses);
    const space = withoutCluster(withNodes, ranges);
    problems.push(...flagProblems(pool), ...clusterProblems(name, space));
    problems.push(...clusterIpProblem(name, space, clusterIps), ...emptyProblem(name, space));
    const owner = { name, pool, space };
    valid.push(owner);
    // the ranges with the nodes' addresses: a node that comes or goes must not decide between two pools
    for (const range of parsed.space.sorted) {
      owned.splice(indexAtOrAfter(owned, range.family, range.first), 0, { ...range, owner });
    }
  }
  valid.sort((a, b) => compareText(a.name, b.name));
  problems.sort((a, b) => compareText(a.object.name, b.object.name));
  return { valid, failed, problems, owned };
}

/** The pool that hands out the address; at most one does. O(log n). */
export function poolOf(pools: ResolvedPools, ip: IpAddress): ValidPool | undefined {
  const family = familyOf(ip);
  const value = ipToBigInt(ip);
  const range = pools.owned[indexAtOrAfter(pools.owned, family, value)];
  const pool = range?.owner;
  return pool !== undefined && spaceHasValue(pool.space, family, value) ? pool : undefined;
}

/** creationTimestamp (RFC 3339 in UTC sorts as text), then name; an object without one is the newest. */
function byAge(a: Pool, b: Pool): number {
  return (
    compareText(a.metadata.creationTimestamp ?? '~', b.metadata.creationTimestamp ?? '~') ||
    compareText(a.metadata.name, b.metadata.name)
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

interface Overlap {
  readonly owner: ValidPool;
  readonly range: IpRange;
}

function overlapOf(owned: readonly OwnedRange[], space: PoolSpace): Overlap | undefined {
  for (const range of space.ranges) {
    const other = owned[indexAtOrAfter(owned, range.family, range.first)];
    if (other === undefined || !rangesOverlap(other, range)) continue;
    const first = other.first > range.first ? other.first : range.first;
    const last = other.last < range.last ? other.last : range.last;
    return { owner: other.owner, range: { family: range.family, first, last } };
  }
  return undefined;
}

function overlapProblem({ metadata }: Pool, { owner, range }: Overlap): Problem {
  const [mine, its] = [metadata.creationTimestamp, owner.pool.metadata.creationTimestamp];
  // without both times nobody can say which is older
  const byTime = mine === undefined ? 'comes first, as it has a creationTimestamp' : 'is older';
  const why = its === undefined || its === mine ? 'comes first by its name' : byTime;
  return {
    object: { kind: 'Pool', name: metadata.name },
    reason: 'PoolOverlap',
    message: `${formatRange(range)} is already in pool ${owner.name}, which ${why}; take it out of one of them (spec.addresses, or spec.filterIPs)`,
  };
}

function warning(name: string, reason: Reason, message: string): Problem {
  return { object: { kind: 'Pool', name }, reason, message, isWarning: true };
}

/** What of the cluster's own is inside the pool, and so left out of it. */
function clusterProblems(name: string, space: PoolSpace): readonly Problem[] {
  const nodes = space.nodes.map((range) =>
    warning(name, 'NodeAddressInPool', `${formatRange(range)} belongs to nodes; it is left out`),
  );
  if (space.cluster.length === 0) return nodes;
  const ranges = listed([...new Set(space.cluster.map(({ what }) => what))], RANGES_SHOWN);
  return [...nodes, warning(name, 'ClusterRangeInPool', `overlaps ${ranges}; that is left out`)];
}

const RANGES_SHOWN = 5;

function clusterIpProblem(
  name: string,
  space: PoolSpace,
  clusterIps: readonly IpAddress[],
): readonly Problem[] {
  const inside = clusterIps.filter((ip) => spaceHas(space, ip));
  return inside.length === 0 ? [] : [warning(name, 'ClusterIpInPool', clusterIpText(inside))];
}

/** What a pool says of ClusterIPs among its addresses. */
export function clusterIpText(ips: readonly IpAddress[]): string {
  const shown = listed([...ips].sort(compareIp), CLUSTER_IPS_SHOWN);
  return `${shown} ${ips.length === 1 ? 'is a ClusterIP' : 'are ClusterIPs'}; left out`;
}

const CLUSTER_IPS_SHOWN = 10;

function emptyProblem(name: string, space: PoolSpace): readonly Problem[] {
  if (capacityOf(space) > 0n) return [];
  return [warning(name, 'EmptyPool', `hands out nothing: ${whyNothing(space)}`)];
}

function flagProblems(pool: Pool): readonly Problem[] {
  return unreadFlags(pool).map(({ key, text }) => {
    const message = `${key}: ${quoted(text)} is not allowed: true or false; it counts as false`;
    return warning(pool.metadata.name, 'InvalidAnnotation', message);
  });
}
