// IP addresses as values. One representation everywhere: the canonical text (RFC 5952 for IPv6), branded, so
// that equality is ===, addresses are map keys, and JSON needs no conversion. Arithmetic goes through bigint.
import { Address4, Address6 } from 'ip-address';

export type Family = 4 | 6;

declare const canonical: unique symbol;
/** Canonical text of an IPv4 or IPv6 address: `192.0.2.10`, `2001:db8::1`. Never a zone id, never IPv4-mapped. */
export type IpAddress = string & { readonly [canonical]: true };

/** The text is not an address, CIDR, range or rule that we accept; `message` says what is wrong and what is allowed. */
export class AddressError extends Error {
  override readonly name = 'AddressError';
}

const IPV4_BITS = 32;
const IPV6_BITS = 128;
const MAX_SHOWN = 80;

/** Text of a user's value for an error message: quoted, shortened, nothing in it that a terminal acts on. */
export function quoted(text: string): string {
  return printable(JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text));
}

/** A name as a part of a message: as it is, or quoted where it is long or has characters that can't be seen. */
export function shownName(text: string): string {
  return text.length > MAX_SHOWN || text === '' || printable(text) !== text ? quoted(text) : text;
}

/** Control characters, line breaks, marks of direction and half characters. */
export const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** The text on one line: what can't be seen, or moves a terminal's cursor, is written as `\u{1b}`. */
export function printable(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (character) => `\\u{${Number(character.codePointAt(0)).toString(16)}}`,
  );
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

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const ORDINARY_IPV4 = new RegExp(`^${OCTET}\\.${OCTET}\\.${OCTET}\\.${OCTET}$`);

/** What Address4 takes is canonical already (it refuses leading zeros), and so the caller's string is in memory once. */
function parseIpv4(text: string): IpAddress {
  // an agent parses 50,000 endpoints at its start: the ordinary one by itself, ip-address decides about the rest
  if (ORDINARY_IPV4.test(text) || Address4.isValid(text)) return text as IpAddress;
  throw new AddressError(`${quoted(text)} is not an IP address`);
}

function parseIpv6(text: string): IpAddress {
  const groups = groupsOf(text);
  // RFC 4291 2.5.5.2: ::ffff:0:0/96 is an IPv4 address in IPv6 clothes
  if (groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)) {
    throw new AddressError(`${quoted(text)} is an IPv4-mapped address; write it as IPv4`);
  }
  return formatGroups(groups);
}

/** ip-address decides about every text that the scanner does not take, and whether it is an address at all. */
function groupsBySlowParser(text: string): readonly number[] {
  try {
    return new Address6(text).parsedAddress.map((group) => parseInt(group, 16));
  } catch {
    throw new AddressError(`${quoted(text)} is not an IP address`);
  }
}

/** What `parse` returns, or the AddressError that it throws; any other error is a bug and goes on. */
export function orAddressError<T>(parse: () => T): T | AddressError {
  try {
    return parse();
  } catch (error) {
    if (error instanceof AddressError) return error;
    throw error;
  }
}

/** parseIp, or undefined where the text is no address. */
export function tryParseIp(text: string): IpAddress | undefined {
  const ip = orAddressError(() => parseIp(text));
  return ip instanceof AddressError ? undefined : ip;
}

export function familyOf(ip: IpAddress): Family {
  return ip.includes(':') ? 6 : 4;
}

export function bitsOf(family: Family): number {
  return family === 4 ? IPV4_BITS : IPV6_BITS;
}

/** 0 … 2^32-1 or 2^128-1. */
export function ipToBigInt(ip: IpAddress): bigint {
  if (familyOf(ip) === 4) return BigInt(ipv4ToNumber(ip));
  // two groups at a time: BigInt steps are what costs here
  let value = 0n;
  let word = 0;
  let isLow = false;
  for (const group of groupsOf(ip)) {
    word = word * 0x10000 + group;
    if (isLow) {
      value = (value << 32n) | BigInt(word);
      word = 0;
    }
    isLow = !isLow;
  }
  return value;
}

