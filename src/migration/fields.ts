// Reads a foreign object field by field and remembers which fields were read, so that none is dropped silently: what
// nobody asked for is named at the end. A field of the wrong shape is named, too, and left out; its neighbours go on. Pure.
import type { LabelSelector } from '../api/pool.ts';
import { closest } from '../api/suggest.ts';
import { isObject, type JsonObject } from './json.ts';
import type { SourceObject } from './model.ts';
import { shortText, SourceError, type Notes } from './notes.ts';
import { variableHint } from './variables.ts';

export interface Entry {
  readonly text: string;
  /** `spec.addresses[0]` */
  readonly field: string;
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
    this.#wrong(key, 'text', value);
    return undefined;
  }

  /** What kubectl reads for true and false, too: its YAML is 1.1. */
  flag(key: string): boolean | undefined {
    const value = this.raw(key);
    if (value === undefined || typeof value === 'boolean') return value;
    if (typeof value === 'string' && /^(y|yes|on)$/i.test(value)) return true;
    if (typeof value === 'string' && /^(n|no|off)$/i.test(value)) return false;
    this.#wrong(key, 'true or false', value);
    return undefined;
  }

  integer(key: string): number | undefined {
    const value = this.raw(key);
    if (value === undefined || (typeof value === 'number' && Number.isInteger(value))) return value;
    this.#wrong(key, 'a whole number', value);
    return undefined;
  }

  texts(key: string): readonly string[] {
    return this.entries(key).map(({ text }) => text);
  }

  /** Texts with their places. Empty where the field is absent; an item that is no text is left out. */
  entries(key: string): readonly Entry[] {
    return this.#items(key).flatMap((item, i): readonly Entry[] => {
      if (typeof item === 'string') return [{ text: item, field: this.pathOf(`${key}[${i}]`) }];
      this.#wrong(`${key}[${i}]`, 'text', item);
      return [];
    });
  }

  object(key: string): Fields | undefined {
    const value = this.raw(key);
    if (value === undefined) return undefined;
    if (!isObject(value)) {
      this.#wrong(key, 'an object', value);
      return undefined;
    }
    return new Fields(value, this.pathOf(key), this.#notes);
  }

  objects(key: string): readonly Fields[] {
    return this.#items(key).flatMap((item, i): readonly Fields[] => {
      if (isObject(item)) return [new Fields(item, this.pathOf(`${key}[${i}]`), this.#notes)];
      this.#wrong(`${key}[${i}]`, 'an object', item);
      return [];
    });
  }

  /** Key and value, both text. */
  map(key: string): Readonly<Record<string, string>> {
    const value = this.raw(key) ?? {};
    if (!isObject(value)) {
      this.#wrong(key, 'an object', value);
      return {};
    }
    const entries = Object.entries(value).flatMap(([name, item]): [string, string][] => {
      if (typeof item === 'string') return [[name, item]];
      this.#wrong(`${key}.${name}`, 'text', item);
      return [];
    });
    return Object.fromEntries(entries);
  }

  selector(key: string): LabelSelector | undefined {
    const fields = this.object(key);
    return fields === undefined ? undefined : this.#selectorOf(fields);
  }

  selectors(key: string): readonly LabelSelector[] {
    return this.objects(key).flatMap((fields) => this.#selectorOf(fields) ?? []);
  }

  required(key: string): string {
    const value = this.text(key);
    if (value === undefined || value === '') throw new SourceError('is missing', this.pathOf(key));
    return value;
  }

  /** A text that must be there, for what is useless without it and must be named as damaged. */
  needed(key: string): string | undefined {
    const text = this.text(key);
    if (text === undefined && !this.has(key)) this.#wrong(key, 'text', undefined);
    return text;
  }

  choice<T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.raw(key);
    const found = allowed.find((known) => known === value);
    if (found === undefined) this.#wrong(key, `one of ${allowed.join(', ')}`, value);
    return found;
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
      const meant = closest(key, [...this.#read]);
      const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
      const text = `${shortText(this.#value[key])}: a field that the import does not know; it is left out${hint}`;
      this.#notes.add('no-equivalent', text, this.pathOf(key));
    }
  }

  /** A selector of which a part is lost would select more than its author meant: then all of it is left out. */
  #selectorOf(fields: Fields): LabelSelector | undefined {
    const before = this.#notes.damages;
    const matchLabels = fields.map('matchLabels');
    const matchExpressions = fields
      .objects('matchExpressions')
      .flatMap((each) => expressionOf(each) ?? []);
    fields.end();
    if (this.#notes.damages > before) return undefined;
    return {
      ...(Object.keys(matchLabels).length === 0 ? {} : { matchLabels }),
      ...(matchExpressions.length === 0 ? {} : { matchExpressions }),
    };
  }

  #items(key: string): readonly unknown[] {
    const value = this.raw(key) ?? [];
    if (Array.isArray(value)) return value;
    this.#wrong(key, 'a list', value);
    return [];
  }

  #wrong(key: string, wanted: string, value: unknown): void {
    const shown = value === undefined ? 'missing' : shortText(value);
    const text = `must be ${wanted}, is ${shown}; it is left out${variableHint(shown)}`;
    this.#notes.damage(text, this.pathOf(key));
  }
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

const OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist'] as const;

function expressionOf(
  fields: Fields,
): NonNullable<LabelSelector['matchExpressions']>[number] | undefined {
  const key = fields.needed('key');
  const operator = fields.choice('operator', OPERATORS);
  const values = fields.texts('values');
  fields.end();
  if (key === undefined || operator === undefined) return undefined;
  return { key, operator, ...(values.length === 0 ? {} : { values }) };
}
