// What a reader keeps of a parsed object, made from the table of fields.
import type { FieldRow, Fields, Reader } from './fields.ts';

/** undefined: there is nothing to keep. */
type Keep = (value: unknown) => unknown;

/** Gives a copy with what the reader reads, and with its apiVersion and kind. */
export function keeperOf(fields: Fields, reader: Reader): <T extends object>(object: T) => T {
  const keep = keeperOfFields(fields, reader, [
    ['apiVersion', asItIs],
    ['kind', asItIs],
  ]);
  // what the schemas demand is read by every reader, and what is left out is optional
  return <T extends object>(object: T) => keep(object as JsonObject) as T;
}

/** Which keys of a map of its metadata the reader reads. */
export function keysRead(
  fields: Fields,
  map: 'labels' | 'annotations',
  reader: Reader,
): (key: string) => boolean {
  const { metadata } = fields;
  const row = metadata !== undefined && 'fields' in metadata ? metadata.fields[map] : undefined;
  return (row !== undefined && 'keys' in row ? row.keys[reader] : undefined) ?? noKey;
}

const asItIs: Keep = (value) => value;

type JsonObject = Readonly<Record<string, unknown>>;

function keeperOfFields(
  fields: Fields,
  reader: Reader,
  more: readonly (readonly [string, Keep])[] = [],
): (object: JsonObject) => object {
  const keepers = [...more];
  for (const [name, row] of Object.entries(fields)) {
    if (isRead(row, reader)) keepers.push([name, keeperOfRow(row, reader)]);
  }
  return (object) => {
    const copy: Record<string, unknown> = {};
    for (const [name, keep] of keepers) {
      const value = object[name];
      const kept = value === undefined ? undefined : keep(value);
      if (kept !== undefined) copy[name] = kept;
    }
    return copy;
  };
}

const noKey = (): boolean => false;

function keeperOfRow(row: FieldRow, reader: Reader): Keep {
  if ('readers' in row) return asItIs;
  if ('keys' in row) {
    return (map) => withKeys(map as object, (key) => row.keys[reader]?.(key) === true);
  }
  const keep = keeperOfFields(row.fields, reader);
  // the schema has seen to it that it is a list, or an object
  if (row.isList) return (list) => (list as readonly JsonObject[]).map(keep);
  return (object) => keep(object as JsonObject);
}

function withKeys(map: object, isKept: (key: string) => boolean): object | undefined {
  const entries = Object.entries(map).filter(([key]) => isKept(key));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

export function isRead(row: FieldRow, reader: Reader): boolean {
  if ('readers' in row) return row.readers.includes(reader);
  if ('keys' in row) return row.keys[reader] !== undefined;
  return Object.values(row.fields).some((field) => isRead(field, reader));
}
