// Reads Kubernetes' protobuf form of built-in kinds into what JSON.parse would have given, but only the fields that are
// asked for: the rest (managed fields are half of most objects) is stepped over unread. Custom resources have no such form.
// Field numbers: generated.proto of each API group in k8s.io/api; they never change. Wire format: protobuf.dev, encoding.
import type { ValueType } from '../api/fields.ts';
import { ApiError } from './errors.ts';
import type { JsonObject } from './json.ts';
import { itemTooLarge, ITEM_MAX_BYTES, type ListDecoder } from './list-decoder.ts';

export type FieldType =
  ValueType | { readonly map: (key: string) => boolean } | { readonly message: Message };

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly isList?: boolean;
}

/** The fields that are wanted, by number: an array, because this is read for every field of every object. */
export type Message = readonly (Field | undefined)[];

export function messageOf(fields: Readonly<Record<number, Field>>): Message {
  const numbers = Object.keys(fields).map(Number);
  return Array.from({ length: Math.max(...numbers) + 1 }, (_, number) => fields[number]);
}

/** As its type of content. */
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';
/** Before the envelope (apimachinery/pkg/runtime/serializer/protobuf). */
const MAGIC = 'k8s\0';
/** runtime.Unknown */
const RAW = 2;
const [VARINT, FIXED64, LENGTH, FIXED32] = [0, 1, 2, 5];

/**
 * An answer to `asked` (`GET /api/v1/services`), a list within its envelope, read while it comes: 10,000 objects at the same
 * time would be 30 MB, and live long enough to be copied by the collector.
 */
export class ProtobufList implements ListDecoder {
  readonly #asked: string;
  readonly #message: Message;
  readonly #onItem: (item: unknown) => void;
  readonly #list: Record<string, unknown> = {};
  /** What came and is not read yet; with `#wanted` bytes the next field is whole. */
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  #wanted = MAGIC.length;
  #isOpen = false;
  /** Bytes of the object that are not read yet; undefined: it has not begun. */
  #left: number | undefined;

