// Which virtual servers are looked at to find out whether somebody flushed the table: all of ours in turn.
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { Kernel } from '../model/kernel.ts';

/** Virtual servers that one canary looks at; each look costs 15 to 40 us. */
const CANARY_KEYS = 2;

type Keys = Pick<ReadonlyMap<VirtualServerKey, unknown>, 'keys' | 'has'>;

export class CanaryKeys {
  #iterator: Iterator<VirtualServerKey> | undefined;

  /** Looks at a few; answers one that was there and is gone. */
  async findVanished(
    kernel: Pick<Kernel, 'canary'>,
    wanted: Keys,
    seen: Keys | undefined,
  ): Promise<VirtualServerKey | undefined> {
    for (let i = 0; i < CANARY_KEYS; i++) {
      const key = this.next(wanted, seen);
      if (key !== undefined && !(await kernel.canary(key))) return key;
    }
    return undefined;
  }

  /** The next one that is wanted and was seen; one that could not be made yet is no sign of a flush. */
  next(wanted: Keys, seen: Keys | undefined): VirtualServerKey | undefined {
    for (let tries = 0; tries < 2; tries++) {
      this.#iterator ??= wanted.keys();
      for (let next = this.#iterator.next(); next.done !== true; next = this.#iterator.next()) {
        if (seen?.has(next.value) === true) return next.value;
      }
      this.#iterator = undefined;
    }
    return undefined;
  }
}
