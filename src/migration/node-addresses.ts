// Addresses of Services that are no VIPs: k3s ServiceLB puts the addresses of all nodes on every Service, a cloud's
// controller those of its machines. They are recognised by the Nodes, or by how the Services look. Pure.
// Facts (k3s, pkg/cloudprovider/servicelb.go): every ready node that runs the pods of the Service's DaemonSet is in its
// status; the cloud provider library puts the finalizer below on it, as it does for kube-vip's cloud provider, which also
// writes the address down as one that the Service asks for.
import { familyOf, tryParseIp, type IpAddress } from '../net/address.ts';
import { invariant } from '../runtime/errors.ts';
import { childOf, isObject, listOf, textOf } from './json.ts';
import { labelOf, type Note, type SourceObject } from './model.ts';
import { Notes } from './notes.ts';
import type { ServiceFacts } from './services.ts';

export const CLEANUP_FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';

export type NodeAddresses = ReadonlyMap<IpAddress, string>;

/** Whose the addresses are: `Node n1`. */
export function nodeAddressesOf(objects: readonly SourceObject[]): NodeAddresses {
  const found = new Map<IpAddress, string>();
  for (const object of objects) {
    if (object.group !== '' || object.kind !== 'Node') continue;
    for (const entry of listOf(childOf(object.raw, 'status'), 'addresses').filter(isObject)) {
      const ip = tryParseIp(textOf(entry, 'address') ?? '');
      if (ip !== undefined) found.set(ip, labelOf(object));
    }
  }
  return found;
}

/** Whether a source system says that the Service has the address, or hands it out. */
export type IsKnown = (address: IpAddress, facts: ServiceFacts) => boolean;

export class NodeAddressFinder {
  readonly #nodes: NodeAddresses;
  readonly #isKnown: IsKnown;
  /** How many Services show exactly these addresses. */
  readonly #alike = new Map<string, number>();

  constructor(nodes: NodeAddresses, services: readonly ServiceFacts[], isKnown: IsKnown) {
    this.#nodes = nodes;
    this.#isKnown = isKnown;
    for (const facts of services) {
      const list = this.#openOf(facts).join();
      this.#alike.set(list, (this.#alike.get(list) ?? 0) + 1);
    }
  }

  /** What the Service shows, without what is no VIP; a note says why. */
  vipsOf(facts: ServiceFacts, all: Note[]): readonly IpAddress[] {
    const open = this.#openOf(facts);
    const reason = this.#reasonOf(facts, open);
    const theirs = open.filter((ip) => reason !== undefined || this.#nodes.has(ip));
    if (theirs.length === 0) return facts.shown;
    const owners = new Set(theirs.flatMap((ip) => this.#nodes.get(ip) ?? []));
    const why = [...owners, ...(reason === undefined ? [] : [reason])].join(', ');
    const text = `shows ${theirs.join(', ')}: addresses of nodes, or like them (k3s ServiceLB, or a cloud's: ${why}), so they are no VIPs and nothing is reserved; if they are, give the pool that has them, too`;
    Notes.ofService(all, facts).add('error', text, 'status.loadBalancer.ingress');
    return facts.shown.filter((ip) => !theirs.includes(ip));
  }

  /** Shown, but neither asked for nor known to any source system. */
  #openOf(facts: ServiceFacts): readonly IpAddress[] {
    return facts.shown.filter((ip) => !facts.asked.includes(ip) && !this.#isKnown(ip, facts));
  }

  #reasonOf(facts: ServiceFacts, open: readonly IpAddress[]): string | undefined {
    if (open.length === 0) return undefined;
    const isCloud = facts.service.metadata.finalizers?.includes(CLEANUP_FINALIZER) === true;
    const alike = this.#alike.get(open.join());
    invariant(alike !== undefined, `${facts.key} was counted`);
    const isSeveral = new Set(open.map(familyOf)).size < open.length;
    if (!isCloud && !(isSeveral && alike > 1)) return undefined;
    return [
      ...(isCloud ? [`finalizer ${CLEANUP_FINALIZER}`] : []),
      ...(isSeveral ? ['several addresses'] : []),
      ...(alike > 1 ? [`the same on ${alike} Services`] : []),
    ].join(', ');
  }
}
