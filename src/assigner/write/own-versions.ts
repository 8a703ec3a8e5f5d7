// Which resourceVersions of an object our own writes made, and which they replaced. Two uses:
// - A decision may be made on what an earlier decision is believed to have written; its write comes after that one, and
//   must carry the version that stands now. A version that somebody else wrote is never translated to.
// - A watch may still show a version that our write has replaced already. Taken for news, it would bring back an
//   address's old holder, and the next decision would give the address away again.
// Versions are opaque: compared for equality only.

interface Chain {
  /** Versions that our writes replaced, one directly after the other; undefined: the object did not exist. */
  readonly from: Set<string | undefined>;
  /** Every version of the object known to be past. */
  readonly past: Set<string>;
  /** What our last write made; undefined: it deleted the object. */
  to: string | undefined;
  /** The watch has shown `to`: nothing older can come any more. */
  isShown: boolean;
}

/** Chains that are remembered; the least recently written is forgotten first, which costs one re-read at most. */
const CHAINS_MAX = 50_000;

export class OwnVersions {
  readonly #chains = new Map<string, Chain>();
  readonly #max: number;

  constructor(max = CHAINS_MAX) {
    this.#max = max;
  }

  get size(): number {
    return this.#chains.size;
  }

  /** Our write replaced version `from` (undefined: made the object) by `to` (undefined: deleted it). */
  wrote(key: string, from: string | undefined, to: string | undefined): void {
    const old = this.#chains.get(key);
    this.#chains.delete(key);
    const continues = old !== undefined && old.to === from && from !== undefined;
    const chain: Chain = {
      from: continues ? old.from : new Set(),
      past: old?.past ?? new Set(),
      to,
      isShown: false,
    };
    chain.from.add(from);
    if (from !== undefined) chain.past.add(from);
    this.#chains.set(key, chain);
    const excess = Math.max(0, this.#chains.size - this.#max);
    for (const oldest of this.#chains.keys().take(excess)) this.#chains.delete(oldest);
  }

  /** The version that stands where `seen` stood, if only we wrote since; otherwise `seen` itself. */
  translate(key: string, seen: string | undefined): string | undefined {
    const chain = this.#chains.get(key);
    return chain?.from.has(seen) === true ? chain.to : seen;
  }

  /** A later version than this one was written by us. */
  isPast(key: string, version: string | undefined): boolean {
    return version !== undefined && this.#chains.get(key)?.past.has(version) === true;
  }

  /** The watch shows this version. */
  shown(key: string, version: string | undefined): void {
    const chain = this.#chains.get(key);
    if (chain !== undefined && chain.to === version) chain.isShown = true;
  }

  /** No decision about the object is waiting to be written. */
  release(key: string): void {
    if (this.#chains.get(key)?.isShown === true) this.#chains.delete(key);
  }

  /** Somebody else wrote the object: nothing is translated any more. */
  interrupted(key: string): void {
    this.#chains.get(key)?.from.clear();
  }
}
