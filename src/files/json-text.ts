// What JSON.parse passes over in silence: a name that is there twice in one object (the last one counts), and a depth at
// which functions that walk the value would run out of stack. Pure.
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
