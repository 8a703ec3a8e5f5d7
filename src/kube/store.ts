// The objects of one kind as the reflector last saw them, projected to the fields in use. Whoever reads it gets data;
// whoever wants to know what changed gives a listener, which marks keys dirty and must not work in the callback.
import type { ReflectorSink } from './reflector.ts';

export interface StoreListener<T> {
  /** `before` undefined: it is new; `after` undefined: it is gone. */
  changed(key: string, before: T | undefined, after: T | undefined): void;
  /** All objects of the first list are in the store. */
  synced?(): void;
}

export class Store<T> implements ReflectorSink<T> {
  readonly #objects = new Map<string, T>();
  readonly #listener: StoreListener<T> | undefined;
  #synced = false;

  constructor(listener?: StoreListener<T>) {
    this.#listener = listener;
  }

  /** No decision may rest on an absence before this is true. */
  get synced(): boolean {
    return this.#synced;
  }

  get objects(): ReadonlyMap<string, T> {
    return this.#objects;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  onSync(objects: ReadonlyMap<string, T>): void {
    for (const [key, object] of objects) this.onUpsert(key, object);
    this.#synced = true;
    this.#listener?.synced?.();
  }

  onUpsert(key: string, object: T): void {
    const before = this.#objects.get(key);
    this.#objects.set(key, object);
    this.#listener?.changed(key, before, object);
  }

  onDelete(key: string): void {
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    this.#listener?.changed(key, before, undefined);
  }
}
