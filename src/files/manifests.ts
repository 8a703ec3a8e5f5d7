// Manifests named on a command line (-f FILE|DIR|-) -> objects and problems. One bad document never stops another;
// a path that can't be read is a problem too, and the caller decides what that means.
import { createReadStream, type Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { keyOf, type ClusterObject } from '../api/cluster.ts';
import { DocumentSplitter, splitDocuments, type DocumentText } from './documents.ts';
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
  /** `apps/v1 Deployment` -> how many were left aside. */
  readonly ignored: ReadonlyMap<string, number>;
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

const EXTENSIONS = ['.yaml', '.yml', '.json'];

/** Hidden files and what editors leave behind are not manifests. */
export function isManifestName(name: string): boolean {
  return !name.startsWith('.') && EXTENSIONS.some((extension) => name.endsWith(extension));
}

/** Loads everything that `-f` names. `-` is stdin. */
export async function loadManifests(
  paths: readonly string[],
  input: ManifestInput,
): Promise<Manifests> {
  const collected = new ManifestCollection();
  for (const path of paths) {
    if (path === '-') {
      collected.add('<stdin>', parseManifestText('<stdin>', await input.readStdin()));
      continue;
    }
    try {
      for (const file of await manifestFiles(resolve(input.cwd, path), path)) {
        collected.add(file.shown, await readManifestFile(file.path, file.shown));
      }
    } catch (error) {
      collected.unreadable.push({ file: path, message: readFailure(error) });
    }
  }
  return collected.result();
}

export function parseManifestText(file: string, text: string): Parsed {
  return concat(splitDocuments(text).map((document) => parseManifestDocument(file, document)));
}

/** Reads one file document by document. Throws what the file system throws. */
export async function readManifestFile(path: string, shown: string): Promise<Parsed> {
  const parts: Parsed[] = [];
  const splitter = new DocumentSplitter();
  const take = (documents: readonly DocumentText[]): void => {
    for (const document of documents) parts.push(parseManifestDocument(shown, document));
  };
  const chunks: AsyncIterable<string> = createReadStream(path, { encoding: 'utf8' });
  for await (const chunk of chunks) take(splitter.push(chunk));
  take(splitter.end());
  return concat(parts);
}

function concat(parts: readonly Parsed[]): Parsed {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  return {
    loaded: parts.flatMap((part) => part.loaded),
    problems: parts.flatMap((part) => part.problems),
    ignored: parts.flatMap((part) => part.ignored),
  };
}

export interface ManifestPath {
  readonly path: string;
  /** As the user wrote it. */
  readonly shown: string;
}

/** The manifests under a path in name order: the file itself, or all of a directory and its sub-directories. */
export async function manifestFiles(path: string, shown: string): Promise<readonly ManifestPath[]> {
  if (!(await stat(path)).isDirectory()) return [{ path, shown }];
  const files: ManifestPath[] = [];
  const names = await readdir(path);
  for (const name of names.sort()) {
    if (name.startsWith('.')) continue; // also ..data of a ConfigMap mount: its files are linked beside it
    const child = { path: join(path, name), shown: join(shown, name) };
    const stats = await statOrUndefined(child.path);
    if (stats === undefined) continue; // a dangling link, or gone since readdir
    if (stats.isDirectory()) files.push(...(await manifestFiles(child.path, child.shown)));
    else if (stats.isFile() && isManifestName(name)) files.push(child);
  }
  return files;
}

async function statOrUndefined(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isErrno(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

export function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}

/** What the file system said, without the path that the caller prints anyway. */
export function readFailure(error: unknown): string {
  if (!isErrno(error)) throw error;
  const text: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    ELOOP: 'symbolic links go in a circle',
    ENOTDIR: 'not a directory',
  };
  return `cannot be read: ${text[error.code ?? ''] ?? error.message}`;
}

/** Objects by key: the first one wins, the second is a problem that names both places. */
class ManifestCollection {
  readonly unreadable: ManifestProblem[] = [];
  readonly #loaded = new Map<string, LoadedObject>();
  readonly #problems: ManifestProblem[] = [];
  readonly #ignored = new Map<string, number>();
  readonly #files: string[] = [];

  add(file: string, parsed: Parsed): void {
    this.#files.push(file);
    this.#problems.push(...parsed.problems);
    for (const kind of parsed.ignored) this.#ignored.set(kind, (this.#ignored.get(kind) ?? 0) + 1);
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
      ignored: this.#ignored,
      unreadable: this.unreadable,
      files: this.#files,
    };
  }
}

/** `Service default/web`: unique among all kinds. */
export function objectKey(object: ClusterObject): string {
  return [object.kind, keyOf(object)].join(' '); // flat in memory, unlike a template's string
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
