// Which addresses are announced for the first time since they came to this director: an announcement that is repeated, or
// follows a repair, is no news. Pure.
import type { IpAddress } from '../../net/address.ts';
import type { Execution } from './execute.ts';

export class FirstAnnouncements {
  /** Bound, and not announced yet. */
  readonly #due = new Set<IpAddress>();

  /** What a plan came to. Answers the addresses that are news. */
  take(
    { bound, announced }: Pick<Execution, 'bound' | 'announced'>,
    isHere: (address: IpAddress) => boolean,
  ): readonly IpAddress[] {
    for (const address of bound) this.#due.add(address);
    const news = announced.filter((address) => this.#due.delete(address));
    for (const address of this.#due) {
      if (!isHere(address)) this.#due.delete(address);
    }
    return news;
  }
}