  constructor(asked: string, message: Message, onItem: (item: unknown) => void) {
    this.#asked = asked;
    this.#message = message;
    this.#onItem = onItem;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  push(chunk: Buffer): void {
    this.#pieces.push(chunk);
    this.#heldBytes += chunk.length;
    if (this.#heldBytes < this.#wanted) return;
    const bytes = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces);
    const reader = new Reader(this.#asked, bytes);
    if (!this.#isOpen) {
      reader.magic();
      this.#isOpen = true;
    }
    let start = reader.at;
    while (this.#field(reader)) start = reader.at;
    // a copy: a part of the chunk would keep all of it
    this.#pieces = start === bytes.length ? [] : [Buffer.from(bytes.subarray(start))];
    this.#heldBytes = bytes.length - start;
  }

  end(): JsonObject {
    const reader = new Reader(this.#asked, Buffer.concat(this.#pieces));
    if (!this.#isOpen) reader.magic();
    if (this.#heldBytes > 0 || (this.#left ?? 0) > 0) throw reader.bad('cut off');
    if (this.#left === undefined) throw reader.bad('an envelope without an object');
    return this.#list;
  }

  /** One field of the envelope or of the list; false: it is not all there, nor is what comes after it. */
  #field(reader: Reader): boolean {
    const start = reader.at;
    const key = reader.partialVarint();
    const isObject = key === RAW * 8 + LENGTH && this.#left === undefined;
    const end = key === undefined ? undefined : reader.partialEnd(key, isObject);
    if (key === undefined || end === undefined) {
      this.#wanted = reader.length - start + 1;
      return false;
    }
    if (isObject) {
      this.#left = end - reader.at;
      return true;
    }
    this.#wanted = end - start;
    if (this.#wanted > ITEM_MAX_BYTES) throw itemTooLarge(this.#asked);
    if (end > reader.length) return false;
    const left = this.#left ?? 0;
    if (left === 0) reader.at = end;
    else {
      this.#left = left - this.#wanted;
      if (this.#left < 0) throw reader.bad('cut off');
      this.#listField(reader, key, end);
    }
    return true;
  }

  #listField(reader: Reader, key: number, end: number): void {
    const field = this.#message[key >>> 3];
    if (field?.isList === true) this.#onItem(reader.value(key & 7, field.type, undefined));
    else if (field === undefined) reader.at = end;
    else this.#list[field.name] = reader.value(key & 7, field.type, undefined);
  }
}

class Reader {
  readonly #asked: string;
  readonly #bytes: Buffer;
  at = 0;

  constructor(asked: string, bytes: Buffer) {
    this.#asked = asked;
    this.#bytes = bytes;
  }

  bad(why: string): ApiError {
    const text = `${this.#asked}: the answer is not protobuf: ${why}`;
    return new ApiError(text, { code: 'bad-answer', status: 0 });
  }

  magic(): void {
    const { length } = MAGIC;
    if (this.#bytes.toString('latin1', 0, length) !== MAGIC) throw this.bad('no envelope');
    this.at = length;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** undefined: not all of it is there. */
  partialVarint(): number | undefined {
    for (let { at } = this; at < this.#bytes.length; at++) {
      if (Number(this.#bytes[at]) < 128) return this.varint();
    }
    return undefined;
  }

  /** Where the value of this key ends, which may be later than what is there; before a length-delimited one its length is read. */
  partialEnd(key: number, isRead: boolean): number | undefined {
    const from = this.at;
    if ((key & 7) === VARINT) {
      const value = this.partialVarint();
      const end = this.at;
      this.at = from;
      return value === undefined ? undefined : end;
    }
    if ((key & 7) === FIXED64) return from + 8;
    if ((key & 7) === FIXED32) return from + 4;
    if ((key & 7) !== LENGTH) throw this.bad(`a value of wire type ${key & 7}`);
    const length = this.partialVarint();
    const end = length === undefined ? undefined : this.at + length;
    if (!isRead) this.at = from;
    return end;
  }

  message(end: number, message: Message): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    while (this.at < end) {
      const key = this.varint();
      this.#field(key, message[key >>> 3], object);
    }
    return object;
  }

  #field(key: number, field: Field | undefined, object: Record<string, unknown>): void {
    if (field === undefined) {
      this.skip(key);
      return;
    }
    const before = object[field.name];
    const value = this.value(key & 7, field.type, before);
    if (value === undefined) return;
    if (field.isList !== true) object[field.name] = value;
    else if (Array.isArray(before)) before.push(value);
    else object[field.name] = [value];
  }

  /** A number below 2^53; what is negative here is nothing that we read. */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) throw this.bad('cut off');
      this.at += 1;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  }

  /** Where a length-delimited value ends. */
  end(): number {
    const length = this.varint();
    const end = this.at + length;
    if (end > this.#bytes.length) throw this.bad('cut off');
    return end;
  }

  skip(key: number): void {
    const wire = key & 7;
    if (wire === LENGTH) this.at = this.end();
    else if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.at += 8;
    else if (wire === FIXED32) this.at += 4;
    else throw this.bad(`a value of wire type ${wire}`);
  }

  value(wire: number, type: FieldType, before: unknown): unknown {
    if (type === 'number' || type === 'boolean') {
      if (wire !== VARINT) throw this.bad(`a ${type} of wire type ${wire}`);
      const value = this.varint();
      return type === 'number' ? value : value !== 0;
    }
    if (wire !== LENGTH) throw this.bad(`a value of wire type ${wire}`);
    const end = this.end();
    if (type === 'text') return end === this.at ? undefined : this.#text(end);
    if (type === 'optional-text') return this.#text(end);
    if (type === 'time') return timeText(this.message(end, TIME));
    if (type === 'number-or-text') return numberOrText(this.message(end, INT_OR_STRING));
    if ('message' in type) return this.message(end, type.message);
    return this.#entry(end, type.map, before);
  }

  #text(end: number): string {
    const text = this.#bytes.toString('utf8', this.at, end);
    this.at = end;
    return text;
  }

  /** One entry of a map, added to those before it. */
  #entry(end: number, isWanted: (key: string) => boolean, before: unknown): unknown {
    const { key, value } = this.message(end, MAP_ENTRY);
    if (typeof key !== 'string' || !isWanted(key)) return before;
    return { ...(typeof before === 'object' ? before : {}), [key]: value };
  }
}

const TIME = messageOf({ 1: { name: 'seconds', type: 'number' } });
const INT_OR_STRING = messageOf({
  1: { name: 'type', type: 'number' },
  2: { name: 'number', type: 'number' },
  3: { name: 'text', type: 'text' },
});
const MAP_ENTRY = messageOf({
  1: { name: 'key', type: 'optional-text' },
  2: { name: 'value', type: 'optional-text' },
});
const IS_TEXT = 1;

function timeText({ seconds }: JsonObject): string | undefined {
  if (typeof seconds !== 'number') return undefined;
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

function numberOrText({ type, number, text }: JsonObject): unknown {
  return type === IS_TEXT ? (text ?? '') : (number ?? 0);
}
