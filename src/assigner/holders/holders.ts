// Who holds which address: an index over IP objects, kept in step with what was decided. It is derived state: built
// from the IP objects at start, and each IP object that changes is put in again. Not I/O: maps only.
// Invariant: an address that has an IP object, or that a node has, is occupied in its Pool's free space.
import { LAST_SERVICE } from '../../api/annotations.ts';
import type { IP, IpService } from '../../api/ip.ts';
import { namespacedName, type Node } from '../../api/kubernetes.ts';
import { Index } from '../../api/many-to-many.ts';
import type { Pool } from '../../api/pool.ts';
import {
  familyOf,
  ipOfObjectName,
  objectNameOf,
  tryParseIp,
  type IpAddress,
} from '../../net/address.ts';
import { claimsOf } from './ip-object.ts';
import type { WaitKey } from './waiting.ts';
import { PoolSpaces } from './pools.ts';

export interface IpRecord {
  readonly ip: IP;
  readonly address: IpAddress;
  /** In order of namespace/name. */
  readonly claims: readonly IpService[];
}

export class Holders {
  #poolObjects: ReadonlyMap<string, Pool>;
  #nodeOf: ReadonlyMap<IpAddress, string>;
  #pools: PoolSpaces;
  readonly #records = new Map<IpAddress, IpRecord>();
  /** Names of IP objects that are not usable -> why. */
  readonly #malformed = new Map<string, string>();
  readonly #byService = new Index<string, IpAddress>();
  readonly #bySharingKey = new Index<string, IpAddress>();
  readonly #forService = new Index<string, IpAddress>();
  readonly #forNamespace = new Index<string, IpAddress>();
  /** Pool named in the IP -> its addresses that no usable Pool holds. */
  readonly #outside = new Index<string, IpAddress>();
  /** `pool namespace` -> addresses of the Pool that the namespace holds. */
  readonly #counts = new Map<string, number>();
  /** Before that nobody waits. */
  #isBuilt = false;
  #changed = new Set<WaitKey>();

  constructor(pools: ReadonlyMap<string, Pool>, nodes: Iterable<Node>, ips: Iterable<IP>) {
    this.#poolObjects = new Map(pools);
    this.#nodeOf = nodeAddresses(nodes);
    this.#pools = new PoolSpaces(this.#poolObjects, [...this.#nodeOf.keys()]);
    for (const ip of ips) this.put(ip);
    this.#isBuilt = true;
  }

  get pools(): PoolSpaces {
    return this.#pools;
  }

  record(address: IpAddress): IpRecord | undefined {
    return this.#records.get(address);
  }

  /** Addresses that the Service (`namespace/name`) has a claim on. */
  addressesOf(service: string): readonly IpAddress[] {
    return this.#byService.get(service);
  }

