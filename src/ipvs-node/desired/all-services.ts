// The NodeState of all Services together, kept up to date Service by Service: what a changed object costs depends on
// the Services that it touches, never on how many there are. Memory only: no I/O, no clock.
// Invariant: `state` is what computing every Service anew would give, in whatever order the changes came.
import type { ClusterObject, ClusterView } from '../../api/cluster.ts';
import { serviceKeyOfSlice } from '../../api/cluster.ts';
import { namespacedName, type Node } from '../../api/kubernetes.ts';
import { Index } from '../../api/many-to-many.ts';
import { resolvePools, type ResolvedPools } from '../../api/pools.ts';
import { serviceRef, type Problem } from '../../api/problem.ts';
import { tryParseIp, type IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import {
  contributionOf,
  seniorityOf,
  type Claim,
  type Contribution,
  type NodeView,
} from './service.ts';
import { KubeProxyClaims } from './kube-proxy-claims.ts';
import { NodeStateBuilder, type Changed } from './counted-state.ts';
import type { HeldGroups } from '../model/held-groups.ts';
import type { NodeState } from '../model/state.ts';

export interface DesiredNode {
  readonly state: NodeState;
  /** In the order of the Services. */
  readonly problems: readonly Problem[];
}

/** Everything at once: what `vipvs plan` prints and tests compare. */
export function desiredNode(
  view: ClusterView,
  node: NodeView,
  hostAddresses: ReadonlySet<IpAddress> = new Set(),
): DesiredNode {
  const index = new DesiredIndex(view, node);
  index.setHostAddresses(hostAddresses);
  index.update(view.services.keys());
  const services = [...index.services].sort();
  return { state: index.state, problems: services.flatMap((key) => index.problemsOf(key)) };
}

export class DesiredIndex {
  readonly #view: ClusterView;
  #node: NodeView;
  readonly #builder: NodeStateBuilder;
  readonly #contributions = new Map<string, Contribution>();
  /** Claims of each virtual server, the winner first; one alone, as nearly all are, without a list. */
  readonly #claims = new Map<VirtualServerKey, Claim | readonly Claim[]>();
  readonly #servicesByIngress = new Index<IpAddress, string>();
  readonly #servicesByNode = new Index<string, string>();
  readonly #kubeProxyClaims = new KubeProxyClaims();
  #pools: ResolvedPools;
  #hostAddresses: ReadonlySet<IpAddress> = new Set();

  constructor(view: ClusterView, node: NodeView) {
    this.#view = view;
    this.#node = node;
    this.#builder = new NodeStateBuilder(node);
    this.#pools = resolvePools(view.pools.values());
  }

  /** Live: it changes with every update. */
  get state(): NodeState {
    return this.#builder.state;
  }

  get kubeProxyMode(): NodeView['kubeProxyMode'] {
    return this.#node.kubeProxyMode;
  }

  get pools(): ResolvedPools {
    return this.#pools;
  }

  /** Services that ask something of this node. */
  get services(): IterableIterator<string> {
    return this.#contributions.keys();
  }

  has(service: string): boolean {
    return this.#contributions.has(service);
  }

  problemsOf(service: string): readonly Problem[] {
    const contribution = this.#contributions.get(service);
    if (contribution === undefined) return [];
    return [...contribution.problems, ...this.#disputesOf(service, contribution)];
  }

  servicesOfAddress(address: IpAddress): readonly string[] {
    return this.#servicesByIngress.get(address);
  }

  /** Services to update after an object changed in the view; undefined stands for absent. */
  touchedBy(
    before: ClusterObject | undefined,
    after: ClusterObject | undefined,
  ): ReadonlySet<string> {
    const touched = new Set<string>();
    for (const object of [before, after]) {
      if (object !== undefined) this.#addTouched(object, touched);
    }
    const kind = (after ?? before)?.kind;
    if (kind === 'Pool' && sameSpec(before, after)) return new Set();
    if (kind === 'Pool') this.#pools = resolvePools(this.#view.pools.values());
    if (kind === 'Node' && sameAddresses(before, after)) return new Set();
    return touched;
  }

  #addTouched(object: ClusterObject, touched: Set<string>): void {
    const add = (services: Iterable<string>): void => {
      for (const service of services) touched.add(service);
    };
    switch (object.kind) {
      case 'Service':
        touched.add(namespacedName(object.metadata));
        break;
      case 'EndpointSlice': {
        const service = serviceKeyOfSlice(object);
        if (service !== undefined) touched.add(service);
        break;
      }
      case 'IP': {
        const address = tryParseIp(object.spec.address);
        if (address !== undefined) add(this.#servicesByIngress.get(address));
        break;
      }
      case 'Pool':
        // rare, and one pool decides about another where they overlap
        add(this.#view.services.keys());
        break;
      case 'Node':
        add(this.#servicesByNode.get(object.metadata.name));
        if (object.metadata.name === this.#node.name) add(this.#servicesOf(addressesOf(object)));
        break;
      case 'Namespace':
      case 'ServiceCIDR':
        break;
    }
  }

  /** The view was filled at once: nothing that was known before counts. Answers the Services to update. */
  reset(): ReadonlySet<string> {
    this.#pools = resolvePools(this.#view.pools.values());
    return new Set([...this.#contributions.keys(), ...this.#view.services.keys()]);
  }

  /** VIPs of the Service that this node wants. */
  addressesOf(service: string): ReadonlySet<IpAddress> {
    const claims = this.#contributions.get(service)?.claims ?? [];
    return new Set(claims.map((claim) => claim.desired.server.vip));
  }

  /** A Service wants the address, and the host has it by itself. */
  isRefusedFor(address: IpAddress): boolean {
    return this.#hostAddresses.has(address) && this.#servicesByIngress.has(address);
  }

  /** Tells which addresses the host has by itself; answers the Services to update. */
  setHostAddresses(addresses: ReadonlySet<IpAddress>): ReadonlySet<string> {
    const before = this.#hostAddresses;
    const changed = [
      ...[...addresses].filter((address) => !before.has(address)),
      ...[...before].filter((address) => !addresses.has(address)),
    ];
    this.#hostAddresses = addresses;
    return new Set(this.#servicesOf(changed));
  }

  /** Whether kube-proxy runs here, and how; answers the Services to update. */
  setKubeProxy(kubeProxy: Pick<NodeView, 'hasKubeProxy' | 'kubeProxyMode'>): ReadonlySet<string> {
    this.#node = { ...this.#node, ...kubeProxy };
    return new Set(this.#contributions.keys());
  }

  /** Which VIPs are bound on this node; answers what changed. */
  setHeld(held: HeldGroups): Changed {
    this.#builder.setHeld(held);
    return this.#builder.takeChanged();
  }

  *#servicesOf(addresses: Iterable<IpAddress>): Generator<string> {
    for (const address of addresses) yield* this.#servicesByIngress.get(address);
  }

  /** Computes the Services anew and answers what changed in `state`, and whose problems did. */
  update(services: Iterable<string>): Changed {
    const context = {
      view: this.#view,
      node: this.#node,
      pools: this.#pools,
      hostAddresses: this.#hostAddresses,
      claimsOnAddress: (vip: IpAddress) => this.#kubeProxyClaims.of(vip),
    };
    for (const key of this.#withThoseTakenFrom(services)) {
      const service = this.#view.services.get(key);
      this.#replace(key, service === undefined ? undefined : contributionOf(service, context, key));
    }
    return this.#builder.takeChanged();
  }

  /** The Services, and those whose addresses they take or give back. */
  #withThoseTakenFrom(services: Iterable<string>): Iterable<string> {
    const all = new Set(services);
    for (const key of [...all]) {
      const addresses = this.#kubeProxyClaims.set(key, this.#view.services.get(key));
      for (const service of this.#servicesOf(addresses)) all.add(service);
    }
    return all;
  }

  #replace(service: string, next: Contribution | undefined): void {
    const previous = this.#contributions.get(service);
    if (previous === undefined && next === undefined) return;
    this.#builder.touchService(service);
    for (const address of previous?.ingress ?? []) this.#servicesByIngress.delete(address, service);
    for (const address of next?.ingress ?? []) this.#servicesByIngress.add(address, service);
    for (const node of previous?.nodes ?? []) this.#servicesByNode.delete(node, service);
    for (const node of next?.nodes ?? []) this.#servicesByNode.add(node, service);
    if (next === undefined) this.#contributions.delete(service);
    else this.#contributions.set(service, next);
    const claims = new Map((next?.claims ?? []).map((claim) => [claim.key, claim]));
    for (const { key } of previous?.claims ?? []) {
      if (!claims.has(key)) this.#setClaim(key, service, undefined);
    }
    for (const [key, claim] of claims) this.#setClaim(key, service, claim);
  }

  #setClaim(key: VirtualServerKey, service: string, claim: Claim | undefined): void {
    const held = this.#claims.get(key) ?? [];
    const before = 'key' in held ? [held] : held;
    const others = before.filter((each) => each.desired.service !== service);
    // concat makes an array of just the length; push() leaves room for 16 more, in every virtual server
    const after = claim === undefined ? others : others.concat(claim);
    after.sort((a, b) => (this.#seniorityOf(a) < this.#seniorityOf(b) ? -1 : 1));
    const [winner] = after;
    if (winner === undefined) this.#claims.delete(key);
    else this.#claims.set(key, after.length === 1 ? winner : after);
    // the others in the dispute have a problem more, or less
    for (const each of [...before, ...after]) {
      this.#builder.touchService(each.desired.service);
    }
    this.#builder.setWinner(key, before[0], winner);
  }

  #seniorityOf(claim: Claim): string {
    const service = this.#view.services.get(claim.desired.service);
    // one that was deleted gives way, and is out after this round; kept nowhere: hardly any two Services dispute
    return service === undefined ? LAST : seniorityOf(service);
  }

  *#disputesOf(service: string, contribution: Contribution): Generator<Problem> {
    const object = this.#view.services.get(service);
    if (object === undefined) return;
    for (const { key } of contribution.claims) {
      const winner = this.state.virtualServers.get(key)?.service;
      if (winner === service) continue;
      yield {
        object: serviceRef(object),
        reason: 'PortConflict',
        message: `${key} belongs to Service ${String(winner)}, which is older`,
      };
    }
  }
}

/** Behind every seniority. */
const LAST = '~~';

/** The status of a Pool changes every second, its spec hardly ever. */
function sameSpec(before: ClusterObject | undefined, after: ClusterObject | undefined): boolean {
  return (
    before?.kind === 'Pool' &&
    after?.kind === 'Pool' &&
    JSON.stringify(before.spec) === JSON.stringify(after.spec)
  );
}

/** A node's status is written with every heartbeat. */
function sameAddresses(
  before: ClusterObject | undefined,
  after: ClusterObject | undefined,
): boolean {
  return (
    before?.kind === 'Node' &&
    after?.kind === 'Node' &&
    JSON.stringify(before.status?.addresses) === JSON.stringify(after.status?.addresses)
  );
}

function addressesOf(node: Node): readonly IpAddress[] {
  return (node.status?.addresses ?? [])
    .map(({ address }) => tryParseIp(address))
    .filter((address) => address !== undefined);
}
