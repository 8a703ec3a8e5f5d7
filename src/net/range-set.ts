// Sets of addresses as lists of disjoint ranges. All work is on the ends of ranges.
import type { Family } from './address.ts';
import { rangesOverlap, type IpRange } from './range.ts';

/** IPv4 before IPv6, then by first address, then by last. */
export function compareRanges(a: IpRange, b: IpRange): number {
  return a.family - b.family || compareBigInt(a.first, b.first) || compareBigInt(a.last, b.last);
}

function compareBigInt(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The same addresses as sorted, disjoint ranges with gaps between them. */
export function mergeRanges(ranges: readonly IpRange[]): readonly IpRange[] {
  const merged: IpRange[] = [];
  for (const range of [...ranges].sort(compareRanges)) {
    const previous = merged.at(-1);
    if (previous?.family !== range.family || range.first > previous.last + 1n) merged.push(range);
    else if (range.last > previous.last) {
      merged[merged.length - 1] = { ...previous, last: range.last };
    }
  }
  return merged;
}

/** What is left of `range`, in ascending order. `cut` is sorted and disjoint. O(log n) plus the pieces. */
export function subtractRanges(range: IpRange, cut: readonly IpRange[]): readonly IpRange[] {
  const pieces: IpRange[] = [];
  const { family, last } = range;
  let first = range.first;
  for (const hole of cut.slice(indexAtOrAfter(cut, family, first))) {
    if (!rangesOverlap(hole, { family, first, last })) break;
    if (hole.first > first) pieces.push({ family, first, last: hole.first - 1n });
    first = hole.last + 1n;
    if (first > last) return pieces;
  }
  pieces.push({ family, first, last });
  return pieces;
}

/** The range of a sorted, disjoint list that holds the value. O(log n). */
export function findRange(
  ranges: readonly IpRange[],
  family: Family,
  value: bigint,
): IpRange | undefined {
  const range = ranges[indexAtOrAfter(ranges, family, value)];
  return range?.family === family && range.first <= value ? range : undefined;
}

/** Index of the first range of a sorted, disjoint list that ends at or after the value; its length if none does. */
export function indexAtOrAfter(ranges: readonly IpRange[], family: Family, value: bigint): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    const isBefore =
      range !== undefined &&
      (range.family < family || (range.family === family && range.last < value));
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low;
}
