// VIPs that are bound already and have to be announced again: the link came up, or nobody heard the first time.
import type { IpAddress } from '../../net/address.ts';
import type { Op } from '../model/kernel.ts';
import type { NodeState, Observed } from '../model/state.ts';

export class AnnounceQueue {
  #addresses = new Set<IpAddress>();

  get isEmpty(): boolean {
    return this.#addresses.size === 0;
  }

  add(address: IpAddress): void {
    this.#addresses.add(address);
  }

  /** `unbound`: those that are not here; where they are bound later, they are announced then. */
  take(
    wanted: NodeState['addresses'],
    found: Observed['addresses'],
  ): { readonly ops: readonly Op[]; readonly unbound: readonly IpAddress[] } {
    const ops: Op[] = [];
    const unbound: IpAddress[] = [];
    for (const address of this.#addresses) {
      const name = wanted.get(address)?.interface;
      const isBound = found?.get(address)?.some(({ ours }) => ours) === true;
      if (name === undefined || !isBound) unbound.push(address);
      else ops.push({ op: 'vip.announce', address, interface: name });
    }
    if (!this.isEmpty) this.#addresses = new Set();
    return { ops, unbound };
  }
}
