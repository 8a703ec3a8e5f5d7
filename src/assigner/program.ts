// The assigner as a program beside a Kubernetes API server: watches, leads or follows, decides, writes. All replicas keep
// their caches warm; only the holder of the Lease decides.
// Invariants: nothing is decided before every cache has listed once; losing the Lease stops all writes and ends the
// process; a steady state writes nothing and lists nothing.
import {
  ClusterStore,
  keyOf,
  type ClusterObject,
  type ClusterView,
  type Kind,
} from '../api/cluster.ts';
import type { Director } from '../api/director.ts';
import { serviceRef, type ObjectRef } from '../api/problem.ts';
import { EventRecorder, type ObjectReference } from '../kube/events.ts';
import { Lease, type LeaseTimes } from '../kube/lease.ts';
import type { ReflectorState } from '../kube/reflector.ts';
import { projectDirector } from '../api/project.ts';
import { DIRECTORS, IPS, POOLS } from '../kube/own-kinds.ts';
import { isAborted } from '../kube/ports.ts';
import {
  identityOf,
  NAMESPACES,
  NODES,
  SERVICE_CIDRS,
  SERVICES,
  type Resource,
} from '../kube/resource.ts';
import type { ApiClient } from '../kube/transport.ts';
import { Watches } from '../kube/watches.ts';
import { aborted, taskFailure } from '../runtime/abort.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { Loop } from '../runtime/loop.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { PoolUse, PoolWriter } from './write/pools.ts';
import { WriteProblems } from './write/problems.ts';
import { WriteQueue, CONCURRENCY_MAX } from './write/queue.ts';
import { Assigner } from './engine.ts';
import type { Action, AssignerConfig, Decision, EventNote } from './decide/decision.ts';
import { DirectorFailures } from './decide/director-failures.ts';
import {
  projectIp,
  projectNamespace,
  projectNode,
  projectPool,
  projectService,
  projectServiceCidr,
} from './project.ts';

export interface AssignerOptions {
  readonly config: AssignerConfig;
  /** Of the Lease. */
  readonly namespace: string;
  /** Unique per process: the Pod's name and something random. */
  readonly identity: string;
  readonly leaseTimes?: LeaseTimes;
}

/** Who of the replicas decides: the Lease, or what a test puts in its place. */
export type Election = Pick<Lease, 'acquire' | 'keep' | 'release' | 'mayWrite' | 'problem'>;

export interface AssignerPorts {
  readonly client: ApiClient;
  /** Default: a Lease. */
  readonly election?: Election;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Called when much was done and nothing more is to do. */
  readonly releaseMemory: () => void;
}

/** All writes at once, and never in their queue: the Lease, the Events, the Pools. */
export const CALL_CONNECTIONS = CONCURRENCY_MAX + 4;
const LEASE_NAME = 'vipvs-assigner';

export class AssignerProgram {
  readonly #options: AssignerOptions;
  readonly #ports: AssignerPorts;
  readonly #store = new ClusterStore();
  readonly #failures = new DirectorFailures();
  readonly #watches: Watches;
  readonly #events: EventRecorder;
  readonly #lease: Election;
  readonly #use = new PoolUse();
  readonly #problems: WriteProblems;
  #engine: Assigner | undefined;
  #queue: WriteQueue | undefined;
  #loop: Loop | undefined;
  #isLeading = false;
  /** Objects listed, decisions made and decisions written since memory was released. */
  #work = 0;
  #cancelRelease: (() => void) | undefined;

