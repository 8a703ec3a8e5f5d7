// Data that a command prints, as YAML or as JSON. It has users' texts in it and may end in a terminal: what can't be seen or
// steers one is written as an escape of the format, so that a program reads back the same text. Pure.
import { Document, visit } from 'yaml';
import { UNPRINTABLE } from '../net/address.ts';
import { visibleJson } from '../net/json-escapes.ts';

const OPTIONS = { aliasDuplicateObjects: false, compat: 'yaml-1.1', lineWidth: 0 } as const;

export function yamlText(value: unknown): string {
  const document = new Document(value, OPTIONS);
  // only a text in double quotes can have escapes
  visit(document, {
    Scalar: (_, scalar) => {
      const { value: text } = scalar;
      if (typeof text === 'string' && escaped(text) !== text) scalar.type = 'QUOTE_DOUBLE';
    },
  });
  return escaped(document.toString(OPTIONS));
}

/** Line breaks and tabs stay: a block of text is made of them. */
function escaped(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    const code = Number(character.codePointAt(0)).toString(16).padStart(8, '0');
    return character === '\n' || character === '\t' ? character : `\\U${code}`;
  });
}

export function jsonText(value: object): string {
  return `${visibleJson(JSON.stringify(value, undefined, 2))}\n`;
}

/** Objects as `kubectl apply -f -` and our own commands take them. */
export function objectsText(items: readonly object[], format: 'yaml' | 'json'): string {
  return format === 'json'
    ? jsonText({ apiVersion: 'v1', kind: 'List', items })
    : items.map(yamlText).join('---\n');
}
