// Services as the migration sees them: what they show, what they ask for, and what of it vipvs reads by itself. Pure.
import { ANNOTATIONS, REQUEST_KEYS } from '../api/annotations.ts';
import { namespacedName, type Service } from '../api/kubernetes.ts';
import { formatIssue } from '../api/parse-issues.ts';
import { parseObject } from '../api/parse.ts';
import { resolveRequest, type AddressRequest } from '../api/request.ts';
import { tryParseIp, type IpAddress } from '../net/address.ts';
import { childOf, Notes, shortText } from './fields.ts';
import type { Note, ServiceName, SourceObject } from './model.ts';

export interface ServiceFacts {
  readonly service: Service;
  /** `namespace/name` */
  readonly key: string;
  readonly name: ServiceName;
  /** Of status.loadBalancer.ingress, in its order. */
  readonly shown: readonly IpAddress[];
  readonly request: AddressRequest;
  readonly externalIPs: readonly IpAddress[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly where: string;
}

export function isService(object: SourceObject): boolean {
  return object.group === '' && object.kind === 'Service';
}

/** The Service; a note and undefined for one that can't be read. */
export function readService(object: SourceObject, all: Note[]): ServiceFacts | undefined {
  const parsed = parseObject(object.raw, { unknownFields: 'drop' });
  if (parsed.kind !== 'object' || parsed.object.kind !== 'Service') {
    const issues = parsed.kind === 'issues' ? parsed.issues : [];
    const text = issues.map(formatIssue).join('; ');
    Notes.of(all, object).add('error', `${text}; the object is left out`);
    return undefined;
  }
  const service = parsed.object;
  const { name, namespace = 'default' } = service.metadata;
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  return {
    service,
    key: namespacedName(service.metadata),
    name: { namespace, name },
    shown: addressesOf(ingress.map(({ ip }) => ip)),
    request: resolveRequest(service),
    externalIPs: addressesOf(externalIPsOf(object)),
    annotations: service.metadata.annotations ?? {},
    where: object.where,
  };
}

function externalIPsOf({ raw }: SourceObject): readonly unknown[] {
  const spec = childOf(raw, 'spec');
  return Array.isArray(spec['externalIPs']) ? spec['externalIPs'] : [];
}

function addressesOf(texts: readonly unknown[]): readonly IpAddress[] {
  const found = texts.map((text) => (typeof text === 'string' ? tryParseIp(text) : undefined));
  return [...new Set(found.filter((ip) => ip !== undefined))];
}

const READ: readonly string[] = [
  ...Object.values(ANNOTATIONS),
  ...Object.values(REQUEST_KEYS).flat(),
];

/** Keys that another load balancer wrote to tell what it did, or that only steered its own work once. */
const TOLD: readonly string[] = [
  'metallb.io/ip-allocated-from-pool',
  'metallb.universe.tf/ip-allocated-from-pool',
  'kube-vip.io/vipHost',
  'kube-vip.io/active-endpoint',
  'kube-vip.io/active-endpoint-ipv6',
  'kube-vip.io/requestedIP',
  'purelb.io/allocated-by',
  'purelb.io/allocated-from',
  'purelb.io/pool-type',
  'purelb.io/announcing-IPv4',
  'purelb.io/announcing-IPv6',
  'purelb.io/re-evaluate',
  'lb.kubesphere.io/v1alpha1',
  'inwinstack.com/allocated-public-ip',
  'kairen.example.lb/service-refresh',
];

/** Keys that a source system turns into wishes (openelb.ts, inwinstack.ts). */
const CONVERTED: readonly string[] = [
  'eip.openelb.kubesphere.io/v1alpha1',
  'eip.openelb.kubesphere.io/v1alpha2',
  'inwinstack.com/external-pool',
  'kairen.example.lb/address-pool',
];

const FOREIGN =
  /^(metallb\.(io|universe\.tf)|(.+\.)?kube-vip\.io|purelb\.io|(lbipam|service)\.cilium\.io|io\.cilium|service\.purelb\.io|(.+\.)?(openelb\.)?kubesphere\.io|inwinstack\.com|kairen\.example\.lb)\//;

const ADVICE: Readonly<Record<string, string>> = {
  'kube-vip.io/serviceInterface': 'the interface belongs to the Pool: spec.bindInterface',
  'kube-vip.io/ignore':
    'give the Service a loadBalancerClass of somebody else, and vipvs leaves it alone',
  'kube-vip.io/loadbalancerHostname':
    'vipvs does not write DNS; a controller for it reads status.loadBalancer',
  'purelb.io/multi-pool': 'a Service has one address of each family',
  'purelb.io/allow-local': 'not needed: externalTrafficPolicy Local works with every Pool',
  'service.cilium.io/lb-algorithm': `set ${ANNOTATIONS.scheduler} (random: rr, maglev: mh)`,
  'service.cilium.io/forwarding-mode': `set ${ANNOTATIONS.forwarding} (snat: nat, dsr: dr or tunnel)`,
  'protocol.openelb.kubesphere.io/v1alpha1': 'vipvs announces every VIP the same way',
  'k8s.io/public-vip': `set ${ANNOTATIONS.addresses}`,
};

/** Names the annotations of other load balancers that nobody reads from here on. */
export function noteForeignAnnotations(
  { key, annotations, where }: ServiceFacts,
  all: Note[],
): void {
  const notes = new Notes(all, `Service ${key}`, where);
  for (const [name, value] of Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isForeign = FOREIGN.test(name) || ADVICE[name] !== undefined;
    if (!isForeign || [READ, TOLD, CONVERTED].some((keys) => keys.includes(name))) continue;
    const advice = ADVICE[name] ?? 'vipvs has nothing that does this; it is not read';
    notes.add('no-equivalent', `${shortText(value)}: ${advice}`, `metadata.annotations[${name}]`);
  }
}
