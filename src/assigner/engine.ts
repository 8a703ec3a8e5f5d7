// The assigner as an engine over a ClusterView: told what changed, it decides the Services that this touches and
// those that wait for it, and answers what to write. It does no I/O and has no clock; one caller at a time.
// Invariant: the holders are ahead of the view by exactly the decisions that were answered. The caller writes each
// decision's actions in order, puts the results into its store, and reports them with onChange, or with failed.
import {
  ALLOW_NODE_ADDRESS,
  ALLOW_RENUMBER,
  HELD_UNTIL,
  LAST_SERVICE,
} from '../api/annotations.ts';
import type { ClusterView, Kind } from '../api/cluster.ts';
import type { IP } from '../api/ip.ts';
import { namespacedName, type Service } from '../api/kubernetes.ts';
import type { Pool } from '../api/pool.ts';
import { ipOfObjectName, objectNameOf } from '../net/address.ts';
import type { Action, AssignerConfig, AssignerView, Decision } from './decide/decision.ts';
import { hasAddress } from './decide/service-case.ts';
import { claimsOf, holdEndMs } from './holders/ip-object.ts';
import { Holders, type IpRecord } from './holders/holders.ts';
import { decideIp, decidePool } from './decide/published-status.ts';
import { decideService } from './decide/service.ts';
import type { DirectorFailures } from './decide/director-failures.ts';
import { decideReleases, isOurs } from './decide/release.ts';
import { formatTimestamp } from '../api/timestamp.ts';
import type { WaitKey } from './holders/waiting.ts';
import { WaitList } from './holders/waiting.ts';

export interface Step {
  /** In order. After a failed action the rest of its decision must not be written. */
  readonly decisions: readonly Decision[];
  /** When a hold ends: step again then. */
  readonly wakeAtMs: number | undefined;
}

/** Decides everything, as after a start: who has an address first, then by age. */
export function planAll(
  cluster: ClusterView,
  config: AssignerConfig,
  nowMs: number | undefined,
): Step {
  return new Assigner(cluster, config).step(nowMs);
}

export class Assigner {
  readonly #cluster: ClusterView;
  readonly #config: AssignerConfig;
  readonly #programming: DirectorFailures | undefined;
  /** Services with the status that this step has decided: the old one may show what was just given up. */
  readonly #decided = new Map<string, Service>();
  readonly #waits = new WaitList();
  readonly #services = new Set<string>();
  readonly #ips = new Set<string>();
  readonly #holds = new Map<string, number>();
  /** What the API server refuses to write for a Service, until it is tried again. */
  readonly #refusedWrites = new Map<string, string>();
  /** When the Pools were seen to change last, on the steady clock. Undefined: there is none, or they have had their time. */
  #poolsFreshSinceMs: number | undefined;
  #poolsChanged = false;
  #nodesChanged = false;
  /** What of the Pools the holders were built on. */
  #poolInputs = new Map<string, string>();
  /** Undefined before the first step, which is a full one. */
  #holders: Holders | undefined;

  constructor(cluster: ClusterView, config: AssignerConfig, programming?: DirectorFailures) {
    this.#cluster = cluster;
    this.#programming = programming;
    this.#config = config;
  }

