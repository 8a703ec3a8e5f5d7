// The addresses of one Pool by arithmetic: spec.addresses in declared order, less spec.filterIPs, less what the
// avoid flags leave out. Nothing is enumerated, so a /8 or a /64 costs what a single address costs.
import {
  AddressError,
  orAddressError,
  familyOf,
  ipToBigInt,
  printable,
  type Family,
  type IpAddress,
} from '../net/address.ts';
import {
  compareRanges,
  findRange,
  indexAtOrAfter,
  mergeRanges,
  subtractRanges,
} from '../net/range-set.ts';
import {
  formatRange,
  parseRange,
  rangeHas,
  rangeOfIp,
  rangeSize,
  rangesOverlap,
  type IpRange,
} from '../net/range.ts';
import { specialUseIn } from '../net/special.ts';
import { hostBitsText } from './host-bits.ts';
import { listed } from './bounded-text.ts';
import type { ClusterRange } from './cluster-ranges.ts';
import type { Pool, PoolSpec } from './pool.ts';
import type { Problem } from './problem.ts';
import type { Reason } from './reasons.ts';

export interface PoolSpace {
  /** spec.addresses as written, in declared order; may overlap. */
  readonly declared: readonly IpRange[];
  /** What the pool hands out, in declared order, disjoint; within it only `avoidedOctets` are left out. */
  readonly ranges: readonly IpRange[];
  /** The same ranges, sorted: for search. */
  readonly sorted: readonly IpRange[];
  /** Last octets of IPv4 addresses that are never handed out, ascending. */
  readonly avoidedOctets: readonly number[];
  readonly avoidBuggyIPs: boolean;
  readonly avoidGatewayIPs: boolean;
  /** Sorted, disjoint. */
  readonly filters: readonly IpRange[];
  /** Addresses of nodes inside the pool, sorted, disjoint. */
  readonly nodes: readonly IpRange[];
  /** What the cluster itself uses inside the pool. */
  readonly cluster: readonly ClusterRange[];
}

export interface ParsedSpace {
  /** Undefined where spec.addresses or spec.filterIPs has an error. */
  readonly space: PoolSpace | undefined;
  readonly problems: readonly Problem[];
}

/** Last octets of avoidBuggyIPs: some old equipment drops packets to x.x.x.0 and x.x.x.255. */
const BUGGY_OCTETS = [0, 255];
/** Last octets of avoidGatewayIPs: where routers usually are. */
const GATEWAY_OCTETS = [1, 254];

export function parsePoolSpace(pool: Pool): ParsedSpace {
  const problems: Problem[] = [];
  const report = (reason: Reason, message: string, isWarning = false): void => {
    const object = { kind: 'Pool', name: pool.metadata.name } as const;
    problems.push({ object, reason, message, ...(isWarning ? { isWarning: true as const } : {}) });
  };
  const addresses = pool.spec.addresses.flatMap((text, i) =>
    parseItem(text, `spec.addresses[${i}]`, addressRefusal, report),
  );
  const filters = pool.spec.filterIPs.flatMap((text, i) =>
    parseItem(text, `spec.filterIPs[${i}]`, () => undefined, report),
  );
  if (problems.length > 0) return { space: undefined, problems };
  for (const { path, text, range } of [...addresses, ...filters]) {
    const message = hostBitsText(text, range, true);
    if (message !== undefined) report('HostBits', `${path}: ${message}`, true);
  }
  for (const { a, b } of overlapsIn(addresses)) {
    report(
      'OverlapInPool',
      `${b.path} ${b.text} overlaps ${a.path} ${a.text}; each address counts once`,
      true,
    );
  }
  return {
    space: spaceOf(pool.spec, addresses.map(rangeOfItem), filters.map(rangeOfItem)),
    problems,
  };
}

interface Item {
  readonly path: string;
  readonly text: string;
  readonly range: IpRange;
}

function rangeOfItem(item: Item): IpRange {
  return item.range;
}

function parseItem(
  text: string,
  path: string,
  refusal: (text: string, range: IpRange) => string | undefined,
  report: (reason: Reason, message: string) => void,
): readonly Item[] {
  const range = orAddressError(() => parseRange(text));
  if (range instanceof AddressError) {
    report('InvalidPool', `${path}: ${range.message}; ${ALLOWED}`);
    return [];
  }
  const refused = refusal(printable(text.trim()), range);
  if (refused === undefined) return [{ path, text: printable(text.trim()), range }];
  report('InvalidPool', `${path}: ${refused}`);
  return [];
}

