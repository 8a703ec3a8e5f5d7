// EndpointSlices -> the real servers of one port of a Service. Kubernetes' rules for picking endpoints (ready ones; if
// none, serving and terminating ones), then the rules of the forwarding method for what becomes a real server.
// Invariant: the result is sorted and without duplicates, whatever the order of the slices.
import { familyOf, quoted, tryParseIp, type Family, type IpAddress } from '../../net/address.ts';
import { compareRealServers, type RealServer, type RealServerAddress } from '../../net/ipvs.ts';
import { specialUseOf } from '../../net/special.ts';
import { WEIGHT } from '../../api/annotations.ts';
import type {
  Endpoint,
  EndpointSlice,
  LoadBalancerIngress,
  Node,
  Service,
  ServicePort,
} from '../../api/kubernetes.ts';
import type { Forwarding } from '../../api/pool.ts';
import type { Reason } from '../../api/reasons.ts';

export interface EndpointContext {
  readonly service: Service;
  readonly ingress: readonly LoadBalancerIngress[];
  readonly slices: readonly EndpointSlice[];
  readonly nodes: ReadonlyMap<string, Node>;
  /** The node that this agent runs on. */
  readonly nodeName: string;
  readonly hasKubeProxy: boolean;
  readonly forwarding: Forwarding;
  readonly report: Report;
}

/** Warnings are things that are left out while the rest works. */
export type Report = (reason: Reason, message: string, kind: 'error' | 'warning') => void;

export interface Backends {
  /** In canonical order. */
  readonly realServers: readonly RealServer[];
  /** Endpoints that terminate, still serve, and are not among them: they keep the connections that they have. */
  readonly leaving: readonly RealServerAddress[];
  /** Those of them that run on this node: their clients' addresses are kept. */
  readonly local: readonly IpAddress[];
  /** Nodes whose addresses were looked up. */
  readonly nodes: readonly string[];
}

const NOTHING: Backends = { realServers: [], leaving: [], local: [], nodes: [] };
/** Real servers that one message names. */
const NAMED_MAX = 8;
const NOBODY: readonly never[] = [];
const WEIGHT_MAX = 65_535;

interface Target {
  readonly address: IpAddress;
  readonly port: number;
  readonly node: string | undefined;
  readonly weight: number;
}

/** The real servers of one port of the Service, of one family; undefined: it can't be forwarded here at all. */
export function backendsOf(
  context: EndpointContext,
  port: ServicePort,
  family: Family,
): Backends | undefined {
  if (context.forwarding === 'cluster-ip') return clusterIpBackend(context, port, family);
  const { picked, leaving } = pickTargets(context, port, family);
  if (context.forwarding === 'nat') return { ...natBackends(context, picked), leaving };
  const backends = routedBackends(context, context.forwarding, port, family, picked);
  // nodes are the real servers there: of the endpoints only those on this very node are
  const here = leaving.filter(({ node }) => node === context.nodeName);
  return { ...backends, leaving: here };
}

function clusterIpBackend(
  context: EndpointContext,
  port: ServicePort,
  family: Family,
): Backends | undefined {
  const { spec } = context.service;
  if (context.hasKubeProxy) {
    // ipvs.md 3.1: kube-proxy's DNAT is bound to the connection before IPVS sees it, and never runs a second time
    context.report(
      'ForwardingNotPossible',
      'forwarding cluster-ip: kube-proxy runs on this node and would swallow the packets; use nat, or a director without kube-proxy',
      'error',
    );
    return undefined;
  }
  const address = [...(spec.clusterIPs ?? []), spec.clusterIP ?? '']
    .map(tryParseIp)
    .find((ip) => ip !== undefined && familyOf(ip) === family);
  if (address === undefined) {
    context.report(
      'ForwardingNotPossible',
      `forwarding cluster-ip: the Service has no IPv${family} cluster IP`,
      'error',
    );
    return undefined;
  }
  const real: RealServer = { address, port: port.port, method: 'masquerade', weight: 1 };
  return { ...NOTHING, realServers: [real] };
}

function natBackends(context: EndpointContext, targets: readonly Target[]): Backends {
  const realServers = targets.map(({ address, port, weight }): RealServer => {
    return { address, port, method: 'masquerade', weight };
  });
  return { ...NOTHING, realServers, local: addressesOn(context.nodeName, targets) };
}

