// Condition types that vipvs writes, and how a condition is put into a list. docs/reference/conditions.md explains
// each type and reason.
import type { Condition } from './kubernetes.ts';

export const ADDRESS_ASSIGNED = 'vipvs.io/AddressAssigned';
export const PROGRAMMED = 'vipvs.io/Programmed';
export const LOAD_BALANCER_CLASS = 'vipvs.io/vipvs';

export type NewCondition = Omit<Condition, 'lastTransitionTime'>;

/**
 * The list with this condition in the place of the old one of its type, or at the end. lastTransitionTime changes
 * only with the status. The same list, as an object, where nothing changes: then there is nothing to write.
 */
export function withCondition(
  conditions: readonly Condition[],
  next: NewCondition,
  nowRfc3339: string,
): readonly Condition[] {
  const at = conditions.findIndex(({ type }) => type === next.type);
  const old = conditions[at];
  if (old === undefined) return [...conditions, { ...next, lastTransitionTime: nowRfc3339 }];
  const isSame =
    old.status === next.status &&
    old.reason === next.reason &&
    old.message === next.message &&
    old.observedGeneration === next.observedGeneration;
  if (isSame) return conditions;
  const since = old.status === next.status ? old.lastTransitionTime : undefined;
  return conditions.with(at, { ...next, lastTransitionTime: since ?? nowRfc3339 });
}
