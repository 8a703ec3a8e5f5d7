// Where the objects of a file end: the namespace and the name that Kustomizations give them, and what flux and Argo CD add
// when they apply a directory. Nothing is rendered; only who lists what is followed. Pure.
// Facts (kustomize): `namespace` replaces the namespace of every object, the outer one last; namePrefix and nameSuffix add
// up from the inside. flux: spec.targetNamespace does the same. Argo CD: destination.namespace is for objects without one.
import { childOf, isObject, listOf, textOf, type JsonObject } from './json.ts';

export interface FileDocument {
  readonly raw: JsonObject;
  readonly file: string;
  readonly line: number;
}

/** What happens to an object on its way; undefined: nothing is said. */
export interface Placement {
  readonly namespace: string | undefined;
  /** For an object that names none itself. */
  readonly fallback: string | undefined;
  readonly prefix: string;
  readonly suffix: string;
  /** `apps/kustomization.yaml:1`, of the one that decides about the namespace. */
  readonly via: string;
}

interface Listing {
  readonly placement: Placement;
  /** Files and directories. */
  readonly entries: readonly string[];
  /** Who lists this directory lists this Kustomization. */
  readonly directory: string;
}

/** Of flux and Argo CD: their path starts at the root of a repository, which is not known. */
interface Applied {
  readonly placement: Placement;
  readonly path: string;
}

const CONFIG_GROUP = 'kustomize.config.k8s.io/';
const FILE_NAMES = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
const NOTHING: Placement = {
  namespace: undefined,
  fallback: undefined,
  prefix: '',
  suffix: '',
  via: '',
};
/** More ways than a person can follow: the rest is not looked at. */
const WAYS_MAX = 16;

export class Kustomizations {
  readonly #byEntry = new Map<string, Listing[]>();
  readonly #applied: Applied[] = [];
  /** Of directories and files that were asked for. */
  readonly #known = new Map<string, readonly Placement[]>();

  constructor(documents: readonly FileDocument[]) {
    for (const document of documents) {
      const listing = readListing(document);
      for (const entry of new Set(listing?.entries ?? [])) {
        const listings = this.#byEntry.get(entry) ?? [];
        this.#byEntry.set(entry, listings);
        if (listing !== undefined) listings.push(listing);
      }
      this.#applied.push(...readApplied(document));
    }
  }

  /** Each way in which the file is applied; one that changes nothing where nobody lists it. */
  placementsOf(file: string): readonly Placement[] {
    return this.#above(normalPath(file));
  }

  #above(path: string): readonly Placement[] {
    const known = this.#known.get(path);
    if (known !== undefined) return known;
    this.#known.set(path, []); // a directory that lists itself adds nothing
    const listings = this.#byEntry.get(path) ?? [];
    const ways = listings.flatMap(({ placement, directory }) =>
      this.#above(directory).map((outer) => joined(placement, outer)),
    );
    const found = unique(ways.length > 0 ? ways : this.#appliedTo(path)).slice(0, WAYS_MAX);
    this.#known.set(path, found);
    return found;
  }

  /** The most exact paths decide: a cluster's own is often the root of all. */
  #appliedTo(path: string): readonly Placement[] {
    const around = this.#applied.filter((each) => isUnder(path, each.path));
    const longest = Math.max(...around.map((each) => each.path.length));
    const exact = around.filter((each) => each.path.length === longest);
    return exact.length === 0 ? [NOTHING] : exact.map(({ placement }) => placement);
  }
}

/** The outer one has the last word. */
function joined(inner: Placement, outer: Placement): Placement {
  const isInner = inner.namespace !== undefined || inner.fallback !== undefined;
  return {
    namespace: outer.namespace ?? inner.namespace,
    fallback: inner.fallback ?? outer.fallback,
    prefix: outer.prefix + inner.prefix,
    suffix: inner.suffix + outer.suffix,
    via: outer.namespace === undefined && isInner ? inner.via : outer.via,
  };
}

function unique(placements: readonly Placement[]): readonly Placement[] {
  const byText = new Map(
    placements.map((each) => [JSON.stringify({ ...each, via: undefined }), each]),
  );
  return [...byText.values()];
}

function readListing({ raw, file, line }: FileDocument): Listing | undefined {
  const { kind, apiVersion } = raw;
  const isNamed = FILE_NAMES.includes(nameOf(file)) && kind === undefined;
  const isTyped = typeof apiVersion === 'string' && apiVersion.startsWith(CONFIG_GROUP);
  if (!isNamed && !isTyped) return undefined;
  const directory = directoryOf(file);
  const paths = ['resources', 'bases', 'components', 'patchesStrategicMerge'].flatMap((key) =>
    listOf(raw, key),
  );
  const patches = listOf(raw, 'patches')
    .filter(isObject)
    .map(({ path }) => path);
  const entries = [...paths, ...patches]
    .filter((path) => typeof path === 'string')
    .map((path) => normalPath(directory === '' ? path : `${directory}/${path}`));
  const placement = {
    namespace: textOf(raw, 'namespace'),
    fallback: undefined,
    prefix: textOf(raw, 'namePrefix') ?? '',
    suffix: textOf(raw, 'nameSuffix') ?? '',
    via: `${file}:${line}`,
  };
  return { placement, entries, directory };
}

function readApplied({ raw, file, line }: FileDocument): readonly Applied[] {
  const { kind } = raw;
  const apiVersion = textOf(raw, 'apiVersion') ?? '';
  const spec = childOf(raw, 'spec');
  const via = `${file}:${line}`;
  if (kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')) {
    const placement = {
      namespace: textOf(spec, 'targetNamespace'),
      fallback: undefined,
      prefix: textOf(spec, 'namePrefix') ?? '',
      suffix: textOf(spec, 'nameSuffix') ?? '',
      via,
    };
    return [{ placement, path: normalPath(textOf(spec, 'path') ?? '.') }];
  }
  if (kind !== 'Application' || !apiVersion.startsWith('argoproj.io/')) return [];
  const fallback = textOf(childOf(spec, 'destination'), 'namespace');
  const sources = [spec['source'], ...listOf(spec, 'sources')].filter(isObject);
  return sources.flatMap((source): readonly Applied[] => {
    const path = textOf(source, 'path');
    return path === undefined
      ? []
      : [{ placement: { ...NOTHING, fallback, via }, path: normalPath(path) }];
  });
}

/** Without `.` and `..`, as far as they can be taken out. */
function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    const last = parts.at(-1);
    if (part === '..' && last !== undefined && last !== '..') parts.pop();
    else parts.push(part);
  }
  return `${path.startsWith('/') ? '/' : ''}${parts.join('/')}`;
}

function directoryOf(file: string): string {
  const slash = file.lastIndexOf('/');
  return normalPath(slash < 0 ? '.' : file.slice(0, slash + 1));
}

function nameOf(file: string): string {
  return file.slice(file.lastIndexOf('/') + 1);
}

function isUnder(path: string, directory: string): boolean {
  const inside = directory.replace(/^\//, '');
  return inside === '' || `/${path.replace(/^\//, '')}/`.includes(`/${inside}/`);
}
