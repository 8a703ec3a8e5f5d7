// Objects -> what one Service asks of this node: virtual servers with their real servers, addresses, firewall
// elements, and the problems on the way. all-services.ts joins the Services into a NodeState.
// Invariant: a Service is read alone; what two of them dispute is settled in the index.
import type { ClusterView } from '../../api/cluster.ts';
import { LOAD_BALANCER_CLASS } from '../../api/conditions.ts';
import {
  namespacedName,
  type LoadBalancerIngress,
  type Service,
  type ServicePort,
} from '../../api/kubernetes.ts';
import { poolOf, type ResolvedPools } from '../../api/pools.ts';
import type { Pool } from '../../api/pool.ts';
import { serviceRef, type Problem } from '../../api/problem.ts';
import { resolveTraffic, type TrafficPolicy } from '../../api/traffic.ts';
import {
  AddressError,
  familyOf,
  objectNameOf,
  quoted,
  tryParseIp,
  type IpAddress,
} from '../../net/address.ts';
import {
  realServerKey,
  virtualServerKey,
  type VirtualServer,
  type VirtualServerKey,
} from '../../net/ipvs.ts';
import { mergeRanges } from '../../net/range-set.ts';
import { parseRange, type IpRange } from '../../net/range.ts';
import { specialUseOf } from '../../net/special.ts';
import { backendsOf, type Backends, type Report } from './endpoints.ts';
import { kubeProxyClaimProblem, type KubeProxyClaim } from './kube-proxy-claims.ts';
import type { FirewallClaim } from './firewall.ts';
import type { HeldGroups } from '../model/held-groups.ts';
import type { KubeProxyMode } from '../model/kube-proxy.ts';
import type { DesiredVirtualServer } from '../model/state.ts';

/** What the agent knows about its own node. */
export interface NodeView {
  readonly name: string;
  /** Interface of VIPs whose Pool names none. */
  readonly bindInterface: string;
  /** kube-proxy runs here: cluster-ip forwarding cannot work. */
  readonly hasKubeProxy: boolean;
  /** Undefined: not known, or there is none. */
  readonly kubeProxyMode?: KubeProxyMode | undefined;
  /** The VIPs that are bound here at first (default: all); other directors may have the others. */
  readonly held?: HeldGroups;
  /** Undefined: a kernel of 5.9 or newer. */
  readonly kernelVersion?: { readonly major: number; readonly minor: number };
}

/** One virtual server that a Service wants. */
export interface Claim {
  readonly key: VirtualServerKey;
  readonly desired: DesiredVirtualServer;
  readonly interface: string;
  /** Holds only while the claim does. */
  readonly firewall: Pick<FirewallClaim, 'local' | 'ranges'>;
  /** Packets are forwarded by NAT, and answers come back through this node. */
  readonly masquerades: boolean;
}

export interface Contribution {
  readonly claims: readonly Claim[];
  readonly problems: readonly Problem[];
  /** Every address that its status shows, ours or not: whoever changes one of them changes this Service. */
  readonly ingress: readonly IpAddress[];
  /** Nodes whose addresses it uses. */
  readonly nodes: readonly string[];
}

export interface DesiredContext {
  readonly view: ClusterView;
  readonly node: NodeView;
  readonly pools: ResolvedPools;
  /** Addresses on interfaces of this node that vipvs did not put there. */
  readonly hostAddresses: ReadonlySet<IpAddress>;
  /** Services whose address it is for kube-proxy, too. */
  readonly claimsOnAddress: (vip: IpAddress) => readonly KubeProxyClaim[];
}