  /** An object came, changed or went. Call it after the view shows the change. */
  onChange(kind: Kind, key: string): void {
    if (this.#holders === undefined) return;
    switch (kind) {
      case 'Service':
        this.#refusedWrites.delete(key);
        this.#services.add(key);
        this.#syncClusterIps(this.#holders, key);
        this.#wake([`service:${key}`]);
        break;
      case 'IP':
        this.#syncIp(this.#holders, key);
        break;
      case 'Pool':
        this.#poolsChanged = true;
        break;
      case 'Node':
      case 'ServiceCIDR':
        this.#nodesChanged = true;
        break;
      case 'Namespace':
        this.#wake([`namespace:${key}`]);
        break;
      case 'EndpointSlice':
        break;
    }
  }

  /**
   * The API server refuses a write of the decision for what is in it; `text` says why. The Service that it was made for is
   * told, and nothing more is written for it before it changes or the decision is reported as failed.
   */
  refused(decision: Decision, text: string): void {
    this.failed(decision);
    if (decision.subject !== undefined) this.#refusedWrites.set(decision.subject, text);
  }

  /** A write of the decision failed. What the caller learnt by it must be in the view already. */
  failed(decision: Decision): void {
    const holders = this.#holders;
    if (holders === undefined) return;
    if (decision.subject !== undefined) {
      this.#refusedWrites.delete(decision.subject);
      this.#services.add(decision.subject);
    }
    for (const action of decision.actions) {
      if (action.do === 'service.status') this.#services.add(action.service);
      else if (action.do === 'pool.status') this.#poolsChanged = true;
      else {
        for (const claim of claimsOf(action.ip)) this.#services.add(namespacedName(claim));
        this.#syncIp(holders, action.ip.metadata.name);
        this.#ips.add(action.ip.metadata.name);
      }
    }
  }

  /**
   * Decides all that changed since the last step, until nothing more follows from it. `steadyMs` is a clock that never jumps,
   * for how long the Pools have been as they are; `all`: the objects are all there is, and nothing is waited for.
   */
  step(nowMs: number | undefined, steadyMs: number | 'all' = nowMs ?? 'all'): Step {
    const holders = this.#takeChanges(steadyMs);
    const freshUntilMs = this.#poolsFreshUntilMs(steadyMs);
    const view: AssignerView = {
      config: this.#config,
      cluster: this.#cluster,
      programming: this.#programming,
      holders,
      nowMs,
      timestamp: nowMs === undefined ? undefined : formatTimestamp(nowMs),
      arePoolsFresh: freshUntilMs !== undefined,
      refusedWrites: this.#refusedWrites,
    };
    const decisions: Decision[] = [];
    for (const [name, endMs] of this.#holds) {
      if (nowMs !== undefined && endMs <= nowMs) this.#ips.add(name);
    }
    while (this.#services.size > 0 || this.#ips.size > 0) {
      // a left over IP goes only when no Service wants it
      if (this.#services.size > 0) this.#decideServices(view, decisions);
      else this.#decideIps(view, decisions);
    }
    for (const entry of holders.pools.entries()) {
      const decision = decidePool(entry, holders, this.#cluster.pools.get(entry.name)?.status);
      if (decision !== undefined) decisions.push(decision);
    }
    this.#decided.clear();
    const wakes = [...this.#holds.values()];
    const isAnyWaiting = this.#waits.has('pools-settled');
    if (isAnyWaiting && nowMs !== undefined && steadyMs !== 'all' && freshUntilMs !== undefined) {
      wakes.push(nowMs + freshUntilMs - steadyMs);
    }
    return { decisions, wakeAtMs: minimum(wakes) };
  }

  /** Until when the Pools count as changed a moment ago; undefined: they do no more. Wakes who waits for that. */
  #poolsFreshUntilMs(steadyMs: number | 'all'): number | undefined {
    const sinceMs = this.#poolsFreshSinceMs;
    if (sinceMs === undefined) return undefined;
    if (steadyMs !== 'all' && steadyMs < sinceMs + POOLS_FRESH_MS) return sinceMs + POOLS_FRESH_MS;
    this.#poolsFreshSinceMs = undefined;
    this.#wake(['pools-settled']);
    return undefined;
  }

  /** Brings the holders in step with Pools and Nodes, and marks what that touches. */
  #takeChanges(steadyMs: number | 'all'): Holders {
    const { pools, nodes, ips, serviceCidrs, services } = this.#cluster;
    const freshSinceMs = steadyMs === 'all' ? undefined : steadyMs;
    let holders = this.#holders;
    if (holders === undefined) {
      holders = new Holders(pools, nodes.values(), ips.values(), serviceCidrs.values(), services);
      this.#holders = holders;
      this.#poolInputs = poolInputs(pools);
      this.#poolsFreshSinceMs = freshSinceMs;
      this.#markAll(holders);
    }
    if (this.#poolsChanged) {
      const inputs = poolInputs(pools);
      if (!sameInputs(inputs, this.#poolInputs)) {
        this.#poolInputs = inputs;
        this.#poolsFreshSinceMs = freshSinceMs;
        holders.setPools(pools);
        this.#markAll(holders);
      }
    }
    if (this.#nodesChanged && holders.setNodes(nodes.values(), serviceCidrs.values())) {
      this.#markAll(holders);
    }
    this.#poolsChanged = false;
    this.#nodesChanged = false;
    return holders;
  }

  #markAll(holders: Holders): void {
    for (const key of this.#cluster.services.keys()) this.#services.add(key);
    for (const key of holders.services()) this.#services.add(key);
    for (const name of this.#cluster.ips.keys()) {
      this.#ips.add(name);
      this.#trackHold(this.#cluster.ips.get(name));
    }
  }

  /** A Service's ClusterIPs in the view against what the holders believe. */
  #syncClusterIps(holders: Holders, key: string): void {
    for (const address of holders.setService(key, this.#cluster.services.get(key))) {
      this.#ips.add(objectNameOf(address));
      for (const claim of holders.claimsOn(address)) this.#services.add(namespacedName(claim));
    }
    this.#wake(holders.takeChanged());
  }

  /** An IP object in the view against what the holders believe. */
  #syncIp(holders: Holders, name: string): void {
    const address = ipOfObjectName(name);
    const old = address === undefined ? undefined : holders.record(address);
    const ip = this.#cluster.ips.get(name);
    if (old !== undefined && old.ip === ip) return;
    if (ip === undefined) holders.remove(name);
    else if (old !== undefined && sameMeaning(old, ip)) holders.refresh(old.address, ip);
    else holders.put(ip);
    this.#trackHold(ip);
    if (ip === undefined) this.#holds.delete(name);
    else this.#ips.add(name);
    if (old !== undefined && ip !== undefined && sameMeaning(old, ip)) return;
    const claims = [...(old?.claims ?? []), ...(ip === undefined ? [] : claimsOf(ip))];
    for (const claim of claims) this.#services.add(namespacedName(claim));
    this.#wake(holders.takeChanged());
  }

  #trackHold(ip: IP | undefined): void {
    if (ip === undefined) return;
    const endMs = holdEndMs(ip);
    if (endMs === undefined) this.#holds.delete(ip.metadata.name);
    else this.#holds.set(ip.metadata.name, endMs);
  }

  #wake(changed: Iterable<WaitKey>): void {
    for (const key of changed) {
      for (const service of this.#waits.waitingFor(key)) this.#services.add(service);
    }
  }

  /** What is given back first, so that it is free for the others; then in the order of rights. */
  #decideServices(view: AssignerView, decisions: Decision[]): void {
    const ours: Dirty[] = [];
    const releasing: string[] = [];
    for (const key of this.#services) {
      this.#waits.clear(key);
      const service = this.#decided.get(key) ?? view.cluster.services.get(key);
      const isServed = service !== undefined && isOurs(service, view.config);
      if (isServed) ours.push({ key, service });
      if (!isServed || view.holders.addressesOf(key).length > 0) releasing.push(key);
    }
    this.#services.clear();
    for (const key of releasing.sort()) this.#take(decideReleases(key, view), view, decisions);
    // waits were cleared above: who is still to be decided here is woken by nobody
    const queue = inOrder(ours, view);
    let rank = 0;
    for (const [i, { key, service, ...queued }] of queue.entries()) {
      // who was woken may have more right than those of the next rank: all are put in order again
      if (queued.rank !== rank && this.#services.size > 0) {
        for (const rest of queue.slice(i)) this.#services.add(rest.key);
        return;
      }
      ({ rank } = queued);
      const decision = decideService(service, view, key);
      const changed = this.#take(decision, view, decisions);
      this.#waits.set(key, decision.waits);
      // what it gives back itself may be what it waits for
      if (decision.waits.some((wait) => changed.has(wait))) this.#services.add(key);
    }
  }

