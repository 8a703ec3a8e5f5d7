// Bytes of the rtnetlink messages that we use: RTM_{NEW,DEL,GET}ADDR and RTM_{NEW,DEL,GET}LINK, ACKs and the
// end of a dump. Pure. Our own because npm netlink's codec refuses attributes it does not know, and
// IFA_PROTO is one. Decoding any bytes gives messages or throws CodecError, nothing else.
// Layouts: linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h, linux/if_link.h.
import {
  bitsOf,
  familyOf,
  ipFromBigInt,
  ipToBigInt,
  type Family,
  type IpAddress,
} from '../../../net/address.ts';

export class CodecError extends Error {
  override readonly name = 'CodecError';
}

/** The host's byte order: netlink headers are in it. */
const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

const NLMSG_HDRLEN = 16;
const NLA_HDRLEN = 4;
const NLA_TYPE_MASK = 0x3fff;
const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_DUMP = 0x300;
const NLM_F_CREATE_EXCL = 0x600;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

const IFADDRMSG_LEN = 8;
const IFINFOMSG_LEN = 16;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_CACHEINFO = 6;
const IFA_FLAGS = 8;
const IFA_PROTO = 11;
const IFA_F_NODAD = 0x02;
const IFA_F_PERMANENT = 0x80;
const LIFETIME_FOREVER = 0xffffffff;

const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
// linux/if_arp.h
const ARPHRD_ETHER = 1;
const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;

const AF_INET = 2;
const AF_INET6 = 10;

/**
 * IFA_PROTO of our addresses ('L'). 1 to 3 are the kernel's own (linux/if_addr.h IFAPROT_*), the rest is free for
 * user space; keepalived, systemd-networkd and NetworkManager set none.
 */
export const ADDRESS_TAG = 0x4c;

export interface AddressRecord {
  readonly ip: IpAddress;
  readonly prefixLength: number;
  readonly ifindex: number;
  /** IFA_PROTO; 0 where the address has none or the kernel is older than 5.18. */
  readonly protocol: number;
}

export interface LinkRecord {
  readonly ifindex: number;
  readonly name: string;
  /** Administratively up (IFF_UP) and with carrier (IFF_RUNNING). */
  readonly up: boolean;
  readonly mtu: number;
  /** Has a MAC, ARP and neighbour discovery (ARPHRD_ETHER): addresses can be announced on it. */
  readonly isEthernet: boolean;
}

export type RtMessage = { readonly seq: number; readonly interrupted: boolean } & (
  | { readonly kind: 'address'; readonly removed: boolean; readonly address: AddressRecord }
  | { readonly kind: 'link'; readonly removed: boolean; readonly link: LinkRecord }
  /** An ACK (errno 0), a refusal, or the end of a dump with its own errno. */
  | { readonly kind: 'ack' | 'done'; readonly errno: number }
  | { readonly kind: 'other'; readonly type: number }
);

export interface AddressChange {
  readonly op: 'add' | 'del';
  readonly ip: IpAddress;
  readonly ifindex: number;
}

function ipBytes(ip: IpAddress): Uint8Array {
  const bytes = new Uint8Array(bitsOf(familyOf(ip)) / 8);
  let value = ipToBigInt(ip);
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return bytes;
}

function ipOf(family: Family, bytes: Uint8Array): IpAddress {
  if (bytes.length !== bitsOf(family) / 8) {
    throw new CodecError(`IPv${family} address of ${bytes.length} bytes`);
  }
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return ipFromBigInt(family, value);
}

class Writer {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): void {
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
  }

  u16(value: number): void {
    this.#view.setUint16(this.#at, value, LITTLE);
    this.#at += 2;
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, LITTLE);
    this.#at += 4;
  }

  header(type: number, flags: number, seq: number): void {
    this.u32(0);
    this.u16(type);
    this.u16(flags);
    this.u32(seq);
    this.u32(0);
  }

  attribute(type: number, payload: Uint8Array): void {
    this.u16(NLA_HDRLEN + payload.length);
    this.u16(type);
    this.#bytes.set(payload, this.#at);
    this.#at = align(this.#at + payload.length);
  }

  attributeU32(type: number, ...values: readonly number[]): void {
    this.u16(NLA_HDRLEN + values.length * 4);
    this.u16(type);
    for (const value of values) this.u32(value);
  }

  finish(): Uint8Array {
    this.#view.setUint32(0, this.#at, LITTLE);
    return this.#bytes.subarray(0, this.#at);
  }
}

function align(length: number): number {
  return (length + 3) & ~3;
}

export function encodeDump(what: 'addresses' | 'links', seq: number): Uint8Array {
  const writer = new Writer(NLMSG_HDRLEN + IFINFOMSG_LEN);
  writer.header(what === 'links' ? RTM_GETLINK : RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, seq);
  const bodyLength = what === 'links' ? IFINFOMSG_LEN : IFADDRMSG_LEN;
  for (let i = 0; i < bodyLength; i++) writer.u8(0);
  return writer.finish();
}

/** Longest encodeAddress: header, ifaddrmsg, two addresses, flags, lifetimes, tag. */
const ADDRESS_CAPACITY = NLMSG_HDRLEN + IFADDRMSG_LEN + 2 * 20 + 8 + 20 + 8;

/**
 * A /32 or /128 with our tag. IPv6: no duplicate address detection (it would leave the VIP tentative for a second or
 * two) and preferred_lft 0, so that the kernel never picks the VIP as a source address.
 */
