// IP objects as the assigner writes them: made, claimed, given back, and their published status. Pure.
// spec.claims is the truth about holders; status.services is its copy (design decision 7).
import { LAST_SERVICE } from '../../api/annotations.ts';
import type { IP, IpService, IpStatus } from '../../api/ip.ts';
import type { ObjectMeta } from '../../api/kubernetes.ts';
import { API_VERSION } from '../../api/pool.ts';
import { objectNameOf, type IpAddress } from '../../net/address.ts';
import { formatTimestamp, parseTimestamp } from '../../api/timestamp.ts';

/** The holders, in order of namespace/name. An object written by others may have them in its status only. */
export function claimsOf(ip: IP): readonly IpService[] {
  const claims = ip.spec.claims ?? ip.status?.services ?? NO_CLAIMS;
  return claims.length < 2 ? claims : [...claims].sort(compareClaims);
}

const NO_CLAIMS: readonly IpService[] = [];

function compareClaims(a: IpService, b: IpService): number {
  const left = claimKey(a);
  const right = claimKey(b);
  return left < right ? -1 : 1;
}

/** `namespace/name` */
export function claimKey(claim: IpService): string {
  return `${claim.namespace}/${claim.name}`;
}

export function claimOf(claims: readonly IpService[], service: string): IpService | undefined {
  return claims.find((claim) => claimKey(claim) === service);
}

export function newIp(address: IpAddress, pool: string, claim: IpService): IP {
  return {
    apiVersion: API_VERSION,
    kind: 'IP',
    metadata: { name: objectNameOf(address) },
    spec: { address, poolName: pool, retain: false, claims: [claim] },
  };
}

/** The object with this claim added, or put in the place of the same Service's old one. */
export function withClaim(ip: IP, pool: string, claim: IpService): IP {
  const key = claimKey(claim);
  const others = claimsOf(ip).filter((other) => claimKey(other) !== key);
  const claims = [...others, claim].sort(compareClaims);
  return {
    ...ip,
    metadata: withoutLast(ip.metadata),
    spec: { ...ip.spec, poolName: pool, claims },
  };
}

function withoutLast(metadata: ObjectMeta): ObjectMeta {
  const { annotations, ...others } = metadata;
  const rest = Object.entries(annotations ?? {}).filter(([key]) => key !== LAST_SERVICE);
  return rest.length === 0 ? others : { ...others, annotations: Object.fromEntries(rest) };
}

/** The object without the Service's claim; a last holder is remembered. */
export function withoutClaim(ip: IP, service: string): IP {
  const claims = claimsOf(ip).filter((claim) => claimKey(claim) !== service);
  const spec = { ...ip.spec, claims };
  if (claims.length > 0) return { ...ip, spec };
  const annotations = { ...ip.metadata.annotations, [LAST_SERVICE]: service };
  return { ...ip, metadata: { ...ip.metadata, annotations }, spec };
}

/** What of the cluster an IP's status depends on. */
export interface IpSurroundings {
  /** The Pool that holds the address now. */
  readonly pool: string | undefined;
  /** The node that has the address itself. */
  readonly node: string | undefined;
  readonly holdSeconds: number;
  readonly nowMs: number | undefined;
}

/** The status that the object should show, or `gone`: nobody holds it and nothing keeps it. */
export function ipStatus(ip: IP, around: IpSurroundings): IpStatus | 'gone' {
  const { poolName } = ip.spec;
  const { pool, node } = around;
  if (claimsOf(ip).length > 0) return claimedStatus(ip, around);
  if (node !== undefined && isKept(ip)) return { phase: 'Conflict', reason: nodeText(node) };
  const hold = holdOf(ip, around);
  if (hold !== undefined) return { phase: 'Held', ...hold };
  if (!isKept(ip)) return 'gone';
  if (pool === undefined) return { phase: 'Failed', reason: lostText(poolName) };
  if (pool === poolName) return { phase: 'Reserved', reason: reserveReason(ip) };
  return { phase: 'Failed', reason: `this address is in Pool ${pool}, not ${poolName}` };
}

