// What the sets of the nft table hold, as values: each has a canonical key, by which sets differ. Text of nft is made of
// them in kernel/firewall, and nowhere else.
import type { Family, IpAddress } from '../../net/address.ts';
import { virtualServerKey, type VirtualServerAddress } from '../../net/ipvs.ts';
import { formatRange, type IpRange } from '../../net/range.ts';

/**
 * vips: VIPs of this node, masqueraded unless the real server is in `local`. ports: those that a Service opens; a new
 * connection to another port of a VIP is rejected. ranged: those of them with loadBalancerSourceRanges; sources: who may
 * reach a ranged one.
 */
export const FIREWALL_SETS = [
  'vips4', 'local4', 'ports4', 'ranged4', 'sources4',
  'vips6', 'local6', 'ports6', 'ranged6', 'sources6',
] as const; // prettier-ignore
export type FirewallSet = (typeof FIREWALL_SETS)[number];

/** Written out: a template would make a string of its own for every element. */
export const SETS_OF = {
  4: { vips: 'vips4', ports: 'ports4', local: 'local4', ranged: 'ranged4', sources: 'sources4' },
  6: { vips: 'vips6', ports: 'ports6', local: 'local6', ranged: 'ranged6', sources: 'sources6' },
} as const satisfies Record<Family, Record<string, FirewallSet>>;

/** vips and local hold addresses, local ranges, too; ports and ranged hold ports of VIPs; sources, who may reach one. */
export type FirewallElement = IpAddress | IpRange | VirtualServerAddress | SourceElement;

export interface SourceElement {
  readonly port: VirtualServerAddress;
  readonly source: IpRange;
}

declare const elementOfSet: unique symbol;
/** `192.0.2.10`, `10.0.0.0/8`, `192.0.2.10:80/TCP`, `192.0.2.10:80/TCP 10.0.0.0/8` */
export type ElementKey = string & { readonly [elementOfSet]: true };

export function elementKey(element: FirewallElement): ElementKey {
  return keyText(element) as ElementKey;
}

/** That of an address is the address itself, and so takes no memory. */
function keyText(element: FirewallElement): string {
  if (typeof element === 'string') return element;
  if ('vip' in element) return virtualServerKey(element);
  if ('first' in element) return formatRange(element);
  return [virtualServerKey(element.port), formatRange(element.source)].join(' ');
}

/** The port that an element of `sources` is about; the others are about none. */
export function portOfSource(element: FirewallElement): ElementKey | undefined {
  return typeof element === 'object' && 'source' in element ? elementKey(element.port) : undefined;
}

/** The VIP that the element is about. undefined: a range of `local` is about none. */
export function vipOfElement(element: FirewallElement): IpAddress | undefined {
  if (typeof element === 'string') return element;
  if ('vip' in element) return element.vip;
  return 'port' in element ? element.port.vip : undefined;
}

export type FirewallElements = ReadonlyMap<ElementKey, FirewallElement>;

/** What the nft table `inet vipvs` holds. */
export interface FirewallState {
  readonly sets: ReadonlyMap<FirewallSet, FirewallElements>;
}

export function emptyFirewall(): FirewallState {
  return { sets: new Map(FIREWALL_SETS.map((set) => [set, new Map()])) };
}
