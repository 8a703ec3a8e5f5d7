// What could not be reached, key by key: why, for whom, and when to try again. One bad virtual server never delays
// another: each key has its own delay.
import { Index } from '../../api/many-to-many.ts';
import type { Problem } from '../../api/problem.ts';
import type { IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import { Backoff, type BackoffLimits } from '../../runtime/backoff.ts';
import type { Random } from '../../runtime/clock.ts';

/** A module that is loaded or a link that comes up is noticed within half a minute. */
const RETRY: BackoffLimits = { firstMs: 1000, maxMs: 30_000 };

/** What could not be reached, and so what is looked at again. */
export type Target =
  | { readonly kind: 'virtual server'; readonly key: VirtualServerKey }
  | { readonly kind: 'address' | 'announcement'; readonly address: IpAddress }
  | { readonly kind: 'firewall' | 'sysctls' };

function targetKey(target: Target): string {
  if ('key' in target) return target.key;
  return 'address' in target ? `${target.kind} ${target.address}` : target.kind;
}

export interface Fault {
  readonly target: Target;
  readonly services: readonly string[];
  /** Undefined: nothing to tell the user yet. */
  readonly problem: Pick<Problem, 'reason' | 'message'> | undefined;
}

interface Entry extends Fault {
  readonly backoff: Backoff;
  readonly dueMs: number;
}

export class Retries {
  readonly #random: Random;
  readonly #entries = new Map<string, Entry>();
  readonly #byService = new Index<string, string>();
  #touched = new Set<string>();

  constructor(random: Random) {
    this.#random = random;
  }

  get size(): number {
    return this.#entries.size;
  }

  get faults(): Iterable<Fault> {
    return this.#entries.values();
  }

  /** Failed again, or for the first time. */
  fail(fault: Fault, nowMs: number): void {
    const key = targetKey(fault.target);
    const backoff = this.#entries.get(key)?.backoff ?? new Backoff(RETRY, this.#random);
    this.clear(fault.target);
    this.#entries.set(key, { ...fault, backoff, dueMs: nowMs + backoff.nextMs() });
    for (const service of fault.services) {
      this.#byService.add(service, key);
      this.#touched.add(service);
    }
  }

  clear(target: Target): void {
    if (this.#entries.size === 0) return;
    const key = targetKey(target);
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    for (const service of entry.services) {
      this.#byService.delete(service, key);
      this.#touched.add(service);
    }
  }

  /** Clears those meant, but for what failed just now. */
  clearOthers(failing: readonly Fault[], isMeant: (target: Target) => boolean): void {
    const keys = new Set(failing.map(({ target }) => targetKey(target)));
    for (const { target } of [...this.#entries.values()]) {
      if (isMeant(target) && !keys.has(targetKey(target))) this.clear(target);
    }
  }

  faultsOf(service: string): readonly Fault[] {
    return this.#byService.get(service).flatMap((key) => this.#entries.get(key) ?? []);
  }

  /** Whose time has come. */
  due(nowMs: number): readonly Target[] {
    if (this.#entries.size === 0) return [];
    return [...this.#entries.values()]
      .filter(({ dueMs }) => dueMs <= nowMs)
      .map(({ target }) => target);
  }

  get nextDueMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { dueMs } of this.#entries.values()) next = Math.min(next, dueMs);
    return next;
  }

  /** Services whose faults changed since the last call. */
  takeTouched(): ReadonlySet<string> {
    const touched = this.#touched;
    this.#touched = new Set();
    return touched;
  }
}