/** The value of an IPv4 address: 0 … 2^32-1. */
export function ipv4ToNumber(ip: IpAddress): number {
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
    return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}` as IpAddress;
  }
  const groups: number[] = [];
  for (let shift = 96n; shift >= 0n; shift -= 32n) {
    const word = Number((value >> shift) & 0xffff_ffffn);
    groups.push(word >>> 16, word & 0xffff);
  }
  return formatGroups(groups);
}

/** IPv4 before IPv6, then by value: the canonical order of every list that we print. */
export function compareIp(a: IpAddress, b: IpAddress): number {
  if (a === b) return 0;
  const family = familyOf(a);
  const byFamily = family - familyOf(b);
  if (byFamily !== 0) return byFamily;
  if (family === 4) return ipv4ToNumber(a) - ipv4ToNumber(b);
  return ipToBigInt(a) < ipToBigInt(b) ? -1 : 1;
}

const OBJECT_NAME_V6 = /^[0-9a-f]{4}(-[0-9a-f]{4}){7}$/;

/**
 * The address as name of a Kubernetes object (RFC 1123 subdomain): IPv4 as it is, IPv6 as its eight groups of
 * four digits joined by dashes, `2001-0db8-0000-0000-0000-0000-0000-0001`.
 */
export function objectNameOf(ip: IpAddress): string {
  if (familyOf(ip) === 4) return ip;
  return groupsOf(ip)
    .map((group) => group.toString(16).padStart(4, '0'))
    .join('-');
}

/** The inverse of objectNameOf; undefined for a name that is not of that form. */
export function ipOfObjectName(name: string): IpAddress | undefined {
  if (OBJECT_NAME_V6.test(name)) return tryParseIp(name.replaceAll('-', ':'));
  const ip = tryParseIp(name);
  return ip === name && familyOf(ip) === 4 ? ip : undefined;
}

const GROUPS = 8;

/** The eight groups of IPv6 text. Throws AddressError. */
function groupsOf(text: string): readonly number[] {
  return scanGroups(text) ?? groupsBySlowParser(text);
}

/**
 * One pass over hexadecimal groups and at most one `::`; undefined for any other text, valid or not. It is here
 * because ip-address parses 0.16 million IPv6 addresses a second, and endpoints come by the 50,000; a property
 * test holds it to ip-address's answers.
 */
function scanGroups(text: string): readonly number[] | undefined {
  const groups: number[] = [];
  let elision = -1;
  let value = 0;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== COLON) {
      const digit = hexDigit(code);
      if (digit < 0 || ++digits > 4) return undefined;
      value = value * 16 + digit;
      continue;
    }
    if (digits > 0) groups.push(value);
    if (text.charCodeAt(i + 1) === COLON) {
      if (elision >= 0) return undefined;
      elision = groups.length;
      i++;
    } else if (digits === 0 || i === text.length - 1) return undefined;
    value = 0;
    digits = 0;
  }
  if (digits > 0) groups.push(value);
  if (elision < 0) return groups.length === GROUPS ? groups : undefined;
  if (groups.length >= GROUPS) return undefined;
  groups.splice(elision, 0, ...ZEROS.slice(groups.length));
  return groups;
}

const COLON = 58;
const ZEROS: readonly number[] = Array.from({ length: GROUPS }, () => 0);

/** Value of a hexadecimal digit, -1 for any other character. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

/** RFC 5952: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. */
function formatGroups(groups: readonly number[]): IpAddress {
  let start = GROUPS;
  let length = 1;
  let run = 0;
  for (const [i, group] of groups.entries()) {
    run = group === 0 ? run + 1 : 0;
    if (run > length) {
      length = run;
      start = i - run + 1;
    }
  }
  const head = hexText(groups.slice(0, start));
  if (start === GROUPS) return head as IpAddress;
  return `${head}::${hexText(groups.slice(start + length))}` as IpAddress;
}

function hexText(groups: readonly number[]): string {
  return groups.map((group) => group.toString(16)).join(':');
}