/** The status of an object that has a holder. */
export function claimedStatus(ip: IP, { pool, node }: IpSurroundings): IpStatus {
  const services = claimsOf(ip);
  if (node !== undefined) return { phase: 'Conflict', services, reason: nodeText(node) };
  if (pool !== undefined) return { phase: 'Active', services };
  return { phase: 'Active', services, reason: lostText(ip.spec.poolName) };
}

function nodeText(node: string): string {
  return `node ${node} has this address itself`;
}

function lostText(pool: string): string {
  return `Pool ${pool} does not hold this address`;
}

/** An object that nobody ever claimed was made by a user, to keep the address out of use. */
function isKept(ip: IP): boolean {
  if (ip.spec.retain || ip.spec.reservedFor !== undefined) return true;
  // not by phase Active: the CRD's default shows that on every new object
  return (
    ip.spec.claims === undefined &&
    ip.metadata.annotations?.[LAST_SERVICE] === undefined &&
    ip.status?.phase !== 'Held'
  );
}

export function reservationText({
  namespace,
  service,
}: NonNullable<IP['spec']['reservedFor']>): string {
  return service === undefined
    ? `reserved for namespace ${namespace}`
    : `reserved for Service ${namespace}/${service}`;
}

function reserveReason(ip: IP): string {
  const { reservedFor } = ip.spec;
  if (reservedFor !== undefined) return reservationText(reservedFor);
  const last = ip.metadata.annotations?.[LAST_SERVICE];
  return last === undefined
    ? 'reserved; given only to a Service that asks for this address'
    : `retained; Service ${last} had it last`;
}

type Hold = { readonly heldUntil?: string; readonly reason: string } | undefined;

/** The hold that runs, or starts now; undefined where there is none or it is over. */
function holdOf(ip: IP, around: IpSurroundings): Hold {
  const last = ip.metadata.annotations?.[LAST_SERVICE];
  const { phase, heldUntil } = ip.status ?? {};
  const reason = last === undefined ? 'held' : `held back; Service ${last} had it last`;
  const holdSeconds = ip.spec.holdSeconds ?? around.holdSeconds;
  const untilMs = holdEndMs(ip);
  if (heldUntil !== undefined && untilMs !== undefined) {
    if (around.nowMs !== undefined && untilMs <= around.nowMs) return undefined;
    return { heldUntil, reason };
  }
  // after its hold a kept address is Reserved, and its hold must not start again
  if (holdSeconds === 0 || phase === 'Reserved' || (last === undefined && phase !== 'Held')) {
    return undefined;
  }
  if (around.nowMs === undefined) return { reason };
  return { heldUntil: formatTimestamp(around.nowMs + holdSeconds * 1000), reason };
}

/** When the hold of the object ends; undefined where no hold runs. */
export function holdEndMs(ip: IP): number | undefined {
  const { phase, heldUntil } = ip.status ?? {};
  if (phase !== 'Held' || heldUntil === undefined) return undefined;
  return parseTimestamp(heldUntil);
}

/** Same holders with the same ports: nothing to write. */
export function sameClaim(a: IpService | undefined, b: IpService): boolean {
  return (
    a?.uid === b.uid &&
    a?.sharingKey === b.sharingKey &&
    a?.ports.length === b.ports.length &&
    b.ports.every((port, i) => {
      const other = a.ports[i];
      return other?.port === port.port && other.protocol === port.protocol;
    })
  );
}

/** Same content; a services list with its keys in another order counts as different and is written once more. */
export function sameIpStatus(a: IpStatus | undefined, b: IpStatus): boolean {
  const left = a ?? {};
  return (
    left.phase === b.phase &&
    left.reason === b.reason &&
    left.heldUntil === b.heldUntil &&
    JSON.stringify(left.services ?? []) === JSON.stringify(b.services ?? [])
  );
}