/**
 * Direct routing and tunnels end at nodes, which must have the VIP themselves. Endpoints on this very node get their
 * packets by NAT instead: the kernel would deliver a packet for its own address to a socket on the VIP, and pods have
 * none (ipvs.md 3.1, "DR/TUN+NAT mixed": the client's address is kept either way).
 */
function routedBackends(
  context: EndpointContext,
  forwarding: 'dr' | 'tunnel',
  port: ServicePort,
  family: Family,
  targets: readonly Target[],
): Backends {
  const method = forwarding === 'dr' ? 'direct' : 'tunnel';
  const here = targets.filter(({ node }) => node === context.nodeName);
  const real = new Map<IpAddress, RealServer>();
  const add = (address: IpAddress, weight: number): void => {
    const sum = (real.get(address)?.weight ?? 0) + weight;
    real.set(address, { address, port: port.port, method, weight: Math.min(sum, WEIGHT_MAX) });
  };
  const nodes = new Set<string>();
  const unchecked = new Set<string>();
  for (const { node, address, weight, port: targetPort } of targets) {
    if (node === context.nodeName) continue;
    if (node === undefined) {
      if (targetPort === port.port) {
        add(address, weight);
        unchecked.add(address);
      } else {
        context.report(
          'PortsDiffer',
          `forwarding ${forwarding}: endpoint ${address} listens on port ${targetPort}, the Service on ${port.port}; they must be the same`,
          'warning',
        );
      }
      continue;
    }
    nodes.add(node);
    const nodeAddress = internalIpOf(context.nodes.get(node), family);
    if (nodeAddress !== undefined) {
      add(nodeAddress, weight);
      unchecked.add(`node ${node}`);
    } else {
      context.report(
        'InvalidEndpoint',
        `forwarding ${forwarding}: node ${node} has no IPv${family} address of type InternalIP; its endpoints are left out`,
        'warning',
      );
    }
  }
  reportUnchecked(context, forwarding, [...unchecked].sort());
  const local = natBackends(context, here);
  return {
    realServers: [...real.values(), ...local.realServers].sort(compareRealServers),
    leaving: [],
    local: local.local,
    nodes: [...nodes].sort(),
  };
}

/** Nobody but the operator knows, and a node without the VIP drops the packets in silence. */
function reportUnchecked(
  { report, ingress }: EndpointContext,
  forwarding: 'dr' | 'tunnel',
  holders: readonly string[],
): void {
  if (holders.length === 0) return;
  const vips = ingress
    .map(({ ip }) => ip)
    .filter((ip) => ip !== undefined)
    .join(', ');
  const named = holders.slice(0, NAMED_MAX).join(', ');
  const rest = holders.length - NAMED_MAX;
  const where = rest > 0 ? `${named} and ${rest} more` : named;
  report(
    'RealServersUnchecked',
    `forwarding ${forwarding}: vipvs can't see whether ${where} hold ${vips}, as they must (docs/forwarding.md)`,
    'warning',
  );
}

function internalIpOf(node: Node | undefined, family: Family): IpAddress | undefined {
  return (node?.status?.addresses ?? [])
    .filter(({ type }) => type === 'InternalIP')
    .map(({ address }) => tryParseIp(address))
    .find((ip) => ip !== undefined && familyOf(ip) === family);
}

function addressesOn(node: string, targets: readonly Target[]): readonly IpAddress[] {
  return [
    ...new Set(targets.filter((target) => target.node === node).map(({ address }) => address)),
  ];
}

/** Kubernetes' choice: ready endpoints; if there are none, those that still serve while they terminate. */
function pickTargets(
  context: EndpointContext,
  port: ServicePort,
  family: Family,
): { readonly picked: readonly Target[]; readonly leaving: readonly Target[] } {
  const ready = new Map<string, Target>();
  const leaving = new Map<string, Target>();
  const seen = { endpoints: 0, ports: 0, elsewhere: 0 };
  for (const slice of context.slices) {
    if (slice.addressType !== `IPv${family}` || slice.endpoints.length === 0) continue;
    seen.endpoints += slice.endpoints.length;
    const targetPort = targetPortOf(slice, port);
    if (targetPort === undefined) continue;
    seen.ports++;
    const weight = weightOf(slice, context.report);
    for (const endpoint of slice.endpoints) {
      if (!isWantedHere(context, endpoint)) {
        seen.elsewhere++;
        continue;
      }
      const choice = isReady(endpoint) ? ready : isLeaving(endpoint) ? leaving : undefined;
      const address = choice && endpointAddress(context, slice, endpoint, family);
      if (choice === undefined || address === undefined) continue;
      const target = { address, port: targetPort, node: endpoint.nodeName, weight };
      merge(choice, target);
    }
  }
  const picked = ready.size > 0 ? ready : leaving;
  if (picked.size === 0) reportNone(context, port, family, seen);
  return {
    picked: [...picked.values()].sort(compareRealServers),
    leaving: picked === leaving ? NOBODY : [...leaving.values()],
  };
}

