// When the running drains began: in memory, and in a record for the process after this one.
// Invariant: the record is written only when a drain has begun or ended, and after a write that failed.
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { Clock } from '../../runtime/clock.ts';
import { RepeatedFailures, type Log } from '../../runtime/log.ts';
import type { DrainRecordPort } from '../model/kernel.ts';
import { NOT_BEGUN, type DrainStarts } from '../model/state.ts';

type Starts = DrainStarts extends ReadonlyMap<VirtualServerKey, infer V> ? V : never;

export class RunningDrains {
  #starts: Map<VirtualServerKey, Starts>;
  readonly #record: DrainRecordPort;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #log: Log;
  readonly #failures = new RepeatedFailures();
  /** The record is not as it should be. */
  #isUnsaved: boolean;

  constructor(record: DrainRecordPort, clock: Pick<Clock, 'nowMs'>, log: Log) {
    this.#record = record;
    this.#clock = clock;
    this.#log = log;
    const { starts, problem } = record.load(clock.nowMs());
    this.#starts = new Map(starts);
    this.#isUnsaved = problem !== undefined;
    if (problem !== undefined) log.warn({ reason: problem }, 'when drains began can not be read');
  }

  get starts(): DrainStarts {
    return this.#starts;
  }

  /** After a round over everything. */
  replace(starts: DrainStarts): void {
    for (const key of new Set([...this.#starts.keys(), ...starts.keys()])) {
      this.#note(key, starts.get(key));
    }
    this.#starts = new Map(starts);
  }

  /** After a round over these virtual servers. Answers whether no other drains. */
  update(scope: ReadonlySet<VirtualServerKey>, starts: DrainStarts): boolean {
    const areAll = [...this.#starts.keys()].every((key) => scope.has(key));
    for (const key of scope) {
      this.#note(key, starts.get(key));
      this.#starts.delete(key);
    }
    for (const [key, reals] of starts) this.#starts.set(key, reals);
    return areAll;
  }

  /** Where something changed: into the record. */
  save(): void {
    if (!this.#isUnsaved) return;
    const problem = this.#record.save(this.#starts, this.#clock.nowMs());
    this.#isUnsaved = problem !== undefined;
    if (problem !== undefined) {
      const again = this.#failures.fail('save');
      if (again === undefined) return;
      this.#log.warn({ reason: problem, ...again }, 'when drains began can not be noted');
    } else if (this.#failures.succeed('save')) {
      this.#log.info({}, 'when drains began is noted again');
    }
  }

  #note(key: VirtualServerKey, after: Starts | undefined): void {
    if (!areSameBegun(this.#starts.get(key), after)) this.#isUnsaved = true;
  }
}

function areSameBegun(a: Starts | undefined, b: Starts | undefined): boolean {
  return haveAllBegun(a, b) && haveAllBegun(b, a);
}

/** Every drain of `a` that has begun is in `b` with its time. */
function haveAllBegun(a: Starts | undefined, b: Starts | undefined): boolean {
  if (a === undefined || a === b) return true;
  for (const [real, sinceMs] of a) {
    if (sinceMs !== NOT_BEGUN && b?.get(real) !== sinceMs) return false;
  }
  return true;
}
