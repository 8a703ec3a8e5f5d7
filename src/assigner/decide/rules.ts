// The rules of a Pool: whom it gives new addresses. They never touch an address that a Service already has. Pure.
import type { Pool } from '../../api/pool.ts';
import type { Reason } from '../../api/reasons.ts';
import { selectorMatches } from '../../api/selector.ts';
import type { IpAddress } from '../../net/address.ts';
import { claimKey, reservationText } from '../holders/ip-object.ts';
import type { PoolEntry } from '../holders/pools.ts';
import type { WaitKey } from '../holders/waiting.ts';
import type { Refusal, ServiceCase } from './case-parts.ts';
import { sharingRefusal } from './sharing.ts';

/** Set by Kubernetes on every Namespace; here also for one whose object is not known. */
const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name';

/**
 * Why the Pool gives the Service nothing new; undefined where it may. `automatic`: nobody asked for this Pool or
 * one of its addresses. autoAssign and ignoreNamespaces stop only the automatic choice; serviceAllocation and
 * perNamespaceLimit are for everybody.
 */
export function poolRefusal(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  automatic: boolean,
): Refusal | undefined {
  const { pool, name } = entry;
  const refuse = (reason: Reason, message: string): Refusal => ({
    reason,
    pool: name,
    message,
    waits: [],
  });
  if (entry.failure !== undefined)
    return refuse('PoolNotUsable', `failed: ${entry.failure.message}`);
  if (pool.metadata.deletionTimestamp !== undefined)
    return refuse('PoolNotUsable', 'is being deleted');
  if (pool.spec.disabled) return refuse('PoolNotUsable', 'disabled');
  if (automatic && !pool.spec.autoAssign) {
    return refuse('PoolNotUsable', 'autoAssign is false, and the Service does not ask for it');
  }
  if (automatic && pool.spec.ignoreNamespaces.includes(serviceCase.namespace)) {
    return refuse('NamespaceIgnored', `ignores namespace ${serviceCase.namespace}`);
  }
  const mismatch = allocationMismatch(serviceCase, pool);
  if (mismatch === undefined) return undefined;
  return refuse('PoolNotUsable', mismatch);
}

/** serviceAllocation: the namespace is named or selected, and one of the Service selectors matches. */
function allocationMismatch(serviceCase: ServiceCase, pool: Pool): string | undefined {
  const allocation = pool.spec.serviceAllocation;
  if (allocation === undefined) return undefined;
  const { namespaces, namespaceSelectors, serviceSelectors } = allocation;
  const { namespace, service, view } = serviceCase;
  if (namespaces !== undefined || namespaceSelectors !== undefined) {
    const labels = {
      [NAMESPACE_NAME_LABEL]: namespace,
      ...view.cluster.namespaces.get(namespace)?.metadata.labels,
    };
    const matches =
      namespaces?.includes(namespace) === true ||
      namespaceSelectors?.some((selector) => selectorMatches(selector, labels)) === true;
    if (!matches) return `serviceAllocation does not allow namespace ${namespace}`;
  }
  if (serviceSelectors === undefined) return undefined;
  const labels = service.metadata.labels ?? {};
  return serviceSelectors.some((selector) => selectorMatches(selector, labels))
    ? undefined
    : "serviceAllocation.serviceSelectors do not match the Service's labels";
}

/**
 * Why one more address would be too many. `keeping`: what the Service will have beside it; whatever else it has now goes
 * with this decision, so that a Service may change its address at the limit.
 */
export function limitRefusal(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  address: IpAddress,
  keeping: Iterable<IpAddress>,
): Refusal | undefined {
  const limit = entry.pool.spec.perNamespaceLimit;
  if (limit === undefined) return undefined;
  const { namespace, key } = serviceCase;
  const { holders } = serviceCase.view;
  // addresses that other Services of the namespace have too are counted for those
  const isMine = (each: IpAddress): boolean =>
    holders
      .claimsOn(each)
      .every((claim) => claim.namespace !== namespace || claimKey(claim) === key);
  if (!isMine(address)) return undefined;
  const counts = (each: IpAddress): boolean => holders.pools.poolOf(each) === entry && isMine(each);
  const others =
    holders.count(entry.name, namespace) - holders.addressesOf(key).filter(counts).length;
  const needed = [...keeping].filter(counts).length + 1;
  if (others + needed <= limit) return undefined;
  const waits: readonly WaitKey[] = [`limit:${entry.name}:${namespace}`];
  const message = limitText({ namespace, limit, others, needed });
  return { reason: 'LimitReached', pool: entry.name, message, waits };
}

interface Limit {
  readonly namespace: string;
  readonly limit: number;
  /** What other Services of the namespace have of the Pool. */
  readonly others: number;
  /** What the Service itself would have of it. */
  readonly needed: number;
}

function limitText({ namespace, limit, others, needed }: Limit): string {
  if (others >= limit) return `namespace ${namespace} holds its limit of ${limit} addresses`;
  const needs = `needs ${needed} addresses, the limit is ${limit}`;
  return others === 0 ? needs : `${needs} and namespace ${namespace} holds ${others} already`;
}

/** Why the Service can't have exactly this address of the Pool; undefined where it can. */
export function addressRefusal(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  address: IpAddress,
): Refusal | undefined {
  const owner = serviceCase.view.holders.clusterIpOwner(address);
  if (owner !== undefined) {
    const message = `${address} is the ClusterIP of Service ${owner}`;
    return { reason: 'AddressInUse', pool: entry.name, message, waits: [`ip:${address}`] };
  }
  return holderRefusal(serviceCase, entry, address);
}

/** The same for an address that is in use as it is: the cluster's own use of it does not matter any more. */
export function holderRefusal(
  serviceCase: ServiceCase,
  entry: PoolEntry,
  address: IpAddress,
): Refusal | undefined {
  const { key, namespace, view } = serviceCase;
  const refuse = (reason: Reason, message: string): Refusal => ({
    reason,
    pool: entry.name,
    message,
    waits: [`ip:${address}`],
  });
  const record = view.holders.record(address);
  if (record === undefined) return undefined;
  const { reservedFor } = record.ip.spec;
  if (reservedFor !== undefined) {
    const { namespace: forNamespace, service } = reservedFor;
    if (
      forNamespace !== namespace ||
      (service !== undefined && `${namespace}/${service}` !== key)
    ) {
      return refuse('AddressReserved', `${address} is ${reservationText(reservedFor)}`);
    }
  }
  if (record.claims.length === 0) {
    const mine = view.holders.keptForService(key).includes(address);
    const held = record.ip.status?.phase === 'Held' && !mine;
    if (!held) return undefined;
    const until = record.ip.status.heldUntil;
    const time = until === undefined ? '' : ` until ${until}`;
    return refuse('AddressHeld', `${address} is held back${time} after its last Service`);
  }
  const refusal = sharingRefusal(serviceCase, address, record.claims);
  return refusal === undefined ? undefined : { ...refusal, pool: entry.name };
}

/** What the Pool's rules depend on beside the Pool. */
export function ruleWaits(
  { namespace }: ServiceCase,
  { pool, name }: PoolEntry,
): readonly WaitKey[] {
  const waits: WaitKey[] = [];
  if (pool.spec.perNamespaceLimit !== undefined) waits.push(`limit:${name}:${namespace}`);
  if (pool.spec.serviceAllocation?.namespaceSelectors !== undefined) {
    waits.push(`namespace:${namespace}`);
  }
  return waits;
}
