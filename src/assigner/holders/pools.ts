// The Pools as the assigner works with them: each with its free space, and which of them holds an address.
// Built anew when a Pool changes; occupy and release keep the free space in step with the IP objects.
import { ALLOW_RENUMBER } from '../../api/annotations.ts';
import type { ClusterRange } from '../../api/cluster-ranges.ts';
import { poolFlag } from '../../api/pool-flag.ts';
import {
  capacityOf,
  clusterUseOf,
  exclusionOf,
  isDeclared,
  nextInRange,
  type PoolSpace,
} from '../../api/pool-space.ts';
import type { Pool } from '../../api/pool.ts';
import { resolvePools } from '../../api/pools.ts';
import type { Problem } from '../../api/problem.ts';
import { familyOf, ipToBigInt, type Family, type IpAddress } from '../../net/address.ts';
import { compareRanges, findRange, indexAtOrAfter, mergeRanges } from '../../net/range-set.ts';
import { rangesOverlap, type IpRange } from '../../net/range.ts';
import { FreeSpace } from './free-space.ts';

export interface PoolEntry {
  readonly name: string;
  readonly pool: Pool;
  /** Why the Pool is Failed. */
  readonly failure: Problem | undefined;
  /** Undefined in a Failed Pool. */
  readonly space: PoolSpace | undefined;
  /** Addresses that it hands out, in use or not. */
  readonly capacity: bigint;
  /** What is doubtful about it, though it works. */
  readonly warnings: readonly Problem[];
  /** Addresses that it holds no more may be taken from their Services. */
  readonly allowsRenumber: boolean;
  /** By family; absent where the Pool has no address of it. */
  readonly free: ReadonlyMap<Family, FreeSpace>;
}

export class PoolSpaces {
  /** In name order. */
  readonly #entries = new Map<string, PoolEntry>();
  /** Ranges of all usable Pools, sorted; usable Pools never overlap. */
  readonly #ranges: readonly OwnedRange[];
  /** What the usable Pools name, handed out or not; sorted, disjoint. */
  readonly #declared: readonly IpRange[];
  /** In the order in which Services try them: each tier in name order. */
  readonly tiers: readonly (readonly PoolEntry[])[];

