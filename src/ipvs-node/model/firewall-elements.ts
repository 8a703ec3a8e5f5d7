// Elements of the sets of the nft table, as text: each has one form, the one that nft prints.
import type { IpAddress } from '../../net/address.ts';
import { formatRange, parseRange } from '../../net/range.ts';
import { FIREWALL_SETS, type FirewallState, type PortKey } from './state.ts';

/** Element of `vips4`, `vips6`. */
export function vipElement(vip: IpAddress): string {
  return vip;
}

/** Element of `local4`, `local6`: an address, a CIDR or a range. Throws AddressError. */
export function localElement(text: string): string {
  return formatRange(parseRange(text));
}

/** Element of `ports4`, `ports6`, `ranged4`, `ranged6`. */
export function portElement(key: PortKey): string {
  return [key.vip, key.protocol.toLowerCase(), key.port].join(' . '); // flat in memory, unlike a template's string
}

/** Element of `sources4`, `sources6`. Throws AddressError where `cidr` is none. */
export function sourceElement(key: PortKey, cidr: string): string {
  return `${portElement(key)} . ${formatRange(parseRange(cidr))}`;
}

export function emptyFirewall(): FirewallState {
  return { sets: new Map(FIREWALL_SETS.map((set) => [set, new Set<string>()])) };
}
