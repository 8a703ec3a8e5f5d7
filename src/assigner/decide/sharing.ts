// Who may stand beside whom on one address, and why not. Pure.
import type { IpService } from '../../api/ip.ts';
import { IP_PORTS_MAX, IP_SERVICES_MAX } from '../../api/limits.ts';
import { listed } from '../../api/bounded-text.ts';
import { namespacedName } from '../../api/kubernetes.ts';
import type { Reason } from '../../api/reasons.ts';
import { namesNamespace, resolveRequest } from '../../api/request.ts';
import type { IpAddress } from '../../net/address.ts';
import { claimKey } from '../holders/ip-object.ts';
import type { WaitKey } from '../holders/waiting.ts';
import { formatPort, portTexts } from './ports.ts';
import type { Refusal, ServiceCase } from './case-parts.ts';

/** Ports are named up to this many. */
const PORTS_SHOWN = 10;

/** Why the Service can't stand beside the holders of the address; undefined where it can, or already does. */
export function sharingRefusal(
  serviceCase: ServiceCase,
  address: IpAddress,
  claims: readonly IpService[],
): Refusal | undefined {
  for (const claim of claims) {
    if (claimKey(claim) === serviceCase.key) continue;
    const refusal = holderRefusal(serviceCase, address, claim);
    if (refusal !== undefined) return refusal;
  }
  if (claims.some((claim) => claimKey(claim) === serviceCase.key)) return undefined;
  const waits: readonly WaitKey[] = [`ip:${address}`];
  const portCount = claims.reduce((sum, { ports }) => sum + ports.length, serviceCase.ports.length);
  const isFull = claims.length >= IP_SERVICES_MAX;
  if (!isFull && portCount <= IP_PORTS_MAX) return undefined;
  const most = isFull ? `${IP_SERVICES_MAX} Services` : `${IP_PORTS_MAX} ports`;
  const message = `${address} would have more than ${most}, the most that one address can have`;
  return { reason: 'SharingRefused', message, waits };
}

function holderRefusal(
  serviceCase: ServiceCase,
  address: IpAddress,
  claim: IpService,
): Refusal | undefined {
  const { request, namespace, ports } = serviceCase;
  const holder = namespacedName(claim);
  const refuse = (reason: Reason, why: string): Refusal => ({
    reason,
    message: `${address} is held by Service ${holder}${why}`,
    waits: [`ip:${address}`, `service:${holder}`],
  });
  if (request.sharingKey === undefined) return refuse('AddressInUse', '');
  if (claim.sharingKey === undefined) return refuse('AddressInUse', ', which has no sharing key');
  if (claim.sharingKey !== request.sharingKey) {
    return refuse('SharingRefused', ' under another sharing key');
  }
  if (claim.namespace !== namespace) {
    const silent = withoutConsent(serviceCase, claim);
    if (silent.length > 0) return refuse('SharingRefused', `, ${CONSENT}: ${silent.join(', ')}`);
  }
  const taken = portTexts(claim.ports);
  const common = ports.map(formatPort).filter((port) => taken.has(port));
  if (common.length === 0) return undefined;
  return refuse('SharingRefused', `, which uses ${listed(common, PORTS_SHOWN)} too`);
}

const CONSENT =
  'and vipvs.io/sharing-namespaces of both Services must name the namespace of the other';

/** Of two Services in two namespaces those that do not name the other's. */
function withoutConsent(
  { key, namespace, request, view }: ServiceCase,
  claim: IpService,
): readonly string[] {
  const holder = namespacedName(claim);
  const other = view.cluster.services.get(holder);
  const there = other === undefined ? [] : resolveRequest(other).sharingNamespaces;
  return [
    ...(namesNamespace(request.sharingNamespaces, claim.namespace)
      ? []
      : [`${key} does not name ${claim.namespace}`]),
    ...(namesNamespace(there, namespace) ? [] : [`${holder} does not name ${namespace}`]),
  ];
}
