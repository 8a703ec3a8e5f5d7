// Reads Kubernetes' protobuf form of built-in kinds into what JSON.parse would have given, but only the fields that are
// asked for: the rest (managed fields are half of most objects) is stepped over unread. Custom resources have no such form.
// Field numbers: generated.proto of each API group in k8s.io/api; they never change. Wire format: protobuf.dev, encoding.
import type { ValueType } from '../api/fields.ts';
import { ApiError } from './errors.ts';
import type { JsonObject } from './json.ts';

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

/** Before the envelope (apimachinery/pkg/runtime/serializer/protobuf). */
const MAGIC = 'k8s\0';
/** runtime.Unknown */
const RAW = 2;
const [VARINT, FIXED64, LENGTH, FIXED32] = [0, 1, 2, 5];

/**
 * An answer to `asked` (`GET /api/v1/services`): the object within its envelope. The items of a list are decoded while they
 * are iterated, which works once: 10,000 objects as they came, all at the same time, would be 30 MB, and live long enough
 * to be copied by the collector. Throws ApiError `bad-answer`, the items too.
 */
export function decodeAnswer(asked: string, bytes: Buffer, message: Message): JsonObject {
  const reader = new Reader(asked, bytes);
  reader.magic();
  while (reader.at < bytes.length) {
    const key = reader.varint();
    if (key === RAW * 8 + LENGTH) return reader.outermost(reader.end(), message);
    reader.skip(key);
  }
  throw reader.bad('an envelope without an object');
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

  /** Its list is its last field: Go writes them in the order of their numbers. */
  outermost(end: number, message: Message): JsonObject {
    const object: Record<string, unknown> = {};
    while (this.at < end) {
      const key = this.varint();
      const field = message[key >>> 3];
      if (field?.isList === true) {
        object[field.name] = this.#items(key, end, field.type);
        break;
      }
      this.#field(key, field, object);
    }
    return object;
  }

  /** From behind the key of the first one. */
  *#items(key: number, end: number, type: FieldType): Generator<unknown, void, undefined> {
    yield this.#value(key & 7, type, undefined);
    while (this.at < end) {
      const next = this.varint();
      if (next === key) yield this.#value(key & 7, type, undefined);
      else this.skip(next);
    }
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
    const value = this.#value(key & 7, field.type, before);
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

  #value(wire: number, type: FieldType, before: unknown): unknown {
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
