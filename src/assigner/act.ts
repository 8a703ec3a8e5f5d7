// Writes the assigner's decisions to the API server. Decisions that touch the same object are written one after the
// other, the others side by side; the actions of one decision in order, and none after one that failed.
// Invariants: every write is conditional (a create, or a resourceVersion that the decision was based on), so that two
// leaders can't give one address twice; nothing is written without the lease; what the answer to a write teaches is
// in the store before anything else is decided.
import type { ClusterStore, Kind } from '../api/cluster.ts';
import { createObject, deleteObject, mergePatchObject, readObject } from '../kube/apply.ts';
import { isApiError, type ApiError } from '../kube/errors.ts';
import type { ObjectName, Resource } from '../kube/resource.ts';
import { SERVICES } from '../kube/resource.ts';
import type { ApiClient } from '../kube/transport.ts';
import { Backoff, type BackoffLimits } from '../runtime/backoff.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import type { Action, Decision } from './decision.ts';
import {
  IPS,
  ipPatch,
  ipStatusPatch,
  projectIp,
  projectService,
  serviceStatusPatch,
} from './project.ts';
import { OwnVersions } from './own-versions.ts';

export interface ActorPorts {
  readonly client: ApiClient;
  readonly store: ClusterStore;
  /** The lease is ours, and will be for as long as a write may take. */
  readonly mayWrite: () => boolean;
  /** The store shows what a write made. */
  readonly onWritten: (kind: Kind, key: string) => void;
  /** Decide again what this decision was about. */
  readonly onFailed: (decision: Decision) => void;
  readonly onPoolStatus: (action: Action & { readonly do: 'pool.status' }) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Writes under way at once: more only make the API server's answers slower (docs/limits.md). */
const CONCURRENCY_MAX = 32;
const RETRY: BackoffLimits = { firstMs: 200, maxMs: 30_000 };

type Written = 'done' | 'stale';

interface Task {
  readonly decision: Decision;
  /** Versions of the objects as the decision saw them. */
  readonly versions: ReadonlyMap<string, string | undefined>;
}

export class Actor {
  readonly #ports: ActorPorts;
  readonly #own = new OwnVersions();
  /** The last task that touches a key: the next one on that key waits for it. */
  readonly #tails = new Map<string, Promise<void>>();
  readonly #backoffs = new Map<string, Backoff>();
  readonly #waiting: (() => void)[] = [];
  #limit = CONCURRENCY_MAX;
  #running = 0;
  #writes = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(ports: ActorPorts) {
    this.#ports = ports;
  }

  /** Writes sent so far. */
  get writes(): number {
    return this.#writes;
  }

  get isIdle(): boolean {
    return this.#tails.size === 0;
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#tails.size > 0) await Promise.all(this.#tails.values());
  }