function reportNone(
  context: EndpointContext,
  port: ServicePort,
  family: Family,
  seen: { readonly endpoints: number; readonly ports: number; readonly elsewhere: number },
): void {
  const name = `port ${port.port}/${port.protocol}, IPv${family}`;
  const detail =
    seen.endpoints > 0 && seen.ports === 0
      ? `no EndpointSlice has a ${port.protocol} port named ${quoted(port.name ?? '')}`
      : seen.elsewhere > 0
        ? `externalTrafficPolicy is Local, and no endpoint on node ${context.nodeName} is ready`
        : 'no endpoint is ready';
  context.report('NoEndpoints', `${name}: ${detail}; clients are refused`, 'warning');
}

/** API reference, EndpointConditions: absent means true for ready and serving, false for terminating. */
function isReady({ conditions }: Endpoint): boolean {
  return conditions?.ready !== false;
}

function isLeaving({ conditions }: Endpoint): boolean {
  return conditions?.serving !== false && conditions?.terminating === true;
}

function isWantedHere(context: EndpointContext, endpoint: Endpoint): boolean {
  if (context.forwarding !== 'nat') return true;
  return (
    context.service.spec.externalTrafficPolicy !== 'Local' || endpoint.nodeName === context.nodeName
  );
}

/** One address and port in two slices is one real server: it gets the greater weight, and the node that is known. */
function merge(targets: Map<string, Target>, target: Target): void {
  const key = `${target.address} ${target.port}`;
  const other = targets.get(key);
  if (other === undefined) {
    targets.set(key, target);
    return;
  }
  const nodes = [target.node, other.node].filter((node) => node !== undefined).sort();
  targets.set(key, { ...target, node: nodes[0], weight: Math.max(target.weight, other.weight) });
}

/** The port of the slice that belongs to the Service's port: by name (absent = empty) and protocol. */
function targetPortOf(slice: EndpointSlice, port: ServicePort): number | undefined {
  const match = slice.ports.find(
    (each) => (each.name ?? '') === (port.name ?? '') && (each.protocol ?? 'TCP') === port.protocol,
  );
  if (match === undefined) return undefined;
  // null = all ports of the endpoint: then the Service's own number counts
  return match.port ?? (typeof port.targetPort === 'number' ? port.targetPort : port.port);
}

function weightOf(slice: EndpointSlice, report: Report): number {
  const text = slice.metadata.annotations?.[WEIGHT];
  if (text === undefined) return 1;
  // 0: no new connections, those that are open go on
  if (/^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= WEIGHT_MAX) return Number(text);
  report(
    'InvalidAnnotation',
    `EndpointSlice ${slice.metadata.name}: ${WEIGHT}: ${quoted(text)} is not allowed; allowed: 0 to ${WEIGHT_MAX}`,
    'warning',
  );
  return 1;
}

/** API reference, Endpoint.addresses: they are fungible, and clients may use the first only. */
function endpointAddress(
  context: EndpointContext,
  slice: EndpointSlice,
  endpoint: Endpoint,
  family: Family,
): IpAddress | undefined {
  const text = endpoint.addresses[0] ?? '';
  const address = tryParseIp(text);
  const why = refusalOf(context, address, family);
  if (why === undefined) return address;
  const message = `EndpointSlice ${slice.metadata.name}: endpoint ${quoted(text)} ${why}; it is left out`;
  context.report('InvalidEndpoint', message, 'warning');
  return undefined;
}

function refusalOf(
  context: EndpointContext,
  address: IpAddress | undefined,
  family: Family,
): string | undefined {
  if (address === undefined) return 'is not an IP address';
  if (familyOf(address) !== family) return `is not of the slice's addressType IPv${family}`;
  const use = specialUseOf(address);
  if (use !== undefined) return `is ${use}`;
  return context.ingress.some(({ ip }) => ip === address) ? 'is the VIP itself' : undefined;
}
