// Which addresses are held under which sharing key, and the lowest few of each key, which conditions name. Without those
// few, each of thousands of Services under one key would be decided again for every one that comes.
import { compareIp, familyOf, type Family, type IpAddress } from '../../net/address.ts';

/** Of one family; one of them may be the reader's own. */
const FIRST_MAX = 6;

export class SharingIndex {
  readonly #all = new Map<string, Set<IpAddress>>();
  /** `family key` -> in order; at most FIRST_MAX. */
  readonly #first = new Map<string, readonly IpAddress[]>();

  under(key: string): ReadonlySet<IpAddress> {
    return this.#all.get(key) ?? NONE;
  }

  firstUnder(key: string, family: Family): readonly IpAddress[] {
    return this.#first.get(`${family} ${key}`) ?? [];
  }

  /** Answers whether the first ones are others now. */
  add(key: string, address: IpAddress): boolean {
    const all = this.#all.get(key);
    if (all?.has(address) === true) return false;
    if (all === undefined) this.#all.set(key, new Set([address]));
    else all.add(address);
    const first = this.firstUnder(key, familyOf(address));
    const isFull = first.length === FIRST_MAX;
    if (isFull && first.every((other) => compareIp(other, address) < 0)) return false;
    this.#setFirst(key, familyOf(address), [...first, address]);
    return true;
  }

  /** Answers whether the first ones are others now. */
  delete(key: string, address: IpAddress): boolean {
    const all = this.#all.get(key);
    if (all?.delete(address) !== true) return false;
    if (all.size === 0) this.#all.delete(key);
    const family = familyOf(address);
    if (!this.firstUnder(key, family).includes(address)) return false;
    const rest = [...all].filter((other) => familyOf(other) === family);
    this.#setFirst(key, family, rest);
    return true;
  }

  #setFirst(key: string, family: Family, addresses: readonly IpAddress[]): void {
    const first = [...addresses].sort(compareIp).slice(0, FIRST_MAX);
    if (first.length === 0) this.#first.delete(`${family} ${key}`);
    else this.#first.set(`${family} ${key}`, first);
  }
}

const NONE: ReadonlySet<IpAddress> = new Set();
