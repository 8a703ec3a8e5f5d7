// Memory shared with native/: arrays of the records of native/vipvs.h, and how single fields lie in them. Every field is
// one or more 32-bit words in the host's byte order, but for names and addresses, which are bytes; IPv4 is in the first
// four of sixteen. Plain typed arrays: in cold code, as in a first round, they are several times faster than DataView.
// Pure.
import { ipFromBigInt, ipToBigInt, type Family, type IpAddress } from '../../../net/address.ts';

/** Must be VIPVS_ABI. */
export const ABI_VERSION = 1;

/** Bytes of each record, in the order of vipvs_abi_sizes(); the library is refused where they differ. */
export const RECORD_BYTES = {
  op: 92,
  result: 8,
  service: 120,
  dest: 112,
  daemon: 56,
  timeouts: 12,
  info: 8,
  key: 32,
  chunk: 16,
  announcement: 28,
} as const;
export type RecordName = keyof typeof RECORD_BYTES;

/** An array of records in memory that the library reads or writes. Offsets in this room count words. */
export interface Records {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly capacity: number;
}

export function createRecords(name: RecordName, capacity: number): Records {
  const buffer = new ArrayBuffer(RECORD_BYTES[name] * capacity);
  return { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer), capacity };
}

/** Words from one record of this kind to the next. */
export function stride(name: RecordName): number {
  return RECORD_BYTES[name] / 4;
}

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
const LOW = LITTLE ? 0 : 1;
const HIGH = 1 - LOW;

export const AF_INET = 2;
const AF_INET6 = 10;

export function afOf(family: Family): number {
  return family === 4 ? AF_INET : AF_INET6;
}

const NAME_BYTES = 16;
const DOT = 46;
const ASCII_MAX = 127;

/**
 * Writes the sixteen bytes of an address; of IPv4 the first four. Small functions that do little, as all of this is:
 * in a first round most of the time goes into compiling it.
 */
export function putAddress(records: Records, at: number, address: IpAddress, family: Family): void {
  if (family === 4) records.words[at] = networkOrder(ipv4Value(address));
  else putIpv6(records, at, address);
}

function ipv4Value(address: IpAddress): number {
  let value = 0;
  let octet = 0;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      value = (value << 8) | octet;
      octet = 0;
    } else octet = octet * 10 + code - 48;
  }
  return (value << 8) | octet;
}

/** The word whose bytes in memory are these 32 bits, highest first: htonl(). */
function networkOrder(value: number): number {
  if (!LITTLE) return value;
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

function putIpv6({ words }: Records, at: number, address: IpAddress): void {
  const value = ipToBigInt(address);
  for (let i = 0; i < 4; i++) {
    const word = Number((value >> BigInt(96 - 32 * i)) & 0xffff_ffffn);
    words[at + i] = networkOrder(word);
  }
}

export function getAddress({ bytes }: Records, at: number, af: number): IpAddress {
  const start = at * 4;
  if (af === AF_INET) {
    return `${bytes[start]}.${bytes[start + 1]}.${bytes[start + 2]}.${bytes[start + 3]}` as IpAddress;
  }
  let value = 0n;
  // by 16 bits: a BigInt step costs more than a few small ones
  for (let i = start; i < start + 16; i += 2) {
    value = (value << 16n) | BigInt(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  }
  return ipFromBigInt(6, value);
}

/** What is not ASCII becomes 0xff and what is too long stays without its NUL: the library refuses both. */
export function putName({ words, bytes }: Records, at: number, name: string): void {
  words[at] = 0;
  words[at + 1] = 0;
  words[at + 2] = 0;
  words[at + 3] = 0;
  for (let i = 0; i < name.length && i < NAME_BYTES; i++) {
    const code = name.charCodeAt(i);
    bytes[at * 4 + i] = code === 0 || code > ASCII_MAX ? 0xff : code;
  }
}

export function getName({ bytes }: Records, at: number): string {
  const start = at * 4;
  let name = '';
  // short names, many records: subarray() and spreading cost ten times this
  for (let i = start; i < start + NAME_BYTES; i++) {
    const code = bytes[i] ?? 0;
    if (code === 0) break;
    name += String.fromCharCode(code);
  }
  return name;
}

export function getWord({ words }: Records, at: number): number {
  return words[at] ?? 0;
}

/** A 64-bit number; above 2^53 it loses its last digits. */
export function getCount({ words }: Records, at: number): number {
  return (words[at + HIGH] ?? 0) * 2 ** 32 + (words[at + LOW] ?? 0);
}
