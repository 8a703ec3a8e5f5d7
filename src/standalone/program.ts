// Standalone mode as one process: directory -> objects -> assigner -> state file -> agent. Everything outside comes
// in as a port, so that a test runs all of it on a fake kernel.
// Invariants: an address is on the disk before it is in the kernel, unless the disk fails; nothing is decided before
// the whole directory was read once; stopping touches nothing in the kernel.
import type { EventNote } from '../assigner/decide/decision.ts';
import { Assigner } from '../assigner/engine.ts';
import { LOAD_BALANCER_CLASS, PROGRAMMED, programmedSaid } from '../api/conditions.ts';
import { formatRef, serviceRef } from '../api/problem.ts';
import { DirectorySource } from '../files/directory.ts';
import { formatManifestProblem } from '../files/parse-document.ts';
import { loadState, type State, type StateDisk, type StateProcess } from '../files/state.ts';
import { Agent } from '../ipvs-node/reconcile/agent.ts';
import type { RoundSummary } from '../ipvs-node/reconcile/agent-ports.ts';
import type { NodeView } from '../ipvs-node/desired/service.ts';
import type { Kernel } from '../ipvs-node/model/kernel.ts';
import type { ServiceReport } from '../ipvs-node/reconcile/service-reports.ts';
import { hostAddressesOf } from '../ipvs-node/model/owned.ts';
import { compareIp, type IpAddress } from '../net/address.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { OperationalError } from '../runtime/errors.ts';
import { RepeatedFailures, type Log } from '../runtime/log.ts';
import { Loop, type RoundResult } from '../runtime/loop.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { EventLog } from './event-log.ts';
import { ownNode } from './own-node.ts';
import { countKernel, countObjects, countRound } from '../ipvs-node/report/metrics.ts';
import { StandaloneObjects, type ObjectChange } from './objects.ts';
import { StateSaver } from './state-saver.ts';

export interface StandaloneOptions {
  /** Absolute paths of directories and files with manifests. */
  readonly manifests: readonly string[];
  readonly stateDirectory: string;
  readonly node: NodeView;
  /** Services of type LoadBalancer without a loadBalancerClass are ours. */
  readonly handleUnset: boolean;
  readonly holdSeconds: number;
}

export interface StandalonePorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: StateDisk;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly process: StateProcess;
  readonly kernel: Kernel;
  /** Gives memory back after a lot of work; takes a few tenths of a second. */
  readonly releaseMemory: () => void;
}

/** A new address of the host is left out of the Pools after at most this time. */
const OWN_ADDRESSES_MS = 60_000;
const OBSERVE_RETRY_MS = 1000;
/** Changed objects that leave enough garbage behind to be worth a collection, and when: work comes first. */
const MANY_CHANGES = 1000;
const RELEASE_AFTER_MS = 5000;

