// Writes the Pools' status, at most once a second for all of them together (design decision 8), and their finalizer: a
// Pool that is in use stays, phase Terminating, until its last address is given back.
import type { ClusterStore, Kind } from '../api/cluster.ts';
import type { Pool, PoolStatus } from '../api/pool.ts';
import { mergePatchObject, patchStatus } from '../kube/apply.ts';
import { isApiError } from '../kube/errors.ts';
import { isAborted } from '../kube/ports.ts';
import type { ApiClient } from '../kube/transport.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { POOLS } from './project.ts';

/** Domain-qualified, as API servers want it. */
export const POOL_FINALIZER = 'vipvs.io/addresses-in-use';
const STATUS_EVERY_MS = 1000;

export interface PoolWriterPorts {
  readonly client: ApiClient;
  readonly store: ClusterStore;
  readonly mayWrite: () => boolean;
  /** A status could not be written: decide it again. */
  readonly onFailed: (kind: Kind, key: string) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export class PoolWriter {
  readonly #ports: PoolWriterPorts;
  readonly #pending = new Map<string, PoolStatus>();
  #timer: (() => void) | undefined;
  #lastMs = Number.NEGATIVE_INFINITY;
  #running: Promise<void> = Promise.resolve();
  #writes = 0;

  constructor(ports: PoolWriterPorts) {
    this.#ports = ports;
    ports.signal.addEventListener('abort', () => this.#timer?.(), { once: true });
  }

  get writes(): number {
    return this.#writes;
  }

  /** The last status of a Pool wins; it is written within a second. */
  set(pool: string, status: PoolStatus): void {
    this.#pending.set(pool, status);
    this.#schedule();
  }

  /** After each step: which Pools need their finalizer, which may go. */
  check(inUse: (pool: string) => boolean): void {
    for (const [name, pool] of this.#ports.store.pools) {
      const change = finalizersFor(pool, inUse(name));
      if (change !== undefined) this.#enqueue(name, () => this.#patchFinalizers(pool, change));
    }
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#ports.signal.aborted) return;
    const { clock } = this.#ports;
    const delayMs = Math.max(0, this.#lastMs + STATUS_EVERY_MS - clock.nowMs());
    this.#timer = clock.timer(delayMs, () => {
      this.#timer = undefined;
      this.#lastMs = clock.nowMs();
      for (const [name, status] of this.#pending) {
        this.#enqueue(name, () => this.#patchStatus(name, status));
      }
      this.#pending.clear();
    });
  }

  #enqueue(name: string, write: () => Promise<void>): void {
    const { signal, mayWrite, log, onFailed } = this.#ports;
    this.#running = this.#running.then(async () => {
      if (signal.aborted || !mayWrite()) return;
      try {
        this.#writes += 1;
        await write();
      } catch (error) {
        if (isAborted(signal)) return;
        if (!isApiError(error)) throw error;
        log.warn({ pool: name, code: error.code, err: error }, 'cannot write the Pool');
        await this.#ports.clock.sleep(STATUS_EVERY_MS, signal);
        onFailed('Pool', name);
      }
    });
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

  async #patchFinalizers(pool: Pool, finalizers: readonly string[]): Promise<void> {
    const { client, signal, store } = this.#ports;
    const { name, resourceVersion } = pool.metadata;
    const current = store.pools.get(name);
    if (current !== pool) return; // it changed meanwhile: checked again after the next step
    const patch = { metadata: { finalizers: finalizers.length === 0 ? null : finalizers } };
    await mergePatchObject(client, POOLS, { at: { name }, patch, resourceVersion }, signal);
  }
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
export function finalizersFor(pool: Pool, isInUse: boolean): readonly string[] | undefined {
  const finalizers = pool.metadata.finalizers ?? [];
  const has = finalizers.includes(POOL_FINALIZER);
  const isLeaving = pool.metadata.deletionTimestamp !== undefined;
  // an object that is being deleted takes no new finalizers
  if (isInUse && !has && !isLeaving) return [...finalizers, POOL_FINALIZER];
  if (!isInUse && has) return finalizers.filter((finalizer) => finalizer !== POOL_FINALIZER);
  return undefined;
}
