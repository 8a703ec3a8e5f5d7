// What is told about one object while it is read, and the mistakes that end an object or one of its entries. Pure.
import { labelOf, type Note, type NoteKind, type SourceObject } from './model.ts';
import { templateText } from './variables.ts';

/** The object or the entry can't be used; the message says which field and why. Caught where they are gone through. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly field: string | undefined;

  constructor(message: string, field?: string) {
    super(message);
    this.field = field;
  }
}

/** Notes about one object. */
export class Notes {
  readonly #all: Note[];
  readonly #object: string;
  readonly #where: string;
  #damages = 0;

  constructor(all: Note[], object: string, where: string) {
    this.#all = all;
    this.#object = object;
    this.#where = where;
  }

  static of(all: Note[], object: SourceObject): Notes {
    return new Notes(all, labelOf(object), object.where);
  }

  static ofService(
    all: Note[],
    { key, where }: { readonly key: string; readonly where: string },
  ): Notes {
    return new Notes(all, `Service ${key}`, where);
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

  /** A key whose value can't be read: it is left out, and its neighbours go on. */
  damage(message: string, field: string): void {
    this.#damages++;
    this.add('error', message, field);
  }

  /** How many keys could not be read so far. */
  get damages(): number {
    return this.#damages;
  }
}

/** Does the work for one object; a SourceError becomes its one line, and the others go on. */
export function guarded(all: Note[], object: SourceObject, work: (notes: Notes) => void): void {
  const notes = Notes.of(all, object);
  attempt(notes, 'the object', () => work(notes));
}

/** The same for one entry of an object; undefined where it can't be used. */
export function attempt<T>(notes: Notes, what: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SourceError)) throw error; // a bug
    notes.add('error', `${error.message}; ${what} is left out`, error.field);
    return undefined;
  }
}

/** A name that an object of Kubernetes may not have is quoted: it may hold anything. */
export function nameText(name: string): string {
  return /^[\w./-]{1,253}$/.test(name) ? name : shortText(name);
}

const SHOWN = 80;

export function shortText(value: unknown): string {
  const text = templateText(value) ?? JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text;
}
