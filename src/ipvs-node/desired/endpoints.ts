// EndpointSlices -> the real servers of one port of a Service. Kubernetes' rules for picking endpoints (ready ones; if
// none, serving and terminating ones), then the rules of the forwarding method for what becomes a real server.
// Invariant: the result is sorted and without duplicates, whatever the order of the slices.
import { familyOf, quoted, tryParseIp, type Family, type IpAddress } from '../../net/address.ts';
import { compareRealServers, type RealServer } from '../../net/ipvs.ts';
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
  /** Those of them that run on this node: their clients' addresses are kept. */
  readonly local: readonly IpAddress[];
  /** Nodes whose addresses were looked up. */
  readonly nodes: readonly string[];
}

const NOTHING: Backends = { realServers: [], local: [], nodes: [] };
const WEIGHT_MAX = 65_535;

interface Target {
  readonly address: IpAddress;
  readonly port: number;
  readonly node: string | undefined;
  readonly weight: number;
}

/** The real servers of one port of the Service, of one family. */
export function backendsOf(context: EndpointContext, port: ServicePort, family: Family): Backends {
  if (context.forwarding === 'cluster-ip') return clusterIpBackend(context, port, family);
  const targets = pickTargets(context, port, family);
  if (targets.length === 0) return NOTHING;
  if (context.forwarding === 'nat') return natBackends(context, targets);
  return routedBackends(context, context.forwarding, port, family, targets);
}

function clusterIpBackend(context: EndpointContext, port: ServicePort, family: Family): Backends {
  const { spec } = context.service;
  if (context.hasKubeProxy) {
    // ipvs.md 3.1: kube-proxy's DNAT is bound to the connection before IPVS sees it, and never runs a second time
    context.report(
      'ForwardingNotPossible',
      'forwarding cluster-ip: kube-proxy runs on this node and would swallow the packets; use nat, or a director without kube-proxy',
      'error',
    );
    return NOTHING;
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
    return NOTHING;
  }
  const real: RealServer = { address, port: port.port, method: 'masquerade', weight: 1 };
  return { realServers: [real], local: [], nodes: [] };
}

function natBackends(context: EndpointContext, targets: readonly Target[]): Backends {
  const realServers = targets.map(({ address, port, weight }): RealServer => {
    return { address, port, method: 'masquerade', weight };
  });
  return { realServers, local: addressesOn(context.nodeName, targets), nodes: [] };
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
  for (const { node, address, weight, port: targetPort } of targets) {
    if (node === context.nodeName) continue;
    if (node === undefined) {
      if (targetPort === port.port) add(address, weight);
      else {
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
    if (nodeAddress !== undefined) add(nodeAddress, weight);
    else {
      context.report(
        'InvalidEndpoint',
        `forwarding ${forwarding}: node ${node} has no IPv${family} address of type InternalIP; its endpoints are left out`,
        'warning',
      );
    }
  }
  const local = natBackends(context, here);
  return {
    realServers: [...real.values(), ...local.realServers].sort(compareRealServers),
    local: local.local,
    nodes: [...nodes].sort(),
  };
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
): readonly Target[] {
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
  return [...picked.values()].sort(compareRealServers);
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
  if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= WEIGHT_MAX) return Number(text);
  report(
    'InvalidAnnotation',
    `EndpointSlice ${slice.metadata.name}: ${WEIGHT}: ${quoted(text)} is not allowed; allowed: 1 to ${WEIGHT_MAX}`,
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
