// Draining: a real server that leaves gets weight 0 and goes when its connections have gone or its time is up. The time
// counts from when its endpoint stopped serving or was no longer listed; while it terminates and still serves there is no
// deadline. What drains is seen in the kernel (weight 0, not wanted); only when it began is not, and losing that makes the
// drain longer, never shorter.
// A UDP real server that serves no more is deleted at once: its senders have no handshake that would tell them, and with
// a fixed port they would talk to a dead address for as long as the drain lasts (k8s#76664; 200 of 200 packets in the lab).
import type { Protocol } from '../../net/ipvs.ts';
import { NOT_BEGUN, type ObservedRealServer } from '../model/state.ts';

export type DrainStep =
  /** Weight 0 now, and look again. */
  | { readonly step: 'lower'; readonly sinceMs: number; readonly wakeAtMs: number }
  | { readonly step: 'wait'; readonly sinceMs: number; readonly wakeAtMs: number }
  | { readonly step: 'delete' };

/** Connections of a draining real server are read that often. */
export const DRAIN_CHECK_MS = 1000;

export interface Leaving {
  readonly real: ObservedRealServer;
  readonly protocol: Protocol;
  /** Its endpoint terminates and still serves. */
  readonly isServing: boolean;
  readonly drainSeconds: number;
  /** As it was noted last. */
  readonly sinceMs: number | undefined;
  /**
   * net.ipv4.vs.expire_nodest_conn reads 1: a connection of a deleted real server goes to another one, or its client is
   * told. With 0 its packets vanish (ip_vs_core.c, ip_vs_in: `!(cp->dest->flags & IP_VS_DEST_F_AVAILABLE)`).
   */
  readonly expiresNoDest: boolean;
}

/** What to do with a real server that gets no new connections any more. */
export function drainStep(leaving: Leaving, nowMs: number): DrainStep {
  const { real, protocol, isServing, drainSeconds, expiresNoDest } = leaving;
  if (drainSeconds === 0) return { step: 'delete' };
  if (protocol === 'UDP' && !isServing && expiresNoDest) return { step: 'delete' };
  const sinceMs = isServing ? NOT_BEGUN : begunAt(leaving.sinceMs, nowMs);
  const checkMs = nowMs + DRAIN_CHECK_MS;
  // even an idle one: a connection may come between the reading and the deletion, and would be reset
  if (real.weight > 0) return { step: 'lower', sinceMs, wakeAtMs: checkMs };
  const { activeConnections = 0, inactiveConnections = 0 } = real;
  if (activeConnections + inactiveConnections === 0) return { step: 'delete' };
  const deadlineMs = sinceMs + drainSeconds * 1000;
  if (nowMs >= deadlineMs) return { step: 'delete' };
  return { step: 'wait', sinceMs, wakeAtMs: Math.min(deadlineMs, checkMs) };
}

function begunAt(sinceMs: number | undefined, nowMs: number): number {
  return sinceMs === undefined || sinceMs === NOT_BEGUN ? nowMs : sinceMs;
}
