// What was read, from files and from the cluster -> source objects, each once and under the name that it has in the cluster,
// and notes on all that can't be one. Pure: the YAML parser comes in as a function.
import { textOf, type JsonObject } from './json.ts';
import { Kustomizations, type FileDocument } from './kustomize.ts';
import { labelOf, type AddressUse, type Note, type SourceObject } from './model.ts';
import { addressesNamed } from './named-addresses.ts';
import { Notes, shortText } from './notes.ts';
import { placed } from './placing.ts';
import {
  chartKindOf,
  findsInTemplate,
  noteUnrendered,
  RENDER_ADVICE,
  type RenderingContext,
} from './rendering.ts';
import { withoutRepetition } from './repetition.ts';
import { isService } from './services.ts';
import { sourceObject } from './source-objects.ts';
import { isRead } from './sources.ts';
import { variableHint } from './variables.ts';

/** A document that can't be read. */
export interface BrokenDocument {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
  readonly message: string;
}

/** One that is YAML only once it is rendered. */
export interface Template {
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

export interface Input {
  readonly documents: readonly FileDocument[];
  readonly broken: readonly BrokenDocument[];
  readonly templates: readonly Template[];
  /** Undefined: it was not read. */
  readonly cluster: readonly JsonObject[] | undefined;
  /** What the API server did not give. */
  readonly problems: readonly string[];
}

export interface Gathered {
  readonly objects: readonly SourceObject[];
  readonly notes: readonly Note[];
  /** Addresses that must stay out of use, because it can't be told whose they are. */
  readonly uses: readonly AddressUse[];
  /** Documents that are no objects: what they are -> how many. */
  readonly skipped: ReadonlyMap<string, number>;
}

const FROM_CLUSTER = 'cluster';

export function gather(input: Input, parseYaml: RenderingContext['parseYaml']): Gathered {
  const notes: Note[] = [];
  const skipped = new Map<string, number>();
  for (const message of input.problems)
    notes.push({ kind: 'error', object: 'API server', message });
  for (const document of input.broken) noteBroken(document, notes);
  for (const template of input.templates) {
    if (!noteTemplate(template, notes)) count(skipped, 'templates');
  }
  const cluster = (input.cluster ?? []).flatMap((raw) => liveObject(raw) ?? []);
  const kustomizations = new Kustomizations(input.documents);
  const unread: FileDocument[] = [];
  const objects: SourceObject[] = [];
  for (const document of input.documents) {
    const told = notes.length;
    const object = objectOf(document, notes);
    const isUnread = object === undefined ? notes.length === told : !isRead(object);
    if (isUnread) unread.push(document);
    if (object !== undefined) objects.push(placed(object, kustomizations, cluster, notes));
  }
  const { objects: once, uses } = withoutRepetition(objects, notes);
  const all = input.cluster === undefined ? once : withCluster(once, cluster);
  if (input.cluster === undefined) noteUnread(unread, all, { parseYaml, notes });
  for (const { raw } of unread) {
    if (sourceObject(raw, '') !== undefined) continue;
    const { kind } = raw;
    count(
      skipped,
      typeof kind === 'string' ? `${kind} without a name` : 'documents without a kind',
    );
  }
  return { objects: all, notes, uses, skipped };
}

function liveObject(raw: JsonObject): SourceObject | undefined {
  const object = sourceObject(raw, FROM_CLUSTER);
  return object === undefined ? undefined : { ...object, isLive: true };
}

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

/** A note for an object that would be read if it had a name. */
function objectOf({ raw, file, line }: FileDocument, notes: Note[]): SourceObject | undefined {
  const where = `${file}:${line}`;
  const object = sourceObject(raw, where);
  if (object !== undefined) return { ...object, file };
  const nameless = sourceObject({ ...raw, metadata: { name: '' } }, where);
  if (nameless === undefined || !isRead(nameless)) return undefined;
  const isOther = isService(nameless) && addressesNamed(raw).length === 0;
  if (isOther || nameless.kind === 'Namespace') return undefined;
  const message = `metadata.name is missing or no text; the object is left out${variableHint(shortText(raw['metadata'] ?? null))}`;
  new Notes(notes, nameless.kind, where).add('error', message);
  return undefined;
}

/** Files go before the cluster, but what only the cluster knows of an object is taken from there. */
function withCluster(
  files: readonly SourceObject[],
  cluster: readonly SourceObject[],
): readonly SourceObject[] {
  const keyOf = (object: SourceObject): string => `${object.group} ${labelOf(object)}`;
  const there = new Map(cluster.map((object) => [keyOf(object), object]));
  const named = new Set(files.map(keyOf));
  const known = files.map((object): SourceObject => {
    const live = there.get(keyOf(object));
    const status = 'status' in object.raw ? undefined : live?.raw['status'];
    const raw = status === undefined ? object.raw : { ...object.raw, status };
    return { ...object, isLive: true, raw };
  });
  const rest = cluster.filter((object) => !named.has(keyOf(object)));
  return [...known, ...[...new Map(rest.map((object) => [keyOf(object), object])).values()]];
}

function noteUnread(
  unread: readonly FileDocument[],
  objects: readonly SourceObject[],
  {
    parseYaml,
    notes,
  }: { readonly parseYaml: RenderingContext['parseYaml']; readonly notes: Note[] },
): void {
  const kept = new Set(objects.filter(isService).flatMap(({ raw }) => addressesNamed(raw)));
  const context = { parseYaml, isKept: kept.has.bind(kept) };
  const charts = new Map<string, number>();
  for (const { raw, file, line } of unread) {
    const where = `${file}:${line}`;
    const object = sourceObject(raw, where);
    const label = object === undefined ? (textOf(raw, 'kind') ?? 'values') : labelOf(object);
    noteUnrendered({ raw, label, where }, context, notes);
    const kind = chartKindOf(raw);
    if (kind !== undefined) count(charts, kind);
  }
  if (charts.size === 0) return;
  const kinds = [...charts].map(([kind, number]) => `${kind} (${number})`).join(', ');
  const message = `not rendered: ${kinds}. Services and pools that only they make are not seen: give what they make (helm template), or read the cluster (--from-cluster)`;
  notes.push({ kind: 'ambiguous', object: 'charts', message });
}

function noteBroken({ file, line, column, message }: BrokenDocument, all: Note[]): void {
  const where = [file, line, column].filter((part) => part !== undefined).join(':');
  new Notes(all, 'document', where).add('error', `${message}; it is left out`);
}

/** Whether there is anything of interest in it. */
function noteTemplate({ text, file, line }: Template, all: Note[]): boolean {
  const finds = findsInTemplate(text);
  if (finds.length === 0) return false;
  const message = `${finds.join(', ')}: ${RENDER_ADVICE}`;
  new Notes(all, 'template', `${file}:${line}`).add('error', message);
  return true;
}
