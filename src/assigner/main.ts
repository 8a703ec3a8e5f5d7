// The assigner as a program beside a Kubernetes API server: watches, leads or follows, decides, writes. All replicas keep
// their caches warm; only the holder of the Lease decides.
// Invariants: nothing is decided before every cache has listed once; losing the Lease stops all writes and ends the
// process; a steady state writes nothing and lists nothing.
import { ClusterStore, keyOf, type ClusterObject, type Kind } from '../api/cluster.ts';
import type { ObjectRef } from '../api/problem.ts';
import { EventRecorder, type ObjectReference } from '../kube/events.ts';
import { Lease, type LeaseTimes } from '../kube/lease.ts';
import { Reflector, type ReflectorState } from '../kube/reflector.ts';
import { NAMESPACES, NODES, SERVICES, type Resource } from '../kube/resource.ts';
import type { ApiClient } from '../kube/transport.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { Loop } from '../runtime/loop.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { PoolUse, PoolWriter } from './act-pools.ts';
import { Actor } from './act.ts';
import { Assigner } from './assigner.ts';
import type { AssignerConfig, EventNote } from './decision.ts';
import { IPS, POOLS, projectIp, projectObject, projectPool, projectService } from './project.ts';

export interface AssignerOptions {
  readonly config: AssignerConfig;
  /** Of the Lease. */
  readonly namespace: string;
  /** Unique per process: the Pod's name and something random. */
  readonly identity: string;
  readonly leaseTimes?: LeaseTimes;
}

export interface AssignerPorts {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

export const LEASE_NAME = 'vipvs-assigner';

export class AssignerProgram {
  readonly #options: AssignerOptions;
  readonly #ports: AssignerPorts;
  readonly #store = new ClusterStore();
  readonly #reflectors: readonly Reflector<ClusterObject>[];
  readonly #events: EventRecorder;
  readonly #lease: Lease;
  readonly #use = new PoolUse();
  #engine: Assigner | undefined;
  #loop: Loop<'assign'> | undefined;
  #onSynced: (() => void) | undefined;

