// All Pools together: which of them may be used. One bad pool never stops another, and no address is in two
// usable pools: of two that overlap the older one works, the newer is Failed and names the other.
import { familyOf, ipToBigInt, type IpAddress } from '../net/address.ts';
import { indexAtOrAfter } from '../net/range-set.ts';
import { formatRange, rangesOverlap, type IpRange } from '../net/range.ts';
import { parsePoolSpace, spaceHasValue, withoutNodes, type PoolSpace } from './pool-space.ts';
import type { Pool } from './pool.ts';
import type { Problem } from './problem.ts';

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

/** Node addresses (Node.status.addresses, or this host's own) are left out of every pool. */
export function resolvePools(
  pools: Iterable<Pool>,
  nodeAddresses: readonly IpAddress[] = [],
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
    const space = withoutNodes(parsed.space, nodeAddresses);
    problems.push(...nodeProblems(name, space));
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

function nodeProblems(name: string, space: PoolSpace): readonly Problem[] {
  return space.nodes.map((range) => ({
    object: { kind: 'Pool' as const, name },
    reason: 'NodeAddressInPool' as const,
    message: `${formatRange(range)} belongs to nodes; it is left out`,
    isWarning: true as const,
  }));
}