const ALLOWED = 'allowed: an address, a CIDR (192.0.2.0/24) or a range (192.0.2.10-192.0.2.20)';

function addressRefusal(text: string, range: IpRange): string | undefined {
  if (/\/0+$/.test(text)) return `${text} is every address there is; name the ones you own`;
  const use = specialUseIn(range);
  return use === undefined ? undefined : `${text} has ${use} addresses, which no VIP can have`;
}

/** Each item with the first earlier one that it overlaps. */
function overlapsIn(items: readonly Item[]): readonly { readonly a: Item; readonly b: Item }[] {
  return items.flatMap((b, i) => {
    const a = items.slice(0, i).find((earlier) => rangesOverlap(earlier.range, b.range));
    return a === undefined ? [] : [{ a, b }];
  });
}

function spaceOf(
  spec: PoolSpec,
  declared: readonly IpRange[],
  filterIPs: readonly IpRange[],
): PoolSpace {
  const filters = mergeRanges(filterIPs);
  const ranges: IpRange[] = [];
  let taken: readonly IpRange[] = filters;
  for (const range of declared) {
    ranges.push(...subtractRanges(range, taken));
    taken = mergeRanges([...taken, range]);
  }
  return {
    declared,
    ranges,
    sorted: [...ranges].sort(compareRanges),
    avoidedOctets: [
      ...(spec.avoidBuggyIPs ? BUGGY_OCTETS : []),
      ...(spec.avoidGatewayIPs ? GATEWAY_OCTETS : []),
    ].sort((a, b) => a - b),
    avoidBuggyIPs: spec.avoidBuggyIPs,
    avoidGatewayIPs: spec.avoidGatewayIPs,
    filters,
    nodes: [],
    cluster: [],
  };
}

/** The space less the addresses of nodes; the same object where none is inside. */
export function withoutNodes(space: PoolSpace, nodes: readonly IpAddress[]): PoolSpace {
  const inside = nodes.filter((ip) => findRange(space.sorted, familyOf(ip), ipToBigInt(ip)));
  if (inside.length === 0) return space;
  const holes = mergeRanges(inside.map(rangeOfIp));
  const ranges = space.ranges.flatMap((range) => subtractRanges(range, holes));
  return { ...space, ranges, sorted: [...ranges].sort(compareRanges), nodes: holes };
}

/** The space less what the cluster itself uses; the same object where nothing of it is inside. */
export function withoutCluster(space: PoolSpace, cluster: readonly ClusterRange[]): PoolSpace {
  const inside = cluster.filter((used) => overlapsAny(space.sorted, used));
  if (inside.length === 0) return space;
  const holes = mergeRanges(inside);
  const ranges = space.ranges.flatMap((range) => subtractRanges(range, holes));
  return { ...space, ranges, sorted: [...ranges].sort(compareRanges), cluster: inside };
}

/** `sorted` is sorted and disjoint. */
function overlapsAny(sorted: readonly IpRange[], range: IpRange): boolean {
  const next = sorted[indexAtOrAfter(sorted, range.family, range.first)];
  return next !== undefined && rangesOverlap(next, range);
}

/** Whether the pool may hand out the address. O(log n). */
export function spaceHas(space: PoolSpace, ip: IpAddress): boolean {
  return spaceHasValue(space, familyOf(ip), ipToBigInt(ip));
}

/** spaceHas for an address that is already a value. */
export function spaceHasValue(space: PoolSpace, family: Family, value: bigint): boolean {
  return findRange(space.sorted, family, value) !== undefined && !isAvoided(space, family, value);
}

function isAvoided(space: PoolSpace, family: Family, value: bigint): boolean {
  return family === 4 && space.avoidedOctets.includes(Number(value & 255n));
}

/** Whether spec.addresses names the address at all, filtered or not. */
export function isDeclared(space: PoolSpace, ip: IpAddress): boolean {
  return space.declared.some((range) => rangeHas(range, ip));
}

