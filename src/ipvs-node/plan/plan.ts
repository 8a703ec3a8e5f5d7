// (desired, observed) -> the operations that lead from one to the other, in an order that is safe at every step:
// virtual server, real servers, then the address, then its announcement; on removal the other way round. Set before
// drain before delete, so that a virtual server that stays is served all the time.
// Invariants: nothing that is not ours is edited or deleted; nothing is deleted from a part that was not read whole,
// and nothing added blindly to it; there is no flush.
import type { Problem } from '../../api/problem.ts';
import { compareIp, type IpAddress } from '../../net/address.ts';
import {
  formatEndpoint,
  type RealServer,
  type VirtualServer,
  type VirtualServerAddress,
  type VirtualServerKey,
  type RealServerKey,
} from '../../net/ipvs.ts';
import { drainStep } from './drain.ts';
import type { Op } from '../model/kernel.ts';
import { planFirewall } from './firewall.ts';
import { isBoundByUs, isOurs } from '../model/owned.ts';
import { sortKeys } from './order.ts';
import { hostScope, wholeScope, type Scope } from './scope.ts';
import {
  EXACT_SYSCTLS,
  SYSCTLS,
  type DesiredVirtualServer,
  type NodeState,
  type Observed,
  type ObservedVirtualServer,
  type SysctlKey,
} from '../model/state.ts';
import type { DrainStarts } from '../model/state.ts';

export interface Limits {
  /** Drain time of a port that left its Service while the address stayed: its own setting is gone with it. */
  readonly orphanDrainSeconds: number;
}

/** The drain time of a port whose Service does not have it any more: api/traffic's default. */
export const DEFAULT_LIMITS: Limits = { orphanDrainSeconds: 300 };

/** Why a wanted thing is left out of the plan. */
export interface PlanProblem {
  readonly target:
    | { readonly kind: 'virtual server'; readonly key: VirtualServerKey }
    | { readonly kind: 'address'; readonly address: IpAddress };
  readonly services: readonly string[];
  readonly reason: Problem['reason'];
  readonly message: string;
}

export interface Plan {
  /** First what adds and raises. */
  readonly ops: readonly Op[];
  /** How many of `ops` come before the first address, drain or deletion: these must not run for what failed there. */
  readonly safeOps: number;
  readonly problems: readonly PlanProblem[];
  /** Drains that go on, of the virtual servers in scope. */
  readonly drains: DrainStarts;
  /** When a drain has to be looked at. */
  readonly wakeAtMs: number | undefined;
}

/** All there is. */
export function planNode(
  desired: NodeState,
  observed: Observed,
  drains: DrainStarts,
  nowMs: number,
  limits: Limits,
): Plan {
  return planScope(wholeScope(desired, observed), desired, observed, drains, nowMs, limits);
}

/** All but the virtual servers. */
export function planHost(
  desired: NodeState,
  observed: Observed,
  nowMs: number,
  limits: Limits,
): Plan {
  return planScope(hostScope(desired, observed), desired, observed, new Map(), nowMs, limits);
}

export function planScope(
  scope: Scope,
  desired: NodeState,
  observed: Observed,
  drains: DrainStarts,
  nowMs: number,
  limits: Limits,
): Plan {
  const planner = new Planner(desired, observed, drains, nowMs, limits);
  planner.planVirtualServers(scope.virtualServers, scope.isSorted === true);
  planner.planAddresses(scope.addresses);
  const firewall = planFirewall(scope.firewall, desired.firewall, observed.firewall);
  const sysctls = scope.sysctls ? planSysctls(desired, observed) : [];
  return {
    ops: joined([
      sysctls,
      firewall.add,
      planner.build,
      planner.bind,
      planner.lower,
      planner.remove,
      planner.unbind,
      planner.destroy,
      firewall.remove,
    ]),
    safeOps: sysctls.length + firewall.add.length + planner.build.length,
    problems: planner.problems,
    drains: planner.drains,
    wakeAtMs: planner.wakeAtMs,
  };
}

