// Who holds which address: an index over IP objects, kept in step with what was decided. It is derived state: built
// from the IP objects at start, and each IP object that changes is put in again. Not I/O: maps only.
// Invariant: an address that has an IP object, or that is a ClusterIP, is occupied in its Pool's free space.
import { LAST_SERVICE } from '../../api/annotations.ts';
import type { IP, IpService } from '../../api/ip.ts';
import { clusterIps } from '../../api/cluster-ranges.ts';
import { Index } from '../../api/many-to-many.ts';
import { namespacedName, type Node, type Service, type ServiceCidr } from '../../api/kubernetes.ts';
import type { Pool } from '../../api/pool.ts';
import {
  familyOf,
  ipOfObjectName,
  objectNameOf,
  tryParseIp,
  type Family,
  type IpAddress,
} from '../../net/address.ts';
import { rangeHas, type IpRange } from '../../net/range.ts';
import { ClusterUse } from './cluster-use.ts';
import { claimsOf } from './ip-object.ts';
import type { WaitKey } from './waiting.ts';
import { PoolSpaces } from './pools.ts';
import { SharingIndex } from './sharing-index.ts';

export interface IpRecord {
  readonly ip: IP;
  readonly address: IpAddress;
  /** In order of namespace/name. */
  readonly claims: readonly IpService[];
}

export class Holders {
  #poolObjects: ReadonlyMap<string, Pool>;
  readonly #use = new ClusterUse();
  #pools: PoolSpaces;
  readonly #records = new Map<IpAddress, IpRecord>();
  /** Names of IP objects that are not usable -> why. */
  readonly #malformed = new Map<string, string>();
  readonly #byService = new Index<string, IpAddress>();
  readonly #sharing = new SharingIndex();
  readonly #forService = new Index<string, IpAddress>();
  readonly #forNamespace = new Index<string, IpAddress>();
  /** Pool -> ClusterIPs in its free space. */
  readonly #clusterIpsIn = new Index<string, IpAddress>();
  /** Pool named in the IP -> its addresses that no usable Pool holds. */
  readonly #outside = new Index<string, IpAddress>();
  /** `pool namespace` -> addresses of the Pool that the namespace holds. */
  readonly #counts = new Map<string, number>();
  /** Before that nobody waits. */
  #isBuilt = false;
  #changed = new Set<WaitKey>();

