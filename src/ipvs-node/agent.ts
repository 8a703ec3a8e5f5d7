// The agent of one node: keeps the kernel as the Services want it. A thin shell over ports; what to do is decided by the
// pure desired*.ts and plan*.ts, what was reached is kept in the mirror.
// Invariants: nothing is written before the source has synced and the kernel was read; one round runs at a time; stop
// leaves the kernel as it is.
import type { ClusterObject, ClusterView } from '../api/cluster.ts';
import type { ResolvedPools } from '../api/pools.ts';
import type { IpAddress } from '../net/address.ts';
import type { VirtualServerKey } from '../net/ipvs.ts';
import { Backoff, LOCAL_BACKOFF } from '../runtime/backoff.ts';
import { messageOf } from '../runtime/errors.ts';
import { COALESCE_MS, Loop, type RoundResult } from '../runtime/loop.ts';
import type { AgentOptions, AgentPorts, RoundSummary } from './agent-ports.ts';
import { CanaryKeys } from './canary-keys.ts';
import { DesiredIndex } from './desired-index.ts';
import type { NodeView } from './desired.ts';
import { DirtyScope } from './dirty-scope.ts';
import { DRAIN_CHECK_MS, type DrainStarts } from './drain.ts';
import { DrainBook } from './drain-book.ts';
import { executePlan, type Execution } from './execute.ts';
import { FaultBook, targetKey, type Fault, type Target } from './fault-book.ts';
import { faultOf, faultOfPlan } from './faults.ts';
import type { KernelChange, Op } from './kernel.ts';
import { hostAddressesOf, KernelMirror, unread } from './mirror.ts';
import { DEFAULT_LIMITS, planScope, type Limits, type Plan } from './plan.ts';
import { inTurn, NOTHING_PLANNED, planRound } from './plan-parts.ts';
import { ServiceReports } from './service-reports.ts';
import type { NodeState, Observed } from './state.ts';

/** ipvs.md 2.5: nothing tells when IPVS is changed, so it is read: cheaply every second, wholly every minute. */
export const CANARY_MS = 1000;
export const AUDIT_MS = 60_000;
const NO_DRAINS: DrainStarts = new Map();
const NEVER = Number.POSITIVE_INFINITY;
const AT_ONCE = Number.NEGATIVE_INFINITY;

export class Agent {
  readonly #ports: AgentPorts;
  readonly #limits: Limits;
  readonly #index: DesiredIndex;
  readonly #mirror = new KernelMirror();
  readonly #book: FaultBook;
  readonly #drains = new DrainBook();
  readonly #canaryKeys = new CanaryKeys();
  readonly #reports: ServiceReports;
  readonly #loop: Loop<'work'>;
  readonly #resyncDelay: Backoff;
  #dirty = new DirtyScope();
  #dirtyServices = new Set<string>();
  #toAnnounce = new Set<IpAddress>();
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
    this.#book = new FaultBook(ports.random);
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

  /** Whether the VIPs are bound here. Answers when the kernel was told; what is withdrawn waits for nothing else. */
  setAnnounces(announces: boolean): Promise<void> {
    const changed = this.#index.setAnnounces(announces);
    this.#dirty.add(changed);
    this.#reports.touch(changed.services);
    this.#mustWithdraw = !announces;
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
  }

