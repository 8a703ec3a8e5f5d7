// Why what a reflector holds may be old, for readiness.
import type { ReflectorState } from './reflector.ts';

/** Empty: it is listed, and its last try succeeded. */
export function whyStale({ resource, synced, problem }: ReflectorState): readonly string[] {
  if (problem !== undefined) return [problem.message];
  return synced ? [] : [`${resource} are not listed yet`];
}
