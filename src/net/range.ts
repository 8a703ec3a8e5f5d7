// CIDRs and ranges by arithmetic: nothing is ever enumerated, so a /8 or a /64 costs what a /32 costs.
import {
  AddressError,
  bitsOf,
  familyOf,
  ipFromBigInt,
  ipToBigInt,
  parseIp,
  quoted,
  type Family,
  type IpAddress,
} from './address.ts';

/** Inclusive on both ends; first <= last. */
export interface IpRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** What word processors make of a hyphen. */
const DASH_LIKE = /[\u2010-\u2015\u2212]/;

/** Parses `a.b.c.d/n` (host bits are masked off), `first-last` (inclusive) or a bare address. Throws AddressError. */
export function parseRange(text: string): IpRange {
  const trimmed = text.trim();
  const [dashLike] = DASH_LIKE.exec(trimmed) ?? [];
  if (dashLike !== undefined) {
    const code = dashLike.charCodeAt(0).toString(16).toUpperCase();
    throw new AddressError(`${quoted(text)} has ${dashLike} (U+${code}) where a - must be`);
  }
  if (trimmed.includes('/')) return parseCidr(trimmed);
  const dash = trimmed.indexOf('-');
  if (dash < 0) return rangeOfIp(parseIp(trimmed));
  const first = parseIp(trimmed.slice(0, dash).trim());
  const last = parseIp(trimmed.slice(dash + 1).trim());
  const family = familyOf(first);
  if (family !== familyOf(last)) {
    throw new AddressError(
      `range ${quoted(text)} goes from IPv${String(family)} to IPv${String(familyOf(last))}`,
    );
  }
  const range = { family, first: ipToBigInt(first), last: ipToBigInt(last) };
  if (range.first > range.last) {
    throw new AddressError(`range ${quoted(text)} ends before it starts`);
  }
  return range;
}

/** Parses `address/prefix`; host bits are masked off. Throws AddressError. */
export function parseCidr(text: string): IpRange {
  const slash = text.indexOf('/');
  const ip = parseIp(text.slice(0, slash));
  const family = familyOf(ip);
  const bits = bitsOf(family);
  const prefixText = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(prefixText) || Number(prefixText) > bits) {
    throw new AddressError(`prefix length of ${quoted(text)} is not 0 to ${String(bits)}`);
  }
  const hostBits = BigInt(bits - Number(prefixText));
  const first = (ipToBigInt(ip) >> hostBits) << hostBits;
  return { family, first, last: first + (1n << hostBits) - 1n };
}

export function rangeOfIp(ip: IpAddress): IpRange {
  const value = ipToBigInt(ip);
  return { family: familyOf(ip), first: value, last: value };
}

export function rangeSize(range: IpRange): bigint {
  return range.last - range.first + 1n;
}

export function rangeHas(range: IpRange, ip: IpAddress): boolean {
  if (familyOf(ip) !== range.family) return false;
  const value = ipToBigInt(ip);
  return value >= range.first && value <= range.last;
}

export function rangesOverlap(a: IpRange, b: IpRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** `first-last`, `address/prefix` where the range is one CIDR, or the bare address. */
export function formatRange(range: IpRange): string {
  const first = ipFromBigInt(range.family, range.first);
  if (range.first === range.last) return first;
  const size = rangeSize(range);
  const isCidr = (size & (size - 1n)) === 0n && range.first % size === 0n;
  if (isCidr) return `${first}/${String(bitsOf(range.family) - (size.toString(2).length - 1))}`;
  return `${first}-${ipFromBigInt(range.family, range.last)}`;
}
