// Draining: a real server that leaves gets weight 0 and goes when its connections have gone or its time is up. What
// drains is seen in the kernel (weight 0, not wanted); only when it began is memory, and losing that makes the drain
// longer, never shorter.
import type { VirtualServerKey, RealServerKey } from '../../net/ipvs.ts';
import type { ObservedRealServer } from '../model/state.ts';

/** Virtual server -> real server -> when its drain began, on the clock that the planner gets as nowMs. */
export type DrainStarts = ReadonlyMap<VirtualServerKey, ReadonlyMap<RealServerKey, number>>;

export type DrainStep =
  /** Weight 0 now, and look again. */
  | { readonly step: 'lower'; readonly wakeAtMs: number }
  | { readonly step: 'wait'; readonly sinceMs: number; readonly wakeAtMs: number }
  | { readonly step: 'delete' };

/** Connections of a draining real server are read that often. */
export const DRAIN_CHECK_MS = 1000;

/** What to do with a real server that nobody wants any more. */
export function drainStep(
  real: ObservedRealServer,
  drainSeconds: number,
  sinceMs: number | undefined,
  nowMs: number,
): DrainStep {
  if (drainSeconds === 0) return { step: 'delete' };
  // even an idle one: a connection may come between the reading and the deletion, and would be reset
  if (real.weight > 0) return { step: 'lower', wakeAtMs: nowMs + DRAIN_CHECK_MS };
  const { activeConnections = 0, inactiveConnections = 0 } = real;
  if (activeConnections + inactiveConnections === 0) return { step: 'delete' };
  const start = sinceMs ?? nowMs;
  const deadlineMs = start + drainSeconds * 1000;
  if (nowMs >= deadlineMs) return { step: 'delete' };
  return { step: 'wait', sinceMs: start, wakeAtMs: Math.min(deadlineMs, nowMs + DRAIN_CHECK_MS) };
}