  #decideIps(view: AssignerView, decisions: Decision[]): void {
    const names = [...this.#ips].sort();
    this.#ips.clear();
    for (const name of names) {
      const action = decideIp(name, view);
      if (action === undefined) continue;
      this.#take({ actions: [action], events: [], waits: [] }, view, decisions);
    }
  }

  /** Believes the decision's writes done, and wakes who waits for what they change. */
  #take(decision: Decision, view: AssignerView, decisions: Decision[]): ReadonlySet<WaitKey> {
    if (decision.actions.length === 0 && decision.events.length === 0) return NONE_CHANGED;
    decisions.push(decision);
    for (const action of decision.actions) {
      this.#believe(action, view.holders);
      if (action.do !== 'service.status') continue;
      const service = view.cluster.services.get(action.service);
      if (service !== undefined) {
        this.#decided.set(action.service, { ...service, status: action.status });
      }
    }
    const changed = view.holders.takeChanged();
    this.#wake(changed);
    return changed;
  }

  #believe(action: Action, holders: Holders): void {
    switch (action.do) {
      case 'ip.create':
      case 'ip.update':
      case 'ip.status':
        holders.put(action.ip);
        this.#trackHold(action.ip);
        break;
      case 'ip.delete':
        holders.remove(action.ip.metadata.name);
        this.#holds.delete(action.ip.metadata.name);
        break;
      case 'service.status':
      case 'pool.status':
        break;
    }
  }
}

