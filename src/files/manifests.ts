// Manifests named on a command line (-f FILE|DIR|-) -> objects and problems. One bad document never stops another;
// a path that can't be read is a problem too, and the caller decides what that means.
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { objectKey, type ClusterObject } from '../api/cluster.ts';
import { DocumentSplitter, splitDocuments, type DocumentText } from './documents.ts';
import { isErrno, KindError, Listing, refuseDevice, type ListedFile } from './listing.ts';
import {
  parseManifestDocument,
  type LoadedObject,
  type ManifestProblem,
  type Parsed,
} from './parse-document.ts';

export interface Manifests {
  /** In the order in which they stand in the files; of two with one key only the first. */
  readonly objects: readonly ClusterObject[];
  /** The same, each with its place. */
  readonly loaded: readonly LoadedObject[];
  readonly problems: readonly ManifestProblem[];
  /** What has no effect in objects that are used. */
  readonly remarks: readonly ManifestProblem[];
  /** One for each file with documents that are no manifests. */
  readonly skipped: readonly ManifestProblem[];
  /** `apps/v1 Deployment` -> how many were left aside. */
  readonly ignored: ReadonlyMap<string, number>;
  /** `MetalLB` -> how many objects with address pools of its own. */
  readonly otherPools: ReadonlyMap<string, number>;
  /** Paths that could not be read at all: wrong use, not wrong content. */
  readonly unreadable: readonly ManifestProblem[];
  /** Files that were read. */
  readonly files: readonly string[];
}

export interface ManifestInput {
  /** Relative paths start here. */
  readonly cwd: string;
  readonly readStdin: () => Promise<string>;
}

/** Loads everything that `-f` names. `-` is stdin. */
export async function loadManifests(
  paths: readonly string[],
  input: ManifestInput,
): Promise<Manifests> {
  const collected = new ManifestCollection();
  await readPaths(paths, input, {
    text: (file, text) => collected.add(file, parseManifestText(file, text)),
    file: async ({ path, shown }) => collected.add(shown, await readManifestFile(path, shown)),
    unreadable: (problem) => void collected.unreadable.push(problem),
  });
  return collected.result();
}

export interface PathReader {
  /** stdin, whole. */
  readonly text: (file: string, text: string) => void;
  readonly file: (file: ListedFile) => Promise<void>;
  readonly unreadable: (problem: ManifestProblem) => void;
}

/** Gives each file under the paths once to the reader, in their order. */
export async function readPaths(
  paths: readonly string[],
  input: ManifestInput,
  reader: PathReader,
): Promise<void> {
  const found: ListedFile[] = [];
  const listing = new Listing(
    (file) => void found.push(file),
    (path, error) => reader.unreadable({ file: path, message: fileFailure(error) }),
  );
  for (const path of new Set(paths)) {
    try {
      if (path === '-') reader.text('<stdin>', await input.readStdin());
      else await listing.add(resolve(input.cwd, path), path);
    } catch (error) {
      reader.unreadable({ file: path, message: fileFailure(error) });
    }
    for (const file of found.splice(0)) {
      try {
        refuseDevice(file.stats);
        await reader.file(file);
      } catch (error) {
        reader.unreadable({ file: file.shown, message: fileFailure(error) });
      }
    }
  }
}

/** What the file system said, without the path that the caller prints anyway. Throws what is no word of it. */
export function fileFailure(error: unknown, what: 'read' | 'written' = 'read'): string {
  if (error instanceof KindError) return `cannot be ${what}: ${error.message}`;
  if (!isErrno(error)) throw error;
  const text: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    ELOOP: 'symbolic links go in a circle',
    ENOTDIR: 'not a directory',
  };
  return `cannot be ${what}: ${text[error.code ?? ''] ?? error.message}`;
}

export function parseManifestText(file: string, text: string): Parsed {
  return concat(splitDocuments(text).map((document) => parseManifestDocument(file, document)));
}

/** Reads one file document by document. Throws what the file system throws. */
export async function readManifestFile(path: string, shown: string): Promise<Parsed> {
  const parts: Parsed[] = [];
  await readDocuments(path, (document) => void parts.push(parseManifestDocument(shown, document)));
  return concat(parts);
}

/** Throws what the file system throws. */
export async function readDocuments(
  path: string,
  take: (document: DocumentText) => void,
): Promise<void> {
  const splitter = new DocumentSplitter();
  const chunks: AsyncIterable<string> = createReadStream(path, { encoding: 'utf8' });
  for await (const chunk of chunks) splitter.push(chunk).forEach(take);
  splitter.end().forEach(take);
}

function concat(parts: readonly Parsed[]): Parsed {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  return {
    loaded: parts.flatMap((part) => part.loaded),
    problems: parts.flatMap((part) => part.problems),
    remarks: parts.flatMap((part) => part.remarks),
    skipped: oneSkip(parts.flatMap((part) => part.skipped)),
    ignored: parts.flatMap((part) => part.ignored),
    otherPools: parts.flatMap((part) => part.otherPools),
  };
}

/** Of a file's documents that are no manifests one line is enough. */
function oneSkip(skipped: readonly ManifestProblem[]): readonly ManifestProblem[] {
  const [first] = skipped;
  if (first === undefined || skipped.length === 1) return skipped;
  const reasons = [...new Set(skipped.map(({ message }) => message))];
  return [{ ...first, message: `${skipped.length} documents: ${reasons.join(', ')}` }];
}

/** Objects by key: the first one wins, the second is a problem that names both places. */
class ManifestCollection {
  readonly unreadable: ManifestProblem[] = [];
  readonly #loaded = new Map<string, LoadedObject>();
  readonly #problems: ManifestProblem[] = [];
  readonly #remarks: ManifestProblem[] = [];
  readonly #skipped: ManifestProblem[] = [];
  readonly #ignored = new Map<string, number>();
  readonly #otherPools = new Map<string, number>();
  readonly #files: string[] = [];

  add(file: string, parsed: Parsed): void {
    this.#files.push(file);
    for (const problem of parsed.problems) this.#problems.push(problem);
    for (const remark of parsed.remarks) this.#remarks.push(remark);
    for (const skip of parsed.skipped) this.#skipped.push(skip);
    for (const kind of parsed.ignored) count(this.#ignored, kind);
    for (const product of parsed.otherPools) count(this.#otherPools, product);
    for (const each of parsed.loaded) {
      const key = objectKey(each.object);
      const other = this.#loaded.get(key);
      if (other === undefined) this.#loaded.set(key, each);
      else this.#problems.push(duplicateProblem(each, other));
    }
  }

  result(): Manifests {
    const loaded = [...this.#loaded.values()];
    return {
      objects: loaded.map((each) => each.object),
      loaded,
      problems: this.#problems,
      remarks: this.#remarks,
      skipped: this.#skipped,
      ignored: this.#ignored,
      otherPools: this.#otherPools,
      unreadable: this.unreadable,
      files: this.#files,
    };
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

export function duplicateProblem(second: LoadedObject, first: LoadedObject): ManifestProblem {
  return {
    file: second.file,
    line: second.line,
    column: 1,
    object: objectKey(second.object),
    message: `is also in ${first.file}:${first.line}, which is used; remove one of them`,
  };
}
