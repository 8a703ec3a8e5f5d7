// What the Service behind one virtual server asks of the nft sets.
import { bitsOf, familyOf, type IpAddress } from '../../net/address.ts';
import type { VirtualServer, VirtualServerKey } from '../../net/ipvs.ts';
import { rangeSize, type IpRange } from '../../net/range.ts';
import {
  elementKey,
  SETS_OF,
  type ElementKey,
  type FirewallElement,
  type FirewallSet,
} from '../model/firewall.ts';

export interface FirewallClaim {
  readonly key: VirtualServerKey;
  readonly server: VirtualServer;
  /** Endpoints on this node, whose answers come back through it by themselves. */
  readonly local: readonly IpAddress[];
  /** Who may come, disjoint, of both families; undefined: everybody. */
  readonly ranges: readonly IpRange[] | undefined;
}

/** Calls `take` with each element. They are made when they are asked for: 10,000 claims would keep 70,000 objects. */
export function eachElement(
  { key, server, local, ranges }: FirewallClaim,
  take: (set: FirewallSet, key: ElementKey, element: FirewallElement) => void,
): void {
  const family = familyOf(server.vip);
  const sets = SETS_OF[family];
  take(sets.vips, elementKey(server.vip), server.vip);
  const port = key as string as ElementKey; // the virtual server's string, which is in memory already
  take(sets.ports, port, server);
  for (const address of local) take(sets.local, elementKey(address), address);
  const own = ranges?.filter((range) => range.family === family);
  const isOpen = own?.some((range) => rangeSize(range) === 1n << BigInt(bitsOf(family))) ?? true;
  if (own === undefined || isOpen) return;
  take(sets.ranged, port, server);
  for (const source of own) {
    const element = { port: server, source };
    take(sets.sources, elementKey(element), element);
  }
}
