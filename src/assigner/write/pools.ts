// Writes the Pools' status, at most once a second for all of them together (design decision 8), and their finalizer: a
// Pool that is in use stays, phase Terminating, until its last address is given back.
import type { ClusterStore } from '../../api/cluster.ts';
import type { Pool, PoolStatus } from '../../api/pool.ts';
import { mergePatchObject, patchStatus } from '../../kube/apply.ts';
import { isApiError, isTransient } from '../../kube/errors.ts';
import { isAborted } from '../../kube/ports.ts';
import type { ApiClient } from '../../kube/transport.ts';
import { Backoff, type BackoffLimits } from '../../runtime/backoff.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { WriteKind, WriteProblems } from './problems.ts';
import { POOLS } from '../../kube/own-kinds.ts';

/** Domain-qualified, as API servers want it. */
export const POOL_FINALIZER = 'vipvs.io/addresses-in-use';
const STATUS_EVERY_MS = 1000;
const RETRY: BackoffLimits = { firstMs: 2 * STATUS_EVERY_MS, maxMs: 30_000 };

export interface PoolWriterPorts {
  readonly client: ApiClient;
  readonly store: ClusterStore;
  readonly mayWrite: () => boolean;
  readonly problems: WriteProblems;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

export class PoolWriter {
  readonly #ports: PoolWriterPorts;
  readonly #retry: Backoff;
  readonly #statuses = new Map<string, PoolStatus>();
  /** The finalizers that a Pool should have, as it was when that was found. */
  readonly #finalizers = new Map<string, { readonly pool: Pool; readonly wanted: Finalizers }>();
  /** As they were when their finalizers were written: the answer is not in the store yet. */
  readonly #asked = new Map<string, Pool>();
  #stopTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #flushing: Promise<void> | undefined;

