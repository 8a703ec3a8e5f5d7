// Which values belong to a key: Services to an address, slices to a Service. Maps only, so that pure rooms may have it; the
// programs keep tens of thousands of entries, and nearly all of them have one value: that one stands alone, a few are an
// array of just their length, and only many are a Set, which costs more than they do and finds each of them at once.

const FEW = 8;

export class Index<K, V extends string | number | object> {
  readonly #alone = new Map<K, V>();
  readonly #several = new Map<K, readonly V[] | Set<V>>();

  /** In the order in which they came; what is added or deleted later does not change it. */
  get(key: K): readonly V[] {
    const alone = this.#alone.get(key);
    if (alone !== undefined) return [alone];
    const several = this.#several.get(key) ?? NONE;
    return several instanceof Set ? [...several] : several;
  }

  has(key: K): boolean {
    return this.#alone.has(key) || this.#several.has(key);
  }

  *keys(): Generator<K, void, undefined> {
    yield* this.#alone.keys();
    yield* this.#several.keys();
  }

  /** One that is there stays where it is. */
  add(key: K, value: V): void {
    const alone = this.#alone.get(key);
    const several = this.#several.get(key);
    if (several instanceof Set) several.add(value);
    else if (several !== undefined) {
      if (!several.includes(value)) this.#setSeveral(key, several.concat(value));
    } else if (alone === undefined) this.#alone.set(key, value);
    else if (alone !== value) {
      this.#alone.delete(key);
      this.#several.set(key, [alone, value]);
    }
  }

  /** Answers whether it was there. */
  delete(key: K, value: V): boolean {
    if (this.#alone.get(key) === value) return this.#alone.delete(key);
    const several = this.#several.get(key);
    if (several === undefined) return false;
    if (several instanceof Set) {
      const isThere = several.delete(value);
      if (several.size <= FEW / 2) this.#setSeveral(key, [...several]);
      return isThere;
    }
    if (!several.includes(value)) return false;
    const rest = several.filter((each) => each !== value);
    this.#setSeveral(key, rest);
    return true;
  }

  clear(): void {
    this.#alone.clear();
    this.#several.clear();
  }

  #setSeveral(key: K, values: readonly V[]): void {
    const [first] = values;
    if (first === undefined || values.length > 1) {
      this.#several.set(key, values.length > FEW ? new Set(values) : values);
      return;
    }
    this.#several.delete(key);
    this.#alone.set(key, first);
  }
}

const NONE: readonly never[] = [];