  constructor(
    pools: ReadonlyMap<string, Pool>,
    nodes: Iterable<Node>,
    ips: Iterable<IP>,
    serviceCidrs: Iterable<ServiceCidr> = [],
    services: Iterable<readonly [string, Service]> = [],
  ) {
    this.#poolObjects = new Map(pools);
    this.#use.set(nodes, serviceCidrs);
    for (const [key, service] of services) this.#use.setClusterIps(key, clusterIps(service));
    this.#pools = this.#newPools();
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

  services(): IterableIterator<string> {
    return this.#byService.keys();
  }

  /** Addresses that are held under the sharing key. */
  sharedUnder(key: string): ReadonlySet<IpAddress> {
    return this.#sharing.under(key);
  }

  /** The lowest few of them, of one family. */
  firstUnder(key: string, family: Family): readonly IpAddress[] {
    return this.#sharing.firstUnder(key, family);
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

  /** `namespace/name` of the Service whose ClusterIP this is. */
  clusterIpOwner(address: IpAddress): string | undefined {
    return this.#use.clusterIpOwner(address);
  }

  /** Why the address should not be a VIP, as a sentence: the cluster uses it itself. */
  clashOf(address: IpAddress): string | undefined {
    const owner = this.clusterIpOwner(address);
    if (owner !== undefined) return `it is the ClusterIP of Service ${owner}`;
    const node = this.#use.nodeOf(address);
    // a Pool that hands it out nevertheless is annotated to do so
    if (node !== undefined && this.#pools.poolOf(address) === undefined) {
      return `node ${node} has this address itself`;
    }
    const range = this.#use.rangeOf(address);
    return range === undefined ? undefined : `it is inside ${range}`;
  }

  /** ClusterIPs among the addresses that the Pool would hand out. */
  clusterIpsIn(pool: string): readonly IpAddress[] {
    return this.#clusterIpsIn.get(pool);
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
    if (this.clusterIpOwner(old.address) === undefined) this.#free(old.address);
  }

  /** Pools changed: their free space is built anew from the records. */
  setPools(pools: ReadonlyMap<string, Pool>): void {
    this.#poolObjects = new Map(pools);
    this.#rebuild();
  }

  /** Nodes or ServiceCIDRs changed. Answers true where that touches a Pool or an IP, and all must be decided again. */
  setNodes(nodes: Iterable<Node>, serviceCidrs: Iterable<ServiceCidr> = []): boolean {
    const { addresses, ranges } = this.#use.set(nodes, serviceCidrs);
    const matters =
      addresses.some((address) => this.#records.has(address) || this.#pools.declares(address)) ||
      ranges.some((range) => this.#pools.declaresAny(range) || this.#hasRecordIn(range));
    if (matters) this.#rebuild();
    return matters;
  }

  #hasRecordIn(range: IpRange): boolean {
    for (const address of this.#records.keys()) if (rangeHas(range, address)) return true;
    return false;
  }

  /** A Service came, changed or went. Answers the addresses in use that became, or are no more, its ClusterIPs. */
  setService(key: string, service: Service | undefined): readonly IpAddress[] {
    const ips = service === undefined ? NO_ADDRESSES : clusterIps(service);
    const changed = this.#use.setClusterIps(key, ips);
    for (const address of changed) {
      if (this.clusterIpOwner(address) === undefined) this.#freeClusterIp(address);
      else this.#occupyClusterIp(address);
      this.#note(`ip:${address}`);
    }
    return changed.filter((address) => this.#records.has(address));
  }

  #occupyClusterIp(address: IpAddress): void {
    const pool = this.#pools.poolOf(address);
    if (pool === undefined) return;
    this.#clusterIpsIn.add(pool.name, address);
    const full = this.#pools.occupy(address);
    if (full !== undefined) this.#note(`free:${full.name}:${familyOf(address)}`);
  }

  #freeClusterIp(address: IpAddress): void {
    const pool = this.#pools.poolOf(address);
    if (pool === undefined) return;
    this.#clusterIpsIn.delete(pool.name, address);
    if (!this.#records.has(address)) this.#free(address);
  }

  /** With the ClusterIPs taken out of their free space. */
  #newPools(): PoolSpaces {
    const { nodeAddresses, ranges, clusterIps: ips } = this.#use;
    const pools = new PoolSpaces(this.#poolObjects, nodeAddresses, ranges);
    this.#clusterIpsIn.clear();
    for (const address of ips) {
      const pool = pools.poolOf(address);
      if (pool === undefined) continue;
      this.#clusterIpsIn.add(pool.name, address);
      pools.occupy(address);
    }
    return pools;
  }

  #rebuild(): void {
    this.#pools = this.#newPools();
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

  #noteFree(address: IpAddress): void {
    const pool = this.#pools.poolOf(address);
    if (pool !== undefined) this.#note(`free:${pool.name}:${familyOf(address)}`);
  }

  #noteSharing(key: string, isFirst: boolean): void {
    this.#note(`sharing:${key}`);
    if (isFirst) this.#note(`first:${key}`);
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
        const isFirst = this.#sharing.add(claim.sharingKey, address);
        this.#noteSharing(claim.sharingKey, isFirst);
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
      this.#noteFree(address);
    }
  }

  #unindex(record: IpRecord): void {
    const { address, claims, ip } = record;
    for (const claim of claims) {
      this.#byService.delete(namespacedName(claim), address);
      if (claim.sharingKey !== undefined) {
        const isFirst = this.#sharing.delete(claim.sharingKey, address);
        this.#noteSharing(claim.sharingKey, isFirst);
      }
    }
    this.#count(record, -1);
    const kept = keptFor(ip);
    if (kept.service !== undefined) {
      this.#forService.delete(kept.service, address);
      this.#note(`service:${kept.service}`);
    }
    if (kept.namespace !== undefined) {
      this.#forNamespace.delete(kept.namespace, address);
      // who was told of another obstacle to it may have to be told that there is nothing
      this.#noteFree(address);
    }
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

const NO_ADDRESSES: readonly IpAddress[] = [];
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
