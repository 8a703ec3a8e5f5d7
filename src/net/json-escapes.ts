// JSON in which nothing is hidden: what can't be seen or steers a terminal is an escape, and means the same. Pure.
import { UNPRINTABLE } from './address.ts';

/** Of a text that is JSON already: outside its strings there are no such characters but line breaks. */
export function visibleJson(text: string): string {
  return text.replaceAll(UNPRINTABLE, (character) => {
    // JSON knows UTF-16 units only: a character beyond U+FFFF is two
    const units = character
      .split('')
      .map((unit) => unit.charCodeAt(0).toString(16).padStart(4, '0'));
    return character === '\n' ? character : `\\u${units.join('\\u')}`;
  });
}