/** One after the other; one that stands alone is not copied. */
function joined(phases: readonly (readonly Op[])[]): readonly Op[] {
  const [first = [], ...others] = phases.filter((ops) => ops.length > 0);
  return others.length === 0 ? first : first.concat(...others);
}

export function planSysctls(desired: NodeState, observed: Observed): readonly Op[] {
  return SYSCTLS.flatMap((key): readonly Op[] => {
    const value = desired.sysctls.get(key);
    const found = observed.sysctls.get(key);
    if (value === undefined || found === undefined) return [];
    const suffices = EXACT_SYSCTLS.has(key) ? found === value : found >= value;
    return suffices ? [] : [{ op: 'sysctl.set', key, value }];
  });
}

const EXPIRE_NODEST_CONN = 'net/ipv4/vs/expire_nodest_conn' satisfies SysctlKey;

/** What of a virtual server says how the real servers leave that it wants no more; `service` undefined: it left itself. */
interface Draining extends Pick<DesiredVirtualServer, 'realServers' | 'leaving' | 'drainSeconds'> {
  readonly service: string | undefined;
}

/** Phases of one plan, each in canonical order. */
class Planner {
  /** Virtual servers and real servers that come, and changes in place. */
  readonly build: Op[] = [];
  readonly bind: Op[] = [];
  readonly lower: Op[] = [];
  readonly remove: Op[] = [];
  readonly unbind: Op[] = [];
  readonly destroy: Op[] = [];
  readonly problems: PlanProblem[] = [];
  readonly drains = new Map<VirtualServerKey, Map<RealServerKey, number>>();
  wakeAtMs: number | undefined;
  readonly #desired: NodeState;
  readonly #observed: Observed;
  readonly #oldDrains: DrainStarts;
  readonly #nowMs: number;
  readonly #limits: Limits;

  constructor(
    desired: NodeState,
    observed: Observed,
    drains: DrainStarts,
    nowMs: number,
    limits: Limits,
  ) {
    this.#desired = desired;
    this.#observed = observed;
    this.#oldDrains = drains;
    this.#nowMs = nowMs;
    this.#limits = limits;
  }

  planVirtualServers(keys: Iterable<VirtualServerKey>, isSorted: boolean): void {
    const found = this.#observed.virtualServers;
    if (found === undefined) return;
    const serverOf = (key: VirtualServerKey): VirtualServer | undefined =>
      (this.#desired.virtualServers.get(key) ?? found.get(key))?.server;
    for (const key of isSorted ? keys : sortKeys(keys, serverOf)) {
      const wanted = this.#desired.virtualServers.get(key);
      const present = found.get(key);
      this.#planVirtualServer(key, wanted, present);
    }
  }

  #planVirtualServer(
    key: VirtualServerKey,
    wanted: DesiredVirtualServer | undefined,
    present: ObservedVirtualServer | undefined,
  ): void {
    const isOwned = this.#observed.owned.virtualServers.has(key);
    if (wanted === undefined) {
      if (present !== undefined && isOwned) this.#removeVirtualServer(key, present);
    } else if (present === undefined) this.#addVirtualServer(key, wanted);
    else if (isOwned || this.#mayAdopt(wanted.server.vip)) {
      // adopting is said to the kernel's keeper by a set, even where nothing differs
      if (!isOwned || !sameVirtualServer(present.server, wanted.server)) {
        this.build.push({ op: 'vs.set', key, server: wanted.server });
      }
      this.#planRealServers(key, wanted, present);
    } else if (this.#isForeign(key)) {
      this.problems.push({
        target: { kind: 'virtual server', key },
        services: [wanted.service],
        reason: 'ForeignVirtualServer',
        message: `${key}: somebody else has a virtual server there (${describeVirtualServer(present)}); it is left alone (delete it with ipvsadm -D to let vipvs have it)`,
      });
    }
  }

