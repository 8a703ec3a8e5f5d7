// The agent of one node: keeps the kernel as the Services want it. A thin shell over ports; what to do is decided by the
// pure desired/ and plan/, what was reached is kept in the mirror.
// Invariants: nothing is written before the source has synced and the kernel was read; one round runs at a time; stop
// leaves the kernel as it is.
import type { ClusterObject, ClusterView } from '../../api/cluster.ts';
import type { ResolvedPools } from '../../api/pools.ts';
import type { IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import { Backoff, LOCAL_BACKOFF } from '../../runtime/backoff.ts';
import { messageOf } from '../../runtime/errors.ts';
import { COALESCE_MS, Loop, type RoundResult } from '../../runtime/loop.ts';
import type { AgentOptions, AgentPorts, RoundSummary } from './agent-ports.ts';
import { AnnounceQueue } from './announce-queue.ts';
import { Audit } from './audit.ts';
import { CanaryKeys } from './canary-keys.ts';
import { DesiredIndex } from '../desired/all-services.ts';
import type { NodeView } from '../desired/service.ts';
import { DirtyScope } from './dirty-scope.ts';
import { DRAIN_CHECK_MS } from '../plan/drain.ts';
import { DrainTimes } from './drain-starts.ts';
import { executePlan, type Execution } from './execute.ts';
import { Retries, type Fault } from './retries.ts';
import { faultsOf } from './fault-messages.ts';
import type { HeldGroups } from '../model/held-groups.ts';
import type { KernelChange } from '../model/kernel.ts';
import { hostAddressesOf, KernelMirror, unread } from './mirror.ts';
import { DEFAULT_LIMITS, planHost, planScope, type Limits, type Plan } from '../plan/plan.ts';
import { inTurn, NOTHING_PLANNED, planRound } from '../plan/parts.ts';
import { tellRound } from './round-log.ts';
import { ServiceReports } from './service-reports.ts';
import type { NodeState, Observed, ObservedHost } from '../model/state.ts';
import type { DrainStarts } from '../model/state.ts';

/** ipvs.md 2.5: nothing tells when IPVS is changed, so a little of it is read every second. */
export const CANARY_MS = 1000;
const NO_DRAINS: DrainStarts = new Map();
const NEVER = Number.POSITIVE_INFINITY;
const AT_ONCE = Number.NEGATIVE_INFINITY;

export class Agent {
  readonly #ports: AgentPorts;
  readonly #limits: Limits;
  readonly #index: DesiredIndex;
  readonly #mirror = new KernelMirror();
  readonly #book: Retries;
  readonly #drains = new DrainTimes();
  readonly #toAnnounce = new AnnounceQueue();
  readonly #canaryKeys = new CanaryKeys();
  readonly #audit: Audit;
  readonly #reports: ServiceReports;
  readonly #loop: Loop<'work'>;
  readonly #resyncDelay: Backoff;
  #dirty = new DirtyScope();
  #dirtyServices = new Set<string>();
  #mustWithdraw = false;
  #onMoved: (() => void)[] = [];
  #fullDueMs = AT_ONCE;
  #canaryDueMs = NEVER;
  #isSynced = false;
  #hasSynced = false;
  #isReady = false;
  /** The last dump was whole: reports can be believed. */
  #hasSeenAll = false;

  constructor(view: ClusterView, ports: AgentPorts, options: AgentOptions) {
    this.#ports = ports;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#index = new DesiredIndex(view, options.node);
    this.#book = new Retries(ports.random);
    this.#reports = new ServiceReports(view, this.#index, this.#book, ports.report);
    this.#resyncDelay = new Backoff(LOCAL_BACKOFF, ports.random);
    this.#loop = new Loop({
      clock: ports.clock,
      random: ports.random,
      round: () => this.#round(),
      onFailure: (error, delayMs) => {
        this.#fullDueMs = AT_ONCE;
        ports.log.error({ err: error, reason: messageOf(error), delayMs }, 'round failed');
      },
    });
    this.#audit = new Audit(ports.kernel, ports.random, () => this.#loop.mark('work'));
    ports.kernel.onChange((change) => this.#onKernelChange(change));
  }

  /** The first full round has gone through: the kernel holds what the Services want. */
  get isReady(): boolean {
    return this.#isReady;
  }

  get desired(): NodeState {
    return this.#index.state;
  }

  /** What the kernel holds, as far as is known. */
  get observed(): Observed {
    return this.#mirror;
  }

  get pools(): ResolvedPools {
    return this.#index.pools;
  }

  /** What could not be reached and concerns no single Service. */
  get nodeProblems(): readonly string[] {
    const faults = [...this.#book.faults].filter(({ services }) => services.length === 0);
    return faults.flatMap(({ problem }) => problem?.message ?? []);
  }

  /** An object of the view changed; undefined stands for absent. The view holds the new one already. */
  changed(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    const touched = this.#index.touchedBy(before, after);
    if (touched.size === 0) return;
    for (const service of touched) this.#dirtyServices.add(service);
    if (this.#isSynced) this.#loop.mark('work');
  }

  /** Whether the view is whole. While it is not, the kernel is kept as it was wanted last. */
  setSynced(isSynced: boolean): void {
    if (isSynced && !this.#hasSynced) {
      this.#hasSynced = true;
      this.#dirtyServices = new Set(this.#index.reset());
    }
    this.#isSynced = isSynced;
    if (isSynced) this.#loop.mark('work');
  }

  /** Which VIPs are bound here. Answers when the kernel was told; what is withdrawn waits for nothing else. */
  setHeld(held: HeldGroups): Promise<void> {
    const changed = this.#index.setHeld(held);
    this.#dirty.add(changed);
    this.#reports.touch(changed.services);
    this.#mustWithdraw ||= [...changed.addresses].some((address) => !held.isHeldHere(address));
    if (!this.#hasSynced) return Promise.resolve();
    this.#loop.mark('work');
    return new Promise((resolve) => this.#onMoved.push(resolve));
  }

  /** Whether kube-proxy runs on this node, and how. */
  setKubeProxy(kubeProxy: Pick<NodeView, 'hasKubeProxy' | 'kubeProxyMode'>): void {
    for (const service of this.#index.setKubeProxy(kubeProxy)) this.#dirtyServices.add(service);
    if (this.#isSynced) this.#loop.mark('work');
  }

  /** Reads the kernel anew and repairs what differs. */
  audit(): void {
    this.#fullDueMs = AT_ONCE;
    this.#loop.mark('work');
  }

  /** Waits for the running round; the kernel stays as it is. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#audit.settle();
  }

  #onKernelChange(change: KernelChange): void {
    this.#audit.edited();
    if (change.kind === 'address.removed') {
      this.#mirror.forgetAddress(change.address, change.interface);
      this.#dirty.addresses.add(change.address);
    } else if (change.kind === 'address.freed') {
      if (!this.#index.isRefusedFor(change.address)) return;
      this.#fullDueMs = AT_ONCE;
    } else {
      const addresses = [...this.#index.state.addresses.values()]
        .filter((each) => each.interface === change.interface)
        .map(({ address }) => address);
      this.#reports.setLink(change.interface, change.up);
      if (change.up) {
        // IPv6 addresses went with the link, and the neighbours have forgotten the others
        for (const address of addresses) this.#toAnnounce.add(address);
        this.#fullDueMs = AT_ONCE;
      }
    }
    this.#loop.mark('work');
  }

  async #round(): Promise<RoundResult> {
    if (!this.#hasSynced) return {};
    const moved = this.#onMoved;
    if (this.#mustWithdraw) await this.#withdraw();
    if (this.#ports.clock.nowMs() >= this.#fullDueMs) await this.#fullRound();
    else {
      await this.#incrementalRound();
      if (this.#ports.clock.nowMs() >= this.#canaryDueMs) await this.#canary();
    }
    this.#onMoved = this.#onMoved.filter((each) => !moved.includes(each));
    for (const resolve of moved) resolve();
    const wakeAtMs = Math.min(
      this.#fullDueMs,
      this.#audit.dueMs,
      this.#drains.dueMs,
      this.#canaryDueMs,
      this.#book.nextDueMs,
    );
    // whatever was not dealt with must not become a busy loop
    return { wakeAtMs: Math.max(wakeAtMs, this.#ports.clock.nowMs() + COALESCE_MS) };
  }

  /** Before all else, and with nothing beside it that could fail. */
  async #withdraw(): Promise<void> {
    const startMs = this.#ports.clock.nowMs();
    this.#mustWithdraw = false;
    const scope = new DirtyScope();
    const { state } = this.#index;
    for (const address of this.#dirty.addresses) {
      if (!state.addresses.has(address)) scope.addresses.add(address);
    }
    const plan = planScope(scope, state, this.#mirror, NO_DRAINS, startMs, this.#limits);
    await this.#perform([plan], 'incremental', startMs);
  }

  async #fullRound(): Promise<void> {
    const { clock, kernel } = this.#ports;
    const startMs = clock.nowMs();
    const before = this.#mirror.virtualServers;
    const observed = await kernel.observe();
    this.#hasSeenAll = this.#mirror.load(observed);
    this.#setHostAddresses(observed);
    this.#updateIndex();
    this.#dirty = new DirtyScope();
    const seen = this.#mirror.seenIn(observed);
    const nowMs = clock.nowMs();
    this.#fullDueMs = NEVER;
    this.#audit.restart(nowMs);
    const { starts } = this.#drains;
    const parts = planRound(this.#index.state, seen, before, starts, nowMs, this.#limits);
    this.#canaryDueMs = nowMs + CANARY_MS;
    const { drains, wakeAtMs, faults } = await this.#perform(parts, 'full', startMs);
    if (seen.virtualServers === undefined) this.#drains.postpone(nowMs + DRAIN_CHECK_MS);
    else this.#drains.replace(drains, wakeAtMs);
    this.#mirror.share(this.desired.virtualServers, this.desired.virtualServers.keys());
    this.#book.clearOthers(faults, ({ kind }) => kind !== 'announcement');
    if (!this.#hasSeenAll) {
      this.#ports.log.warn({ parts: unread(observed) }, 'the kernel could not be read whole');
      this.#resyncSoon();
      return;
    }
    const isFirst = !this.#isReady;
    this.#isReady = true;
    if (isFirst) this.#ports.onReady?.();
    this.#reports.send();
  }

  #setHostAddresses({ addresses }: ObservedHost): void {
    if (!this.#isSynced || addresses === undefined) return;
    const touched = this.#index.setHostAddresses(hostAddressesOf(addresses));
    for (const service of touched) this.#dirtyServices.add(service);
  }

  /** Work on what changed, on a step of the audit, and on nothing else. */
  async #incrementalRound(): Promise<void> {
    const startMs = this.#ports.clock.nowMs();
    const host = this.#takeHost(startMs);
    if (this.#isSynced) this.#updateIndex();
    this.#addDueTargets(startMs);
    const scope = this.#dirty;
    const isClean = scope.isEmpty && this.#toAnnounce.isEmpty;
    const audited = this.#audit.step(startMs, !isClean, () => [
      ...this.desired.virtualServers.keys(),
      ...this.#mirror.owned.virtualServers,
    ]);
    if (isClean && audited.length === 0 && host === undefined) {
      this.#sendReports();
      return;
    }
    this.#dirty = new DirtyScope();
    if (!(await this.#readUnsure(scope.virtualServers, audited))) return;
    for (const key of audited) scope.virtualServers.add(key);
    const nowMs = this.#ports.clock.nowMs();
    const { starts } = this.#drains;
    const plan = planScope(scope, this.#index.state, this.#mirror, starts, nowMs, this.#limits);
    this.#drains.update(scope.virtualServers, plan.drains, plan.wakeAtMs);
    const parts =
      host === undefined
        ? [plan]
        : [plan, planHost(this.desired, this.#mirror, nowMs, this.#limits)];
    const { faults } = await this.#perform(parts, 'incremental', startMs);
    this.#mirror.share(this.desired.virtualServers, scope.virtualServers);
    this.#book.clearOthers(faults, (target) => scope.covers(target));
    this.#sendReports();
  }

  /** The host's part of the audit, where it has been read. */
  #takeHost(nowMs: number): ObservedHost | undefined {
    const host = this.#audit.takeHost(nowMs);
    if (this.#audit.isStuck) this.#fullDueMs = nowMs;
    if (host === undefined) return undefined;
    this.#mirror.loadHost(host);
    this.#setHostAddresses(host);
    return host;
  }

  /** Reads what is not sure to be as it was. False: the kernel has to be read whole. */
  async #readUnsure(
    dirty: Iterable<VirtualServerKey>,
    audited: readonly VirtualServerKey[],
  ): Promise<boolean> {
    const unsure = [...new Set([...this.#mirror.unsureOf(dirty, this.#drains.starts), ...audited])];
    if (unsure.length === 0) return true;
    const { clock, kernel } = this.#ports;
    const found = await kernel.observeVirtualServers(unsure);
    if (found === undefined) {
      this.#drains.postpone(clock.nowMs() + DRAIN_CHECK_MS);
      this.#resyncSoon();
      return false;
    }
    const { virtualServers: seen } = this.#mirror;
    const wanted = this.desired.virtualServers;
    const vanished = audited.find((key) => wanted.has(key) && seen?.has(key) && !found.has(key));
    if (vanished !== undefined) {
      this.#vanished(vanished);
      return false;
    }
    this.#mirror.loadVirtualServers(unsure, found);
    return true;
  }

  #sendReports(): void {
    if (this.#hasSeenAll) this.#reports.send();
  }

  #updateIndex(): void {
    if (this.#dirtyServices.size === 0 || !this.#isSynced) return;
    const services = this.#dirtyServices;
    this.#dirtyServices = new Set();
    const changed = this.#index.update(services);
    this.#dirty.add(changed);
    this.#reports.touch(changed.services);
  }

  #addDueTargets(nowMs: number): void {
    if (this.#drains.dueMs <= nowMs) {
      for (const key of this.#drains.starts.keys()) this.#dirty.virtualServers.add(key);
    }
    for (const target of this.#book.due(nowMs)) {
      if (target.kind === 'virtual server') {
        this.#dirty.virtualServers.add(target.key);
        const vip = this.desired.virtualServers.get(target.key)?.server.vip;
        // it is bound only when one of its virtual servers can be ours
        if (vip !== undefined) this.#dirty.addresses.add(vip);
      } else if (target.kind === 'address') this.#dirty.addresses.add(target.address);
      else if (target.kind === 'announcement') this.#toAnnounce.add(target.address);
      else if (target.kind === 'sysctls') this.#dirty.sysctls = true;
      else this.#fullDueMs = nowMs;
    }
  }

  /** Runs the plan and writes its faults into the book. */
  async #perform(
    parts: Iterable<Plan>,
    kind: RoundSummary['kind'],
    startMs: number,
  ): Promise<Pick<Execution, 'drains' | 'wakeAtMs'> & { readonly faults: readonly Fault[] }> {
    const { kernel, clock } = this.#ports;
    const { ops, unbound } = this.#toAnnounce.take(this.desired.addresses, this.#mirror.addresses);
    for (const address of unbound) this.#book.clear({ kind: 'announcement', address });
    const all = inTurn(parts, { ...NOTHING_PLANNED, ops });
    const execution = await executePlan(kernel, this.#mirror, all, this.desired.addresses);
    const { drains, wakeAtMs } = execution;
    const nowMs = clock.nowMs();
    const mode = this.#index.kubeProxyMode;
    const servicesOf = (address: IpAddress): ReadonlySet<string> =>
      this.#index.servicesOfAddress(address);
    const faults = faultsOf(execution, this.desired, servicesOf, mode);
    if (execution.hasEditedHost) this.#audit.edited();
    for (const fault of faults) this.#book.fail(fault, nowMs);
    for (const address of execution.announced) this.#book.clear({ kind: 'announcement', address });
    const isUnsure = execution.failures.some(({ isRefused }) => !isRefused);
    if (isUnsure || execution.drift > 0) this.#resyncSoon();
    else if (kind === 'full') this.#resyncDelay.reset();
    if (execution.counts.size > 0) tellRound(this.#ports, kind, nowMs - startMs, execution);
    return { drains, wakeAtMs, faults };
  }

  #resyncSoon(): void {
    const delayMs = this.#resyncDelay.nextMs();
    this.#fullDueMs = Math.min(this.#fullDueMs, this.#ports.clock.nowMs() + delayMs);
  }

  /** Looks whether a few of our virtual servers are still there, others each time. */
  async #canary(): Promise<void> {
    const { kernel, clock } = this.#ports;
    this.#canaryDueMs = clock.nowMs() + CANARY_MS;
    const wanted = this.#index.state.virtualServers;
    const seen = this.#mirror.virtualServers;
    const key = await this.#canaryKeys.findVanished(kernel, wanted, seen);
    if (key === undefined) return;
    this.#vanished(key);
  }

  /** Perhaps all of them did. */
  #vanished(key: VirtualServerKey): void {
    this.#ports.log.warn({ vs: key }, 'virtual server vanished');
    this.#fullDueMs = AT_ONCE;
  }
}