/** Why the pool never hands out the address, as the end of a sentence; undefined if it does. */
export function exclusionOf(space: PoolSpace, ip: IpAddress): string | undefined {
  if (spaceHas(space, ip)) return undefined;
  if (!isDeclared(space, ip)) return 'it is not in spec.addresses';
  const value = ipToBigInt(ip);
  const filter = findRange(space.filters, familyOf(ip), value);
  if (filter !== undefined) return `spec.filterIPs has ${formatRange(filter)}`;
  const used = clusterUseOf(space, ip);
  if (used !== undefined) return used;
  const isBuggy = space.avoidBuggyIPs && BUGGY_OCTETS.includes(Number(value & 255n));
  return isBuggy ? 'spec.avoidBuggyIPs leaves it out' : 'spec.avoidGatewayIPs leaves it out';
}

/** Why the cluster's own use of the address keeps the pool from handing it out; undefined where it does not. */
export function clusterUseOf(space: PoolSpace, ip: IpAddress): string | undefined {
  if (findRange(space.nodes, familyOf(ip), ipToBigInt(ip)) !== undefined) {
    return 'it is the address of a node';
  }
  const range = space.cluster.find((used) => rangeHas(used, ip));
  return range === undefined ? undefined : `it is inside ${range.what}`;
}

/** Why the pool has no address to hand out, of this family (of any by default), though spec.addresses names some. */
export function whyNothing(space: PoolSpace, family?: Family): string {
  const ofFamily = (range: IpRange): boolean => family === undefined || range.family === family;
  const isFiltered = space.filters.some(
    (filter) => ofFamily(filter) && space.declared.some((range) => rangesOverlap(range, filter)),
  );
  const causes = [
    ...(isFiltered ? ['spec.filterIPs'] : []),
    ...(family !== 6 && space.avoidBuggyIPs ? ['spec.avoidBuggyIPs'] : []),
    ...(family !== 6 && space.avoidGatewayIPs ? ['spec.avoidGatewayIPs'] : []),
    ...(space.nodes.some(ofFamily) ? ["the nodes' own use"] : []),
    ...new Set(space.cluster.filter(ofFamily).map(({ what }) => what)),
  ];
  const shown = listed(causes, CAUSES_SHOWN);
  return `${shown} leave${causes.length === 1 && !isFiltered ? 's' : ''} nothing`;
}
const CAUSES_SHOWN = 5;

/**
 * The lowest address at or after `from` that the pool hands out inside `range`, one of space.ranges. Constant
 * time: it steps over avoided octets only.
 */
export function nextInRange(space: PoolSpace, range: IpRange, from: bigint): bigint | undefined {
  let value = from < range.first ? range.first : from;
  // at most three in a row: .254, .255, .0, .1 is the longest run
  while (isAvoided(space, range.family, value)) value += 1n;
  return value <= range.last ? value : undefined;
}

/**
 * The address that comes after `after` in the pool's order (declared order, lowest first), or its first one.
 * `after` must be a value that the pool hands out. O(log n) to find it, then one step.
 */
export function nextAllowed(space: PoolSpace, family: Family, after?: bigint): bigint | undefined {
  const current = after === undefined ? undefined : findRange(space.sorted, family, after);
  if (current !== undefined && after !== undefined) {
    const next = nextInRange(space, current, after + 1n);
    if (next !== undefined) return next;
  }
  const start = current === undefined ? 0 : space.ranges.indexOf(current) + 1;
  for (const range of space.ranges.slice(start)) {
    const next = range.family === family ? nextInRange(space, range, range.first) : undefined;
    if (next !== undefined) return next;
  }
  return undefined;
}

/** How many addresses of the family (both by default) the pool hands out. Exact, by arithmetic. */
export function capacityOf(space: PoolSpace, family?: Family): bigint {
  let sum = 0n;
  for (const range of space.ranges) {
    if (family === undefined || range.family === family) sum += allowedIn(space, range);
  }
  return sum;
}

function allowedIn(space: PoolSpace, range: IpRange): bigint {
  let count = rangeSize(range);
  if (range.family === 6) return count;
  for (const octet of space.avoidedOctets) {
    count -= endingIn(BigInt(octet), range.last) - endingIn(BigInt(octet), range.first - 1n);
  }
  return count;
}

/** How many of 0 … value end in the octet. */
function endingIn(octet: bigint, value: bigint): bigint {
  return (value + 256n - octet) / 256n;
}

/** An exact count as the number that status shows: at most 2^53-1, which JSON keeps exactly. */
export function shownCount(count: bigint): number {
  const max = BigInt(Number.MAX_SAFE_INTEGER);
  return Number(count > max ? max : count);
}
