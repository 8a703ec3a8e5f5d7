// The port through which a director hears for which VIPs it answers. A Lease is the election with one group of VIPs;
// VRRP decides about each group by itself. Whoever listens never knows which of them speaks.
import type { Director } from '../../api/director.ts';
import type { HeldGroups } from '../model/held-groups.ts';

export interface Election {
  /** Why it can't decide at the moment. */
  readonly problem: string | undefined;
  /** Runs until the signal is aborted; what it said last stays true after its end. */
  run(signal: AbortSignal, hold: Hold): Promise<void>;
  /** This director became ready. */
  ready(): void;
  /** Another director's object changed; undefined: it is gone. */
  seen(name: string, director: Director | undefined): void;
}

/**
 * Hears which groups are held here from now on, each time all of them. Resolves when the kernel was told: another
 * director takes a group that is no longer held only after that.
 */
export type Hold = (held: HeldGroups) => Promise<void>;
