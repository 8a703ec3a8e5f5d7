// One document of YAML or JSON as plain data, or the first thing that is wrong with it and where. Pure.
// Invariant: what comes out has no cycles and is at most DEPTH_MAX deep, so that whoever gets it may walk it; whatever the
// parsers throw is a fault of this document and of nothing else.
import {
  isAlias,
  isCollection,
  isNode,
  isPair,
  LineCounter,
  parseDocument,
  type Document,
} from 'yaml';
import { quoted } from '../net/address.ts';
import { DEPTH_MAX, faultInJson, JsonPlaces, TOO_DEEP, twice } from './json-text.ts';

export interface TextFault {
  /** Of the first character that is meant. */
  readonly offset: number;
  readonly message: string;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface ReadValue {
  readonly value: unknown;
  /** Where a field stands; one that is missing: its parent. */
  readonly locate: (path: readonly PropertyKey[]) => Position;
  /** The line of a whole object; coarse where exactness would cost another look at the text. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
  readonly fault?: undefined;
}
export interface Unreadable {
  readonly fault: Position & { readonly message: string };
}

/** The syntax tree of YAML takes about 150 times its text: this is more than two gigabytes. */
const YAML_CHARS_MAX = 16 * 1024 * 1024;

/** Lines count from `firstLine`. */
export function readDocument(text: string, firstLine: number): ReadValue | Unreadable {
  const zero = text.indexOf('\0');
  if (zero >= 0) return { fault: at(text, firstLine, { offset: zero, message: ZERO_BYTE }) };
  const json = tryJson(text);
  if (json !== undefined) {
    const fault = faultInJson(text);
    if (fault !== undefined) return { fault: at(text, firstLine, fault) };
    // positions are only wanted when something is wrong
    let places: JsonPlaces | undefined;
    return {
      value: json,
      locate: (path) => {
        const { line, col } = (places ??= new JsonPlaces(text)).positionOf(path);
        return { line: line + firstLine - 1, column: col };
      },
      lineOf: () => firstLine,
    };
  }
  if (text.length > YAML_CHARS_MAX) {
    const message = `one document of YAML has at most ${YAML_CHARS_MAX} characters, this one ${text.length}; part it by ---, or write it as JSON`;
    return { fault: { line: firstLine, column: 1, message } };
  }
  return readYaml(text, firstLine);
}

const ZERO_BYTE = 'there is a zero byte: this is no text, or UTF-16; save it as UTF-8';

function readYaml(text: string, firstLine: number): ReadValue | Unreadable {
  try {
    const yaml = parseYaml(text);
    const fault = syntaxFault(yaml.document, text) ?? structureFault(yaml.document);
    if (fault !== undefined) return { fault: at(text, firstLine, fault) };
    // an alias bomb throws
    const value: unknown = yaml.document.toJS({ maxAliasCount: 100 });
    const locate = (path: readonly PropertyKey[]): Position => positionIn(yaml, firstLine, path);
    return { value, locate, lineOf: (path) => locate(path).line };
  } catch (error) {
    // its parser is recursive, and so are its own functions on the tree
    const message =
      error instanceof RangeError
        ? TOO_DEEP
        : error instanceof Error
          ? error.message
          : String(error);
    return { fault: { line: firstLine, column: 1, message: oneLine(message) } };
  }
}

interface Yaml {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

function parseYaml(text: string): Yaml {
  const lines = new LineCounter();
  // silent: it would write warnings of its own to stderr
  const options = {
    lineCounter: lines,
    prettyErrors: false,
    merge: true,
    logLevel: 'silent',
  } as const;
  return { document: parseDocument(text, options), lines };
}

/** The first error; the others mostly follow from it. */
function syntaxFault(document: Document.Parsed, text: string): TextFault | undefined {
  const [error, ...others] = document.errors;
  if (error === undefined) return undefined;
  const [offset] = error.pos;
  const more = others.length === 0 ? '' : ` (and ${others.length} more, which may follow from it)`;
  if (error.code === 'DUPLICATE_KEY') {
    const [, name = ''] = /^["']?([^"':\n]*)/.exec(text.slice(offset)) ?? [];
    return { offset, message: `${twice(quoted(name.trim()))}${more}` };
  }
  // the parser catches the end of its own stack
  const isTooDeep = error.message.startsWith('Maximum call stack');
  return { offset, message: `${isTooDeep ? TOO_DEEP : oneLine(error.message)}${more}` };
}

/** What YAML allows and no plain object can be: a value that contains itself, a mapping as the name of a field. */
function structureFault(document: Document.Parsed): TextFault | undefined {
  return new StructureCheck().faultIn(document.contents, 0);
}

class StructureCheck {
  /** What an anchor names from here on, and how deep that goes; undefined while it is still open. */
  readonly #anchors = new Map<string, number | undefined>();
  /** Depth of the last value that was looked at. */
  #height = 0;

  faultIn(node: unknown, depth: number): TextFault | undefined {
    this.#height = 0;
    if (isAlias(node)) return this.#faultInAlias(node.source, node.range?.[0] ?? 0, depth);
    if (!isNode(node)) return undefined; // a field without a value
    const offset = node.range?.[0] ?? 0;
    if (depth > DEPTH_MAX) return { offset, message: TOO_DEEP };
    const anchor = node.anchor;
    if (anchor !== undefined) this.#anchors.set(anchor, undefined);
    const fault = isCollection(node) ? this.#faultInItems(node.items, offset, depth) : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, this.#height);
    return fault;
  }

  #faultInAlias(source: string, offset: number, depth: number): TextFault | undefined {
    const height = this.#anchors.get(source);
    if (height === undefined) {
      const why = this.#anchors.has(source) ? 'contains itself' : `has no &${source} before it`;
      return { offset, message: `*${source} ${why}` };
    }
    this.#height = height;
    return depth + height > DEPTH_MAX ? { offset, message: TOO_DEEP } : undefined;
  }

  #faultInItems(items: readonly unknown[], offset: number, depth: number): TextFault | undefined {
    let height = 0;
    for (const item of items) {
      if (isPair(item) && isCollection(item.key)) {
        return { offset, message: 'a mapping or a list can not be the name of a field' };
      }
      const fault = this.faultIn(isPair(item) ? item.value : item, depth + 1);
      if (fault !== undefined) return fault;
      height = Math.max(height, this.#height + 1);
    }
    this.#height = height;
    return undefined;
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

function positionIn(yaml: Yaml, firstLine: number, path: readonly PropertyKey[]): Position {
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

function at(
  text: string,
  firstLine: number,
  { offset, message }: TextFault,
): Position & { readonly message: string } {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = firstLine + before.split('\n').length - 1;
  return { line, column: offset - lineStart + 1, message };
}

function oneLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}