  submit(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      const actions = decision.actions.filter((action) => {
        if (action.do !== 'pool.status') return true;
        this.#ports.onPoolStatus(action);
        return false;
      });
      if (actions.length > 0) this.#enqueue({ ...decision, actions });
    }
  }

  #enqueue(decision: Decision): void {
    const keys = [...new Set(decision.actions.map(keyOfAction))];
    const versions = new Map(decision.actions.map((each) => [keyOfAction(each), this.#seen(each)]));
    const before = keys.flatMap((key) => this.#tails.get(key) ?? []);
    const done = Promise.all(before).then(() => this.#run({ decision, versions }));
    for (const key of keys) this.#tails.set(key, done);
    void done.then(() => {
      for (const key of keys) if (this.#tails.get(key) === done) this.#tails.delete(key);
    });
  }

  #seen(action: Action): string | undefined {
    if (action.do === 'service.status') {
      return this.#ports.store.services.get(action.service)?.metadata.resourceVersion;
    }
    return action.do === 'pool.status' ? undefined : action.ip.metadata.resourceVersion;
  }

  async #run(task: Task): Promise<void> {
    const { signal, onFailed } = this.#ports;
    await this.#enter();
    try {
      for (const action of task.decision.actions) {
        if (signal.aborted || !this.#ports.mayWrite()) return;
        this.#writes += 1;
        if ((await this.#write(action, task)) === 'done') continue;
        onFailed(task.decision);
        return;
      }
      this.#backoffs.delete(nameOfTask(task));
      this.#limit = Math.min(CONCURRENCY_MAX, this.#limit + 1);
    } catch (error) {
      if (signal.aborted) return;
      if (!isApiError(error)) throw error;
      await this.#retryLater(task, error);
    } finally {
      this.#leave();
    }
  }

  /** The API server is away or full, or refuses: the decision is made anew after a pause. */
  async #retryLater(task: Task, error: ApiError): Promise<void> {
    const { clock, random, log, onFailed, signal } = this.#ports;
    const name = nameOfTask(task);
    const backoff = this.#backoffs.get(name) ?? new Backoff(RETRY, random);
    this.#backoffs.set(name, backoff);
    const delayMs = Math.max(backoff.nextMs(), error.retryAfterMs ?? 0);
    if (error.code === 'too-many-requests') {
      this.#limit = Math.max(1, Math.floor(this.#limit / 2));
      this.#notBeforeMs = clock.nowMs() + (error.retryAfterMs ?? 0);
    }
    log.warn({ object: name, code: error.code, delayMs, err: error }, 'write failed');
    const stopTimer = clock.timer(delayMs, () => {
      signal.removeEventListener('abort', stopTimer);
      onFailed(task.decision);
    });
    signal.addEventListener('abort', stopTimer, { once: true });
    await Promise.resolve();
  }

  async #write(action: Action, task: Task): Promise<Written> {
    switch (action.do) {
      case 'ip.create':
        return this.#createIp(action.ip);
      case 'ip.update':
      case 'ip.status':
        return this.#patchIp(action, task);
      case 'ip.delete':
        return this.#deleteIp(action.ip, task);
      case 'service.status':
        return this.#patchService(action, task);
      case 'pool.status':
        return 'done'; // written by the Pools' own writer
    }
  }

  async #createIp(ip: (Action & { do: 'ip.create' })['ip']): Promise<Written> {
    const { client, signal } = this.#ports;
    const { apiVersion, kind, metadata, spec } = ip;
    const body = { apiVersion, kind, metadata: { name: metadata.name }, spec };
    const answer = await createObject(client, IPS, body, signal);
    if (answer.outcome === 'exists') {
      await this.#reread(IPS, 'IP', { name: metadata.name });
      return 'stale';
    }
    this.#learnIp(metadata.name, undefined, answer.object);
    return 'done';
  }

  async #patchIp(
    action: Action & { readonly do: 'ip.update' | 'ip.status' },
    task: Task,
  ): Promise<Written> {
    const { client, signal } = this.#ports;
    const { name } = action.ip.metadata;
    const seen = this.#versionFor(task, action);
    if (seen === undefined) return this.#reread(IPS, 'IP', { name });
    const patch = action.do === 'ip.update' ? ipPatch(action.ip) : ipStatusPatch(action.ip);
    const at = { at: { name }, patch, resourceVersion: seen };
    const subresource = action.do === 'ip.status' ? { subresource: 'status' as const } : {};
    const answer = await mergePatchObject(client, IPS, { ...at, ...subresource }, signal);
    if (answer.outcome !== 'updated') return this.#reread(IPS, 'IP', { name });
    this.#learnIp(name, seen, answer.object);
    return 'done';
  }

  async #deleteIp(ip: (Action & { do: 'ip.delete' })['ip'], task: Task): Promise<Written> {
    const { client, signal, store, onWritten } = this.#ports;
    const { name, uid } = ip.metadata;
    const resourceVersion = this.#own.translate(`IP/${name}`, task.versions.get(`IP/${name}`));
    if (resourceVersion === undefined) return this.#reread(IPS, 'IP', { name });
    const outcome = await deleteObject(client, IPS, { name }, { uid, resourceVersion }, signal);
    if (outcome === 'conflict') return this.#reread(IPS, 'IP', { name });
    store.delete('IP', name);
    onWritten('IP', name);
    return 'done';
  }

  async #patchService(
    action: Action & { readonly do: 'service.status' },
    task: Task,
  ): Promise<Written> {
    const { client, signal } = this.#ports;
    const at = objectNameOfKey(action.service);
    const seen = this.#versionFor(task, action);
    if (seen === undefined) return 'done'; // the Service is gone: its release is decided by that
    const answer = await mergePatchObject(
      client,
      SERVICES,
      {
        at,
        subresource: 'status',
        patch: serviceStatusPatch(action.status),
        resourceVersion: seen,
      },
      signal,
    );
    if (answer.outcome !== 'updated') return this.#reread(SERVICES, 'Service', at);
    const service = projectService(answer.object);
    if (service === undefined) return 'done';
    this.#own.wrote(`Service/${action.service}`, seen, service.metadata.resourceVersion);
    this.#ports.store.set(service);
    this.#ports.onWritten('Service', action.service);
    return 'done';
  }

  #versionFor(task: Task, action: Action): string | undefined {
    const key = keyOfAction(action);
    return this.#own.translate(key, task.versions.get(key));
  }

  #learnIp(name: string, from: string | undefined, object: unknown): void {
    const ip = projectIp(object);
    this.#own.wrote(`IP/${name}`, from, ip.metadata.resourceVersion);
    this.#ports.store.set(ip);
    this.#ports.onWritten('IP', name);
  }

  /** Somebody else wrote it: the store learns how it is now, without waiting for the watch. */
  async #reread(resource: Resource, kind: 'IP' | 'Service', at: ObjectName): Promise<Written> {
    const { client, signal, store, onWritten } = this.#ports;
    const raw = await readObject(client, resource, at, signal);
    const key = at.namespace === undefined ? at.name : `${at.namespace}/${at.name}`;
    const object =
      raw === undefined ? undefined : kind === 'IP' ? projectIp(raw) : projectService(raw);
    if (object === undefined) store.delete(kind, key);
    else store.set(object);
    this.#own.forget(`${kind}/${key}`);
    onWritten(kind, key);
    return 'stale';
  }

  async #enter(): Promise<void> {
    while (this.#running >= this.#limit) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#running += 1;
    const { clock, signal } = this.#ports;
    const waitMs = this.#notBeforeMs - clock.nowMs();
    if (waitMs > 0) await clock.sleep(waitMs, signal);
  }

  #leave(): void {
    this.#running -= 1;
    this.#waiting.shift()?.();
  }
}

function keyOfAction(action: Action): string {
  switch (action.do) {
    case 'service.status':
      return `Service/${action.service}`;
    case 'pool.status':
      return `Pool/${action.pool}`;
    case 'ip.create':
    case 'ip.update':
    case 'ip.status':
    case 'ip.delete':
      return `IP/${action.ip.metadata.name}`;
  }
}

function nameOfTask({ decision }: Task): string {
  const first = decision.actions[0];
  return first === undefined ? '' : keyOfAction(first);
}

function objectNameOfKey(key: string): ObjectName {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
