// EndpointSlices of Services that have no VIP, as text: a watch shows each slice once, and its Service may get an address
// later. As objects they would cost several times as much, and most slices of a cluster are never needed.
import { serviceKeyOfSlice } from '../../api/cluster.ts';
import type { EndpointSlice } from '../../api/kubernetes.ts';
import { namespacedName } from '../../api/kubernetes.ts';

export class ParkedSlices {
  /** Service -> slice -> text */
  readonly #texts = new Map<string, Map<string, string>>();
  readonly #services = new Map<string, string>();

  get size(): number {
    return this.#services.size;
  }

  put(slice: EndpointSlice): void {
    const key = namespacedName(slice.metadata);
    this.remove(key);
    const service = serviceKeyOfSlice(slice);
    if (service === undefined) return;
    const texts = this.#texts.get(service) ?? new Map<string, string>();
    this.#texts.set(service, texts.set(key, JSON.stringify(slice)));
    this.#services.set(key, service);
  }

  remove(key: string): void {
    const service = this.#services.get(key);
    if (service === undefined) return;
    this.#services.delete(key);
    const texts = this.#texts.get(service);
    texts?.delete(key);
    if (texts?.size === 0) this.#texts.delete(service);
  }

  /** Gives back the slices of a Service, which are parked no more. */
  take(service: string): readonly EndpointSlice[] {
    const texts = this.#texts.get(service);
    if (texts === undefined) return [];
    this.#texts.delete(service);
    for (const key of texts.keys()) this.#services.delete(key);
    // its own text of a slice
    return [...texts.values()].map((text) => JSON.parse(text) as EndpointSlice);
  }
}
