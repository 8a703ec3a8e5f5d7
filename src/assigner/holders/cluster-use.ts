// What the cluster itself uses of the address space, beside the VIPs: the nodes' own addresses, Service CIDRs, pod CIDRs
// and ClusterIPs. Each Node and ServiceCIDR is read once; ClusterIPs are told one by one. Not I/O: maps only.
import {
  nodeIps,
  podCidrRanges,
  serviceCidrRanges,
  type ClusterRange,
} from '../../api/cluster-ranges.ts';
import { Index } from '../../api/many-to-many.ts';
import type { Node, ServiceCidr } from '../../api/kubernetes.ts';
import { familyOf, ipToBigInt, type IpAddress } from '../../net/address.ts';
import { findRange, mergeRanges } from '../../net/range-set.ts';
import { formatRange, rangeHas, type IpRange } from '../../net/range.ts';

interface Read {
  readonly addresses: readonly IpAddress[];
  readonly ranges: readonly ClusterRange[];
}

/** What came or went. */
export interface UseChange {
  readonly addresses: readonly IpAddress[];
  readonly ranges: readonly IpRange[];
}

export class ClusterUse {
  readonly #read = new Map<Node | ServiceCidr, Read>();
  #nodeOf: ReadonlyMap<IpAddress, string> = new Map();
  /** By their text: the same range of two objects is there twice. */
  #ranges: ReadonlyMap<string, ClusterRange> = new Map();
  #merged: readonly IpRange[] = [];
  /** ClusterIP -> Services; two have the same one in manifests only. */
  readonly #servicesOf = new Index<IpAddress, string>();
  readonly #ipsOf = new Index<string, IpAddress>();

  /** Addresses of nodes. */
  get nodeAddresses(): readonly IpAddress[] {
    return [...this.#nodeOf.keys()];
  }

  get ranges(): readonly ClusterRange[] {
    return [...this.#ranges.values()];
  }

  get clusterIps(): Iterable<IpAddress> {
    return this.#servicesOf.keys();
  }

  /** The node that has this address itself. */
  nodeOf(address: IpAddress): string | undefined {
    return this.#nodeOf.get(address);
  }

  /** `namespace/name` of the Service whose ClusterIP this is; of two the first by name. */
  clusterIpOwner(address: IpAddress): string | undefined {
    return [...this.#servicesOf.get(address)].sort()[0];
  }

  /** The Service CIDR or pod CIDR that the address is inside of, as text. */
  rangeOf(address: IpAddress): string | undefined {
    if (this.#merged.length === 0) return undefined;
    if (findRange(this.#merged, familyOf(address), ipToBigInt(address)) === undefined) {
      return undefined;
    }
    return this.ranges.find((range) => rangeHas(range, address))?.what;
  }

  /** Nodes or ServiceCIDRs changed. */
  set(nodes: Iterable<Node>, serviceCidrs: Iterable<ServiceCidr>): UseChange {
    const [oldNodes, oldRanges] = [this.#nodeOf, this.#ranges];
    const current = new Set<Node | ServiceCidr>();
    const nodeOf = new Map<IpAddress, string>();
    const ranges = new Map<string, ClusterRange>();
    for (const object of [...nodes, ...serviceCidrs]) {
      current.add(object);
      const { addresses, ranges: own } = this.#readOnce(object);
      const { name } = object.metadata;
      for (const address of addresses) {
        const other = nodeOf.get(address);
        if (other === undefined || name < other) nodeOf.set(address, name);
      }
      for (const range of own) ranges.set(`${formatRange(range)} ${range.what}`, range);
    }
    for (const object of this.#read.keys()) if (!current.has(object)) this.#read.delete(object);
    this.#nodeOf = nodeOf;
    this.#ranges = new Map([...ranges].sort(([a], [b]) => (a < b ? -1 : 1)));
    this.#merged = mergeRanges(this.ranges);
    return {
      addresses: [...onlyIn(oldNodes, nodeOf).keys(), ...onlyIn(nodeOf, oldNodes).keys()],
      ranges: [...onlyIn(oldRanges, ranges).values(), ...onlyIn(ranges, oldRanges).values()],
    };
  }

  /** A Service's ClusterIPs. Answers those that came or went. */
  setClusterIps(service: string, ips: readonly IpAddress[]): readonly IpAddress[] {
    const before = this.#ipsOf.get(service);
    const gone = before.filter((ip) => !ips.includes(ip));
    const come = ips.filter((ip) => !before.includes(ip));
    for (const ip of gone) {
      this.#servicesOf.delete(ip, service);
      this.#ipsOf.delete(service, ip);
    }
    for (const ip of come) {
      this.#servicesOf.add(ip, service);
      this.#ipsOf.add(service, ip);
    }
    return gone.concat(come);
  }

  #readOnce(object: Node | ServiceCidr): Read {
    const known = this.#read.get(object);
    if (known !== undefined) return known;
    const read =
      object.kind === 'Node'
        ? { addresses: nodeIps(object), ranges: podCidrRanges(object) }
        : { addresses: NO_IPS, ranges: serviceCidrRanges(object) };
    this.#read.set(object, read);
    return read;
  }
}

const NO_IPS: readonly IpAddress[] = [];

function onlyIn<K, V>(map: ReadonlyMap<K, V>, other: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
  return new Map([...map].filter(([key]) => !other.has(key)));
}