const NONE_CHANGED: ReadonlySet<WaitKey> = new Set();
/** So long after the first look and after each change of a Pool more Pools may be on their way. */
const POOLS_FRESH_MS = 60_000;

interface Dirty {
  readonly key: string;
  readonly service: Service;
}

interface Queued extends Dirty {
  readonly rank: number;
}

const RANKS = { claim: 0, shown: 1, none: 2 } as const;

/** Who has an address, then who shows one, then who waits; each by creationTimestamp, uid and key. */
function inOrder(services: readonly Dirty[], view: AssignerView): readonly Queued[] {
  const queue = services.map(({ key, service }): Queued => {
    return { key, service, rank: RANKS[hasAddress(service, key, view)] };
  });
  return queue.sort(
    (a, b) =>
      a.rank - b.rank ||
      compareText(bornAt(a.service), bornAt(b.service)) ||
      compareText(a.service.metadata.uid ?? '', b.service.metadata.uid ?? '') ||
      compareText(a.key, b.key),
  );
}

/** RFC 3339 in UTC sorts as text; an object without a time is the newest. */
function bornAt(service: Service): string {
  return service.metadata.creationTimestamp ?? '~';
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Everything of a Pool that a decision depends on; its status and its labels are not. */
function poolInputs(pools: ReadonlyMap<string, Pool>): Map<string, string> {
  const inputs = new Map<string, string>();
  for (const [name, { metadata, spec }] of pools) {
    const { creationTimestamp, deletionTimestamp, annotations } = metadata;
    const flags = [annotations?.[ALLOW_RENUMBER], annotations?.[ALLOW_NODE_ADDRESS]];
    inputs.set(name, JSON.stringify([creationTimestamp, deletionTimestamp, flags, spec]));
  }
  return inputs;
}

function sameInputs(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([name, input]) => b.get(name) === input);
}

/** The object says what the holders believe; only versions and the like differ. */
function sameMeaning(old: IpRecord, ip: IP): boolean {
  return meaning(old.ip) === meaning(ip);
}

function meaning(ip: IP): string {
  const { [LAST_SERVICE]: last, [HELD_UNTIL]: until } = ip.metadata.annotations ?? {};
  return JSON.stringify([ip.spec, last, until, ip.status?.phase, ip.status?.heldUntil]);
}

function minimum(values: Iterable<number>): number | undefined {
  let least: number | undefined;
  for (const value of values) if (least === undefined || value < least) least = value;
  return least;
}
