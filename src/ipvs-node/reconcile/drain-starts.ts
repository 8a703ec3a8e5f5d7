// When the running drains began, and when to look at them. Memory only: after a restart they begin anew.
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { DrainStarts } from '../model/state.ts';

const NEVER = Number.POSITIVE_INFINITY;
type Starts = DrainStarts extends ReadonlyMap<VirtualServerKey, infer V> ? V : never;

export class DrainTimes {
  #starts = new Map<VirtualServerKey, Starts>();
  #dueMs = NEVER;

  get starts(): DrainStarts {
    return this.#starts;
  }

  /** When the next look is due; infinite while nothing drains. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** The counts could not be read. */
  postpone(untilMs: number): void {
    if (this.#starts.size > 0) this.#dueMs = Math.max(this.#dueMs, untilMs);
  }

  /** After a round over everything. */
  replace(starts: DrainStarts, wakeAtMs: number | undefined): void {
    this.#starts = new Map(starts);
    this.#dueMs = wakeAtMs ?? NEVER;
  }

  /** After a round over these virtual servers. */
  update(
    scope: ReadonlySet<VirtualServerKey>,
    starts: DrainStarts,
    wakeAtMs: number | undefined,
  ): void {
    const isWhole = [...this.#starts.keys()].every((key) => scope.has(key));
    for (const key of scope) this.#starts.delete(key);
    for (const [key, reals] of starts) this.#starts.set(key, reals);
    this.#dueMs = Math.min(isWhole ? NEVER : this.#dueMs, wakeAtMs ?? NEVER);
  }
}
