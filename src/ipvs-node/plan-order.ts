// The order of a plan: by address, port and protocol, so that the same difference gives the same operations. Sorting
// 20,000 keys by arithmetic on strings would cost more than all the rest of the planner, so IPv4 goes by one number.
import { familyOf, ipToBigInt } from '../net/address.ts';
import { compareVirtualServers, PROTOCOLS, type VirtualServerAddress } from '../net/ipvs.ts';

/** Address (32 bits), port (16), protocol (2): exact in a double. */
function rankV4(server: VirtualServerAddress): number {
  const address = Number(ipToBigInt(server.vip));
  return (address * 65_536 + server.port) * 4 + PROTOCOLS.indexOf(server.protocol);
}

/** In canonical order, as compareVirtualServers has it. */
export function sortByServer<T>(
  items: Iterable<T>,
  serverOf: (item: T) => VirtualServerAddress,
): readonly T[] {
  const v4: { readonly rank: number; readonly item: T }[] = [];
  const v6: T[] = [];
  for (const item of items) {
    const server = serverOf(item);
    if (familyOf(server.vip) === 6) v6.push(item);
    else v4.push({ rank: rankV4(server), item });
  }
  v4.sort((a, b) => a.rank - b.rank);
  v6.sort((a, b) => compareVirtualServers(serverOf(a), serverOf(b)));
  return [...v4.map(({ item }) => item), ...v6];
}
