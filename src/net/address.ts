// IP addresses as values. One representation everywhere: the canonical text (RFC 5952 for IPv6), branded, so
// that equality is ===, addresses are map keys, and JSON needs no conversion. Arithmetic goes through bigint.
import { Address4, Address6 } from 'ip-address';

export type Family = 4 | 6;

declare const canonical: unique symbol;
/** Canonical text of an IPv4 or IPv6 address: `192.0.2.10`, `2001:db8::1`. Never a zone id, never IPv4-mapped. */
export type IpAddress = string & { readonly [canonical]: true };

/** The text is not an address, CIDR or range that we accept; `message` says what is wrong and what is allowed. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

export const IPV4_BITS = 32;
export const IPV6_BITS = 128;
const MAX_SHOWN = 80;

/** Text of a user's value for an error message: quoted, shortened. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}

/** Parses an address written by a user or another program. Throws AddressError. */
export function parseIp(text: string): IpAddress {
  if (text.includes('%')) {
    throw new AddressError(`${quoted(text)} has a zone id; addresses with a zone are not allowed`);
  }
  if (text.includes('/')) {
    throw new AddressError(`${quoted(text)} has a prefix length; a single address is expected`);
  }
  if (!text.includes(':')) return parseIpv4(text);
  return parseIpv6(text);
}

function parseIpv4(text: string): IpAddress {
  try {
    return new Address4(text).correctForm() as IpAddress;
  } catch {
    throw new AddressError(`${quoted(text)} is not an IP address`);
  }
}

function parseIpv6(text: string): IpAddress {
  let address: Address6;
  try {
    address = new Address6(text);
  } catch {
    throw new AddressError(`${quoted(text)} is not an IP address`);
  }
  const value = address.bigInt();
  // RFC 4291 2.5.5: ::ffff:0:0/96 is an IPv4 address in IPv6 clothes, ::/96 its deprecated form
  if (value >> 32n === 0xffffn) {
    throw new AddressError(`${quoted(text)} is an IPv4-mapped address; write it as IPv4`);
  }
  return ipFromBigInt(6, value);
}

/** parseIp, or undefined where the text is no address. */
export function tryParseIp(text: string): IpAddress | undefined {
  try {
    return parseIp(text);
  } catch (error) {
    if (error instanceof AddressError) return undefined;
    throw error;
  }
}

export function familyOf(ip: IpAddress): Family {
  return ip.includes(':') ? 6 : 4;
}

export function bitsOf(family: Family): number {
  return family === 4 ? IPV4_BITS : IPV6_BITS;
}

/** 0 … 2^32-1 or 2^128-1. */
export function ipToBigInt(ip: IpAddress): bigint {
  return familyOf(ip) === 4 ? BigInt(ipv4ToNumber(ip)) : new Address6(ip).bigInt();
}

function ipv4ToNumber(ip: IpAddress): number {
  let value = 0;
  let octet = 0;
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i);
    if (code === 46) {
      value = value * 256 + octet;
      octet = 0;
    } else octet = octet * 10 + code - 48;
  }
  return value * 256 + octet;
}

/** The address with that value. The value must be inside the family. */
export function ipFromBigInt(family: Family, value: bigint): IpAddress {
  if (family === 4) {
    const n = Number(value);
    return `${String(n >>> 24)}.${String((n >>> 16) & 255)}.${String((n >>> 8) & 255)}.${String(n & 255)}` as IpAddress;
  }
  return Address6.fromBigInt(value).correctForm() as IpAddress;
}

/** IPv4 before IPv6, then by value: the canonical order of every list that we print. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  if (a === b) return 0;
  const byFamily = familyOf(a) - familyOf(b);
  if (byFamily !== 0) return byFamily;
  return ipToBigInt(a) < ipToBigInt(b) ? -1 : 1;
}

const HEX_GROUPS = 8;

/**
 * The address as name of a Kubernetes object (RFC 1123 subdomain): IPv4 as it is, IPv6 as its eight groups of
 * four digits joined by dashes, `2001-0db8-0000-0000-0000-0000-0000-0001`.
 */
export function objectNameOf(ip: IpAddress): string {
  if (familyOf(ip) === 4) return ip;
  const hex = ipToBigInt(ip)
    .toString(16)
    .padStart(HEX_GROUPS * 4, '0');
  return Array.from({ length: HEX_GROUPS }, (_, i) => hex.slice(i * 4, i * 4 + 4)).join('-');
}

/** The inverse of objectNameOf; undefined for a name that is not of that form. */
export function ipOfObjectName(name: string): IpAddress | undefined {
  const ip = tryParseIp(name.includes('-') ? name.replaceAll('-', ':') : name);
  return ip !== undefined && objectNameOf(ip) === name ? ip : undefined;
}
