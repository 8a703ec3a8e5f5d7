// Memory shared with native/: arrays of the records of native/vipvs.h, and how single fields lie in them. Fields are in
// the host's byte order, addresses in network order with IPv4 in the first four bytes. Pure.
import { ipFromBigInt, ipToBigInt, type Family, type IpAddress } from '../net/address.ts';

/** Must be VIPVS_ABI. */
export const ABI_VERSION = 1;

/** Bytes of each record, in the order of vipvs_abi_sizes(); the library is refused where they differ. */
export const RECORD_BYTES = {
  op: 88,
  result: 8,
  service: 112,
  dest: 104,
  daemon: 56,
  timeouts: 12,
  info: 8,
  key: 28,
  chunk: 16,
  announcement: 24,
} as const;
export type RecordName = keyof typeof RECORD_BYTES;

/** An array of records in memory that the library reads or writes. */
export interface Records {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly capacity: number;
}

export function createRecords(name: RecordName, capacity: number): Records {
  const buffer = new ArrayBuffer(RECORD_BYTES[name] * capacity);
  return { bytes: new Uint8Array(buffer), view: new DataView(buffer), capacity };
}

export const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
export const AF_INET = 2;
export const AF_INET6 = 10;
const NAME_BYTES = 16;
const DOT = 46;

export function putAddress(view: DataView, at: number, address: IpAddress, family: Family): void {
  if (family === 6) {
    const value = ipToBigInt(address);
    view.setBigUint64(at, value >> 64n);
    view.setBigUint64(at + 8, value);
    return;
  }
  let octet = 0;
  let to = at;
  for (let i = 0; i < address.length; i++) {
    const code = address.charCodeAt(i);
    if (code === DOT) {
      view.setUint8(to++, octet);
      octet = 0;
    } else octet = octet * 10 + code - 48;
  }
  view.setUint8(to, octet);
}

export function getAddress(view: DataView, at: number, af: number): IpAddress {
  if (af === AF_INET) return ipv4Of(view, at);
  return ipFromBigInt(6, (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8));
}

function ipv4Of(view: DataView, at: number): IpAddress {
  const octets = `${view.getUint8(at)}.${view.getUint8(at + 1)}.${view.getUint8(at + 2)}`;
  return `${octets}.${view.getUint8(at + 3)}` as IpAddress;
}

/** Not ASCII becomes 0xff and too long stays without its NUL: the library refuses both. */
export function putName(view: DataView, at: number, name: string): void {
  for (let i = 0; i < NAME_BYTES; i++) {
    const code = i < name.length ? name.charCodeAt(i) : 0;
    view.setUint8(at + i, code > 127 || (code === 0 && i < name.length) ? 0xff : code);
  }
}

export function getName(view: DataView, at: number): string {
  let name = '';
  for (let i = 0; i < NAME_BYTES; i++) {
    const code = view.getUint8(at + i);
    if (code === 0) break;
    name += String.fromCharCode(code);
  }
  return name;
}

export function getCount(view: DataView, at: number): number {
  const high = view.getUint32(at + (LITTLE ? 4 : 0), LITTLE);
  return high * 2 ** 32 + view.getUint32(at + (LITTLE ? 0 : 4), LITTLE);
}
