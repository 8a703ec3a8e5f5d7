// Manifests of any kind, as they stand: for the import from other load balancers. One bad document never stops another.
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { parseDocument } from 'yaml';
import { DocumentSplitter, splitDocuments, type DocumentText } from './documents.ts';
import { manifestFiles, readFailure, type ManifestInput } from './manifests.ts';
import type { ManifestProblem } from './parse-document.ts';

export interface RawManifest {
  readonly raw: Readonly<Record<string, unknown>>;
  readonly file: string;
  /** Of the document that the object stands in. */
  readonly line: number;
}

export interface RawManifests {
  readonly manifests: readonly RawManifest[];
  readonly problems: readonly ManifestProblem[];
  /** Paths that could not be read at all: wrong use, not wrong content. */
  readonly unreadable: readonly ManifestProblem[];
}

/** Loads everything that `-f` names. `-` is stdin. */
export async function loadRawManifests(
  paths: readonly string[],
  input: ManifestInput,
): Promise<RawManifests> {
  const manifests: RawManifest[] = [];
  const problems: ManifestProblem[] = [];
  const unreadable: ManifestProblem[] = [];
  const take = (file: string, documents: readonly DocumentText[]): void => {
    for (const document of documents) readDocument(file, document, manifests, problems);
  };
  for (const path of paths) {
    if (path === '-') {
      take('<stdin>', splitDocuments(await input.readStdin()));
      continue;
    }
    try {
      for (const file of await manifestFiles(resolve(input.cwd, path), path)) {
        const splitter = new DocumentSplitter();
        const chunks: AsyncIterable<string> = createReadStream(file.path, { encoding: 'utf8' });
        for await (const chunk of chunks) take(file.shown, splitter.push(chunk));
        take(file.shown, splitter.end());
      }
    } catch (error) {
      unreadable.push({ file: path, message: readFailure(error) });
    }
  }
  return { manifests, problems, unreadable };
}

function readDocument(
  file: string,
  { text, line }: DocumentText,
  manifests: RawManifest[],
  problems: ManifestProblem[],
): void {
  const value = parseYamlText(text);
  if (value instanceof Error) problems.push({ file, line, column: 1, message: value.message });
  else for (const raw of itemsOf(value)) manifests.push({ raw, file, line });
}

/** One document of YAML (or JSON) as data; the error's message is one line. */
export function parseYamlText(text: string): unknown {
  const document = parseDocument(text, { prettyErrors: false, merge: true });
  const [error] = document.errors;
  if (error !== undefined) return new Error(firstLine(error.message));
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return value;
  } catch (caught) {
    return new Error(firstLine(caught instanceof Error ? caught.message : String(caught)));
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}

/** `kind: List` holds whole objects; in `kind: EipList` they may leave kind and version out. */
function itemsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (!isRecord(value)) return [];
  const { kind, apiVersion, items } = value;
  if (typeof kind !== 'string' || !kind.endsWith('List') || !Array.isArray(items)) return [value];
  const itemKind = kind.slice(0, -'List'.length);
  return items.flatMap((item: unknown) =>
    isRecord(item) && item['kind'] === undefined && itemKind !== ''
      ? itemsOf({ apiVersion, kind: itemKind, ...item })
      : itemsOf(item),
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