  constructor(options: AssignerOptions, ports: AssignerPorts) {
    this.#options = options;
    this.#ports = ports;
    const { client, clock, random, log } = ports;
    const { identity, namespace, leaseTimes } = options;
    const common = { client, clock, random, log };
    this.#watches = new Watches({ ...common, onDoubt: (message) => this.#listDoubted(message) });
    this.#watch(NAMESPACES, projectNamespace);
    this.#watch(NODES, projectNode);
    this.#watch(SERVICE_CIDRS, projectServiceCidr, { isOptional: true });
    this.#watch(POOLS, projectPool);
    this.#watch(IPS, projectIp);
    this.#watch(SERVICES, projectService);
    this.#watchDirectors();
    this.#events = new EventRecorder({
      ...common,
      isBusy: () => this.#queue?.isIdle === false,
      controller: 'vipvs.io/assigner',
      instance: identity,
    });
    const lease = { ...common, namespace, name: LEASE_NAME, identity };
    this.#lease =
      ports.election ??
      new Lease({ ...lease, ...(leaseTimes === undefined ? {} : { times: leaseTimes }) });
    this.#problems = new WriteProblems(clock, log);
  }

  get isLeading(): boolean {
    return this.#isLeading;
  }

  /** Writes of addresses and Services sent so far. */
  get writes(): number {
    return this.#queue?.writes ?? 0;
  }

  /** Events that were never written. */
  get eventsDropped(): number {
    return this.#events.dropped;
  }

  get store(): ClusterView {
    return this.#store;
  }

  /** What the caches are made of, for metrics and tests. */
  sources(): readonly ReflectorState[] {
    return this.#watches.states();
  }

  /** Why it is not ready; empty: all caches are filled and fresh, and nothing that it may have to write is refused. */
  notReady(): readonly string[] {
    const others = [this.#lease.problem, this.#events.problem].filter((each) => each !== undefined);
    const reasons = [...this.#watches.problems(), ...this.#problems.ofAll(), ...others];
    return [...new Set(reasons)];
  }

  /** Runs until the signal is aborted (`stopped`), or the Lease is lost. */
  async run(signal: AbortSignal): Promise<'stopped' | 'lost'> {
    const stop = new AbortController();
    const inner = AbortSignal.any([signal, stop.signal]);
    const background = [this.#watches.run(inner), this.#events.run(inner)];
    try {
      return await Promise.race([this.#lead(inner, stop), ...background.map(taskFailure)]);
    } finally {
      stop.abort();
      this.#cancelRelease?.();
      await Promise.all(background);
    }
  }

  async #lead(signal: AbortSignal, stop: AbortController): Promise<'stopped' | 'lost'> {
    const { metrics } = this.#ports;
    await Promise.race([this.#watches.synced, aborted(signal)]);
    if (!(await this.#lease.acquire(signal))) return 'stopped';
    this.#isLeading = true;
    metrics.assigner.leader.set(1);
    const work = this.#begin(signal);
    const end = await this.#lease.keep(signal);
    this.#isLeading = false;
    metrics.assigner.leader.set(0);
    stop.abort(); // from here on nothing is written
    await work.stop();
    // a Lease that we still hold is given back only after all work has stopped
    if (end === 'stopped') await this.#lease.release(AbortSignal.timeout(RELEASE_TIMEOUT_MS));
    return end;
  }

  #begin(signal: AbortSignal): { readonly stop: () => Promise<void> } {
    const { client, clock, random } = this.#ports;
    const engine = new Assigner(this.#store, this.#options.config, this.#failures);
    const mayWrite = (): boolean => this.#lease.mayWrite();
    const problems = this.#problems;
    const common = { client, store: this.#store, mayWrite, problems, clock, random, signal };
    const pools = new PoolWriter(common);
    const queue = new WriteQueue({
      ...common,
      onWritten: (kind, key) => this.#changed(kind, key),
      onDone: (decision) => {
        this.#worked(1);
        for (const event of decision.events) this.#record(event);
      },
      onFailed: (decision) => {
        engine.failed(decision);
        loop.mark();
      },
      onRefused: (decision, action, text) => {
        this.#refused(engine, decision, action, text);
        loop.mark();
      },
      onPoolStatus: ({ pool, status }) => pools.set(pool, status),
    });
    const loop = new Loop({
      clock,
      random,
      coalesceMs: COALESCE_MS,
      round: async () => {
        await queue.room();
        if (queue.isBusy) await clock.sleep(BUSY_MS, signal);
        if (isAborted(signal)) return {};
        const startMs = clock.nowMs();
        const { decisions, wakeAtMs } = engine.step(clock.wallMs(), startMs);
        queue.submit(decisions);
        this.#worked(decisions.length);
        pools.check((pool) => this.#use.has(pool));
        this.#countRound((clock.nowMs() - startMs) / 1000);
        if (wakeAtMs === undefined) return {};
        const waitMs = Math.max(0, wakeAtMs - clock.wallMs());
        return { wakeAtMs: clock.nowMs() + Math.min(waitMs, WAKE_MAX_MS) };
      },
      onFailure: (error) => {
        throw error; // deciding does no I/O: a throw in it is a bug
      },
    });
    this.#engine = engine;
    this.#queue = queue;
    this.#loop = loop;
    loop.mark();
    return {
      stop: async () => {
        await loop.stop();
        await Promise.all([queue.idle(), pools.idle()]);
      },
    };
  }

  /** By the condition; where that is what is refused, by an Event. */
  #refused(engine: Assigner, decision: Decision, action: Action, text: string): void {
    if (action.do !== 'service.status') engine.refused(decision, text);
    const service =
      action.do === 'service.status' ? this.#store.services.get(action.service) : undefined;
    if (service === undefined) return;
    const regarding = serviceRef(service);
    this.#record({ regarding, type: 'Warning', reason: 'WriteRefused', note: text });
  }

  #worked(amount: number): void {
    this.#work += amount;
    if (amount === 0 || this.#work < MUCH_WORK) return;
    this.#cancelRelease?.();
    this.#cancelRelease = this.#ports.clock.timer(RELEASE_AFTER_MS, () => {
      this.#work = 0;
      this.#ports.releaseMemory();
    });
  }

  #countRound(seconds: number): void {
    const { clock, metrics } = this.#ports;
    metrics.rounds.durationSeconds.labels('assigner', 'incremental').observe(seconds);
    metrics.rounds.total.inc({ component: 'assigner', kind: 'incremental', outcome: 'ok' });
    const labels = { component: 'assigner' };
    metrics.rounds.lastSuccessTimestampSeconds.set(labels, clock.wallMs() / 1000);
  }

  #watch(
    resource: Resource,
    project: (raw: unknown) => ClusterObject | undefined,
    { isOptional = false } = {},
  ): void {
    const kind = resource.kind as Kind;
    this.#watches.add<ClusterObject>({
      resource,
      isOptional,
      project: (raw) => this.#known(kind, raw) ?? project(raw),
      sink: {
        onSync: (objects) => {
          for (const object of objects.values()) this.#set(object);
          this.#worked(objects.size);
        },
        onUpsert: (_key, object) => this.#set(object),
        onDelete: (key, uid) => this.#delete(kind, key, uid),
        onRelist: (keys) => this.#relisted(kind, keys),
      },
    });
  }

  /** Most of what a watch shows is what our own writes made: it is in the store, and not read again. */
  #known(kind: Kind, raw: unknown): ClusterObject | undefined {
    const identity = identityOf(raw);
    const known = identity === undefined ? undefined : this.#store.get(kind, identity.key);
    return known?.metadata.resourceVersion === identity?.resourceVersion ? known : undefined;
  }

  #watchDirectors(): void {
    const changed = (name: string, director: Director | undefined): void => {
      for (const service of this.#failures.set(name, director)) {
        if (this.#store.services.has(service)) this.#changed('Service', service);
      }
    };
    this.#watches.add<Director>({
      resource: DIRECTORS,
      project: projectDirector,
      sink: {
        onSync: (directors) => {
          for (const [name, director] of directors) changed(name, director);
        },
        onUpsert: changed,
        onDelete: (name) => changed(name, undefined),
      },
    });
  }

  /** What stands in it concerns no single object; the Lease is where an operator looks for the assigner. */
  #listDoubted(note: string): void {
    const about = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      namespace: this.#options.namespace,
      name: LEASE_NAME,
    };
    this.#events.record({ about, type: 'Warning', reason: 'ListDoubted', action: 'List', note });
  }

  #set(object: ClusterObject): void {
    const { kind } = object;
    const key = keyOf(object);
    const { resourceVersion } = object.metadata;
    this.#queue?.shown(kind, key, resourceVersion);
    const known = this.#store.get(kind, key)?.metadata.resourceVersion;
    // what our own write made is in the store already
    if (known !== undefined && known === resourceVersion) return;
    if (this.#queue?.isPast(kind, key, resourceVersion) === true) return;
    this.#store.set(object);
    this.#changed(kind, key);
  }

  #delete(kind: Kind, key: string, uid: string): void {
    this.#queue?.shown(kind, key, undefined);
    const known = this.#store.get(kind, key)?.metadata.uid;
    // we have made another one meanwhile
    if (known !== undefined && known !== uid) return;
    this.#forget(kind, key);
  }

  /** An object that only an answer told of goes, too: if it lives, the watch after the list shows it. */
  #relisted(kind: Kind, keys: Pick<ReadonlySet<string>, 'has'>): void {
    this.#queue?.relisted();
    for (const key of this.#store.keys(kind)) if (!keys.has(key)) this.#forget(kind, key);
  }

  #forget(kind: Kind, key: string): void {
    this.#store.delete(kind, key);
    this.#changed(kind, key);
  }

  #changed(kind: Kind, key: string): void {
    if (kind === 'IP') this.#use.set(key, this.#store.ips.get(key)?.spec.poolName);
    this.#engine?.onChange(kind, key);
    this.#loop?.mark();
  }

  #record({ regarding, type, reason, note }: EventNote): void {
    this.#events.record({
      about: this.#reference(regarding),
      type,
      reason,
      action: 'Assign',
      note,
      // the Service shows its address already; the Event may be a third write for each of many
      ...(type === 'Normal' && reason === 'Assigned' ? { isUnhurried: true } : {}),
    });
  }

  #reference(ref: ObjectRef): ObjectReference {
    const key = ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
    const object = this.#store.get(ref.kind, key);
    const apiVersion = object?.apiVersion ?? 'v1';
    return { apiVersion, ...ref, uid: object?.metadata.uid };
  }
}

/** Each round looks at what changed only, so that rounds may be close: a new Service waits for at most one. */
const COALESCE_MS = 5;
const BUSY_MS = 50;
const MUCH_WORK = 100;
const RELEASE_AFTER_MS = 5000;
/** Timers of Node end at 25 days; and a wall clock that was set forward is noticed. */
const WAKE_MAX_MS = 3_600_000;
/** The Lease's own retry time: a server that is away must not hold up our end. */
const RELEASE_TIMEOUT_MS = 2000;
