// Reads a foreign object field by field and remembers which fields were read, so that none is dropped silently:
// what nobody asked for is named at the end. A field of the wrong shape ends the object with one clear line. Pure.
import type { LabelSelector } from '../api/pool.ts';
import { labelOf, type Note, type NoteKind, type SourceObject } from './model.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object under the key; an empty one where there is none. */
export function childOf(value: JsonObject, key: string): JsonObject {
  const child = value[key];
  return isObject(child) ? child : {};
}

/** The object can't be used; the message says which field and why. Caught where objects are gone through. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.field = field;
  }
}

/** What was caught, if it was a user's mistake; anything else is a bug and goes on. */
export function sourceErrorOf(error: unknown): SourceError {
  if (error instanceof SourceError) return error;
  throw error;
}

/** Notes about one object. */
export class Notes {
  readonly #all: Note[];
  readonly #object: string;
  readonly #where: string;

  constructor(all: Note[], object: string, where: string) {
    this.#all = all;
    this.#object = object;
    this.#where = where;
  }

  static of(all: Note[], object: SourceObject): Notes {
    return new Notes(all, labelOf(object), object.where);
  }

  add(kind: NoteKind, message: string, field?: string): void {
    this.#all.push({
      kind,
      object: this.#object,
      ...(field === undefined ? {} : { field }),
      message,
      where: this.#where,
    });
  }
}

/** Does the work for one object; a SourceError becomes its one line, and the others go on. */
export function guarded(all: Note[], object: SourceObject, work: (notes: Notes) => void): void {
  const notes = Notes.of(all, object);
  try {
    work(notes);
  } catch (error) {
    const { message, field } = sourceErrorOf(error);
    notes.add('error', `${message}; the object is left out`, field);
  }
}

export class Fields {
  readonly #value: JsonObject;
  readonly #path: string;
  readonly #notes: Notes;
  readonly #read = new Set<string>();

  constructor(value: JsonObject, path: string, notes: Notes) {
    this.#value = value;
    this.#path = path;
    this.#notes = notes;
  }

  /** The fields of `spec`; an object without one has no fields. */
  static specOf(object: SourceObject, notes: Notes): Fields {
    const { spec } = object.raw;
    if (spec !== undefined && spec !== null && !isObject(spec)) {
      throw new SourceError('must be an object', 'spec');
    }
    return new Fields(spec ?? {}, 'spec', notes);
  }

  pathOf(key: string): string {
    return `${this.#path}.${key}`;
  }

  has(key: string): boolean {
    const value = this.#value[key];
    return value !== undefined && value !== null;
  }

  /** null is absent, as in the API server. */
  raw(key: string): unknown {
    this.#read.add(key);
    return this.#value[key] ?? undefined;
  }

  text(key: string): string | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'string') return value;
    throw this.#wrong(key, 'text');
  }

  flag(key: string): boolean | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'boolean') return value;
    throw this.#wrong(key, 'true or false');
  }

  integer(key: string): number | undefined {
    const value = this.raw(key);
    if (value === undefined || (typeof value === 'number' && Number.isInteger(value))) return value;
    throw this.#wrong(key, 'a whole number');
  }

  /** Empty where the field is absent. */
  texts(key: string): readonly string[] {
    const value = this.raw(key) ?? [];
    if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
    throw this.#wrong(key, 'a list of texts');
  }

  object(key: string): Fields | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (!isObject(value)) throw this.#wrong(key, 'an object');
    return new Fields(value, this.pathOf(key), this.#notes);
  }

  objects(key: string): readonly Fields[] {
    const value = this.raw(key) ?? [];
    if (!Array.isArray(value)) throw this.#wrong(key, 'a list');
    return value.map((item: unknown, i) => {
      if (!isObject(item)) throw this.#wrong(`${key}[${i}]`, 'an object');
      return new Fields(item, `${this.pathOf(key)}[${i}]`, this.#notes);
    });
  }

  /** Key and value, both text. */
  map(key: string): Readonly<Record<string, string>> {
    const value = this.raw(key) ?? {};
    if (!isObject(value)) throw this.#wrong(key, 'an object');
    const entries = Object.entries(value).map(([name, item]): [string, string] => {
      if (typeof item !== 'string') throw this.#wrong(`${key}.${name}`, 'text');
      return [name, item];
    });
    return Object.fromEntries(entries);
  }

  selector(key: string): LabelSelector | undefined {
    const fields = this.object(key);
    return fields === undefined ? undefined : selectorOf(fields);
  }

  selectors(key: string): readonly LabelSelector[] {
    return this.objects(key).map(selectorOf);
  }

  required(key: string): string {
    const value = this.text(key);
    if (value === undefined || value === '') throw new SourceError('is missing', this.pathOf(key));
    return value;
  }

  /** Notes the field, if it is there and not empty, as one that vipvs has nothing for. */
  unsupported(key: string, advice: string): void {
    const value = this.raw(key);
    if (value === undefined || value === false || value === '' || isEmpty(value)) return;
    this.#notes.add('no-equivalent', `${shortText(value)}: ${advice}`, this.pathOf(key));
  }

  /** Fields that are state of the source system, or say nothing that vipvs needs. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#read.add(key);
  }

  /** Names what nobody read. */
  end(): void {
    for (const key of Object.keys(this.#value).sort()) {
      if (this.#read.has(key) || !this.has(key)) continue;
      const text = shortText(this.#value[key]);
      this.#notes.add(
        'no-equivalent',
        `${text}: a field that the import does not know; it is left out`,
        this.pathOf(key),
      );
    }
  }

  #wrong(key: string, wanted: string): SourceError {
    return new SourceError(`must be ${wanted}`, this.pathOf(key));
  }
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

const SHOWN = 80;

export function shortText(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

function selectorOf(fields: Fields): LabelSelector {
  const matchLabels = fields.map('matchLabels');
  const matchExpressions = fields.objects('matchExpressions').map((expression) => {
    const key = expression.required('key');
    const text = expression.required('operator');
    const operator = OPERATORS.find((known) => known === text);
    if (operator === undefined) {
      throw new SourceError(
        `must be one of ${OPERATORS.join(', ')}`,
        expression.pathOf('operator'),
      );
    }
    const values = expression.texts('values');
    expression.end();
    return { key, operator, ...(values.length === 0 ? {} : { values }) };
  });
  fields.end();
  return {
    ...(Object.keys(matchLabels).length === 0 ? {} : { matchLabels }),
    ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
  };
}