/** What the Service asks for; undefined where it is none of ours. */
export function contributionOf(
  service: Service,
  context: DesiredContext,
  name = namespacedName(service.metadata),
): Contribution | undefined {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  if (service.spec.type !== 'LoadBalancer' || ingress.length === 0) return undefined;
  const problems = new Map<string, Problem>();
  const report: Report = (reason, message, kind) => {
    const warning = kind === 'warning' ? { isWarning: true as const } : {};
    problems.set(message, { object: serviceRef(service), reason, message, ...warning });
  };
  let claims: readonly Claim[] = NOTHING;
  const nodes = new Set<string>();
  let addresses: readonly IpAddress[] = NOTHING;
  for (const entry of ingress) {
    const vip = tryParseIp(entry.ip ?? '');
    if (vip === undefined) continue;
    addresses = addresses.concat(vip); // unlike push(), an array of just the length, in every Service
    const owner = ownerOf(service, vip, context, report);
    if (owner === undefined || isTaken(service, vip, context, report)) continue;
    if (!isBindable(vip, context, report)) continue;
    const traffic = resolveTraffic(service, owner.pool?.spec.defaults);
    for (const problem of traffic.problems) problems.set(problem.message, problem);
    const source = { service, name, ingress, entry, vip, traffic, pool: owner.pool, report };
    const found = claimsOf(source, context);
    claims = claims.concat(found.map(({ claim }) => claim));
    for (const each of found) for (const node of each.nodes) nodes.add(node);
  }
  return {
    claims,
    problems: problems.size === 0 ? NOTHING : [...problems.values()],
    ingress: addresses,
    nodes: nodes.size === 0 ? NOTHING : [...nodes],
  };
}

/** One for all Services that have none. */
const NOTHING: readonly never[] = [];

/**
 * Who wins a virtual server that two Services want, the lesser text: the older, then the lesser uid, then the lesser name.
 * creationTimestamp is RFC 3339 in UTC, which sorts as text; a Service without one is the youngest.
 */
export function seniorityOf({ metadata }: Service): string {
  return [metadata.creationTimestamp ?? '~', metadata.uid ?? '~', namespacedName(metadata)].join(
    '\n',
  );
}

interface Owner {
  /** Undefined: the Pool is gone, its IP object is not, and traffic goes on with the defaults. */
  readonly pool: Pool | undefined;
}

/**
 * Whether the address is for this driver. The IP object decides; where there is none (plan from plain manifests, or the
 * object was lost), a Pool that covers the address does.
 */
function ownerOf(
  service: Service,
  vip: IpAddress,
  context: DesiredContext,
  report: Report,
): Owner | undefined {
  const serviceClass = service.spec.loadBalancerClass;
  if (serviceClass !== undefined && serviceClass !== LOAD_BALANCER_CLASS) return undefined;
  const ip = context.view.ips.get(objectNameOf(vip));
  if (ip === undefined) {
    const pool = poolOf(context.pools, vip)?.pool;
    return pool?.spec.driver === 'ipvs' ? { pool } : undefined;
  }
  const pool = context.view.pools.get(ip.spec.poolName);
  if (pool !== undefined && pool.spec.driver !== 'ipvs') return undefined;
  const { claims } = ip.spec;
  const { name, namespace = 'default' } = service.metadata;
  if (claims?.some((claim) => claim.name === name && claim.namespace === namespace) === false) {
    report(
      'AddressInUse',
      `${vip} is in the status of the Service, but its IP object does not name the Service in spec.claims`,
      'error',
    );
    return undefined;
  }
  return { pool };
}

/**
 * Whether kube-proxy of this node has the address: in mode ipvs it binds it and programs the same table. In the other
 * modes its DNAT comes before IPVS: that is said, and what is programmed here waits for the packets to come again.
 */
function isTaken(
  service: Service,
  vip: IpAddress,
  { node, claimsOnAddress }: DesiredContext,
  report: Report,
): boolean {
  if (!node.hasKubeProxy) return false;
  const claims = claimsOnAddress(vip);
  if (node.kubeProxyMode === 'ipvs') {
    for (const each of claims) {
      report('TakenByKubeProxy', kubeProxyClaimProblem(each, service, vip, 'ipvs'), 'error');
    }
    return claims.length > 0;
  }
  for (const each of claims) {
    const shared = (service.spec.ports ?? []).filter((own) => each.ports.some(samePort(own)));
    for (const { port, protocol } of shared) {
      const what = virtualServerKey({ vip, port, protocol });
      const text = kubeProxyClaimProblem(each, service, what, node.kubeProxyMode);
      report('TakenByKubeProxy', text, 'error');
    }
  }
  return false;
}

const samePort =
  (a: Pick<ServicePort, 'port' | 'protocol'>) =>
  (b: Pick<ServicePort, 'port' | 'protocol'>): boolean =>
    a.port === b.port && a.protocol === b.protocol;

