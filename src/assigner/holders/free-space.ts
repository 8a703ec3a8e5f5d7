// Which addresses of one family of one Pool are free. Pure data structure: nothing is enumerated, so a /8 or a /64
// costs nothing, and each pick, occupy and release is O(log n) in the number of runs of addresses in use.
// The Pool's ranges are laid end to end in declared order; an address is worked with by its place on that line.
// Invariant: a run also swallows the excluded addresses around it, so that the place after a run is always an address
// that may be given. Without that, a pick behind long stretches of excluded addresses would have to search.
import BTree from 'sorted-btree';
import { nextInRange, type PoolSpace } from '../../api/pool-space.ts';
import type { Family } from '../../net/address.ts';
import type { IpRange } from '../../net/range.ts';

/** A range of the Pool with the place of its first address. Ranges without any address to give are left out. */
interface Segment extends IpRange {
  readonly place: bigint;
}

export class FreeSpace {
  readonly #space: PoolSpace;
  /** In declared order, so also in order of place. */
  readonly #segments: readonly Segment[];
  /** The same by address. */
  readonly #sorted: readonly Segment[];
  /** Places: first of a run -> last of it. sorted-btree is CommonJS: Node gives its class as `default`. */
  readonly #runs = new BTree.default<bigint, bigint>(undefined, compareBigInts);
  readonly #end: bigint;
  #occupied = 0;

  constructor(space: PoolSpace, family: Family) {
    this.#space = space;
    let place = 0n;
    const segments: Segment[] = [];
    for (const range of space.ranges) {
      if (range.family !== family || nextInRange(space, range, range.first) === undefined) continue;
      segments.push({ ...range, place });
      place += range.last - range.first + 1n;
    }
    this.#segments = segments;
    this.#sorted = [...segments].sort((a, b) => compareBigInts(a.first, b.first));
    this.#end = place;
    const start = this.#nextAllowed(0n);
    if (start > 0n) this.#runs.set(0n, start - 1n);
  }

  /** Addresses of the Pool that are in use. */
  get occupied(): number {
    return this.#occupied;
  }

  /** How many runs the structure holds: what its memory is proportional to. */
  get runs(): number {
    return this.#runs.size;
  }

  /** The first free address in declared order. */
  first(): bigint | undefined {
    const place = (this.#runs.get(0n) ?? -1n) + 1n;
    const segment = this.#segments[lastIndex(this.#segments, (each) => each.place <= place)];
    if (segment === undefined || place >= this.#end) return undefined;
    return segment.first + (place - segment.place);
  }

  /** The address's place in declared order; undefined where the Pool does not hold it or excludes it. */
  placeOf(address: bigint): bigint | undefined {
    const segment = this.#sorted[lastIndex(this.#sorted, ({ first }) => first <= address)];
    if (segment === undefined || address > segment.last) return undefined;
    if (nextInRange(this.#space, segment, address) !== address) return undefined;
    return segment.place + (address - segment.first);
  }

  /** Takes a free address. Answers false, and changes nothing, where it is not free or not of this Pool. */
  occupy(address: bigint): boolean {
    const place = this.placeOf(address);
    if (place === undefined || this.#runAt(place) !== undefined) return false;
    let next = this.#nextAllowed(place + 1n);
    const following = this.#runs.get(next);
    if (following !== undefined) {
      this.#runs.delete(next);
      next = following + 1n;
    }
    const before = this.#runs.nextLowerPair(place);
    const start = before !== undefined && before[1] === place - 1n ? before[0] : place;
    this.#runs.set(start, next - 1n);
    this.#occupied++;
    return true;
  }

  /** Gives back an address that was occupied. Answers false, and changes nothing, where it was not. */
  release(address: bigint): boolean {
    const place = this.placeOf(address);
    const run = place === undefined ? undefined : this.#runAt(place);
    if (place === undefined || run === undefined) return false;
    const [start, end] = run;
    // excluded addresses behind it fall back into the gap
    const next = this.#nextAllowed(place + 1n);
    if (next <= end) this.#runs.set(next, end);
    if (start < place) this.#runs.set(start, place - 1n);
    else this.#runs.delete(start);
    this.#occupied--;
    return true;
  }

  /** The run that holds the place. */
  #runAt(place: bigint): readonly [bigint, bigint] | undefined {
    const pair = this.#runs.getPairOrNextLower(place);
    return pair !== undefined && pair[1] >= place ? pair : undefined;
  }

  /** The first place at or after this one whose address may be given; #end if there is none. At most two segments. */
  #nextAllowed(place: bigint): bigint {
    const at = lastIndex(this.#segments, (segment) => segment.place <= place);
    for (const segment of this.#segments.slice(Math.max(at, 0), at + 2)) {
      const from = segment.first + (place > segment.place ? place - segment.place : 0n);
      const next = nextInRange(this.#space, segment, from);
      if (next !== undefined) return segment.place + (next - segment.first);
    }
    return this.#end;
  }
}

function compareBigInts(a: bigint, b: bigint): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Index of the last segment for which `isBefore` holds; it holds for a head of the list. -1: for none. */
function lastIndex(segments: readonly Segment[], isBefore: (segment: Segment) => boolean): number {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const segment = segments[middle];
    if (segment !== undefined && isBefore(segment)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