export function encodeAddress(change: AddressChange, seq: number, ack: boolean): Uint8Array {
  const writer = new Writer(ADDRESS_CAPACITY);
  const family = familyOf(change.ip);
  const add = change.op === 'add';
  const flags = NLM_F_REQUEST | (ack ? NLM_F_ACK : 0) | (add ? NLM_F_CREATE_EXCL : 0);
  writer.header(add ? RTM_NEWADDR : RTM_DELADDR, flags, seq);
  writer.u8(family === 4 ? AF_INET : AF_INET6);
  writer.u8(bitsOf(family));
  writer.u8(0);
  writer.u8(0); // RT_SCOPE_UNIVERSE
  writer.u32(change.ifindex);
  const bytes = ipBytes(change.ip);
  writer.attribute(IFA_LOCAL, bytes);
  writer.attribute(IFA_ADDRESS, bytes);
  if (add) {
    if (family === 6) {
      writer.attributeU32(IFA_FLAGS, IFA_F_NODAD | IFA_F_PERMANENT);
      writer.attributeU32(IFA_CACHEINFO, 0, LIFETIME_FOREVER, 0, 0);
    }
    writer.attribute(IFA_PROTO, Uint8Array.of(ADDRESS_TAG));
  }
  return writer.finish();
}

/** All messages of one datagram. Throws CodecError for bytes that are not well-formed netlink. */
export function decodeMessages(datagram: Uint8Array): readonly RtMessage[] {
  const messages: RtMessage[] = [];
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  let at = 0;
  while (at < datagram.length) {
    if (datagram.length - at < NLMSG_HDRLEN) throw new CodecError('cut netlink header');
    const length = view.getUint32(at, LITTLE);
    if (length < NLMSG_HDRLEN || length > datagram.length - at) {
      throw new CodecError(`netlink message of ${length} bytes in ${datagram.length - at}`);
    }
    const type = view.getUint16(at + 4, LITTLE);
    const flags = view.getUint16(at + 6, LITTLE);
    const seq = view.getUint32(at + 8, LITTLE);
    const body = datagram.subarray(at + NLMSG_HDRLEN, at + length);
    if (type !== NLMSG_NOOP) {
      messages.push({
        seq,
        interrupted: (flags & NLM_F_DUMP_INTR) !== 0,
        ...decodeBody(type, body),
      });
    }
    at += align(length);
  }
  return messages;
}

type Unsequenced<T> = T extends RtMessage ? Omit<T, 'seq' | 'interrupted'> : never;

function decodeBody(type: number, body: Uint8Array): Unsequenced<RtMessage> {
  switch (type) {
    case NLMSG_ERROR:
      return { kind: 'ack', errno: errnoOf(body) };
    case NLMSG_DONE:
      // kernels before 4.x end a dump without a status
      return { kind: 'done', errno: body.length === 0 ? 0 : errnoOf(body) };
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return { kind: 'address', removed: type === RTM_DELADDR, address: decodeAddress(body) };
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return { kind: 'link', removed: type === RTM_DELLINK, link: decodeLink(body) };
    default:
      return { kind: 'other', type };
  }
}

function viewOf(bytes: Uint8Array, least: number, what: string): DataView {
  if (bytes.length < least) throw new CodecError(`${what} of ${bytes.length} bytes`);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function errnoOf(body: Uint8Array): number {
  return -viewOf(body, 4, 'netlink status').getInt32(0, LITTLE);
}

function attributesOf(bytes: Uint8Array): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const view = viewOf(bytes, 0, 'attributes');
  let at = 0;
  while (bytes.length - at >= NLA_HDRLEN) {
    const length = view.getUint16(at, LITTLE);
    if (length < NLA_HDRLEN || length > bytes.length - at) {
      throw new CodecError(`attribute of ${length} bytes in ${bytes.length - at}`);
    }
    const type = view.getUint16(at + 2, LITTLE) & NLA_TYPE_MASK;
    attributes.set(type, bytes.subarray(at + NLA_HDRLEN, at + length));
    at += align(length);
  }
  return attributes;
}

function decodeAddress(body: Uint8Array): AddressRecord {
  const view = viewOf(body, IFADDRMSG_LEN, 'ifaddrmsg');
  const family = view.getUint8(0);
  if (family !== AF_INET && family !== AF_INET6) throw new CodecError(`address family ${family}`);
  const attributes = attributesOf(body.subarray(IFADDRMSG_LEN));
  // point-to-point links: IFA_LOCAL is ours, IFA_ADDRESS the peer's
  const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
  if (bytes === undefined) throw new CodecError('address message without an address');
  return {
    ip: ipOf(family === AF_INET ? 4 : 6, bytes),
    prefixLength: view.getUint8(1),
    ifindex: view.getUint32(4, LITTLE),
    protocol: attributes.get(IFA_PROTO)?.[0] ?? 0,
  };
}

function decodeLink(body: Uint8Array): LinkRecord {
  const view = viewOf(body, IFINFOMSG_LEN, 'ifinfomsg');
  const attributes = attributesOf(body.subarray(IFINFOMSG_LEN));
  const name = attributes.get(IFLA_IFNAME);
  const mtu = attributes.get(IFLA_MTU);
  const flags = view.getUint32(8, LITTLE);
  const running = IFF_UP | IFF_RUNNING;
  return {
    ifindex: view.getInt32(4, LITTLE),
    name: name === undefined ? '' : textOf(name),
    up: (flags & running) === running,
    mtu: mtu === undefined ? 0 : viewOf(mtu, 4, 'IFLA_MTU').getUint32(0, LITTLE),
    isEthernet: view.getUint16(2, LITTLE) === ARPHRD_ETHER,
  };
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return String.fromCharCode(...bytes.subarray(0, end < 0 ? bytes.length : end));
}
