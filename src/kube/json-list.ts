// Reads the JSON of a list while it comes, one item at a time: whole, 10,000 Services are 18 MB of bytes, as much text and
// several times that in objects, of which little is kept. Between the pieces only the item is held that is not all there.
import { parseAnswer } from './answer-body.ts';
import { ApiError } from './errors.ts';
import { isObject, type JsonObject } from './json.ts';
import { itemTooLarge, ITEM_MAX_BYTES, type ListDecoder } from './list-decoder.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
const BRACKET = 0x5b;
const BRACKET_END = 0x5d;

/** Depth within the list's items; the list itself is at 1. */
const ITEMS_DEPTH = 2;
/** What stands before the first item. A quote within a key has a backslash before it. */
const ITEMS_BEGIN = /(?<!\\)"items"\s*:\s*\[$/;

/** What is being read: the list around its items, between two of them, or one. */
type Place = 'list' | 'gap' | 'item';

export class JsonList implements ListDecoder {
  readonly #asked: string;
  readonly #onItem: (item: unknown) => void;
  #place: Place = 'list';
  /** The list without its items. */
  #list = '';
  #count = 0;
  /** Of the place that is being read. */
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  #depth = 0;
  #isText = false;
  #isEscaped = false;

  constructor(asked: string, onItem: (item: unknown) => void) {
    this.#asked = asked;
    this.#onItem = onItem;
  }

  get heldBytes(): number {
    return this.#heldBytes + this.#list.length;
  }

  push(chunk: Buffer): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at];
      if (this.#isText) this.#inText(byte);
      else if (byte === QUOTE) this.#isText = true;
      else if (byte === BRACE || byte === BRACKET) start = this.#opens(byte, chunk, start, at);
      else if (byte === BRACE_END || byte === BRACKET_END) start = this.#closes(chunk, start, at);
    }
    if (start === chunk.length) return;
    // a copy: a part of the chunk would keep all of it
    this.#pieces.push(Buffer.from(chunk.subarray(start)));
    this.#heldBytes += chunk.length - start;
    if (this.#heldBytes > ITEM_MAX_BYTES) throw itemTooLarge(this.#asked);
  }

  end(): JsonObject {
    this.#list += this.#finish(Buffer.alloc(0));
    const list = parseAnswer(this.#asked, this.#list);
    if (!isObject(list)) throw this.#bad('no list');
    return list;
  }

  #inText(byte: number | undefined): void {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (byte === BACKSLASH) this.#isEscaped = true;
    else if (byte === QUOTE) this.#isText = false;
  }

  /** Answers where begins what is not taken yet. */
  #opens(byte: number, chunk: Buffer, start: number, at: number): number {
    this.#depth++;
    if (this.#place === 'gap' && this.#depth === ITEMS_DEPTH + 1) {
      this.#checkGap(chunk.subarray(start, at), this.#count === 0 ? '' : ',');
      this.#place = 'item';
      return at;
    }
    if (this.#place !== 'list' || byte !== BRACKET || this.#depth !== ITEMS_DEPTH) return start;
    this.#list += this.#finish(chunk.subarray(start, at + 1));
    if (ITEMS_BEGIN.test(this.#list)) this.#place = 'gap';
    return at + 1;
  }

  #closes(chunk: Buffer, start: number, at: number): number {
    this.#depth--;
    if (this.#place === 'item' && this.#depth === ITEMS_DEPTH) {
      const text = this.#finish(chunk.subarray(start, at + 1));
      this.#place = 'gap';
      this.#count++;
      this.#onItem(parseAnswer(this.#asked, text));
      return at + 1;
    }
    if (this.#place !== 'gap' || this.#depth >= ITEMS_DEPTH) return start;
    this.#checkGap(chunk.subarray(start, at), '');
    this.#place = 'list';
    return at;
  }

  #checkGap(last: Buffer, want: string): void {
    if (this.#finish(last).trim() !== want)
      throw this.#bad('a list of something else than objects');
  }

  /** The text of the place that ends here. */
  #finish(last: Buffer): string {
    if (this.#pieces.length === 0) return last.toString('utf8');
    // in one piece, so that a character that a chunk's end has cut comes out whole
    const text = Buffer.concat([...this.#pieces, last]).toString('utf8');
    this.#pieces = [];
    this.#heldBytes = 0;
    return text;
  }

  #bad(why: string): ApiError {
    return new ApiError(`${this.#asked}: ${why}`, { code: 'bad-answer', status: 0 });
  }
}
