// Addresses that can be neither a VIP nor a real server, and the word that says why.
import { familyOf, type IpAddress } from './address.ts';
import { parseRange, rangeHas, rangesOverlap, type IpRange } from './range.ts';

export type SpecialUse =
  'unspecified' | 'loopback' | 'link-local' | 'multicast' | 'broadcast' | 'IPv4-mapped';

interface SpecialRange {
  readonly use: SpecialUse;
  readonly range: IpRange;
}

/** IANA special-purpose registries (RFC 6890), those that Linux neither routes nor answers ARP for. */
const SPECIAL: readonly SpecialRange[] = [
  { use: 'unspecified', range: parseRange('0.0.0.0/8') }, // RFC 791 "this network"
  { use: 'loopback', range: parseRange('127.0.0.0/8') },
  { use: 'link-local', range: parseRange('169.254.0.0/16') },
  { use: 'multicast', range: parseRange('224.0.0.0/4') },
  { use: 'broadcast', range: parseRange('255.255.255.255') },
  { use: 'unspecified', range: parseRange('::') },
  { use: 'loopback', range: parseRange('::1') },
  // RFC 4291 2.5.5.2; no single address gets here, since parseIp refuses them, but a wide range can hold them
  { use: 'IPv4-mapped', range: { family: 6, first: 0xffff_0000_0000n, last: 0xffff_ffff_ffffn } },
  { use: 'link-local', range: parseRange('fe80::/10') },
  { use: 'multicast', range: parseRange('ff00::/8') },
];

/**
 * What the address is reserved for, or undefined for one that a VIP or a real server may have (Kubernetes, too,
 * refuses these in an EndpointSlice). Cheap: it reads
 * the first characters of the canonical text, and most addresses are done after one look.
 */
export function specialUseOf(ip: IpAddress): SpecialUse | undefined {
  if (familyOf(ip) === 4 ? !MAYBE_SPECIAL_V4.test(ip) : !MAYBE_SPECIAL_V6.test(ip)) {
    return undefined;
  }
  return SPECIAL.find(({ range }) => rangeHas(range, ip))?.use;
}

const MAYBE_SPECIAL_V4 = /^(0|127|169|2[2-5]\d)\./;
const MAYBE_SPECIAL_V6 = /^(::|f[ef])/;

/** The first special use that the range touches. */
export function specialUseIn(range: IpRange): SpecialUse | undefined {
  return SPECIAL.find((special) => rangesOverlap(special.range, range))?.use;
}
