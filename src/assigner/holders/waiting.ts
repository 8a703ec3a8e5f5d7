// Which Services wait for what. A refused Service is decided again when one of the things it waits for changes, and
// not before.
import type { Family, IpAddress } from '../../net/address.ts';

/**
 * What a Service waits for. It is decided again when one of these is reported as changed. `sharing` is any holder under the
 * key, `first` one of the few that a condition names; `pools-settled` is the time after which a missing Pool is missing.
 */
export type WaitKey =
  | `ip:${IpAddress}`
  | `free:${string}:${Family}`
  | `limit:${string}:${string}`
  | `sharing:${string}`
  | `first:${string}`
  | 'pools-settled'
  | `namespace:${string}`
  | `service:${string}`;

export class WaitList {
  readonly #byKey = new Map<WaitKey, Set<string>>();
  readonly #byService = new Map<string, readonly WaitKey[]>();

  has(key: WaitKey): boolean {
    return this.#byKey.has(key);
  }

  waitingFor(key: WaitKey): Iterable<string> {
    return this.#byKey.get(key) ?? [];
  }

  set(service: string, keys: readonly WaitKey[]): void {
    this.clear(service);
    if (keys.length === 0) return;
    this.#byService.set(service, keys);
    for (const key of keys) {
      const services = this.#byKey.get(key);
      if (services === undefined) this.#byKey.set(key, new Set([service]));
      else services.add(service);
    }
  }

  clear(service: string): void {
    for (const key of this.#byService.get(service) ?? []) {
      const services = this.#byKey.get(key);
      services?.delete(service);
      if (services?.size === 0) this.#byKey.delete(key);
    }
    this.#byService.delete(service);
  }
}