  constructor(ports: PoolWriterPorts) {
    this.#ports = ports;
    this.#retry = new Backoff(RETRY, ports.random);
    ports.signal.addEventListener('abort', () => this.#stopTimer?.(), { once: true });
  }

  /** The last status of a Pool wins; it is written within a second. */
  set(pool: string, status: PoolStatus): void {
    this.#statuses.set(pool, status);
    this.#schedule(this.#lastMs + STATUS_EVERY_MS);
  }

  /** After each step: which Pools need their finalizer, which may go. */
  check(inUse: (pool: string) => boolean): void {
    for (const name of this.#asked.keys()) {
      if (this.#ports.store.pools.get(name) !== this.#asked.get(name)) this.#asked.delete(name);
    }
    for (const [name, pool] of this.#ports.store.pools) {
      const wanted = finalizersFor(pool, inUse(name));
      if (wanted === undefined) this.#finalizers.delete(name);
      else if (this.#asked.get(name) !== pool) {
        this.#finalizers.set(name, { pool, wanted });
        this.#schedule(this.#ports.clock.nowMs());
      }
    }
  }

  async idle(): Promise<void> {
    await this.#flushing;
  }

  #schedule(atMs: number): void {
    const { clock, signal } = this.#ports;
    const dueMs = Math.max(atMs, this.#notBeforeMs);
    if (signal.aborted || this.#flushing !== undefined || dueMs >= this.#timerAtMs) return;
    this.#stopTimer?.();
    this.#timerAtMs = dueMs;
    this.#stopTimer = clock.timer(Math.max(0, dueMs - clock.nowMs()), () => {
      this.#stopTimer = undefined;
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.#flushing = this.#flush().finally(() => {
        this.#flushing = undefined;
        if (this.#finalizers.size > 0) this.#schedule(clock.nowMs());
        else if (this.#statuses.size > 0) this.#schedule(this.#lastMs + STATUS_EVERY_MS);
      });
    });
  }

  async #flush(): Promise<void> {
    const { clock, signal } = this.#ports;
    for (const [name, { pool, wanted }] of this.#finalizers) {
      const end = await this.#write('pool.finalizers', name, () =>
        this.#patchFinalizers(pool, wanted),
      );
      if (end === 'away') return;
      if (end === 'done') this.#finalizers.delete(name);
    }
    if (clock.nowMs() < this.#lastMs + STATUS_EVERY_MS) return;
    if (this.#statuses.size > 0) this.#lastMs = clock.nowMs();
    for (const [name, status] of this.#statuses) {
      if (isAborted(signal)) return;
      if (!isSameStatus(this.#ports.store.pools.get(name)?.status, status)) {
        const end = await this.#write('pool.status', name, () => this.#patchStatus(name, status));
        if (end === 'away') return;
        if (end === 'refused') continue;
      }
      // a later one may have come while this one was written
      if (this.#statuses.get(name) === status) this.#statuses.delete(name);
    }
  }

  /** What is not done is tried again later; `away`: so is everything else, because nothing goes through. */
  async #write(
    kind: WriteKind,
    pool: string,
    write: () => Promise<void>,
  ): Promise<'done' | 'refused' | 'away'> {
    const { signal, mayWrite, problems, clock } = this.#ports;
    if (isAborted(signal)) return 'away';
    let end: 'refused' | 'away' = 'away';
    try {
      if (mayWrite()) {
        await write();
        problems.succeeded(kind, `Pool/${pool}`);
        this.#retry.reset();
        return 'done';
      }
    } catch (error) {
      if (isAborted(signal)) return 'away';
      if (!isApiError(error)) throw error;
      problems.failed(kind, `Pool/${pool}`, error);
      if (!isTransient(error)) end = 'refused';
    }
    this.#notBeforeMs = clock.nowMs() + this.#retry.nextMs();
    return end;
  }

  async #patchStatus(name: string, status: PoolStatus): Promise<void> {
    const { client, signal } = this.#ports;
    const { phase, reason, capacity, allocatable } = status;
    const patch = {
      phase,
      reason: reason ?? null,
      capacity: capacity ?? null,
      allocatable: allocatable ?? null,
    };
    await patchStatus(client, POOLS, { name }, patch, signal);
  }

  async #patchFinalizers(pool: Pool, wanted: Finalizers): Promise<void> {
    const { client, signal, store } = this.#ports;
    const { name, resourceVersion } = pool.metadata;
    if (store.pools.get(name) !== pool) return; // it changed meanwhile: checked again after the next step
    const patch = { metadata: { finalizers: wanted.length === 0 ? null : wanted } };
    this.#asked.set(name, pool);
    await mergePatchObject(client, POOLS, { at: { name }, patch, resourceVersion }, signal);
  }
}

type Finalizers = readonly string[];

function isSameStatus(a: PoolStatus | undefined, b: PoolStatus): boolean {
  return (
    a?.phase === b.phase &&
    a?.reason === b.reason &&
    a?.capacity === b.capacity &&
    a?.allocatable === b.allocatable
  );
}

/** Which Pools have IP objects, kept up to date object by object. */
export class PoolUse {
  readonly #poolOfIp = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  /** `pool` undefined: the IP is gone. */
  set(ip: string, pool: string | undefined): void {
    const before = this.#poolOfIp.get(ip);
    if (before === pool) return;
    if (before !== undefined) this.#add(before, -1);
    if (pool === undefined) this.#poolOfIp.delete(ip);
    else {
      this.#poolOfIp.set(ip, pool);
      this.#add(pool, 1);
    }
  }

  has(pool: string): boolean {
    return this.#counts.has(pool);
  }

  #add(pool: string, step: number): void {
    const count = (this.#counts.get(pool) ?? 0) + step;
    if (count > 0) this.#counts.set(pool, count);
    else this.#counts.delete(pool);
  }
}

/** The finalizers that the Pool should have; undefined where it has them. */
export function finalizersFor(pool: Pool, isInUse: boolean): Finalizers | undefined {
  const finalizers = pool.metadata.finalizers ?? [];
  const has = finalizers.includes(POOL_FINALIZER);
  const isLeaving = pool.metadata.deletionTimestamp !== undefined;
  // an object that is being deleted takes no new finalizers
  if (isInUse && !has && !isLeaving) return [...finalizers, POOL_FINALIZER];
  if (!isInUse && has) return finalizers.filter((finalizer) => finalizer !== POOL_FINALIZER);
  return undefined;
}
