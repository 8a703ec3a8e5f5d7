// When the running drains began. Memory only: after a restart they begin anew.
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { DrainStarts } from '../model/state.ts';

type Starts = DrainStarts extends ReadonlyMap<VirtualServerKey, infer V> ? V : never;

export class RunningDrains {
  #starts = new Map<VirtualServerKey, Starts>();

  get starts(): DrainStarts {
    return this.#starts;
  }

  /** After a round over everything. */
  replace(starts: DrainStarts): void {
    this.#starts = new Map(starts);
  }

  /** After a round over these virtual servers. Answers whether no other drains. */
  update(scope: ReadonlySet<VirtualServerKey>, starts: DrainStarts): boolean {
    const areAll = [...this.#starts.keys()].every((key) => scope.has(key));
    for (const key of scope) this.#starts.delete(key);
    for (const [key, reals] of starts) this.#starts.set(key, reals);
    return areAll;
  }
}