function isBindable(vip: IpAddress, context: DesiredContext, report: Report): boolean {
  const use = specialUseOf(vip);
  const node = context.view.nodes.get(context.node.name);
  if (use !== undefined) {
    report('InvalidIp', `${vip} is ${use}: it cannot be a VIP`, 'error');
    return false;
  }
  const isOfNode = (node?.status?.addresses ?? []).some(({ address }) => address === vip);
  if (!isOfNode && !context.hostAddresses.has(vip)) return true;
  const hint =
    context.node.kubeProxyMode === 'ipvs'
      ? ' (kube-proxy runs here in mode ipvs and may have bound it to kube-ipvs0)'
      : '';
  report(
    'AddressOfHost',
    `${vip} is an address of node ${context.node.name} itself, not one that vipvs added; it is left alone${hint}`,
    'error',
  );
  return false;
}

interface Source {
  readonly service: Service;
  /** `namespace/name`, the one string for all its claims. */
  readonly name: string;
  readonly ingress: readonly LoadBalancerIngress[];
  readonly entry: LoadBalancerIngress;
  readonly vip: IpAddress;
  readonly traffic: TrafficPolicy;
  readonly pool: Pool | undefined;
  readonly report: Report;
}

interface ClaimWithNodes {
  readonly claim: Claim;
  readonly nodes: readonly string[];
}

function claimsOf(source: Source, context: DesiredContext): readonly ClaimWithNodes[] {
  const { service, name, entry, vip, traffic, report } = source;
  const family = familyOf(vip);
  const ranges = sourceRangesOf(service, report);
  const endpoints = {
    service,
    ingress: source.ingress,
    slices: context.view.endpointSlicesOf(name),
    nodes: context.view.nodes,
    nodeName: context.node.name,
    hasKubeProxy: context.node.hasKubeProxy,
    forwarding: traffic.forwarding,
    report,
  };
  return (service.spec.ports ?? [])
    .filter((port) => !isRefused(entry, port))
    .flatMap((port): readonly ClaimWithNodes[] => {
      const backends = backendsOf(endpoints, port, family);
      if (backends === undefined) return NOTHING;
      const server = virtualServerOf(vip, port, traffic);
      const claim: Claim = {
        key: virtualServerKey(server),
        desired: {
          server,
          realServers: new Map(backends.realServers.map((real) => [realServerKey(real), real])),
          ...leavingOf(backends),
          drainSeconds: traffic.drainSeconds,
          service: name,
        },
        interface: source.pool?.spec.bindInterface ?? context.node.bindInterface,
        firewall: { local: backends.local.length === 0 ? NOTHING : backends.local, ranges },
        masquerades: backends.realServers.some(({ method }) => method === 'masquerade'),
      };
      return [{ claim, nodes: backends.nodes }];
    });
}

function leavingOf({ leaving }: Backends): Pick<DesiredVirtualServer, 'leaving'> {
  return leaving.length === 0 ? {} : { leaving: new Set(leaving.map(realServerKey)) };
}

/** The assigner marks ports that another Service has on the shared address. */
function isRefused(entry: LoadBalancerIngress, port: ServicePort): boolean {
  return (entry.ports ?? []).some(
    (status) =>
      status.port === port.port && status.protocol === port.protocol && status.error !== undefined,
  );
}

function virtualServerOf(vip: IpAddress, port: ServicePort, traffic: TrafficPolicy): VirtualServer {
  return {
    vip,
    port: port.port,
    protocol: port.protocol,
    scheduler: traffic.scheduler,
    schedulerFlags: traffic.schedulerFlags,
    persistenceSeconds: traffic.persistenceSeconds,
  };
}

/** An entry that cannot be read lets nobody in: the list as a whole still closes the port. */
function sourceRangesOf(service: Service, report: Report): FirewallClaim['ranges'] {
  const texts = service.spec.loadBalancerSourceRanges ?? [];
  if (texts.length === 0) return undefined;
  const ranges: IpRange[] = [];
  for (const text of texts) {
    try {
      ranges.push(parseRange(text));
    } catch (error) {
      if (!(error instanceof AddressError)) throw error;
      report(
        'InvalidSourceRange',
        `spec.loadBalancerSourceRanges: ${error.message}; allowed: CIDRs such as ${quoted('198.51.100.0/24')}; the entry lets nobody in`,
        'error',
      );
    }
  }
  return mergeRanges(ranges);
}