  #addVirtualServer(key: VirtualServerKey, { server, realServers }: DesiredVirtualServer): void {
    this.build.push({ op: 'vs.add', key, server });
    for (const real of realServers.values()) this.build.push({ op: 'rs.add', key, server, real });
  }

  #planRealServers(
    key: VirtualServerKey,
    wanted: DesiredVirtualServer,
    present: ObservedVirtualServer,
  ): void {
    const { server, realServers } = wanted;
    for (const [realKey, real] of realServers) {
      const other = present.realServers.get(realKey);
      if (other === undefined) this.build.push({ op: 'rs.add', key, server, real });
      // one that returns while it drains gets its weight back: DEL and NEW would reset its connections
      else if (!sameRealServer(real, other)) this.build.push({ op: 'rs.set', key, server, real });
    }
    this.#drain(key, present, wanted);
  }

  /** Answers whether any real server is left. */
  #drain(key: VirtualServerKey, present: ObservedVirtualServer, wanted: Draining): boolean {
    const { server } = present;
    const expiresNoDest = (this.#observed.sysctls.get(EXPIRE_NODEST_CONN) ?? 0) > 0;
    let isLeft = false;
    for (const [realKey, real] of present.realServers) {
      if (wanted.realServers.has(realKey)) continue;
      const isServing = wanted.leaving?.has(realKey) === true;
      const step = drainStep(
        {
          real,
          protocol: server.protocol,
          isServing,
          drainSeconds: wanted.drainSeconds,
          sinceMs: this.#oldDrains.get(key)?.get(realKey),
          expiresNoDest,
        },
        this.#nowMs,
      );
      if (step.step === 'delete') {
        this.remove.push({ op: 'rs.del', key, server, real });
        continue;
      }
      isLeft = true;
      if (server.protocol === 'UDP' && !isServing) this.#tellBlackHole(key, real, wanted.service);
      if (step.step === 'lower') {
        this.lower.push({ op: 'rs.set', key, server, real: { ...configOf(real), weight: 0 } });
      }
      const drains = this.drains.get(key) ?? new Map<RealServerKey, number>();
      this.drains.set(key, drains.set(realKey, step.sinceMs));
      this.wakeAtMs = Math.min(this.wakeAtMs ?? step.wakeAtMs, step.wakeAtMs);
    }
    return isLeft;
  }

  #tellBlackHole(key: VirtualServerKey, real: RealServer, service: string | undefined): void {
    const setting = EXPIRE_NODEST_CONN.replaceAll('/', '.');
    this.problems.push({
      target: { kind: 'virtual server', key },
      services: service === undefined ? [] : [service],
      reason: 'KernelError',
      message: `${key}: ${formatEndpoint(real.address, real.port)} serves no more, but senders with a fixed port go on to it while ${setting} is not 1: it drains instead of being deleted (sysctl -w ${setting}=1)`,
    });
  }

  /**
   * A port that left while its address stays drains like a real server. A Service that is deleted takes its connections
   * with it: its address goes first (another Service may get it the next moment), and nothing reaches it after that.
   */
  #removeVirtualServer(key: VirtualServerKey, present: ObservedVirtualServer): void {
    const { server } = present;
    if (this.#desired.addresses.has(server.vip)) {
      const mark = this.remove.length;
      const drainSeconds = this.#limits.orphanDrainSeconds;
      const wanted = { realServers: new Map(), drainSeconds, service: undefined };
      if (this.#drain(key, present, wanted)) return;
      this.remove.length = mark; // the kernel drops its real servers with it
    }
    this.destroy.push({ op: 'vs.del', key, server: addressOf(server) });
  }

  /**
   * The VIP is bound by us and the record knows none of its virtual servers: the record was lost, and what stands there
   * is ours all the same. Where it knows one, another that it does not know is somebody else's.
   */
  #mayAdopt(vip: IpAddress): boolean {
    const { virtualServers } = this.#observed.owned;
    const keys = this.#desired.addresses.get(vip)?.virtualServers ?? [];
    return isBoundByUs(this.#observed, vip) && !keys.some((key) => virtualServers.has(key));
  }

  /** Surely somebody else's; while the addresses are not known, nothing is sure. */
  #isForeign(key: VirtualServerKey): boolean {
    const { virtualServers, addresses, owned } = this.#observed;
    const present = virtualServers?.get(key);
    if (present === undefined || addresses === undefined) return false;
    return !owned.virtualServers.has(key) && !this.#mayAdopt(present.server.vip);
  }

  planAddresses(addresses: Iterable<IpAddress>): void {
    if (this.#observed.addresses === undefined) return;
    const differing = [...addresses].filter((address) => !this.#isAsWanted(address));
    for (const address of differing.sort(compareIp)) this.#planAddress(address);
  }

  /** Nearly all are, and 10,000 take their time to sort. */
  #isAsWanted(address: IpAddress): boolean {
    const name = this.#desired.addresses.get(address)?.interface;
    const found = this.#observed.addresses?.get(address) ?? [];
    return (
      found.every((each) => each.interface === name && isOurs(this.#observed.owned, each)) &&
      (name === undefined || found.length > 0)
    );
  }

  #planAddress(address: IpAddress): void {
    const wanted = this.#desired.addresses.get(address);
    const found = this.#observed.addresses?.get(address) ?? [];
    const ours = found.filter((each) => isOurs(this.#observed.owned, each));
    for (const each of ours) {
      if (each.interface === wanted?.interface) continue;
      this.unbind.push({ op: 'vip.del', address, interface: each.interface });
    }
    if (wanted === undefined || ours.some((each) => each.interface === wanted.interface)) return;
    if (found.length > ours.length) {
      this.problems.push({
        target: { kind: 'address', address },
        services: this.#servicesOf(wanted.virtualServers),
        reason: 'AddressOfHost',
        message: `${address} is on interface ${found.map((each) => each.interface).join(', ')} and vipvs did not put it there; it is left alone`,
      });
      return;
    }
    if (this.#observed.virtualServers === undefined) return;
    if (wanted.virtualServers.every((key) => this.#isForeign(key))) return;
    this.bind.push({ op: 'vip.add', address, interface: wanted.interface });
    this.bind.push({ op: 'vip.announce', address, interface: wanted.interface });
  }

  #servicesOf(keys: readonly VirtualServerKey[]): readonly string[] {
    const services = keys.map((key) => this.#desired.virtualServers.get(key)?.service);
    return [...new Set(services.filter((service) => service !== undefined))].sort();
  }
}

/** By what its owner may be known. */
export function describeVirtualServer({ server, realServers }: ObservedVirtualServer): string {
  const [first] = realServers.values();
  const count = realServers.size;
  const found =
    first === undefined
      ? 'no real servers'
      : `${count} real server${count === 1 ? '' : 's'}, first ${first.address} port ${first.port}`;
  return `scheduler ${server.scheduler}, ${found}`;
}

function addressOf({ vip, port, protocol }: VirtualServer): VirtualServerAddress {
  return { vip, port, protocol };
}

function configOf({ address, port, method, weight, tunnel }: RealServer): RealServer {
  return { address, port, method, weight, ...(tunnel === undefined ? {} : { tunnel }) };
}

export function sameVirtualServer(a: VirtualServer, b: VirtualServer): boolean {
  return (
    a.scheduler === b.scheduler &&
    a.persistenceSeconds === b.persistenceSeconds &&
    a.schedulerFlags.join() === b.schedulerFlags.join()
  );
}

const IPIP = { type: 'ipip' } as const;

export function sameRealServer(a: RealServer, b: RealServer): boolean {
  if (a.method !== b.method || a.weight !== b.weight) return false;
  if (a.method !== 'tunnel') return true;
  return tunnelText(a) === tunnelText(b);
}

function tunnelText({ tunnel = IPIP }: RealServer): string {
  const port = tunnel.type === 'gue' ? tunnel.port : 0;
  const checksum = tunnel.type === 'ipip' ? '' : tunnel.checksum;
  return `${tunnel.type} ${port} ${checksum}`;
}
