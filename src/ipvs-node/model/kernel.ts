// The port to the kernel. The Linux adapter (kernel/linux.ts) and the fake of the tests pass one contract suite.
import type { IpAddress } from '../../net/address.ts';
import {
  virtualServerKey,
  type RealServer,
  type RealServerAddress,
  type VirtualServer,
  type VirtualServerAddress,
  type VirtualServerKey,
} from '../../net/ipvs.ts';
import type { ElementKey, FirewallElement, FirewallSet } from './firewall.ts';
import type { Owned } from './owned.ts';
import type { DrainStarts, ObservedHost, Reading } from './state.ts';

/** `key` is the server's, where the planner has it at hand: making it anew for 60,000 operations is what a round feels. */
interface OfServer<Server> {
  readonly key?: VirtualServerKey;
  readonly server: Server;
}

export type ServerOp =
  | ({ readonly op: 'vs.add' | 'vs.set' } & OfServer<VirtualServer>)
  | ({ readonly op: 'vs.del' } & OfServer<VirtualServerAddress>)
  | ({
      readonly op: 'rs.add' | 'rs.set';
      readonly real: RealServer;
    } & OfServer<VirtualServerAddress>)
  | ({ readonly op: 'rs.del'; readonly real: RealServerAddress } & OfServer<VirtualServerAddress>);

export interface FirewallOp {
  readonly op: 'fw.add' | 'fw.del';
  readonly set: FirewallSet;
  /** The element's. */
  readonly key: ElementKey;
  readonly element: FirewallElement;
}

export type Op =
  | ServerOp
  | { readonly op: 'vip.add' | 'vip.del'; readonly address: IpAddress; readonly interface: string }
  /** Gratuitous ARP or unsolicited neighbour advertisement. */
  | { readonly op: 'vip.announce'; readonly address: IpAddress; readonly interface: string }
  | FirewallOp
  | { readonly op: 'sysctl.set'; readonly key: string; readonly value: number };

/** The virtual server that the operation is about. */
export function serverKeyOf(op: ServerOp): VirtualServerKey {
  return op.key ?? virtualServerKey(op.server);
}

export function isFirewallOp(op: Op): op is FirewallOp {
  return op.op === 'fw.add' || op.op === 'fw.del';
}

export function isServerOp(op: Op): op is ServerOp {
  return 'server' in op;
}

/** The outcome of one Op. `unknown`: the reply was lost, the operation may have happened. */
export type OpResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** `EEXIST`, `ENOENT`, …; `unknown` where the kernel's answer was lost. */
      readonly errno: string;
      readonly message: string;
    };

/** What a reading proves about what is ours. */
export interface Evidence {
  /** Virtual servers that were looked for and are not there. */
  readonly gone: readonly VirtualServerKey[];
  /** All addresses; undefined where they were not read. */
  readonly addresses: Reading['addresses'];
}

/** The one set of what is ours. */
export interface OwnershipPort {
  readonly owned: Owned;
  /**
   * Brings it in line with a reading, after which no operation ran: what is gone is not ours any more, because somebody else
   * may make it anew; an address with our tag is ours, whatever was recorded.
   */
  settle(evidence: Evidence): void;
}

export interface NotedDrains {
  /** On the clock of who asks. */
  readonly starts: DrainStarts;
  /** What could not be read, and why. */
  readonly problem: string | undefined;
}

/** When drains began, kept for the next process of this boot, whose clock is another one: `nowMs` is what it shows. */
export interface DrainRecordPort {
  load(nowMs: number): NotedDrains;
  /** Those that have begun, all of them. Answers why it could not be done; then none is kept. */
  save(starts: DrainStarts, nowMs: number): string | undefined;
}

/** The readings change nothing, in the kernel or in the record. */
export interface Kernel extends OwnershipPort {
  readonly drainRecord: DrainRecordPort;
  /** Dumps everything. A part that could not be read whole is undefined in the answer, never empty. */
  observe(): Promise<Reading>;
  /** The part beside the virtual servers. Operations may run meanwhile: it is then of before or after them. */
  observeHost(): Promise<ObservedHost>;
  /** These virtual servers only: the cheap read that a drain and a step of the audit need. */
  observeVirtualServers(keys: readonly VirtualServerKey[]): Promise<Reading['virtualServers']>;
  /** The keys of virtual servers that are not ours, with their VIPs; undefined: they could not be listed whole. */
  listForeignServers(): Promise<ReadonlyMap<VirtualServerKey, IpAddress> | undefined>;
  /** Runs the operations in order and answers for each one. Never throws for the failure of an operation. */
  run(ops: readonly Op[]): Promise<readonly OpResult[]>;
  /** True while a virtual server of ours is still there: somebody may have flushed the table. */
  canary(key: VirtualServerKey): Promise<boolean>;
  /** Called when somebody else removed an address, ours or not, or a link changed. */
  onChange(listener: (change: KernelChange) => void): void;
  close(): Promise<void>;
}

export type KernelChange =
  | { readonly kind: 'address.removed'; readonly address: IpAddress; readonly interface: string }
  /** It was not ours. */
  | { readonly kind: 'address.freed'; readonly address: IpAddress; readonly interface: string }
  | { readonly kind: 'link'; readonly interface: string; readonly up: boolean };
