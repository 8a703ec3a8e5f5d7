// Which Services wait for what. A refused Service is decided again when one of the things it waits for changes, and
// not before.
import { Index } from '../../api/many-to-many.ts';
import type { Family, IpAddress } from '../../net/address.ts';

/** What a refused Service waits for. It is decided again when one of these is reported as changed. */
export type WaitKey =
  | `ip:${IpAddress}`
  | `free:${string}:${Family}`
  | `limit:${string}:${string}`
  | `sharing:${string}`
  | `namespace:${string}`
  | `service:${string}`;

export class WaitList {
  readonly #services = new Index<WaitKey, string>();
  readonly #keys = new Map<string, readonly WaitKey[]>();

  waitingFor(key: WaitKey): readonly string[] {
    return this.#services.get(key);
  }

  set(service: string, keys: readonly WaitKey[]): void {
    this.clear(service);
    if (keys.length === 0) return;
    this.#keys.set(service, keys);
    for (const key of keys) this.#services.add(key, service);
  }

  clear(service: string): void {
    for (const key of this.#keys.get(service) ?? []) this.#services.delete(key, service);
    this.#keys.delete(service);
  }
}
