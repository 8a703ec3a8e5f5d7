// What a Service's case is made of, and what a rule answers. Types only: the case is collected by service-case.ts.
import type { LoadBalancerIngress, Service } from '../../api/kubernetes.ts';
import type { Reason } from '../../api/reasons.ts';
import type { AddressRequest } from '../../api/request.ts';
import type { Family, IpAddress } from '../../net/address.ts';
import type { PoolEntry } from '../holders/pools.ts';
import type { WaitKey } from '../holders/waiting.ts';
import type { AssignerView } from './decision.ts';
import type { WantedFamilies } from './families.ts';
import type { Ports } from './ports.ts';

export interface Refusal {
  readonly reason: Reason;
  /** The Pool that refuses; undefined where the refusal is about the request itself. */
  readonly pool?: string;
  readonly message: string;
  readonly waits: readonly WaitKey[];
}

/** An address that the Service has, by its claim or by what its status shows. */
export interface Held {
  readonly address: IpAddress;
  readonly family: Family;
  /** The Pool that hands out the address now. */
  readonly pool: PoolEntry | undefined;
  /** Name of the Pool that the address counts for: that one, or the one that it was given from. */
  readonly poolName: string;
}

export interface ServiceCase {
  readonly service: Service;
  /** `namespace/name` */
  readonly key: string;
  readonly namespace: string;
  readonly ports: Ports;
  readonly request: AddressRequest;
  /** Names of the Pools that are asked for; empty: any will do. */
  readonly pools: readonly string[];
  readonly wanted: WantedFamilies;
  /** At most one per family: the one to keep if it can be. */
  readonly held: readonly Held[];
  /** Of the status: what no usable Pool knows and nobody has a claim on. Its Pool may come yet, so it stays for now. */
  readonly unknown: readonly LoadBalancerIngress[];
  /** The same after the Pools have had their time: it is cleared. */
  readonly givenUp: readonly LoadBalancerIngress[];
  readonly view: AssignerView;
}
