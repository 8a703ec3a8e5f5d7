// What JSON.parse passes over in silence: a name that is there twice in one object (the last one counts), and a depth at
// which functions that walk the value would run out of stack. Pure.
import { LineCounter } from 'yaml';
import type { TextFault } from './read-document.ts';

/** Kubernetes' own objects are less than 30 deep; every walk over a value that was read may be recursive. */
export const DEPTH_MAX = 200;

/** `text` has passed JSON.parse. */
export function faultInJson(text: string): TextFault | undefined {
  /** Names of each object that is open; undefined for a list. */
  const open: (Set<string> | undefined)[] = [];
  for (let offset = 0; offset < text.length; offset++) {
    const character = text[offset];
    if (character === '{' || character === '[') {
      const depth = open.push(character === '{' ? new Set() : undefined);
      if (depth > DEPTH_MAX) return { offset, message: TOO_DEEP };
    } else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const end = endOfString(text, offset);
      const names = open.at(-1);
      if (names !== undefined && isName(text, end)) {
        const name = text.slice(offset, end);
        if (names.has(name)) return { offset, message: twice(name) };
        names.add(name);
      }
      offset = end - 1;
    }
  }
  return undefined;
}

/** Behind the quote that ends the string: one with an even number of backslashes before it. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); ; quote = text.indexOf('"', quote + 1)) {
    let slash = quote;
    while (text[slash - 1] === '\\') slash--;
    if ((quote - slash) % 2 === 0) return quote + 1;
  }
}

const WHITE_SPACE = ' \n\r\t';

function isName(text: string, end: number): boolean {
  let offset = end;
  while (offset < text.length && WHITE_SPACE.includes(text.charAt(offset))) offset++;
  return text[offset] === ':';
}

export const TOO_DEEP = `nested more than ${DEPTH_MAX} deep`;

/** `name`: in quotes. */
export function twice(name: string): string {
  return `the field ${name} is there twice in one mapping; remove one of them`;
}

/** Where each value of a text that has passed faultInJson begins; takes several times the room of the text. */
export class JsonPlaces {
  readonly #text: string;
  readonly #lines = new LineCounter();
  readonly #root: Place;
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
    this.#lines.addNewLine(0);
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', end + 1)) {
      this.#lines.addNewLine(end + 1);
    }
    this.#root = this.#read();
  }

  /** Of the value at the path, from 1; of the nearest parent where it is missing. */
  positionOf(path: readonly PropertyKey[]): { readonly line: number; readonly col: number } {
    let place = this.#root;
    for (const key of path) {
      const child = place.children?.get(String(key));
      if (child === undefined) break;
      place = child;
    }
    return this.#lines.linePos(place.offset);
  }

  #read(): Place {
    this.#skip(WHITE_SPACE);
    const offset = this.#offset;
    const character = this.#text[offset];
    if (character === '{' || character === '[') {
      return { offset, children: this.#readChildren(character === '{') };
    }
    if (character === '"') this.#offset = endOfString(this.#text, offset);
    else while (/[^\s,\]}]/.test(this.#text.charAt(this.#offset))) this.#offset++;
    return { offset };
  }

  #readChildren(isObject: boolean): ReadonlyMap<string, Place> {
    const children = new Map<string, Place>();
    this.#offset++;
    for (;;) {
      this.#skip(`${WHITE_SPACE},`);
      const start = this.#offset;
      if (/[\]}]/.test(this.#text.charAt(start)) || start >= this.#text.length) break;
      if (!isObject) {
        children.set(String(children.size), this.#read());
        continue;
      }
      this.#offset = endOfString(this.#text, start);
      // a name may be written with escapes
      const name: unknown = JSON.parse(this.#text.slice(start, this.#offset));
      this.#skip(`${WHITE_SPACE}:`);
      children.set(String(name), this.#read());
    }
    this.#offset++;
    return children;
  }

  #skip(characters: string): void {
    const { length } = this.#text;
    while (this.#offset < length && characters.includes(this.#text.charAt(this.#offset))) {
      this.#offset++;
    }
  }
}

interface Place {
  readonly offset: number;
  readonly children?: ReadonlyMap<string, Place>;
}
