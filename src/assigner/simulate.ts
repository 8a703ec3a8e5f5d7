// Runs the assigner on a set of objects, with every write succeeding at once, until nothing more changes. Pure: the same
// objects in any order give the same result. `vipvs simulate` and the script tests are this function.
import { ClusterStore, KINDS, keyOf, type ClusterObject } from '../api/cluster.ts';
import { compareIp, ipOfObjectName } from '../net/address.ts';
import { applyAction, targetOf } from './carry-out.ts';
import type { Action, AssignerConfig, EventNote } from './decide/decision.ts';
import { Assigner } from './engine.ts';

export interface Simulated {
  /** In order of kind, then of name. */
  readonly objects: readonly ClusterObject[];
  /** In the order in which they would be written. */
  readonly events: readonly EventNote[];
  readonly actions: readonly Action[];
}

/** A plan that has not settled by then never will: that is a bug. */
const STEPS_MAX = 100;

export function simulate(
  objects: Iterable<ClusterObject>,
  config: AssignerConfig,
  nowMs?: number,
  stepsMax = STEPS_MAX,
): Simulated {
  const store = new ClusterStore();
  for (const object of objects) store.set(object);
  const assigner = new Assigner(store, config);
  const actions: Action[] = [];
  const events: EventNote[] = [];
  for (let steps = 0; ; steps++) {
    if (steps === stepsMax) throw new Error(`no end after ${steps} steps: ${last(actions)}`);
    const { decisions } = assigner.step(nowMs, 'all');
    if (decisions.length === 0) break;
    events.push(...decisions.flatMap((decision) => decision.events));
    const written = decisions.flatMap((decision) => decision.actions);
    for (const action of written) {
      applyAction(store, action);
      actions.push(action);
    }
    for (const action of written) {
      const { kind, key } = targetOf(action);
      assigner.onChange(kind, key);
    }
  }
  return { objects: sortedObjects(store), events, actions };
}

function last(actions: readonly Action[]): string {
  return JSON.stringify(actions.slice(-2));
}

function sortedObjects(store: ClusterStore): readonly ClusterObject[] {
  const keyed = [...store.objects()].map((object) => ({ object, key: keyOf(object) }));
  keyed.sort((a, b) => {
    const byKind = KINDS.indexOf(a.object.kind) - KINDS.indexOf(b.object.kind);
    if (byKind !== 0) return byKind;
    const left = a.object.kind === 'IP' ? ipOfObjectName(a.key) : undefined;
    const right = b.object.kind === 'IP' ? ipOfObjectName(b.key) : undefined;
    if (left !== undefined && right !== undefined) return compareIp(left, right);
    return a.key < b.key ? -1 : 1;
  });
  return keyed.map(({ object }) => object);
}
