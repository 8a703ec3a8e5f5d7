// IP objects as the assigner writes them: made, claimed, given back, and their published status. Pure.
// spec.claims is the truth about holders; status.services is its copy (design decision 7).
import { HELD_UNTIL, LAST_SERVICE } from '../../api/annotations.ts';
import { cutText } from '../../api/bounded-text.ts';
import type { IP, IpService, IpStatus } from '../../api/ip.ts';
import type { ObjectMeta } from '../../api/kubernetes.ts';
import { REASON_MAX } from '../../api/limits.ts';
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
    metadata: withoutMemory(ip.metadata),
    spec: { ...ip.spec, poolName: pool, claims },
  };
}

function withoutMemory(metadata: ObjectMeta): ObjectMeta {
  const { annotations, ...others } = metadata;
  const rest = Object.entries(annotations ?? {}).filter(
    ([key]) => key !== LAST_SERVICE && key !== HELD_UNTIL,
  );
  return rest.length === 0 ? others : { ...others, annotations: Object.fromEntries(rest) };
}

/** The object without the Service's claim. A last holder is remembered, and the address kept back from now on. */
export function withoutClaim(
  ip: IP,
  service: string,
  around: Pick<IpSurroundings, 'holdSeconds' | 'nowMs'>,
): IP {
  const claims = claimsOf(ip).filter((claim) => claimKey(claim) !== service);
  const spec = { ...ip.spec, claims };
  if (claims.length > 0) return { ...ip, spec };
  const holdSeconds = ip.spec.holdSeconds ?? around.holdSeconds;
  const until =
    holdSeconds === 0 || around.nowMs === undefined
      ? {}
      : { [HELD_UNTIL]: formatTimestamp(around.nowMs + holdSeconds * 1000) };
  const { annotations } = withoutMemory(ip.metadata);
  const memory = Object.assign({}, annotations, { [LAST_SERVICE]: service }, until);
  return {
    ...ip,
    metadata: { ...ip.metadata, annotations: memory },
    spec,
    status: { ...ip.status, phase: 'Held' },
  };
}

/** What of the cluster an IP's status depends on. */
export interface IpSurroundings {
  /** The Pool that holds the address now. */
  readonly pool: string | undefined;
  /** How the cluster uses the address itself, as a sentence. */
  readonly clash: string | undefined;
  readonly holdSeconds: number;
  readonly nowMs: number | undefined;
}

/** The status that the object should show, or `gone`: nobody holds it and nothing keeps it. */
export function ipStatus(ip: IP, around: IpSurroundings): IpStatus | 'gone' {
  const status = wholeStatus(ip, around);
  // an annotation that somebody edited is longer than a reason may be
  if (status === 'gone' || status.reason === undefined) return status;
  return { ...status, reason: cutText(status.reason, REASON_MAX) };
}

function wholeStatus(ip: IP, around: IpSurroundings): IpStatus | 'gone' {
  const { poolName } = ip.spec;
  const { pool, clash } = around;
  if (claimsOf(ip).length > 0) return claimedStatus(ip, around);
  if (clash !== undefined && isKept(ip)) return { phase: 'Conflict', reason: clash };
  const hold = holdOf(ip, around);
  if (hold !== undefined) return { phase: 'Held', ...hold };
  if (!isKept(ip)) return 'gone';
  if (pool === undefined) return { phase: 'Failed', reason: lostText(poolName) };
  if (pool === poolName) return { phase: 'Reserved', reason: reserveReason(ip) };
  return { phase: 'Failed', reason: `this address is in Pool ${pool}, not ${poolName}` };
}

/** The status of an object that has a holder. */
export function claimedStatus(ip: IP, { pool, clash }: IpSurroundings): IpStatus {
  const services = claimsOf(ip);
  if (clash !== undefined) return { phase: 'Conflict', services, reason: clash };
  if (pool !== undefined) return { phase: 'Active', services };
  return { phase: 'Active', services, reason: lostText(ip.spec.poolName) };
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

/** The hold that runs; undefined where there is none or it is over. One that is over stays over, in any phase. */
function holdOf(ip: IP, around: IpSurroundings): Hold {
  const { phase } = ip.status ?? {};
  // what comes after a hold, also if the clock was set back since
  if (phase === 'Reserved' || phase === 'Failed') return undefined;
  const last = ip.metadata.annotations?.[LAST_SERVICE];
  const reason = last === undefined ? 'held' : `held back; Service ${last} had it last`;
  // the first that is a time: one that somebody edited must not begin the hold anew with each look at it
  for (const heldUntil of [ip.metadata.annotations?.[HELD_UNTIL], ip.status?.heldUntil]) {
    const untilMs = heldUntil === undefined ? undefined : parseTimestamp(heldUntil);
    if (heldUntil === undefined || untilMs === undefined) continue;
    const isOver = around.nowMs !== undefined && untilMs <= around.nowMs;
    return isOver ? undefined : { heldUntil, reason };
  }
  // without a clock a release has no time, and by hand the phase alone can be set
  const holdSeconds = ip.spec.holdSeconds ?? around.holdSeconds;
  if (phase !== 'Held' || holdSeconds === 0) return undefined;
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
