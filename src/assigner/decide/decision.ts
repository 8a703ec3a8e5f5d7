// The data that goes in and out of the assigner's pure core: what a decision may see, and what it answers.
// A decision never does anything: it answers actions, and the caller applies them.
import type { WaitKey } from '../holders/waiting.ts';
import type { ClusterView } from '../../api/cluster.ts';
import type { IP } from '../../api/ip.ts';
import type { ServiceStatus } from '../../api/kubernetes.ts';
import type { PoolStatus } from '../../api/pool.ts';
import type { ObjectRef } from '../../api/problem.ts';
import type { Reason } from '../../api/reasons.ts';
import type { Holders } from '../holders/holders.ts';
import type { DirectorFailures } from './director-failures.ts';

export interface AssignerConfig {
  /** Services of this loadBalancerClass are ours. */
  readonly loadBalancerClass: string;
  /** Services of type LoadBalancer without a class are ours too. */
  readonly handleUnset: boolean;
  /** How long an address is kept back after its last Service went, where IP.spec.holdSeconds says nothing. */
  readonly holdSeconds: number;
}

export interface AssignerView {
  readonly config: AssignerConfig;
  readonly cluster: ClusterView;
  /** Who holds what, including what was decided but is not written yet. */
  readonly holders: Holders;
  /** What the directors say; undefined: the condition Programmed is somebody else's (standalone, simulate). */
  readonly programming?: DirectorFailures | undefined;
  /** Undefined: there is no clock (simulate); no hold ends and conditions carry no times. */
  readonly nowMs: number | undefined;
  /**
   * The Pools changed a moment ago, and more may be on their way: they are applied one after the other. What only a missing
   * one could hold is not given up before they had their time.
   */
  readonly arePoolsFresh?: boolean;
  /** What the API server refuses to write for a Service, by `namespace/name`, as text. */
  readonly refusedWrites?: ReadonlyMap<string, string>;
  /** nowMs as the conditions show it. */
  readonly timestamp: string | undefined;
}

export interface EventNote {
  readonly regarding: ObjectRef;
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly note: string;
}

/** One write. IPs carry spec and status: where a create or update drops the status, the caller writes it after. */
export type Action =
  | { readonly do: 'ip.create'; readonly ip: IP }
  | { readonly do: 'ip.update'; readonly ip: IP }
  | { readonly do: 'ip.status'; readonly ip: IP }
  | { readonly do: 'ip.delete'; readonly ip: IP }
  | { readonly do: 'service.status'; readonly service: string; readonly status: ServiceStatus }
  | { readonly do: 'pool.status'; readonly pool: string; readonly status: PoolStatus };

export interface Decision {
  /**
   * In the order in which they must be written: addresses taken, then the Service's status, then addresses given
   * back. Cut anywhere, the rest is decided again and ends in the same state.
   */
  readonly actions: readonly Action[];
  readonly events: readonly EventNote[];
  readonly waits: readonly WaitKey[];
  /** `namespace/name` of the Service that it is made for. */
  readonly subject?: string;
  /** It only tells the Service what is refused: that it goes through says nothing of what is refused. */
  readonly tellsRefusal?: true;
}

export const NOTHING: Decision = { actions: [], events: [], waits: [] };
