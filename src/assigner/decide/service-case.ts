// One Service's wish, collected once: what it asks for, what it has, and whom it may share with. Pure.
import { ALLOW_RENUMBER } from '../../api/annotations.ts';
import type { IpService } from '../../api/ip.ts';
import type { Service } from '../../api/kubernetes.ts';
import { namespacedName } from '../../api/kubernetes.ts';
import type { Reason } from '../../api/reasons.ts';
import { namespacesAgree, resolveRequest, type AddressRequest } from '../../api/request.ts';
import type { Family, IpAddress } from '../../net/address.ts';
import type { AssignerView } from './decision.ts';
import type { WantedFamilies } from './families.ts';
import type { WaitKey } from '../holders/waiting.ts';
import type { PoolEntry } from '../holders/pools.ts';

export interface Refusal {
  readonly reason: Reason;
  /** The Pool that refuses; undefined where the refusal is about the request itself. */
  readonly pool?: string;
  readonly message: string;
  readonly waits: readonly WaitKey[];
}

/** An address that the Service has, by its claim or by what its status shows. */
export interface Held {
  readonly address: IpAddress;
  readonly family: Family;
  /** The Pool that holds the address now. */
  readonly pool: PoolEntry | undefined;
  /** Name of the Pool that the address counts for: that one, or the one that it was given from. */
  readonly poolName: string;
}

/** Whether addresses that the Pool holds no more may be taken from their Services. */
export function allowsRenumber(entry: PoolEntry): boolean {
  return entry.space !== undefined && entry.pool.metadata.annotations?.[ALLOW_RENUMBER] === 'true';
}

export interface ServiceCase {
  readonly service: Service;
  /** `namespace/name` */
  readonly key: string;
  readonly namespace: string;
  readonly ports: Ports;
  readonly request: AddressRequest;
  readonly wanted: WantedFamilies;
  /** At most one per family: the one to keep if it can be. */
  readonly held: readonly Held[];
  readonly view: AssignerView;
}

export type Ports = IpService['ports'];

/** Without duplicates, in the order of the Service. */
export function portsOf(service: Service): Ports {
  const ports = service.spec.ports ?? [];
  const claimed = ports.map(({ port, protocol }) => ({ port, protocol }));
  if (claimed.length < 2) return claimed;
  return claimed.filter((port, i) => claimed.findIndex((other) => samePort(other, port)) === i);
}

export function samePort(a: Ports[number], b: Ports[number]): boolean {
  return a.port === b.port && a.protocol === b.protocol;
}

export function formatPort(port: Ports[number]): string {
  return `${port.port}/${port.protocol}`;
}

/** Why the Service can't stand beside this holder on one address; undefined where it can. */
export function sharingRefusal(
  serviceCase: ServiceCase,
  address: IpAddress,
  claim: IpService,
): Refusal | undefined {
  const { request, namespace, ports, view } = serviceCase;
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
    const other = view.cluster.services.get(holder);
    const there = other === undefined ? [] : resolveRequest(other).sharingNamespaces;
    const agree = namespacesAgree(
      { namespace, sharingNamespaces: request.sharingNamespaces },
      { namespace: claim.namespace, sharingNamespaces: there },
    );
    if (!agree) return refuse('SharingRefused', `, ${CONSENT}`);
  }
  const common = ports.filter((port) => claim.ports.some((other) => samePort(other, port)));
  if (common.length === 0) return undefined;
  return refuse('SharingRefused', `, which uses ${common.map(formatPort).join(', ')} too`);
}

const CONSENT =
  'and vipvs.io/sharing-namespaces of both Services must name the namespace of the other';
