// EndpointSlices of Services that have no VIP, as text: a watch shows each slice once, and its Service may get an address
// later. As objects they would cost several times as much, and most slices of a cluster are never needed.
import { serviceKeyOfSlice } from '../../api/cluster.ts';
import type { EndpointSlice } from '../../api/kubernetes.ts';
import { namespacedName } from '../../api/kubernetes.ts';
import { Index } from '../../api/many-to-many.ts';

interface Parked {
  /** Whose slice it is. */
  readonly service: string;
  readonly text: string;
}

export class ParkedSlices {
  readonly #parked = new Map<string, Parked>();
  /** Service -> keys of its slices */
  readonly #slices = new Index<string, string>();

  get size(): number {
    return this.#parked.size;
  }

  put(slice: EndpointSlice): void {
    const key = namespacedName(slice.metadata);
    this.remove(key);
    const service = serviceKeyOfSlice(slice);
    if (service === undefined) return;
    this.#parked.set(key, { service, text: JSON.stringify(slice) });
    this.#slices.add(service, key);
  }

  remove(key: string): Parked | undefined {
    const parked = this.#parked.get(key);
    if (parked === undefined) return undefined;
    this.#parked.delete(key);
    this.#slices.delete(parked.service, key);
    return parked;
  }

  /** Gives back the slices of a Service, which are parked no more. */
  take(service: string): readonly EndpointSlice[] {
    const parked = this.#slices.get(service).map((key) => this.remove(key));
    // its own text of a slice
    return parked.flatMap((each) => (each ? (JSON.parse(each.text) as EndpointSlice) : []));
  }
}
