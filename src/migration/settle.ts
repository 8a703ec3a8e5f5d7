// Drafts -> Pools that stand together: each valid, each under its own name, none overlapping another. Pure.
// Of two that overlap the one for named namespaces or Services keeps the addresses, then the one of the earlier system,
// then the first by name; the other leaves them out (spec.filterIPs), and a note names both.
import { formatIssue } from '../api/parse-issues.ts';
import { parseObject } from '../api/parse.ts';
import { capacityOf, parsePoolSpace, type PoolSpace } from '../api/pool-space.ts';
import { API_VERSION, type Pool } from '../api/pool.ts';
import { mergeRanges } from '../net/range-set.ts';
import { formatRange, rangesOverlap, type IpRange } from '../net/range.ts';
import { invariant } from '../runtime/errors.ts';
import { SYSTEMS, type Note, type PoolDraft, type PoolSpecDraft } from './model.ts';

/** On every object that the import makes. */
export const IMPORTED_FROM = 'vipvs.io/imported-from';

export interface SettledPool {
  readonly draft: PoolDraft;
  readonly name: string;
  /** As it is printed: fields with their defaults are left out. */
  readonly spec: PoolSpecDraft;
  /** The same with its defaults, and what it hands out. */
  readonly pool: Pool;
  readonly space: PoolSpace;
}

/** Of a spec that is known to be right. */
export function settledPool(draft: PoolDraft, name: string, spec: PoolSpecDraft): SettledPool {
  const pool = parsePool(poolManifest(name, draft.system, spec));
  invariant(typeof pool !== 'string', `Pool ${name} was valid`);
  const { space } = parsePoolSpace(pool);
  invariant(space !== undefined, `Pool ${name} had valid addresses`);
  return { draft, name, spec, pool, space };
}

export interface PoolManifest {
  readonly apiVersion: typeof API_VERSION;
  readonly kind: 'Pool';
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
  readonly spec: PoolSpecDraft;
}

export function poolManifest(name: string, system: string, spec: PoolSpecDraft): PoolManifest {
  return {
    apiVersion: API_VERSION,
    kind: 'Pool',
    metadata: { name, labels: { [IMPORTED_FROM]: system } },
    spec,
  };
}

/** The Pool with its defaults, or what is wrong with it. */
function parsePool(manifest: object): Pool | string {
  const parsed = parseObject(manifest);
  if (parsed.kind === 'issues') return parsed.issues.map(formatIssue).join('; ');
  invariant(parsed.kind === 'object' && parsed.object.kind === 'Pool', 'a Pool is parsed as one');
  return parsed.object;
}

export function settlePools(drafts: readonly PoolDraft[], notes: Note[]): readonly SettledPool[] {
  const taken: {
    readonly name: string;
    readonly origin: string;
    readonly ranges: readonly IpRange[];
  }[] = [];
  const settled: SettledPool[] = [];
  const names = new Set<string>();
  for (const draft of [...drafts].sort(byRank)) {
    const ranges = rangesOf(draft, draft.spec, notes);
    if (ranges === undefined) continue;
    const filters: string[] = [];
    for (const other of taken) {
      const common = overlapOf(ranges, other.ranges).map(formatRange);
      if (common.length === 0) continue;
      filters.push(...common);
      const message = `${common.join(', ')} is in ${other.origin}, too: it stays in Pool ${other.name}`;
      notes.push({ kind: 'ambiguous', object: draft.origin, message });
    }
    const filterIPs = [...(draft.spec.filterIPs ?? []), ...filters];
    const spec = filters.length === 0 ? draft.spec : { ...draft.spec, filterIPs };
    const left = filters.length === 0 ? ranges : rangesOf(draft, spec, notes);
    if (left === undefined) continue; // more pieces than spec.filterIPs takes
    if (left.length === 0) {
      const message = 'nothing is left of it: no Pool is made';
      notes.push({ kind: 'ambiguous', object: draft.origin, message });
      continue;
    }
    const name = freeName(draft.name, draft.system, names);
    if (name !== draft.name) {
      const message = `there is another Pool ${draft.name}: this one is called ${name}`;
      notes.push({ kind: 'ambiguous', object: draft.origin, message });
    }
    names.add(name);
    taken.push({ name, origin: draft.origin, ranges: left });
    settled.push(settledPool(draft, name, spec));
  }
  return settled;
}

function byRank(a: PoolDraft, b: PoolDraft): number {
  const place = ({ spec, system }: PoolDraft): number =>
    (spec.serviceAllocation === undefined ? SYSTEMS.length : 0) +
    SYSTEMS.findIndex((each) => each === system);
  const byPlace = place(a) - place(b);
  if (byPlace !== 0) return byPlace;
  return a.name < b.name ? -1 : 1;
}

/** What the Pool would hand out; a note and undefined for one that is not valid. */
function rangesOf(
  draft: PoolDraft,
  spec: PoolSpecDraft,
  notes: Note[],
): readonly IpRange[] | undefined {
  const fail = (why: string): void => {
    const message = `${why}; no Pool is made`;
    notes.push({ kind: 'error', object: draft.origin, message });
  };
  const pool = parsePool(poolManifest(draft.name, draft.system, spec));
  if (typeof pool === 'string') {
    fail(pool);
    return undefined;
  }
  const { space, problems } = parsePoolSpace(pool);
  if (space === undefined) {
    fail(problems.map(({ message }) => message).join('; '));
    return undefined;
  }
  return capacityOf(space) === 0n ? [] : space.sorted;
}

function overlapOf(a: readonly IpRange[], b: readonly IpRange[]): readonly IpRange[] {
  const common = a.flatMap((left) =>
    b
      .filter((right) => rangesOverlap(left, right))
      .map((right) => ({
        family: left.family,
        first: left.first > right.first ? left.first : right.first,
        last: left.last < right.last ? left.last : right.last,
      })),
  );
  return mergeRanges(common);
}

export function freeName(wanted: string, system: string, names: ReadonlySet<string>): string {
  if (!names.has(wanted)) return wanted;
  const base = `${wanted}-${system}`;
  let name = base;
  for (let i = 2; names.has(name); i++) name = `${base}-${i}`;
  return name;
}