export class Standalone {
  readonly #options: StandaloneOptions;
  readonly #ports: StandalonePorts;
  readonly #objects: StandaloneObjects;
  readonly #events = new EventLog();
  readonly #assigner: Assigner;
  readonly #source: DirectorySource;
  readonly #saver: StateSaver;
  readonly #loop: Loop;
  readonly #agent: Agent;
  readonly #failures = new RepeatedFailures();
  #problems: readonly string[] = [];
  #isFirstSyncDone = false;
  #isFirstRoundDone = false;
  readonly #stopping = new AbortController();
  #cancelRelease: (() => void) | undefined;
  /** The oldest change of a manifest that no round of the agent has followed yet. */
  #changedAtMs: number | undefined;
  #ownAddressesText: string | undefined;
  #ownAddressesAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: StandaloneOptions, ports: StandalonePorts) {
    const { clock, random, disk } = ports;
    this.#options = options;
    this.#ports = ports;
    this.#objects = new StandaloneObjects((change) => this.#onChange(change));
    const { holdSeconds, handleUnset } = options;
    this.#assigner = new Assigner(this.#objects.store, {
      loadBalancerClass: LOAD_BALANCER_CLASS,
      handleUnset,
      holdSeconds,
    });
    this.#source = this.#makeSource();
    this.#saver = new StateSaver({
      directory: options.stateDirectory,
      disk,
      clock,
      random,
      snapshot: () => this.#snapshot(),
      onFailure: (error, delayMs) => this.#stateFailed(error, delayMs),
      onSuccess: () => this.#stateWritten(),
    });
    this.#loop = new Loop({
      clock,
      random,
      round: () => this.#round(),
      onFailure: (error) => {
        throw error; // the assigner does no I/O: a throw in it is a bug
      },
    });
    this.#agent = new Agent(
      this.#objects.store,
      {
        kernel: ports.kernel,
        clock,
        random,
        log: ports.log.child({ component: 'ipvs-node' }),
        report: (service, report) => this.#onReport(service, report),
        onRound: (round) => this.#onAgentRound(round),
      },
      { node: options.node },
    );
  }

  /** Loads the state and begins. Throws OperationalError where the state is damaged beyond its copy. */
  async start(): Promise<void> {
    const { stateDirectory } = this.#options;
    const { state, notices, isLost } = await loadState(stateDirectory);
    if (isLost) {
      const text = `${notices.join('; ')}: addresses could change; bring back a good copy, or move both files away to start from nothing`;
      throw new OperationalError('state-unreadable', text);
    }
    for (const notice of notices) this.#ports.log.warn({ notice }, 'state file is damaged');
    if (state !== undefined) {
      this.#objects.restore(state);
      this.#events.restore(state.events);
    }
    await this.#readOwnAddresses();
    this.#source.start(state?.kept ?? []);
  }

  /** Before anything is decided: an address of this host must not be given away. */
  async #readOwnAddresses(): Promise<void> {
    const { kernel, clock, log } = this.#ports;
    for (;;) {
      const { addresses } = await kernel.observe();
      if (addresses !== undefined) {
        // nothing ran since: what carries our tag is ours, and not an address of this host
        kernel.settle({ gone: [], addresses });
        this.#setOwnAddresses(hostAddressesOf(addresses, kernel.owned));
        return;
      }
      log.warn({ delayMs: OBSERVE_RETRY_MS }, 'addresses of this host can not be read');
      await clock.sleep(OBSERVE_RETRY_MS, this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
    }
  }

  #releaseMemoryLater(): void {
    this.#cancelRelease?.();
    this.#cancelRelease = this.#ports.clock.timer(RELEASE_AFTER_MS, () => {
      this.#ports.releaseMemory();
    });
  }

  #setOwnAddresses(found: ReadonlySet<IpAddress>): void {
    const addresses = [...found].sort(compareIp);
    const text = addresses.join(' ');
    if (text === this.#ownAddressesText) return;
    this.#ownAddressesText = text;
    this.#objects.setOwnNode(ownNode(this.#options.node.name, addresses));
  }

  notReady(): readonly string[] {
    if (!this.#isFirstSyncDone) {
      return [`manifests are not read: ${this.#source.status.failure ?? ''}`];
    }
    if (!this.#isFirstRoundDone) return ['the first addresses are not assigned yet'];
    return this.#agent.isReady ? [] : ['the first full round against the kernel is not done yet'];
  }

  /** Brings the gauges that are costly to keep up to date; called when somebody reads the metrics. */
  collectMetrics(): void {
    countObjects(this.#ports.metrics, this.#objects.store);
    this.#ports.metrics.assigner.problems.set(this.#problems.length);
    countKernel(this.#ports.metrics, this.#agent.desired, this.#agent.observed);
  }

  /** Ends everything but the kernel's forwarding. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelRelease?.();
    await this.#source.close();
    await this.#loop.stop();
    await this.#agent.stop();
    await this.#saver.close();
  }

  #makeSource(): DirectorySource {
    const { clock, log } = this.#ports;
    return new DirectorySource(
      this.#options.manifests,
      {
        onChange: (changes) => {
          const seenAt = new Date(clock.wallMs()).toISOString();
          this.#changedAtMs ??= clock.nowMs();
          this.#objects.applySource(changes, seenAt);
          log.debug({ changed: changes.length }, 'manifests changed');
        },
        onStatus: () => this.#onSourceStatus(),
        onError: (error) => {
          const repeat = this.#failures.fail(`source ${String(error)}`);
          if (repeat !== undefined)
            log.warn({ err: error, ...repeat }, 'manifests can not be watched or read');
        },
      },
      {
        timer: (delayMs, callback) => clock.timer(delayMs, callback),
        wallMs: () => clock.wallMs(),
      },
    );
  }

  #onSourceStatus(): void {
    const { log, metrics } = this.#ports;
    const { isSynced, failure } = this.#source.status;
    metrics.source.synced.set(isSynced ? 1 : 0);
    if (this.#isFirstRoundDone) this.#agent.setSynced(isSynced);
    if (!isSynced) {
      log.error({ failure }, 'manifests are away; everything stays as it is until they are back');
      return;
    }
    if (!this.#isFirstSyncDone) {
      this.#isFirstSyncDone = true;
      this.#objects.forgetMissing();
      this.#loop.mark();
    }
    this.#tellProblems();
    this.#saver.mark();
  }

  /** Each problem of the manifests is logged once, when it appears. */
  #tellProblems(): void {
    const { log } = this.#ports;
    const unusable = new Set(this.#source.problems().map(formatManifestProblem));
    const remarks = this.#source.remarks().map(formatManifestProblem);
    const known = new Set(this.#problems);
    const now = new Set([...unusable, ...remarks]);
    for (const problem of now) {
      if (known.has(problem)) continue;
      const text = unusable.has(problem) ? 'manifest can not be used' : 'manifest is used in part';
      log.warn({ problem }, text);
    }
    for (const problem of known) {
      if (!now.has(problem)) log.info({ problem }, 'manifest problem is solved');
    }
    this.#problems = [...now];
  }

  #onChange({ kind, key, before, after }: ObjectChange): void {
    this.#assigner.onChange(kind, key);
    this.#agent.changed(before, after);
    if (this.#isFirstSyncDone && kind !== 'EndpointSlice') this.#loop.mark();
  }

  /** One round of the assigner: decide, write the state, tell the agent. */
  async #round(): Promise<RoundResult> {
    const { clock, metrics } = this.#ports;
    const startMs = clock.nowMs();
    this.#refreshOwnNode(startMs);
    const wallMs = clock.wallMs();
    const step = this.#assigner.step(wallMs, startMs);
    const actions = step.decisions.flatMap((decision) => decision.actions);
    const changes = this.#objects.applyActions(actions);
    for (const { events } of step.decisions) for (const event of events) this.#addEvent(event);
    if (changes.length > 0) await this.#saver.save();
    for (const change of changes) this.#onChange(change);
    if (!this.#isFirstRoundDone) {
      this.#isFirstRoundDone = true;
      this.#agent.setSynced(this.#source.status.isSynced);
    }
    metrics.rounds.durationSeconds.observe(
      { component: 'assigner', kind: 'incremental' },
      (clock.nowMs() - startMs) / 1000,
    );
    metrics.rounds.lastSuccessTimestampSeconds.set({ component: 'assigner' }, wallMs / 1000);
    if (changes.length >= MANY_CHANGES) this.#releaseMemoryLater();
    const holdEndMs =
      step.wakeAtMs === undefined
        ? Number.POSITIVE_INFINITY
        : startMs + Math.max(0, step.wakeAtMs - wallMs);
    return { wakeAtMs: Math.min(holdEndMs, startMs + OWN_ADDRESSES_MS) };
  }

  #refreshOwnNode(nowMs: number): void {
    if (nowMs - this.#ownAddressesAtMs < OWN_ADDRESSES_MS) return;
    this.#ownAddressesAtMs = nowMs;
    const { hostAddresses } = this.#agent;
    if (hostAddresses !== undefined) this.#setOwnAddresses(hostAddresses);
  }

  #onAgentRound(round: RoundSummary): void {
    const { metrics, clock } = this.#ports;
    countRound(metrics, round, clock.wallMs());
    const operations = [...round.counts.values()].reduce((sum, count) => sum + count, 0);
    if (operations >= MANY_CHANGES) this.#releaseMemoryLater();
    if (this.#changedAtMs === undefined) return;
    metrics.kernel.eventToKernelSeconds.observe((clock.nowMs() - this.#changedAtMs) / 1000);
    this.#changedAtMs = undefined;
  }

  /** The agent tells how a Service stands in the kernel; undefined: it asks nothing of this node any more. */
  #onReport(service: string, report: ServiceReport | undefined): void {
    const time = new Date(this.#ports.clock.wallMs()).toISOString();
    const said = report === undefined ? undefined : saidOf(report);
    if (!this.#objects.setCondition(service, PROGRAMMED, said, time)) return;
    this.#saver.mark();
    const object = this.#objects.store.services.get(service);
    if (report === undefined || object === undefined) return;
    const regarding = serviceRef(object);
    for (const { reason, message } of report.problems) {
      this.#addEvent({ regarding, type: 'Warning', reason, note: message });
    }
    if (report.problems.length === 0) {
      const note = said?.message ?? '';
      this.#addEvent({ regarding, type: 'Normal', reason: 'Programmed', note });
    }
  }

  #addEvent(event: EventNote): void {
    const { clock, log } = this.#ports;
    this.#events.add(event, new Date(clock.wallMs()).toISOString());
    const { reason, note } = event;
    const fields = { object: formatRef(event.regarding), reason, note };
    if (event.type === 'Warning') log.warn(fields, 'event');
    else log.info(fields, 'event');
    this.#saver.mark();
  }

  #stateFailed(error: OperationalError, delayMs: number): void {
    const { log, metrics } = this.#ports;
    metrics.source.stateWriteFailuresTotal.inc();
    const repeat = this.#failures.fail('state');
    if (repeat !== undefined) {
      log.error(
        { err: error, code: error.code, delayMs: Math.round(delayMs), ...repeat },
        'state is not written',
      );
    }
  }

  #stateWritten(): void {
    if (this.#failures.succeed('state')) this.#ports.log.info({}, 'state is written again');
  }

  #snapshot(): State {
    const { store } = this.#objects;
    return {
      savedAt: new Date(this.#ports.clock.wallMs()).toISOString(),
      process: this.#ports.process,
      ips: [...store.ips.values()],
      services: [...store.services].flatMap(([key, { metadata, status }]) =>
        status === undefined ? [] : [{ key, status, firstSeen: metadata.creationTimestamp }],
      ),
      pools: [...store.pools].map(([name, { metadata, status }]) => ({
        name,
        status: status ?? {},
        firstSeen: metadata.creationTimestamp,
      })),
      events: this.#events.list(),
      problems: this.#problems,
      kept: this.#source.index.keptObjects(),
    };
  }
}

/** The Service's condition Programmed; a warning is said while the status stays True. */
function saidOf({ isProgrammed, problems }: ServiceReport): ReturnType<typeof programmedSaid> {
  const [first] = problems;
  if (first === undefined) return programmedSaid(undefined);
  const message = problems.map((problem) => problem.message).join('; ');
  return programmedSaid({ reason: first.reason, message, isWarning: isProgrammed });
}
