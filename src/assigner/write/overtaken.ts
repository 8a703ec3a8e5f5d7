// Answers that a watch has overtaken. The two come by ways of their own: a watch may show what became of an object after
// an answer about it was made and before the answer is here. An answer taken for news then would bring back an object
// that is gone, and no later event would take it out again. resourceVersions are opaque, so nobody can say which of the
// two is newer: what was told meanwhile stays, and the watch brings what is missing.

interface Asked {
  /** The version that the asker knows: told meanwhile, it is no news. undefined: there is no object. */
  readonly known: string | undefined;
  /** undefined: that the object is gone. */
  readonly told: Set<string | undefined>;
  isOvertaken: boolean;
}

/** An answer of the API server about one object. */
export interface Answered<T> {
  readonly answer: T;
  /** Something else was told of the object while the call was under way: the answer must not go into the store. */
  readonly isOvertaken: boolean;
  /** The versions that were told meanwhile. */
  readonly told: ReadonlySet<string | undefined>;
}

export class Overtaken {
  /** Calls under way, by the key of the object that they are about. */
  readonly #asked = new Map<string, Set<Asked>>();

  /** Objects that are asked about. */
  get size(): number {
    return this.#asked.size;
  }

  /** Asks about one object, of which `known` is the version known so far. */
  async during<T>(
    key: string,
    known: string | undefined,
    ask: () => Promise<T>,
  ): Promise<Answered<T>> {
    const asked: Asked = { known, told: new Set(), isOvertaken: false };
    const all = this.#asked.get(key) ?? new Set();
    this.#asked.set(key, all.add(asked));
    try {
      const answer = await ask();
      return { answer, isOvertaken: asked.isOvertaken, told: asked.told };
    } finally {
      all.delete(asked);
      if (all.size === 0) this.#asked.delete(key);
    }
  }

  /** A watch or another answer has told of this version; undefined: that the object is gone. */
  told(key: string, version: string | undefined): void {
    for (const asked of this.#asked.get(key) ?? []) {
      asked.told.add(version);
      if (version !== asked.known) asked.isOvertaken = true;
    }
  }

  /** Objects were listed anew: of what came and went since nobody tells. */
  toldOfAll(): void {
    for (const all of this.#asked.values()) for (const asked of all) asked.isOvertaken = true;
  }
}
