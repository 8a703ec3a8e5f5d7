// Runs the rounds that the agenda asks for: reads the kernel as far as it has to, lets plan/ compare, executes, and notes
// what was reached (in the mirror) and what was not (in the retries).
// Invariant: one round runs at a time, the agent sees to it.
import type { IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import { Backoff, LOCAL_BACKOFF } from '../../runtime/backoff.ts';
import type { DesiredIndex } from '../desired/all-services.ts';
import type { Op } from '../model/kernel.ts';
import { isBoundByUs } from '../model/owned.ts';
import type { NodeState, ObservedHost, ObservedVirtualServer } from '../model/state.ts';
import { DRAIN_CHECK_MS } from '../plan/drain.ts';
import { inTurn, NOTHING_PLANNED, planRound } from '../plan/parts.ts';
import { planHost, planScope, type Limits, type Plan } from '../plan/plan.ts';
import type { AgentPorts, RoundSummary } from './agent-ports.ts';
import type { Agenda, Round } from './agenda.ts';
import type { DirtyScope } from './dirty-scope.ts';
import { RunningDrains } from './drain-starts.ts';
import { Memory } from './drift.ts';
import { executePlan, type Execution } from './execute.ts';
import { FirstAnnouncements } from './first-announcements.ts';
import { faultsOf } from './fault-messages.ts';
import { foreignInPools, foreignTexts } from './foreign.ts';
import { HostReading } from './host-reading.ts';
import { KernelMirror, unread } from './mirror.ts';
import { Retries, type Fault } from './retries.ts';
import { ServiceReports } from './service-reports.ts';
import type { DrainStarts } from '../model/state.ts';

export interface RoundsPorts extends AgentPorts {
  readonly index: DesiredIndex;
  readonly agenda: Agenda;
  readonly limits: Limits;
  /** Takes in what the host has by itself, where it was read, and brings the wanted state up to date. */
  readonly refresh: (host?: ObservedHost) => void;
  /** There is something for a round to do. */
  readonly wake: () => void;
}

const NO_DRAINS: DrainStarts = new Map();
const NO_SERVERS: ReadonlyMap<VirtualServerKey, ObservedVirtualServer> = new Map();
const NO_ADDRESSES: ReadonlySet<IpAddress> = new Set();

export class Rounds {
  readonly mirror: KernelMirror;
  readonly retries: Retries;
  readonly reports: ServiceReports;
  readonly #ports: RoundsPorts;
  readonly #memory: Memory;
  readonly #drains: RunningDrains;
  readonly #firstAnnouncements = new FirstAnnouncements();
  readonly #hostReading: HostReading;
  readonly #resyncDelay: Backoff;
  #isReady = false;
  /** The last dump was whole: reports can be believed. */
  #hasSeenAll = false;
  #foreignServers: readonly string[] = [];

  constructor(view: ConstructorParameters<typeof ServiceReports>[0], ports: RoundsPorts) {
    const { kernel, clock, log, random, index, report, wake } = ports;
    this.#ports = ports;
    this.#drains = new RunningDrains(kernel.drainRecord, clock, log);
    this.mirror = new KernelMirror(kernel);
    this.#memory = new Memory(this.mirror);
    this.retries = new Retries(random);
    this.reports = new ServiceReports(view, index, this.retries, report);
    this.#hostReading = new HostReading(kernel, wake);
    this.#resyncDelay = new Backoff(LOCAL_BACKOFF, random);
  }

  /** The first full round has gone through. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Virtual servers of somebody else inside our Pools, one line each. */
  get foreignServers(): readonly string[] {
    return this.#foreignServers;
  }

  get #desired(): NodeState {
    return this.#ports.index.state;
  }

  /** What is withdrawn, then what is due. */
  async run(): Promise<void> {
    const { agenda, clock, refresh } = this.#ports;
    const withdrawal = agenda.takeWithdrawal((vip) => this.#desired.addresses.has(vip));
    if (withdrawal !== undefined) await this.#withdraw(withdrawal);
    const nowMs = clock.nowMs();
    const read = this.#hostReading.take();
    const host = read && this.#acceptHost(read.host, read.edits, nowMs);
    refresh(host);
    const round = agenda.next(nowMs, {
      draining: this.#drains.starts.keys(),
      retries: this.retries.due(nowMs),
      vipOf: (key) => this.#desired.virtualServers.get(key)?.server.vip,
      audited: () => [
        ...this.#desired.virtualServers.keys(),
        ...this.mirror.owned.virtualServers.keys(),
      ],
    });
    if (round.kind === 'full') await this.#full(nowMs);
    else await this.#incremental(round, host, nowMs);
    if (read?.foreign !== undefined) await this.#lookForForeign(read.foreign);
    agenda.retryAt(this.retries.nextDueMs);
  }

  /** Somebody took one of our addresses away. */
  addressTaken(address: IpAddress, interfaceName: string): void {
    this.#memory.keepAddress(address, interfaceName);
    this.mirror.forgetAddress(address, interfaceName);
  }

  /** Waits for what runs beside the rounds. */
  async settle(): Promise<void> {
    await this.#hostReading.settle();
  }

  /** Before all else, and with nothing beside it that could fail. */
  async #withdraw(scope: DirtyScope): Promise<void> {
    const { clock, limits } = this.#ports;
    const startMs = clock.nowMs();
    const plan = planScope(scope, this.#desired, this.mirror, NO_DRAINS, startMs, limits);
    await this.#perform([plan], NO_ADDRESSES, 'incremental', startMs);
  }

  async #full(startMs: number): Promise<void> {
    const { clock, kernel, agenda, limits, log, onReady, refresh } = this.#ports;
    const before = this.mirror.virtualServers;
    const observed = await kernel.observe();
    this.#memory.keepAll();
    this.#hasSeenAll = this.mirror.load(observed);
    if (this.#hasSeenAll) this.#memory.trust();
    refresh(observed);
    const nowMs = clock.nowMs();
    const { announcements } = agenda.readAll(nowMs);
    const seen = this.mirror.seenIn(observed);
    const { starts } = this.#drains;
    const parts = planRound(this.#desired, seen, before, starts, nowMs, limits);
    const { execution, faults } = await this.#perform(parts, announcements, 'full', startMs);
    if (seen.virtualServers === undefined) agenda.postponeDrains(nowMs + DRAIN_CHECK_MS);
    else {
      this.#drains.replace(execution.drains);
      this.#drains.save();
      agenda.drainsGoOn(true, execution.wakeAtMs);
    }
    const wanted = this.#desired.virtualServers;
    this.mirror.share(wanted, wanted.keys());
    this.mirror.shareFirewall(this.#desired.firewall);
    this.retries.clearOthers(faults, ({ kind }) => kind !== 'announcement');
    if (!this.#hasSeenAll) {
      log.warn({ parts: unread(observed) }, 'the kernel could not be read whole');
      this.#resyncSoon();
      return;
    }
    this.#nameForeign();
    const isFirst = !this.#isReady;
    this.#isReady = true;
    if (isFirst) onReady?.();
    this.reports.send();
  }

  /** Work on what changed, on a step of the audit, and on nothing else. */
  async #incremental(
    round: Extract<Round, { kind: 'incremental' }>,
    host: ObservedHost | undefined,
    startMs: number,
  ): Promise<void> {
    const { agenda } = this.#ports;
    const { scope, audited } = round;
    if (round.readsHost) this.#hostReading.begin(agenda.hostEdits);
    let isDone = scope.isEmpty && audited.length === 0 && host === undefined;
    try {
      if (!isDone && (await this.#readUnsure(scope.virtualServers, audited))) {
        await this.#compare(scope, audited, host !== undefined, startMs);
        isDone = true;
      }
    } finally {
      if (!isDone) agenda.putBack(scope);
    }
    if (isDone && this.#hasSeenAll) this.reports.send();
    if (round.looksAtCanary) await this.#lookAtCanary();
  }

  async #compare(
    scope: DirtyScope,
    audited: readonly VirtualServerKey[],
    hasHost: boolean,
    startMs: number,
  ): Promise<void> {
    const { agenda, clock, limits } = this.#ports;
    for (const key of audited) scope.virtualServers.add(key);
    const nowMs = clock.nowMs();
    const { starts } = this.#drains;
    const plan = planScope(scope, this.#desired, this.mirror, starts, nowMs, limits);
    agenda.drainsGoOn(this.#drains.update(scope.virtualServers, plan.drains), plan.wakeAtMs);
    const parts = hasHost ? [plan, planHost(this.#desired, this.mirror, nowMs, limits)] : [plan];
    const { faults } = await this.#perform(parts, scope.announcements, 'incremental', startMs);
    this.#drains.save();
    this.mirror.share(this.#desired.virtualServers, scope.virtualServers);
    this.retries.clearOthers(faults, (target) => scope.covers(target));
  }

  /** The host's part of the audit, where its reading counts. */
  #acceptHost(host: ObservedHost, edits: number, nowMs: number): ObservedHost | undefined {
    const isWhole = host.addresses !== undefined && host.firewall !== undefined;
    if (!this.#ports.agenda.acceptHost(edits, isWhole, nowMs)) return undefined;
    this.#memory.keepHost();
    this.mirror.loadHost(host);
    return host;
  }

  /** Reads what is not sure to be as it was. False: the kernel has to be read whole. */
  async #readUnsure(
    dirty: Iterable<VirtualServerKey>,
    audited: readonly VirtualServerKey[],
  ): Promise<boolean> {
    const unsure = [...new Set([...this.mirror.unsureOf(dirty, this.#drains.starts), ...audited])];
    if (unsure.length === 0) return true;
    const { clock, kernel, agenda } = this.#ports;
    const found = await kernel.observeVirtualServers(unsure);
    if (found === undefined) {
      agenda.postponeDrains(clock.nowMs() + DRAIN_CHECK_MS);
      this.#resyncSoon();
      return false;
    }
    const { virtualServers: seen } = this.mirror;
    const wanted = this.#desired.virtualServers;
    const vanished = audited.find((key) => wanted.has(key) && seen?.has(key) && !found.has(key));
    if (vanished !== undefined) {
      this.#vanished(vanished);
      return false;
    }
    this.#memory.keepVirtualServers(unsure);
    this.mirror.loadVirtualServers(unsure, found);
    return true;
  }

  /** Runs the plan and notes what was not reached. */
  async #perform(
    parts: Iterable<Plan>,
    announcements: ReadonlySet<IpAddress>,
    kind: RoundSummary['kind'],
    startMs: number,
  ): Promise<{ readonly execution: Execution; readonly faults: readonly Fault[] }> {
    const { kernel, clock, agenda, index } = this.#ports;
    const ops = this.#announceOps(announcements);
    const all = inTurn(parts, { ...NOTHING_PLANNED, ops });
    const { addresses } = this.#desired;
    const remembered = this.#memory.isEmpty ? undefined : this.#memory;
    const execution = await executePlan(kernel, this.mirror, all, addresses, remembered);
    this.#memory.forget((vip) => addresses.has(vip) && this.mirror.addresses?.has(vip) !== true);
    if (execution.hasLostAnswers) this.#memory.doubt();
    const nowMs = clock.nowMs();
    const servicesOf = (address: IpAddress): readonly string[] => index.servicesOfAddress(address);
    const faults = faultsOf(execution, this.#desired, servicesOf, index.kubeProxyMode);
    if (execution.hasEditedHost) agenda.hostEdited();
    for (const fault of faults) this.retries.fail(fault, nowMs);
    for (const address of execution.announced) {
      this.retries.clear({ kind: 'announcement', address });
    }
    this.#tellAnnounced(execution);
    const isUnsure = execution.failures.some(({ isRefused }) => !isRefused);
    if (isUnsure || execution.wasSurprised) this.#resyncSoon();
    else if (kind === 'full') this.#resyncDelay.reset();
    if (execution.counts.size > 0) this.#tell(kind, nowMs - startMs, execution);
    return { execution, faults };
  }

  #tellAnnounced(execution: Execution): void {
    const { index, onAnnounced } = this.#ports;
    const isHere = (address: IpAddress): boolean => isBoundByUs(this.mirror, address);
    for (const address of this.#firstAnnouncements.take(execution, isHere)) {
      const wanted = this.#desired.addresses.get(address);
      if (wanted === undefined) continue;
      const services = index.servicesOfAddress(address);
      onAnnounced?.({ address, interface: wanted.interface, services });
    }
  }

  /** VIPs that are not here (yet) are announced when they are bound. */
  #announceOps(addresses: ReadonlySet<IpAddress>): readonly Op[] {
    const ops: Op[] = [];
    for (const address of addresses) {
      const name = this.#desired.addresses.get(address)?.interface;
      if (name !== undefined && isBoundByUs(this.mirror, address)) {
        ops.push({ op: 'vip.announce', address, interface: name });
      } else this.retries.clear({ kind: 'announcement', address });
    }
    return ops;
  }

  #tell(
    kind: RoundSummary['kind'],
    durationMs: number,
    { counts, drift, failures }: Execution,
  ): void {
    const { log, onRound } = this.#ports;
    const round: RoundSummary = { kind, durationMs, counts, drift, failures: failures.length };
    log.info({ kind, durationMs, counts, failures: failures.length }, 'round');
    if (drift.size > 0) {
      log.warn({ ...Object.fromEntries(drift) }, 'repaired what somebody else had changed');
    }
    for (const { op, errno, message, target } of failures) {
      log.warn({ op: op.op, errno, reason: message, target }, 'operation failed');
    }
    onRound?.(round);
  }

  #foreignInPools(
    foreign: Iterable<readonly [VirtualServerKey, IpAddress]>,
  ): readonly VirtualServerKey[] {
    return foreignInPools(foreign, this.#desired.virtualServers, this.#ports.index.pools);
  }

  /** After everything was read. */
  #nameForeign(): void {
    const { owned, virtualServers = NO_SERVERS } = this.mirror;
    const foreign = [...virtualServers].filter(([key]) => !owned.virtualServers.has(key));
    const inPools = this.#foreignInPools(foreign.map(([key, { server }]) => [key, server.vip]));
    const named = new Set(inPools);
    this.#setForeign(new Map(foreign.filter(([key]) => named.has(key))));
  }

  /** They are read, too: how they look is said, and some may be gone or ours since they were listed. */
  async #lookForForeign(foreign: ReadonlyMap<VirtualServerKey, IpAddress>): Promise<void> {
    const { kernel } = this.#ports;
    const { owned } = this.mirror;
    const keys = this.#foreignInPools(foreign).filter((key) => !owned.virtualServers.has(key));
    const found = keys.length === 0 ? NO_SERVERS : await kernel.observeVirtualServers(keys);
    if (found === undefined) return; // the next audit comes in a minute
    this.mirror.loadVirtualServers(keys, found);
    this.#setForeign(found);
  }

  #setForeign(found: ReadonlyMap<VirtualServerKey, ObservedVirtualServer>): void {
    const servers = foreignTexts(found);
    if (servers.join() === this.#foreignServers.join()) return;
    this.#foreignServers = servers;
    const { log, onForeign } = this.#ports;
    if (servers.length > 0) log.warn({ servers }, 'virtual servers of somebody else in our Pools');
    onForeign?.(servers);
  }

  #resyncSoon(): void {
    const { agenda, clock } = this.#ports;
    agenda.wantFull(clock.nowMs() + this.#resyncDelay.nextMs());
  }

  /** Looks whether a few of our virtual servers are still there, others each time. */
  async #lookAtCanary(): Promise<void> {
    const { kernel, agenda } = this.#ports;
    const { virtualServers: wanted } = this.#desired;
    for (const key of agenda.canaryKeys(wanted, this.mirror.virtualServers)) {
      if (await kernel.canary(key)) continue;
      this.#vanished(key);
      return;
    }
  }

  /** One that is gone is taken for a flush of all of them. */
  #vanished(key: VirtualServerKey): void {
    const { agenda, log } = this.#ports;
    log.warn({ vs: key }, 'virtual server vanished');
    agenda.wantFull();
  }
}
