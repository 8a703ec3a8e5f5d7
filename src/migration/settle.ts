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
import {
  compareText,
  SYSTEMS,
  type Note,
  type NoteKind,
  type PoolDraft,
  type PoolSpecDraft,
} from './model.ts';

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

/** What a Pool would say about the one entry of the spec, without its place in the spec. */
export interface EntryProblem {
  readonly message: string;
  /** The entry is taken, but may not say what its author meant. */
  readonly isWarning: boolean;
}

export function entryProblem(spec: PoolSpecDraft): EntryProblem | undefined {
  const pool = parsePool(poolManifest('p', '', spec));
  const found =
    typeof pool === 'string'
      ? { message: pool, isWarning: false }
      : parsePoolSpace(pool).problems[0];
  if (found === undefined) return undefined;
  const message = found.message.replace(/^spec\.(addresses|filterIPs)\[0\]: /, '');
  return { message, isWarning: found.isWarning === true };
}

export function settlePools(drafts: readonly PoolDraft[], notes: Note[]): readonly SettledPool[] {
  const taken: {
    readonly name: string;
    readonly origin: string;
    readonly ranges: readonly IpRange[];
  }[] = [];
  const settled: SettledPool[] = [];
  const names = new Set<string>();
  const asWritten = new Set(drafts.map(({ name }) => name));
  for (const draft of [...drafts].sort(byRank)) {
    const note = (kind: NoteKind, message: string): number =>
      notes.push(noteAbout(draft, kind, message));
    const ranges = rangesOf(draft, draft.spec, note);
    if (ranges === undefined) continue;
    const filters: string[] = [];
    for (const other of taken) {
      const common = overlapOf(ranges, other.ranges).map(formatRange);
      if (common.length === 0) continue;
      filters.push(...common);
      const message = `${common.join(', ')} is in ${other.origin}, too: it stays in Pool ${other.name}`;
      note('ambiguous', message);
    }
    const filterIPs = [...(draft.spec.filterIPs ?? []), ...filters];
    const spec = filters.length === 0 ? draft.spec : { ...draft.spec, filterIPs };
    const left = filters.length === 0 ? ranges : rangesOf(draft, spec, note);
    if (left === undefined) continue; // more pieces than spec.filterIPs takes
    if (left.length === 0) {
      note('ambiguous', 'nothing is left of it: no Pool is made');
      continue;
    }
    const name = nameOf(draft, names, asWritten);
    if (name !== draft.name) note('ambiguous', renamed(draft.name, name));
    names.add(name);
    taken.push({ name, origin: draft.origin, ranges: left });
    settled.push(settledPool(draft, name, spec));
  }
  return settled;
}

export function noteAbout(
  { origin, where }: Pick<PoolDraft, 'origin' | 'where'>,
  kind: NoteKind,
  message: string,
): Note {
  return { kind, object: origin, message, where };
}

/** metadata.name */
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const NAME_MAX = 200; // leaves room for what freeName adds

/** As it is written, if a Pool can be called so; another one must not take a name that somebody has as it is. */
function nameOf(
  draft: PoolDraft,
  names: ReadonlySet<string>,
  asWritten: ReadonlySet<string>,
): string {
  if (NAME.test(draft.name)) return freeName(draft.name, draft.system, names);
  const plain = draft.name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .slice(0, NAME_MAX)
    .replace(/^[-.]+|[-.]+$/g, '');
  const wanted = plain === '' ? draft.system : plain;
  return freeName(wanted, draft.system, new Set([...names, ...asWritten]));
}

function renamed(written: string, name: string): string {
  return NAME.test(written)
    ? `there is another Pool ${written}: this one is called ${name}`
    : `no Pool can be called ${JSON.stringify(written)}: it is called ${name}, and who asks for it must ask for that`;
}

function byRank(a: PoolDraft, b: PoolDraft): number {
  const place = ({ spec, system, isOlder }: PoolDraft): number =>
    (spec.serviceAllocation === undefined ? SYSTEMS.length : 0) +
    SYSTEMS.findIndex((each) => each === system) +
    (isOlder === true ? 0.5 : 0);
  return place(a) - place(b) || compareText(a.name, b.name) || compareText(a.origin, b.origin);
}

/** What the Pool would hand out; a note and undefined for one that is not valid. */
function rangesOf(
  draft: PoolDraft,
  spec: PoolSpecDraft,
  note: (kind: NoteKind, message: string) => void,
): readonly IpRange[] | undefined {
  const pool = parsePool(poolManifest('p', draft.system, spec));
  if (typeof pool === 'string') {
    note('error', `${pool}; no Pool is made`);
    return undefined;
  }
  const { space } = parsePoolSpace(pool);
  invariant(space !== undefined, `the entries of ${draft.origin} were checked one by one`);
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
