// One document of YAML or JSON -> objects and problems, each problem with its line and column. Pure.
import { isCollection, isNode, LineCounter, parseDocument, type Document } from 'yaml';
import type { ClusterObject } from '../api/cluster.ts';
import type { DocumentText } from './documents.ts';
import { formatIssue } from '../api/parse-issues.ts';
import { parseObject } from '../api/parse.ts';

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

/** `file:line:column: object: message` */
export function formatManifestProblem(problem: ManifestProblem): string {
  const at = problem.line === undefined ? '' : `:${problem.line}:${problem.column ?? 1}`;
  const object = problem.object === undefined ? '' : `${problem.object}: `;
  return `${problem.file}${at}: ${object}${problem.message}`;
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
  /** `apps/v1 Deployment`, once for each object that vipvs does not use. */
  readonly ignored: readonly string[];
}

type Path = readonly PropertyKey[];
type Locate = (path: Path) => { readonly line: number; readonly column: number };

export function parseManifestDocument(file: string, document: DocumentText): Parsed {
  const problems: ManifestProblem[] = [];
  const json = tryJson(document.text);
  if (json !== undefined) {
    // positions are only wanted when something is wrong: then the slow parser reads the text again
    let yaml: Yaml | undefined;
    const locate: Locate = (path) =>
      positionIn((yaml ??= parseYaml(document.text)), document.line, path);
    return convert(file, json, locate, () => document.line);
  }
  const yaml = parseYaml(document.text);
  for (const error of yaml.document.errors) {
    const { line, col } = yaml.lines.linePos(error.pos[0]);
    problems.push({
      file,
      line: line + document.line - 1,
      column: col,
      message: firstLine(error.message),
    });
  }
  if (problems.length > 0) return { loaded: [], problems, ignored: [] };
  const value = toPlainValue(yaml.document);
  if (value instanceof Error) {
    return {
      loaded: [],
      problems: [{ file, line: document.line, column: 1, message: firstLine(value.message) }],
      ignored: [],
    };
  }
  const locate: Locate = (path) => positionIn(yaml, document.line, path);
  return convert(file, value, locate, (path) => locate(path).line);
}

interface Yaml {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

function parseYaml(text: string): Yaml {
  const lines = new LineCounter();
  return {
    document: parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true }),
    lines,
  };
}

/** The document as plain data. An alias bomb is an error here. */
function toPlainValue(document: Document.Parsed): unknown {
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return value;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function tryJson(text: string): unknown {
  if (!/^\s*[{[]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // YAML in flow style, or broken JSON: the YAML parser says where
  }
}

function positionIn(yaml: Yaml, firstLine: number, path: Path): { line: number; column: number } {
  let offset = 0;
  let node: unknown = yaml.document.contents;
  if (isNode(node)) offset = node.range?.[0] ?? 0;
  for (const key of path) {
    const child: unknown = isCollection(node) ? node.get(key, true) : undefined;
    if (!isNode(child)) break; // a missing field: the place of its parent
    node = child;
    offset = child.range?.[0] ?? offset;
  }
  const { line, col } = yaml.lines.linePos(offset);
  return { line: line + firstLine - 1, column: col };
}

/** `lineOf` is for whole objects and may be coarse where exactness would cost a second parse. */
function convert(
  file: string,
  value: unknown,
  locate: Locate,
  lineOf: (path: Path) => number,
): Parsed {
  if (value === null || value === undefined) return { loaded: [], problems: [], ignored: [] };
  const loaded: LoadedObject[] = [];
  const problems: ManifestProblem[] = [];
  const ignored: string[] = [];
  for (const { raw, path } of itemsOf(value)) {
    const result = parseObject(raw);
    switch (result.kind) {
      case 'object':
        loaded.push({ object: result.object, file, line: lineOf(path) });
        break;
      case 'ignored':
        ignored.push(describeKind(raw));
        break;
      case 'issues':
        for (const issue of result.issues) {
          const at = [...path, ...issue.path];
          problems.push({ file, ...locate(at), ...objectName(raw), message: formatIssue(issue) });
        }
    }
  }
  return { loaded, problems, ignored };
}

interface Item {
  readonly raw: unknown;
  readonly path: Path;
}

/** `kind: List` holds whole objects; `kind: ServiceList` (what the API answers) may leave kind and version out. */
function itemsOf(value: unknown): readonly Item[] {
  const kind = textField(value, 'kind');
  if (!isRecord(value) || kind?.endsWith('List') !== true || !Array.isArray(value.items)) {
    return [{ raw: value, path: [] }];
  }
  const itemKind = kind.slice(0, -'List'.length);
  return value.items.flatMap((item: unknown, i): readonly Item[] => {
    const raw =
      isRecord(item) && item.kind === undefined && itemKind !== ''
        ? { apiVersion: value.apiVersion, kind: itemKind, ...item }
        : item;
    return itemsOf(raw).map((inner) => ({ raw: inner.raw, path: ['items', i, ...inner.path] }));
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function textField(value: unknown, name: string): string | undefined {
  const field = isRecord(value) ? value[name] : undefined;
  return typeof field === 'string' ? field : undefined;
}

function describeKind(raw: unknown): string {
  return `${textField(raw, 'apiVersion') ?? '?'} ${textField(raw, 'kind') ?? '?'}`;
}

function objectName(raw: unknown): { readonly object?: string } {
  const kind = textField(raw, 'kind');
  const metadata = isRecord(raw) ? raw.metadata : undefined;
  const name = textField(metadata, 'name');
  if (kind === undefined || name === undefined) return {};
  const namespace = textField(metadata, 'namespace');
  return { object: `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}` };
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
