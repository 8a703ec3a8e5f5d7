// What an agent is given and what it tells: the ports of agent.ts, and what a round of it came to.
import type { IpAddress } from '../../net/address.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { NodeView } from '../desired/service.ts';
import type { Kernel } from '../model/kernel.ts';
import type { Limits } from '../plan/plan.ts';
import type { DriftKind } from './drift.ts';
import type { OnReport } from './service-reports.ts';

export interface AgentPorts {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** The Service's state on this node changed. */
  readonly report: OnReport;
  /** After every round that asked the kernel for anything. */
  readonly onRound?: (round: RoundSummary) => void;
  readonly onReady?: () => void;
  /** An address came to this director and was announced, which is not said of a repair. */
  readonly onAnnounced?: (announced: Announced) => void;
  /** Virtual servers of somebody else inside our Pools, one line each: others than before. */
  readonly onForeign?: (servers: readonly string[]) => void;
}

export interface Announced {
  readonly address: IpAddress;
  readonly interface: string;
  /** That have the address. */
  readonly services: readonly string[];
}

export interface RoundSummary {
  readonly kind: 'full' | 'incremental';
  readonly durationMs: number;
  /** `vs.add ok`, `rs.set failed`, `vip.del drift` -> how many */
  readonly counts: ReadonlyMap<string, number>;
  readonly failures: number;
  /** What somebody else had changed and is repaired; most rounds: nothing. */
  readonly drift: ReadonlyMap<DriftKind, number>;
}

export interface AgentOptions {
  readonly node: NodeView;
  readonly limits?: Limits;
}