  /** The same with their holders. */
  recordsOf(service: string): readonly IpRecord[] {
    return this.addressesOf(service)
      .map((address) => this.#records.get(address))
      .filter((record) => record !== undefined);
  }

  /** Who holds the address. */
  claimsOn(address: IpAddress): readonly IpService[] {
    return this.#records.get(address)?.claims ?? NO_CLAIMS;
  }

  services(): Iterable<string> {
    return this.#byService.keys();
  }

  /** Addresses that are held under the sharing key. */
  sharedUnder(key: string): readonly IpAddress[] {
    return this.#bySharingKey.get(key);
  }

  /** Addresses without a holder that are kept for this Service: reserved by name, or held by it last. */
  keptForService(service: string): readonly IpAddress[] {
    return this.#forService.get(service);
  }

  /** Addresses without a holder that are reserved for the namespace as a whole. */
  keptForNamespace(namespace: string): readonly IpAddress[] {
    return this.#forNamespace.get(namespace);
  }

  /** How many addresses of the Pool the namespace holds. */
  count(pool: string, namespace: string): number {
    return this.#counts.get(countKey(pool, namespace)) ?? 0;
  }

  /** Addresses in use that name this Pool, and that neither it nor another usable Pool holds. */
  outside(pool: string): readonly IpAddress[] {
    return this.#outside.get(pool);
  }

  /** The node that has this address itself. */
  nodeOf(address: IpAddress): string | undefined {
    return this.#nodeOf.get(address);
  }

  /** Why an IP object is left aside; undefined for one that is used. */
  malformed(name: string): string | undefined {
    return this.#malformed.get(name);
  }

  /** What changed since the last call, in the words of what Services wait for. */
  takeChanged(): ReadonlySet<WaitKey> {
    const changed = this.#changed;
    this.#changed = new Set();
    return changed;
  }

  /** A new or changed IP object. */
  put(ip: IP): void {
    const address = tryParseIp(ip.spec.address);
    const reason = malformation(ip, address);
    this.#malformed.delete(ip.metadata.name);
    if (address === undefined || reason !== undefined) {
      this.remove(ip.metadata.name);
      this.#malformed.set(ip.metadata.name, reason ?? 'not an address');
      return;
    }
    this.putRecord({ ip, address, claims: claimsOf(ip) });
  }

  /** The same for an object that was just decided, whose address is known to be good. */
  putRecord(record: IpRecord): void {
    const old = this.#records.get(record.address);
    if (old !== undefined) this.#unindex(old);
    this.#records.set(record.address, record);
    this.#index(record);
    const full = this.#pools.occupy(record.address);
    // who waits for other reasons may have to be told of this one too
    if (full !== undefined) this.#note(`free:${full.name}:${familyOf(record.address)}`);
    this.#note(`ip:${record.address}`);
  }

  /** The same object in another version: nobody needs to hear of it. */
  refresh(address: IpAddress, ip: IP): void {
    this.#records.set(address, { ip, address, claims: claimsOf(ip) });
  }

  /** An IP object is gone. */
  remove(name: string): void {
    this.#malformed.delete(name);
    const address = ipOfObjectName(name);
    const old = address === undefined ? undefined : this.#records.get(address);
    if (old === undefined) return;
    this.#records.delete(old.address);
    this.#unindex(old);
    this.#note(`ip:${old.address}`);
    this.#free(old.address);
  }

  /** Pools changed: their free space is built anew from the records. */
  setPools(pools: ReadonlyMap<string, Pool>): void {
    this.#poolObjects = new Map(pools);
    this.#rebuild();
  }

  /** Nodes changed. Answers true where that touches a Pool or an IP, and everything must be decided again. */
  setNodes(nodes: Iterable<Node>): boolean {
    const old = this.#nodeOf;
    this.#nodeOf = nodeAddresses(nodes);
    const isNew = (map: ReadonlyMap<IpAddress, string>) => (address: IpAddress) =>
      !map.has(address);
    const changed = [...old.keys()]
      .filter(isNew(this.#nodeOf))
      .concat([...this.#nodeOf.keys()].filter(isNew(old)));
    const matters = changed.some(
      (address) => this.#records.has(address) || this.#pools.declares(address),
    );
    if (matters) this.#rebuild();
    return matters;
  }

  #rebuild(): void {
    this.#pools = new PoolSpaces(this.#poolObjects, [...this.#nodeOf.keys()]);
    this.#counts.clear();
    this.#outside.clear();
    for (const record of this.#records.values()) {
      this.#pools.occupy(record.address);
      this.#count(record, 1);
    }
  }

  #note(change: WaitKey): void {
    if (this.#isBuilt) this.#changed.add(change);
  }

  #free(address: IpAddress): void {
    const pool = this.#pools.release(address);
    if (pool !== undefined) this.#note(`free:${pool.name}:${familyOf(address)}`);
  }

  #index(record: IpRecord): void {
    const { address, claims, ip } = record;
    for (const claim of claims) {
      this.#byService.add(namespacedName(claim), address);
      if (claim.sharingKey !== undefined) {
        this.#bySharingKey.add(claim.sharingKey, address);
        this.#note(`sharing:${claim.sharingKey}`);
      }
    }
    this.#count(record, 1);
    if (claims.length > 0) return;
    const kept = keptFor(ip);
    if (kept.service !== undefined) {
      this.#forService.add(kept.service, address);
      this.#note(`service:${kept.service}`);
    } else if (kept.namespace !== undefined) {
      this.#forNamespace.add(kept.namespace, address);
      const pool = this.#pools.poolOf(address);
      if (pool !== undefined) this.#note(`free:${pool.name}:${familyOf(address)}`);
    }
  }

  #unindex(record: IpRecord): void {
    const { address, claims, ip } = record;
    for (const claim of claims) {
      this.#byService.delete(namespacedName(claim), address);
      if (claim.sharingKey !== undefined) {
        this.#bySharingKey.delete(claim.sharingKey, address);
        this.#note(`sharing:${claim.sharingKey}`);
      }
    }
    this.#count(record, -1);
    const kept = keptFor(ip);
    if (kept.service !== undefined) {
      this.#forService.delete(kept.service, address);
      this.#note(`service:${kept.service}`);
    }
    if (kept.namespace !== undefined) this.#forNamespace.delete(kept.namespace, address);
  }

  /** A namespace counts once per address, however many of its Services share it. */
  #count(record: IpRecord, step: 1 | -1): void {
    const { address, ip } = record;
    const pool = this.#pools.poolOf(address);
    if (pool === undefined) {
      if (step > 0) this.#outside.add(ip.spec.poolName, address);
      else this.#outside.delete(ip.spec.poolName, address);
      return;
    }
    let previous: string | undefined;
    for (const { namespace } of record.claims) {
      if (namespace === previous) continue; // claims are in order of namespace
      previous = namespace;
      const key = countKey(pool.name, namespace);
      const count = (this.#counts.get(key) ?? 0) + step;
      if (count > 0) this.#counts.set(key, count);
      else this.#counts.delete(key);
      if (pool.pool.spec.perNamespaceLimit !== undefined) {
        this.#note(`limit:${pool.name}:${namespace}`);
      }
    }
  }
}

const NO_CLAIMS: readonly IpService[] = [];

function countKey(pool: string, namespace: string): string {
  return `${pool} ${namespace}`;
}

/** For whom an address without a holder is kept. */
function keptFor(ip: IP): { readonly service?: string; readonly namespace?: string } {
  const { reservedFor } = ip.spec;
  if (reservedFor === undefined) {
    const service = ip.metadata.annotations?.[LAST_SERVICE];
    return service === undefined ? {} : { service };
  }
  const { namespace, service } = reservedFor;
  return service === undefined ? { namespace } : { service: `${namespace}/${service}` };
}

function malformation(ip: IP, address: IpAddress | undefined): string | undefined {
  if (address === undefined)
    return `spec.address ${JSON.stringify(ip.spec.address)} is not an IP address`;
  const name = objectNameOf(address);
  if (ip.metadata.name === name) return undefined;
  return `an IP for ${address} must have the name ${name}`;
}

function nodeAddresses(nodes: Iterable<Node>): ReadonlyMap<IpAddress, string> {
  const addresses = new Map<IpAddress, string>();
  for (const node of nodes) {
    for (const { address } of node.status?.addresses ?? []) {
      const ip = tryParseIp(address); // also host names stand in this list
      if (ip === undefined) continue;
      const other = addresses.get(ip);
      if (other === undefined || node.metadata.name < other) addresses.set(ip, node.metadata.name);
    }
  }
  return addresses;
}
