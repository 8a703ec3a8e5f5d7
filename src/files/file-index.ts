// What each file of a directory holds, and which file's version of an object counts. Pure bookkeeping.
// Invariant: an object leaves only when its file was read whole without it, or is gone: what a malformed file held
// before stays.
import { keyOf, objectKey, type Kind } from '../api/cluster.ts';
import { Index } from '../api/many-to-many.ts';
import { Compactor } from './compact.ts';
import { duplicateProblem } from './manifests.ts';
import {
  NOTHING_PARSED,
  type LoadedObject,
  type ManifestProblem,
  type Parsed,
} from './parse-document.ts';

export interface SourceChange {
  readonly kind: Kind;
  /** api/cluster keyOf */
  readonly key: string;
  /** undefined: the object is gone. */
  readonly loaded: LoadedObject | undefined;
}

const NONE: readonly never[] = [];

export class FileIndex {
  readonly #files = new Map<string, Parsed>();
  /** Object key -> its versions */
  readonly #versions = new Index<string, LoadedObject>();
  readonly #compactor = new Compactor();
  /** Keys with more than one version. */
  readonly #duplicates = new Set<string>();

  get fileCount(): number {
    return this.#files.size;
  }

  has(file: string): boolean {
    return this.#files.has(file);
  }

  files(): IterableIterator<string> {
    return this.#files.keys();
  }

  holdsObjects(file: string): boolean {
    return (this.#files.get(file)?.loaded.length ?? 0) > 0;
  }

  /** The file was read; answers the objects that changed by it. */
  update(file: string, parsed: Parsed): readonly SourceChange[] {
    const old = this.#files.get(file)?.loaded ?? [];
    const fresh = parsed.loaded.map((each) => ({
      ...each,
      object: this.#compactor.compact(each.object),
    }));
    const loaded = isWholeRead(parsed) ? fresh : withKept(fresh, old);
    this.#files.set(file, {
      loaded,
      problems: shortest(parsed.problems),
      remarks: shortest(parsed.remarks),
      skipped: shortest(parsed.skipped),
      ignored: shortest(parsed.ignored),
      otherPools: NONE,
    });
    return this.#replace(old, loaded);
  }

  /** The file exists but can't be read: what it held stays. */
  fail(file: string, message: string): readonly SourceChange[] {
    return this.update(file, { ...NOTHING_PARSED, problems: [{ file, message }] });
  }

  remove(file: string): readonly SourceChange[] {
    const old = this.#files.get(file)?.loaded ?? [];
    this.#files.delete(file);
    return this.#replace(old, []);
  }

  /** Before the first look: what malformed files held in an earlier run. */
  restore(objects: readonly LoadedObject[]): readonly SourceChange[] {
    return objects.flatMap((each) => {
      const loaded = [...(this.#files.get(each.file)?.loaded ?? NONE), each];
      this.#files.set(each.file, { ...NOTHING_PARSED, loaded });
      return this.#replace(NONE, [each]);
    });
  }

  problems(): readonly ManifestProblem[] {
    const found: ManifestProblem[] = [];
    for (const entry of this.#files.values()) found.push(...entry.problems, ...entry.skipped);
    for (const key of this.#duplicates) {
      const [first, ...others] = this.#versionsOf(key);
      for (const other of others)
        if (first !== undefined) found.push(duplicateProblem(other, first));
    }
    return found.sort(byPlace);
  }

  /** What has no effect in objects that are used. */
  remarks(): readonly ManifestProblem[] {
    return [...this.#files.values()].flatMap((entry) => entry.remarks).sort(byPlace);
  }

  /** Objects of files that are malformed now: worth remembering over a restart. */
  keptObjects(): readonly LoadedObject[] {
    return [...this.#files.values()].flatMap((entry) => (isWholeRead(entry) ? [] : entry.loaded));
  }

  ignored(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const entry of this.#files.values()) {
      for (const kind of entry.ignored) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
    return counts;
  }

  #replace(old: readonly LoadedObject[], now: readonly LoadedObject[]): readonly SourceChange[] {
    const before = new Map<string, LoadedObject | undefined>();
    for (const { object } of [...old, ...now]) {
      const key = objectKey(object);
      before.set(key, this.#versionsOf(key)[0]);
    }
    for (const each of old) this.#versions.delete(objectKey(each.object), each);
    for (const each of now) this.#versions.add(objectKey(each.object), each);
    const samples = new Map([...old, ...now].map(({ object }) => [objectKey(object), object]));
    const changes: SourceChange[] = [];
    for (const [key, object] of samples) {
      const versions = this.#versionsOf(key);
      if (versions.length > 1) this.#duplicates.add(key);
      else this.#duplicates.delete(key);
      const [loaded] = versions;
      if (sameObject(before.get(key), loaded)) continue;
      changes.push({ kind: object.kind, key: keyOf(object), loaded });
    }
    return changes;
  }

  /** The one that counts first. */
  #versionsOf(key: string): readonly LoadedObject[] {
    const versions = this.#versions.get(key);
    if (versions.length < 2) return versions;
    return [...versions].sort((a, b) => compareText(a.file, b.file) || a.line - b.line);
  }
}

/** A document that is no manifest now may be one that lost a line: what the file held before is no less wanted. */
function isWholeRead({ problems, skipped }: Parsed): boolean {
  return problems.length === 0 && skipped.length === 0;
}

/** Most files have nothing to say: one empty list for all of them. */
function shortest<T>(list: readonly T[]): readonly T[] {
  return list.length === 0 ? NONE : list;
}

function withKept(
  good: readonly LoadedObject[],
  old: readonly LoadedObject[],
): readonly LoadedObject[] {
  const keys = new Set(good.map((each) => objectKey(each.object)));
  return [...good, ...old.filter((each) => !keys.has(objectKey(each.object)))];
}

function sameObject(a: LoadedObject | undefined, b: LoadedObject | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || JSON.stringify(a.object) === JSON.stringify(b.object);
}

function byPlace(a: ManifestProblem, b: ManifestProblem): number {
  return compareText(a.file, b.file) || (a.line ?? 0) - (b.line ?? 0);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
