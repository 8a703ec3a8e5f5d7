// One document of YAML or JSON -> objects and what is to be said about it, each with its line and column. Pure.
import { objectKey, type ClusterObject } from '../api/cluster.ts';
import { formatIssue, type Issue } from '../api/parse-issues.ts';
import { parseObject } from '../api/parse.ts';
import { printable, shownName } from '../net/address.ts';
import type { DocumentText } from './documents.ts';
import { looksLikeTemplate, reasonToSkip, TEMPLATE } from './no-manifest.ts';
import { poolsOfOthers } from './other-pools.ts';
import { isRecord, itemsOf, textField } from './raw-fields.ts';
import { readDocument, type ReadValue } from './read-document.ts';

/** Something in a file that can't be used. The rest of the file goes on. */
export interface ManifestProblem {
  readonly file: string;
  /** From 1; absent where the whole file can't be read. */
  readonly line?: number;
  readonly column?: number;
  /** `Pool default`, where the document says so. */
  readonly object?: string;
  readonly message: string;
}

/** `file:line:column: object: message`, on one line whatever the file is called. */
export function formatManifestProblem(problem: ManifestProblem): string {
  const at = problem.line === undefined ? '' : `:${problem.line}:${problem.column ?? 1}`;
  const object = problem.object === undefined ? '' : `${problem.object}: `;
  return printable(`${problem.file}${at}: ${object}${problem.message}`);
}

export interface LoadedObject {
  readonly object: ClusterObject;
  readonly file: string;
  readonly line: number;
}

/** What a document, or a whole file, holds. */
export interface Parsed {
  readonly loaded: readonly LoadedObject[];
  readonly problems: readonly ManifestProblem[];
  /** What has no effect in objects that are used: a misspelt field. */
  readonly remarks: readonly ManifestProblem[];
  /** Documents that are no manifests, and why. */
  readonly skipped: readonly ManifestProblem[];
  /** `apps/v1 Deployment`, once for each object that vipvs does not use. */
  readonly ignored: readonly string[];
  /** `MetalLB`, once for each of those with address pools of its own. */
  readonly otherPools: readonly string[];
}

export const NOTHING_PARSED: Parsed = {
  loaded: [],
  problems: [],
  remarks: [],
  skipped: [],
  ignored: [],
  otherPools: [],
};

export function parseManifestDocument(file: string, document: DocumentText): Parsed {
  if (document.fault !== undefined) {
    return { ...NOTHING_PARSED, problems: [{ file, column: 1, ...document.fault }] };
  }
  const read = readDocument(document.text, document.line);
  if (read.fault !== undefined) {
    if (looksLikeTemplate(document.text)) return skipped(file, document.line, TEMPLATE);
    return { ...NOTHING_PARSED, problems: [{ file, ...read.fault }] };
  }
  if (read.value === null || read.value === undefined) return NOTHING_PARSED;
  const why = reasonToSkip(read.value);
  return why === undefined ? convert(file, read) : skipped(file, document.line, why);
}

function skipped(file: string, line: number, message: string): Parsed {
  return { ...NOTHING_PARSED, skipped: [{ file, line, column: 1, message }] };
}

function convert(file: string, { value, locate, lineOf }: ReadValue): Parsed {
  const loaded: LoadedObject[] = [];
  const problems: ManifestProblem[] = [];
  const remarks: ManifestProblem[] = [];
  const skipped: ManifestProblem[] = [];
  const ignored: string[] = [];
  const otherPools: string[] = [];
  for (const { raw, path } of itemsOf(value)) {
    const told = (issues: readonly Issue[], object: string | undefined): ManifestProblem[] =>
      issues.map((issue) => ({
        file,
        ...locate([...path, ...issue.path]),
        ...(object === undefined ? {} : { object }),
        message: formatIssue(issue),
      }));
    const result = parseObject(raw);
    switch (result.kind) {
      case 'object':
        loaded.push({ object: result.object, file, line: lineOf(path) });
        remarks.push(...told(result.remarks, objectKey(result.object)));
        break;
      case 'ignored':
        ignored.push(result.what);
        otherPools.push(...[poolsOfOthers(raw) ?? []].flat());
        break;
      case 'issues': {
        const found = told(result.issues, objectName(raw));
        // a name or a number that the template would give
        const isTemplate = found.every(({ message }) => looksLikeTemplate(message));
        if (isTemplate) skipped.push({ file, line: lineOf(path), column: 1, message: TEMPLATE });
        else problems.push(...found);
      }
    }
  }
  return { loaded, problems, remarks, skipped, ignored, otherPools };
}

function objectName(raw: unknown): string | undefined {
  const kind = textField(raw, 'kind');
  const metadata = isRecord(raw) ? raw['metadata'] : undefined;
  const name = textField(metadata, 'name');
  if (kind === undefined || name === undefined) return undefined;
  const namespace = textField(metadata, 'namespace');
  const inNamespace = namespace === undefined ? '' : `${shownName(namespace)}/`;
  return `${shownName(kind)} ${inNamespace}${shownName(name)}`;
}