  constructor(options: AssignerOptions, ports: AssignerPorts) {
    this.#options = options;
    this.#ports = ports;
    const { client, clock, random, log } = ports;
    this.#reflectors = [
      this.#reflect(NAMESPACES, (raw) => projectObject('Namespace', raw)),
      this.#reflect(NODES, (raw) => projectObject('Node', raw)),
      this.#reflect(POOLS, projectPool),
      this.#reflect(IPS, projectIp),
      this.#reflect(SERVICES, projectService),
    ];
    const { identity, namespace, leaseTimes } = options;
    const common = { client, clock, random, log };
    this.#events = new EventRecorder({
      ...common,
      controller: 'vipvs.io/assigner',
      instance: identity,
    });
    this.#lease = new Lease({
      ...common,
      namespace,
      name: LEASE_NAME,
      identity,
      ...(leaseTimes === undefined ? {} : { times: leaseTimes }),
    });
  }

  get isLeading(): boolean {
    return this.#loop !== undefined;
  }

  /** Why it is not ready; empty: all caches are filled and fresh. */
  notReady(): readonly string[] {
    return this.#reflectors.map((each) => each.state()).flatMap(reasonOf);
  }

  /** Runs until the signal is aborted (`stopped`), or the Lease is lost. */
  async run(signal: AbortSignal): Promise<'stopped' | 'lost'> {
    const stop = new AbortController();
    const inner = AbortSignal.any([signal, stop.signal]);
    const synced = new Promise<void>((resolve) => (this.#onSynced = resolve));
    const background = [
      ...this.#reflectors.map((reflector) => reflector.run(inner)),
      this.#events.run(inner),
    ];
    try {
      return await Promise.race([this.#lead(synced, inner, stop), ...background.map(failing)]);
    } finally {
      stop.abort();
      await Promise.all(background);
    }
  }

  async #lead(
    synced: Promise<void>,
    signal: AbortSignal,
    stop: AbortController,
  ): Promise<'stopped' | 'lost'> {
    const { metrics } = this.#ports;
    await Promise.race([synced, aborted(signal)]);
    if (!(await this.#lease.acquire(signal))) return 'stopped';
    metrics.assigner.leader.set(1);
    const work = this.#begin(signal);
    const end = await this.#lease.keep(signal);
    metrics.assigner.leader.set(0);
    stop.abort(); // from here on nothing is written
    await work.stop();
    // a Lease that we still hold is given back only after all work has stopped
    if (end === 'stopped') await this.#lease.release(AbortSignal.timeout(RELEASE_TIMEOUT_MS));
    return end;
  }

  #begin(signal: AbortSignal): { readonly stop: () => Promise<void> } {
    const { client, clock, random, log, metrics } = this.#ports;
    const engine = new Assigner(this.#store, this.#options.config);
    const mayWrite = (): boolean => this.#lease.mayWrite();
    const common = { client, store: this.#store, mayWrite, clock, random, log, signal };
    const changed = (kind: Kind, key: string): void => this.#changed(kind, key);
    const pools = new PoolWriter({ ...common, onFailed: changed });
    const actor = new Actor({
      ...common,
      onWritten: changed,
      onFailed: (decision) => {
        engine.failed(decision);
        loop.mark('assign');
      },
      onPoolStatus: ({ pool, status }) => pools.set(pool, status),
    });
    const loop = new Loop<'assign'>({
      clock,
      random,
      round: async () => {
        const startMs = clock.nowMs();
        const { decisions, wakeAtMs } = engine.step(clock.wallMs());
        actor.submit(decisions);
        for (const event of decisions.flatMap((each) => each.events)) this.#record(event);
        pools.check((pool) => this.#use.has(pool));
        metrics.rounds.durationSeconds
          .labels('assigner', 'incremental')
          .observe((clock.nowMs() - startMs) / 1000);
        await Promise.resolve();
        if (wakeAtMs === undefined) return {};
        return { wakeAtMs: clock.nowMs() + Math.max(0, wakeAtMs - clock.wallMs()) };
      },
      onFailure: (error) => {
        throw error; // deciding does no I/O: a throw in it is a bug
      },
    });
    this.#engine = engine;
    this.#loop = loop;
    loop.mark('assign');
    return {
      stop: async () => {
        await loop.stop();
        await Promise.all([actor.idle(), pools.idle()]);
      },
    };
  }

  #reflect(
    resource: Resource,
    project: (raw: unknown) => ClusterObject | undefined,
  ): Reflector<ClusterObject> {
    const { client, clock, random, log } = this.#ports;
    const kind = resource.kind as Kind;
    return new Reflector<ClusterObject>({
      client,
      resource,
      project,
      clock,
      random,
      log,
      sink: {
        onSync: (objects) => {
          for (const object of objects.values()) this.#set(object);
          // the reflector marks itself synced after this call
          queueMicrotask(() => {
            if (this.#reflectors.every((each) => each.state().synced)) this.#onSynced?.();
          });
        },
        onUpsert: (_key, object) => this.#set(object),
        onDelete: (key) => {
          this.#store.delete(kind, key);
          this.#changed(kind, key);
        },
      },
    });
  }

  #set(object: ClusterObject): void {
    this.#store.set(object);
    this.#changed(object.kind, keyOf(object));
  }

  #changed(kind: Kind, key: string): void {
    if (kind === 'IP') this.#use.set(key, this.#store.ips.get(key)?.spec.poolName);
    this.#engine?.onChange(kind, key);
    this.#loop?.mark('assign');
  }

  #record({ regarding, type, reason, note }: EventNote): void {
    this.#events.record({
      about: this.#reference(regarding),
      type,
      reason,
      action: 'Assign',
      note,
    });
  }

  #reference(ref: ObjectRef): ObjectReference {
    const key = ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
    const object = this.#store.get(ref.kind, key);
    const apiVersion = object?.apiVersion ?? 'v1';
    return { apiVersion, ...ref, uid: object?.metadata.uid };
  }
}

/** The Lease's own retry time: a server that is away must not hold up our end. */
const RELEASE_TIMEOUT_MS = 2000;

function reasonOf({ resource, synced, problem }: ReflectorState): readonly string[] {
  if (problem !== undefined) return [problem.message];
  return synced ? [] : [`${resource} are not listed yet`];
}

/** Never resolves: a background task that ends well has ended because it was told to. */
async function failing(task: Promise<void>): Promise<never> {
  await task;
  return new Promise<never>(() => undefined);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
