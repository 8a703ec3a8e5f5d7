// Which resourceVersion a write must carry when the object it was decided on has been written by us since. A decision may
// be made on what an earlier decision is believed to have written; its write comes after that one, and must not be taken
// for a conflict. A version that somebody else wrote is never translated to.

interface Chain {
  /** Versions that our writes replaced, one after the other; undefined: the object did not exist. */
  readonly from: Set<string | undefined>;
  to: string;
}

/** Chains that are remembered; the least recently written is forgotten first, which costs one re-read at most. */
const CHAINS_MAX = 10_000;

export class OwnVersions {
  readonly #chains = new Map<string, Chain>();

  /** Our write replaced version `from` (undefined: made the object) by `to`. */
  wrote(key: string, from: string | undefined, to: string | undefined): void {
    const old = this.#chains.get(key);
    this.#chains.delete(key);
    if (to === undefined) return;
    const continues = old !== undefined && old.to === from;
    const chain = continues ? old : { from: new Set<string | undefined>(), to };
    chain.from.add(from);
    chain.to = to;
    this.#chains.set(key, chain);
    if (this.#chains.size <= CHAINS_MAX) return;
    const [oldest] = this.#chains.keys();
    if (oldest !== undefined) this.#chains.delete(oldest);
  }

  /** The version that stands where `seen` stood, if only we wrote since; otherwise `seen` itself. */
  translate(key: string, seen: string | undefined): string | undefined {
    const chain = this.#chains.get(key);
    return chain?.from.has(seen) === true ? chain.to : seen;
  }

  /** Somebody else wrote the object. */
  forget(key: string): void {
    this.#chains.delete(key);
  }
}
