// Manifests of any kind, as they stand: for the import from other load balancers. One bad document never stops another.
import { splitDocuments, type DocumentText } from './documents.ts';
import { readDocuments, readPaths, type ManifestInput } from './manifests.ts';
import { looksLikeTemplate } from './no-manifest.ts';
import type { ManifestProblem } from './parse-document.ts';
import { isRecord, itemsOf } from './raw-fields.ts';
import { readDocument } from './read-document.ts';

export interface RawManifest {
  readonly raw: Readonly<Record<string, unknown>>;
  readonly file: string;
  /** Of the document that the object stands in. */
  readonly line: number;
}

/** A document that is YAML only once it is rendered. */
export interface RawTemplate {
  readonly text: string;
  readonly file: string;
  readonly line: number;
}

export interface RawManifests {
  readonly manifests: readonly RawManifest[];
  readonly problems: readonly ManifestProblem[];
  readonly templates: readonly RawTemplate[];
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
  const templates: RawTemplate[] = [];
  const unreadable: ManifestProblem[] = [];
  const take = (file: string, document: DocumentText): void => {
    const { text, line } = document;
    const read =
      document.fault === undefined
        ? readDocument(text, line)
        : { fault: { column: 1, ...document.fault } };
    if (read.fault === undefined) {
      for (const { raw } of itemsOf(read.value))
        if (isRecord(raw)) manifests.push({ raw, file, line });
    } else if (looksLikeTemplate(text)) templates.push({ text, file, line });
    else problems.push({ file, ...read.fault });
  };
  await readPaths(paths, input, {
    text: (file, text) => {
      for (const document of splitDocuments(text)) take(file, document);
    },
    file: ({ path, shown }) => readDocuments(path, (document) => take(shown, document)),
    unreadable: (problem) => void unreadable.push(problem),
  });
  return { manifests, problems, templates, unreadable };
}

/** One document of YAML (or JSON) as data; the error's message is one line. */
export function parseYamlText(text: string): unknown {
  const read = readDocument(text, 1);
  return read.fault === undefined ? read.value : new Error(read.fault.message);
}
