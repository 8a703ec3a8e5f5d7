// Services as the migration sees them: what they show, what they ask for, and what of it vipvs reads by itself. Pure.
import { ANNOTATIONS, REQUEST_KEYS } from '../api/annotations.ts';
import { namespacedName, type Service } from '../api/kubernetes.ts';
import { formatIssue } from '../api/parse-issues.ts';
import { parseObject } from '../api/parse.ts';
import { resolveRequest, type AddressRequest } from '../api/request.ts';
import { tryParseIp, type IpAddress } from '../net/address.ts';
import { childOf, isObject, listOf, textOf } from './json.ts';
import {
  labelOf,
  type AddressUse,
  type Note,
  type ServiceName,
  type SourceObject,
} from './model.ts';
import { addressesAsked, addressesNamed } from './named-addresses.ts';
import { Notes, shortText } from './notes.ts';
import { variableHint } from './variables.ts';

export interface ServiceFacts {
  readonly service: Service;
  /** `namespace/name` */
  readonly key: string;
  readonly name: ServiceName;
  /** Of status.loadBalancer.ingress, in its order. */
  readonly shown: readonly IpAddress[];
  /** Whether a status that shows nothing means that it has nothing; else it is not known what it has. */
  readonly isStatusKnown: boolean;
  readonly request: AddressRequest;
  /** Every address under a key that asks, even if another key contradicts it. */
  readonly asked: readonly IpAddress[];
  readonly externalIPs: readonly IpAddress[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly where: string;
}

export function isService(object: SourceObject): boolean {
  return object.group === '' && object.kind === 'Service';
}

/** The Service; a note and undefined for one that can't be read. What it names stays out of use then. */
export function readService(
  object: SourceObject,
  all: Note[],
  uses: AddressUse[],
): ServiceFacts | undefined {
  const { name, namespace, where } = object;
  // kustomize may have renamed it
  const metadata = { ...childOf(object.raw, 'metadata'), name, namespace };
  const parsed = parseObject({ ...object.raw, metadata }, { unknownFields: 'drop' });
  if (parsed.kind !== 'object' || parsed.object.kind !== 'Service') {
    const issues = parsed.kind === 'issues' ? parsed.issues : [];
    noteUnusable(object, issues.map(formatIssue).join('; '), all, uses);
    return undefined;
  }
  if (namespace === undefined) {
    noteUnplaced(object, all, uses);
    return undefined;
  }
  const service = parsed.object;
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  return {
    service,
    key: namespacedName(service.metadata),
    name: { namespace, name },
    shown: ipsOf(ingress.map(({ ip }) => ip)),
    isStatusKnown: isStatusKnown(object),
    request: resolveRequest(service),
    asked: addressesAsked(object.raw),
    externalIPs: ipsOf(listOf(childOf(object.raw, 'spec'), 'externalIPs')),
    annotations: service.metadata.annotations ?? {},
    where,
  };
}

/** Of a Service that is no load balancer nobody wants to know what is wrong with it. */
function noteUnusable(object: SourceObject, issues: string, all: Note[], uses: AddressUse[]): void {
  const addresses = addressesNamed(object.raw);
  const { type } = childOf(object.raw, 'spec');
  if (type !== 'LoadBalancer' && addresses.length === 0) return;
  const kept = addresses.length === 0 ? '' : `; ${addresses.join(', ')} kept out of use`;
  const text = `${issues}; the object is left out${variableHint(issues)}${kept}`;
  Notes.of(all, object).add('error', text);
  uses.push(...unnamedUses(object, addresses));
}

function noteUnplaced(object: SourceObject, all: Note[], uses: AddressUse[]): void {
  const { type } = childOf(object.raw, 'spec');
  const addresses = addressesNamed(object.raw);
  if (type !== 'LoadBalancer' && addresses.length === 0) return;
  const kept =
    addresses.length === 0
      ? 'what it has is not known and is not kept'
      : `${addresses.join(', ')} kept out of use, but for nobody by name`;
  const text = `not known, neither from the file nor from one Kustomization that lists it: ${kept}; write the namespace, give the Kustomization, too, or read the cluster (--from-cluster)`;
  Notes.of(all, object).add('error', text, 'metadata.namespace');
  uses.push(...unnamedUses(object, addresses));
}

function unnamedUses(object: SourceObject, addresses: readonly IpAddress[]): readonly AddressUse[] {
  const { where } = object;
  const origin = labelOf(object);
  return addresses.map((address) => {
    return { system: 'services', address, origin, where, retain: true, isUnnamed: true };
  });
}

/** A manifest of a repository has no status, or an empty one that kubectl wrote before it was applied. */
function isStatusKnown({ raw, isLive }: SourceObject): boolean {
  const metadata = childOf(raw, 'metadata');
  const status = childOf(raw, 'status');
  const hasId = [textOf(metadata, 'uid'), textOf(childOf(raw, 'spec'), 'clusterIP')].some(
    (text) => text !== undefined && text !== 'None',
  );
  const hasClusterIp = listOf(childOf(raw, 'spec'), 'clusterIPs').length > 0;
  const wasApplied = isObject(status['loadBalancer']) && (hasId || hasClusterIp);
  return isLive === true || wasApplied || 'ingress' in childOf(status, 'loadBalancer');
}

function ipsOf(texts: readonly unknown[]): readonly IpAddress[] {
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
  'eip.porter.kubesphere.io/v1alpha1',
  'eip.porter.kubesphere.io/v1alpha2',
  'inwinstack.com/external-pool',
  'kairen.example.lb/address-pool',
  // noteService (service-notes.ts) says what it means
  'service.cilium.io/src-ranges-policy',
];

const FOREIGN =
  /^(metallb\.(io|universe\.tf)|(.+\.)?kube-vip\.io|purelb\.io|(lbipam|service)\.cilium\.io|io\.cilium|service\.purelb\.io|(.+\.)?(openelb\.)?kubesphere\.io|inwinstack\.com|kairen\.example\.lb)\//;

const ADVICE = new Map(
  Object.entries({
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
    'protocol.porter.kubesphere.io/v1alpha1': 'vipvs announces every VIP the same way',
    'k8s.io/public-vip': `set ${ANNOTATIONS.addresses}`,
    'service.beta.kubernetes.io/load-balancer-source-ranges':
      'an allow list that vipvs does not read: without spec.loadBalancerSourceRanges everybody is let in',
  }),
);

/** Names the annotations of other load balancers that nobody reads from here on. */
export function noteForeignAnnotations(
  { key, annotations, where }: ServiceFacts,
  all: Note[],
): void {
  const notes = Notes.ofService(all, { key, where });
  for (const [name, value] of Object.entries(annotations).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isForeign = FOREIGN.test(name) || ADVICE.has(name);
    if (!isForeign || [READ, TOLD, CONVERTED].some((keys) => keys.includes(name))) continue;
    const advice = ADVICE.get(name) ?? 'vipvs has nothing that does this; it is not read';
    notes.add('no-equivalent', `${shortText(value)}: ${advice}`, `metadata.annotations[${name}]`);
  }
}
