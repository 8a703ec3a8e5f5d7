// The objects that the agent works on, as its watches fill them in: only Services with a VIP and their EndpointSlices
// stand in the store, the slices of all others are parked. Slices that come before the Services are listed wait as
// they are: parking 10,000 of them to take them back a second later is half a second of work.
import { ClusterStore, serviceKeyOfSlice, type ClusterObject } from '../../api/cluster.ts';
import { keyOf, type Kind } from '../../api/cluster.ts';
import type { EndpointSlice } from '../../api/kubernetes.ts';
import { ParkedSlices } from './parked-slices.ts';

export type Changed = (before: ClusterObject | undefined, after: ClusterObject | undefined) => void;

export class NodeObjects {
  readonly store = new ClusterStore();
  readonly #parked = new ParkedSlices();
  readonly #onChange: Changed;
  /** undefined: it is known which Services there are. */
  #early: Map<string, EndpointSlice> | undefined;

  constructor(onChange: Changed) {
    this.#onChange = onChange;
  }

  /** From now on until `servicesListed` slices wait for their Services. */
  awaitServices(): void {
    this.#early ??= new Map();
  }

  servicesListed(): void {
    const early = this.#early ?? new Map<string, EndpointSlice>();
    this.#early = undefined;
    for (const slice of early.values()) this.set(slice);
  }

  /** Slices that no VIP needs. */
  get shelved(): number {
    return this.#parked.size;
  }

  set(object: ClusterObject): void {
    if (object.kind === 'EndpointSlice' && this.#early !== undefined) {
      this.#early.set(keyOf(object), object);
      return;
    }
    if (object.kind === 'EndpointSlice' && !this.#isNeeded(object)) {
      this.#shelve(object);
      return;
    }
    const key = keyOf(object);
    if (object.kind === 'EndpointSlice') this.#parked.remove(key);
    if (object.kind === 'Service' && !this.store.services.has(key)) {
      for (const slice of this.#parked.take(key)) this.store.set(slice);
    }
    const before = this.store.get(object.kind, key);
    this.store.set(object);
    this.#onChange(before, object);
  }

  delete(kind: Kind, key: string): void {
    if (kind === 'EndpointSlice') {
      this.#early?.delete(key);
      this.#parked.remove(key);
    }
    const before = this.store.get(kind, key);
    if (before === undefined) return;
    this.store.delete(kind, key);
    this.#onChange(before, undefined);
    if (kind !== 'Service') return;
    for (const slice of this.store.endpointSlicesOf(key)) this.#shelve(slice);
  }

  #isNeeded(slice: EndpointSlice): boolean {
    const service = serviceKeyOfSlice(slice);
    return service !== undefined && this.store.services.has(service);
  }

  /** Its label may have moved it away from a Service that is here. */
  #shelve(slice: EndpointSlice): void {
    const key = keyOf(slice);
    const before = this.store.endpointSlices.get(key);
    this.#parked.put(slice);
    if (before === undefined) return;
    this.store.delete('EndpointSlice', key);
    this.#onChange(before, undefined);
  }
}