  #onKernelChange(change: KernelChange): void {
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
    for (const address of this.#dirty.addresses) scope.addresses.add(address);
    const { state } = this.#index;
    const plan = planScope(scope, state, this.#mirror, NO_DRAINS, startMs, this.#limits);
    await this.#perform([plan], 'incremental', startMs);
  }

  async #fullRound(): Promise<void> {
    const { clock, kernel } = this.#ports;
    const startMs = clock.nowMs();
    const before = this.#mirror.virtualServers;
    const observed = await kernel.observe();
    this.#hasSeenAll = this.#mirror.load(observed);
    if (this.#isSynced && observed.addresses !== undefined) {
      const touched = this.#index.setHostAddresses(hostAddressesOf(observed.addresses));
      for (const service of touched) this.#dirtyServices.add(service);
    }
    this.#updateIndex();
    this.#dirty = new DirtyScope();
    // the mirror remembers what this dump lacks; a full round must not delete on memories
    const seen: Observed = {
      virtualServers: observed.virtualServers && this.#mirror.virtualServers,
      addresses: observed.addresses && this.#mirror.addresses,
      firewall: observed.firewall && this.#mirror.firewall,
      sysctls: this.#mirror.sysctls,
      owned: this.#mirror.owned,
    };
    const nowMs = clock.nowMs();
    const { starts } = this.#drains;
    const parts = planRound(this.#index.state, seen, before, starts, nowMs, this.#limits);
    this.#canaryDueMs = nowMs + CANARY_MS;
    // one minute, give or take six seconds: many directors must not read all at once
    this.#fullDueMs = nowMs + AUDIT_MS * (0.9 + 0.2 * this.#ports.random());
    const { drains, wakeAtMs, faults } = await this.#perform(parts, 'full', startMs);
    if (seen.virtualServers === undefined) this.#drains.postpone(nowMs + DRAIN_CHECK_MS);
    else this.#drains.replace(drains, wakeAtMs);
    this.#mirror.share(this.desired.virtualServers, this.desired.virtualServers.keys());
    const failing = new Set(faults.map(({ target }) => targetKey(target)));
    for (const { target } of [...this.#book.faults]) {
      const isAnnouncement = target.kind === 'announcement';
      if (!isAnnouncement && !failing.has(targetKey(target))) this.#book.clear(target);
    }
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

  /** Work on what changed, and on nothing else. */
  async #incrementalRound(): Promise<void> {
    const startMs = this.#ports.clock.nowMs();
    if (this.#isSynced) this.#updateIndex();
    this.#addDueTargets(startMs);
    const scope = this.#dirty;
    if (scope.isEmpty && this.#toAnnounce.size === 0) {
      this.#sendReports();
      return;
    }
    this.#dirty = new DirtyScope();
    const unsure = this.#unsureOf(scope.virtualServers);
    if (unsure.length > 0) {
      const found = await this.#ports.kernel.observeVirtualServers(unsure);
      if (found === undefined) {
        this.#drains.postpone(startMs + DRAIN_CHECK_MS);
        this.#resyncSoon();
        return;
      }
      this.#mirror.loadVirtualServers(unsure, found);
    }
    const nowMs = this.#ports.clock.nowMs();
    const { starts } = this.#drains;
    const plan = planScope(scope, this.#index.state, this.#mirror, starts, nowMs, this.#limits);
    this.#drains.update(scope.virtualServers, plan.drains, plan.wakeAtMs);
    const { faults } = await this.#perform([plan], 'incremental', startMs);
    this.#mirror.share(this.desired.virtualServers, scope.virtualServers);
    const failing = new Set(faults.map(({ target }) => targetKey(target)));
    const clear = (target: Target): void => {
      if (!failing.has(targetKey(target))) this.#book.clear(target);
    };
    for (const key of scope.virtualServers) clear({ kind: 'virtual server', key });
    for (const address of scope.addresses) clear({ kind: 'address', address });
    if (scope.sysctls) clear({ kind: 'sysctls' });
    this.#sendReports();
  }

  /** What the kernel must be asked about first: what drains, and what others may have taken away by now. */
  #unsureOf(keys: Iterable<VirtualServerKey>): readonly VirtualServerKey[] {
    const { virtualServers, owned } = this.#mirror;
    return [...keys].filter(
      (key) =>
        this.#drains.starts.has(key) ||
        (virtualServers?.has(key) === true && !owned.virtualServers.has(key)),
    );
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
    const all = inTurn(parts, { ...NOTHING_PLANNED, ops: this.#takeAnnouncements() });
    const execution = await executePlan(kernel, this.#mirror, all, this.desired.addresses);
    const { drains, wakeAtMs } = execution;
    const nowMs = clock.nowMs();
    const mode = this.#index.kubeProxyMode;
    const refused = execution.problems.map((each) => faultOfPlan(each, mode));
    const faults = [...this.#faultsOf(execution), ...refused];
    for (const fault of faults) this.#book.fail(fault, nowMs);
    for (const address of execution.announced) this.#book.clear({ kind: 'announcement', address });
    const isUnsure = execution.failures.some(({ isRefused }) => !isRefused);
    if (isUnsure || execution.drift > 0) this.#resyncSoon();
    else if (kind === 'full') this.#resyncDelay.reset();
    if (execution.counts.size > 0) this.#summarize(kind, nowMs - startMs, execution);
    return { drains, wakeAtMs, faults };
  }

  #faultsOf(execution: Execution): readonly Fault[] {
    const servicesOf = (address: IpAddress): ReadonlySet<string> =>
      this.#index.servicesOfAddress(address);
    const failures = execution.failures.map((each) => faultOf(each, this.desired, servicesOf));
    const waiting = execution.waiting.map((target): Fault => {
      return { target, services: [], problem: undefined };
    });
    return [...failures, ...waiting];
  }

  #summarize(kind: RoundSummary['kind'], durationMs: number, execution: Execution): void {
    const { counts, drift, failures } = execution;
    const round = { kind, durationMs, counts, drift, failures: failures.length };
    this.#ports.log.info({ ...round }, 'round');
    for (const { op, errno, message, target } of failures) {
      this.#ports.log.warn({ op: op.op, errno, reason: message, target }, 'operation failed');
    }
    this.#ports.onRound?.(round);
  }

  #takeAnnouncements(): readonly Op[] {
    if (this.#toAnnounce.size === 0) return [];
    const ops = [...this.#toAnnounce].flatMap((address): readonly Op[] => {
      const wanted = this.desired.addresses.get(address);
      const isBound = this.#mirror.addresses?.get(address)?.some(({ ours }) => ours) === true;
      if (wanted !== undefined && isBound)
        return [{ op: 'vip.announce', address, interface: wanted.interface }];
      // one that is bound later is announced then
      this.#book.clear({ kind: 'announcement', address });
      return [];
    });
    this.#toAnnounce = new Set();
    return ops;
  }

  #resyncSoon(): void {
    const delayMs = this.#resyncDelay.nextMs();
    this.#fullDueMs = Math.min(this.#fullDueMs, this.#ports.clock.nowMs() + delayMs);
  }

  /** Looks whether a few of our virtual servers are still there, others each time. */
  async #canary(): Promise<void> {
    const { kernel, clock, log } = this.#ports;
    this.#canaryDueMs = clock.nowMs() + CANARY_MS;
    const wanted = this.#index.state.virtualServers;
    const seen = this.#mirror.virtualServers;
    const key = await this.#canaryKeys.findVanished(kernel, wanted, seen);
    if (key === undefined) return;
    log.warn({ vs: key }, 'virtual server vanished');
    this.#fullDueMs = AT_ONCE;
  }
}