  constructor(
    pools: ReadonlyMap<string, Pool>,
    nodes: readonly IpAddress[],
    ranges: readonly ClusterRange[],
  ) {
    const resolved = resolvePools(pools.values(), nodes, { ranges, clusterIps: [] });
    const valid = new Map(resolved.valid.map((each) => [each.name, each.space]));
    const warnings = Map.groupBy(
      resolved.problems.filter((problem) => problem.isWarning === true),
      (problem) => problem.object.name,
    );
    for (const [name, pool] of [...pools].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const space = valid.get(name);
      const failure = resolved.failed.get(name)?.find((problem) => problem.isWarning !== true);
      const capacity = space === undefined ? 0n : capacityOf(space);
      const free = freeSpaces(space);
      this.#entries.set(name, {
        name,
        pool,
        failure,
        space,
        capacity,
        warnings: warnings.get(name) ?? [],
        allowsRenumber: space !== undefined && poolFlag(pool, ALLOW_RENUMBER),
        free,
      });
    }
    this.#declared = mergeRanges(resolved.valid.flatMap(({ space }) => space.declared));
    this.#ranges = [...this.#entries.values()].flatMap(ownedRanges).sort(compareRanges);
    this.tiers = tiersOf([...this.#entries.values()]);
  }

  get(name: string): PoolEntry | undefined {
    return this.#entries.get(name);
  }

  entries(): IterableIterator<PoolEntry> {
    return this.#entries.values();
  }

  /** The usable Pool that hands out this address. */
  poolOf(address: IpAddress): PoolEntry | undefined {
    const family = familyOf(address);
    const value = ipToBigInt(address);
    const range = this.#ranges[indexAtOrAfter(this.#ranges, family, value)];
    if (range?.family !== family || range.first > value) return undefined;
    return nextInRange(range.space, range, value) === value ? range.entry : undefined;
  }

  /**
   * Whether the Pools are all there is to know: one at least hands out addresses, and none is Failed, whose addresses
   * nobody knows.
   */
  get areWhole(): boolean {
    const entries = [...this.#entries.values()];
    return (
      entries.some(({ capacity }) => capacity > 0n) &&
      entries.every(({ failure }) => failure === undefined)
    );
  }

  /** Whether a usable Pool names the address, excluded or not. */
  declares(address: IpAddress): boolean {
    return findRange(this.#declared, familyOf(address), ipToBigInt(address)) !== undefined;
  }

  /** Whether a usable Pool names an address of the range. */
  declaresAny(range: IpRange): boolean {
    const next = this.#declared[indexAtOrAfter(this.#declared, range.family, range.first)];
    return next !== undefined && rangesOverlap(next, range);
  }

  /** The usable Pool that would hand out the address, did the cluster not use it itself; and how it does. */
  blocked(address: IpAddress): { readonly entry: PoolEntry; readonly use: string } | undefined {
    if (!this.declares(address)) return undefined;
    for (const entry of this.#entries.values()) {
      const use = entry.space === undefined ? undefined : clusterUseOf(entry.space, address);
      // a filter leaves it out whatever the cluster does
      if (entry.space === undefined || use === undefined) continue;
      if (exclusionOf(entry.space, address) === use) return { entry, use };
    }
    return undefined;
  }

  /** The usable Pool that names the address but excludes it, with the reason as the end of a sentence. */
  exclusion(address: IpAddress): { readonly pool: string; readonly why: string } | undefined {
    for (const { name, space } of this.#entries.values()) {
      if (space === undefined || !isDeclared(space, address)) continue;
      const why = exclusionOf(space, address);
      if (why !== undefined) return { pool: name, why };
    }
    return undefined;
  }

  /** Answers the Pool that has no free address any more by this. */
  occupy(address: IpAddress): PoolEntry | undefined {
    const entry = this.poolOf(address);
    const free = entry?.free.get(familyOf(address));
    const isLast = free?.occupy(ipToBigInt(address)) === true && free.first() === undefined;
    return isLast ? entry : undefined;
  }

  /** Answers the Pool that has one more free address now. */
  release(address: IpAddress): PoolEntry | undefined {
    const entry = this.poolOf(address);
    const released = entry?.free.get(familyOf(address))?.release(ipToBigInt(address)) === true;
    return released ? entry : undefined;
  }
}

interface OwnedRange extends IpRange {
  readonly entry: PoolEntry;
  readonly space: PoolSpace;
}

function ownedRanges(entry: PoolEntry): readonly OwnedRange[] {
  const { space } = entry;
  return space === undefined ? [] : space.sorted.map((range) => ({ ...range, entry, space }));
}

function freeSpaces(space: PoolSpace | undefined): ReadonlyMap<Family, FreeSpace> {
  const free = new Map<Family, FreeSpace>();
  if (space === undefined) return free;
  for (const family of [4, 6] as const) {
    if (capacityOf(space, family) > 0n) free.set(family, new FreeSpace(space, family));
  }
  return free;
}

/**
 * Pools with serviceAllocation by priority, lowest number above 0 first, 0 or unset last; then the Pools without.
 */
function tiersOf(entries: readonly PoolEntry[]): readonly (readonly PoolEntry[])[] {
  const ranks = new Map<number, PoolEntry[]>();
  for (const entry of entries) {
    const rank = rankOf(entry.pool);
    const tier = ranks.get(rank);
    if (tier === undefined) ranks.set(rank, [entry]);
    else tier.push(entry);
  }
  return [...ranks].sort(([a], [b]) => a - b).map(([, tier]) => tier);
}

const UNSET_RANK = Number.MAX_SAFE_INTEGER - 1;
const WITHOUT_ALLOCATION_RANK = Number.MAX_SAFE_INTEGER;

function rankOf(pool: Pool): number {
  const allocation = pool.spec.serviceAllocation;
  if (allocation === undefined) return WITHOUT_ALLOCATION_RANK;
  const { priority } = allocation;
  return priority === undefined || priority === 0 ? UNSET_RANK : priority;
}
