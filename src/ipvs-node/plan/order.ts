// The order of a plan: by address, port and protocol, so that the same difference gives the same operations. Sorting
// 20,000 keys by arithmetic on strings would cost more than all the rest of the planner, so IPv4 goes by one number.
import { familyOf, ipv4ToNumber } from '../../net/address.ts';
import {
  compareVirtualServers,
  PROTOCOLS,
  realServerKey,
  type VirtualServerAddress,
  type VirtualServerKey,
} from '../../net/ipvs.ts';
import { serverKeyOf, type Op } from '../model/kernel.ts';
import type { Observed } from '../model/state.ts';

/** Address (32 bits), port (16), protocol (2): exact in a double. */
function rankV4(server: VirtualServerAddress): number {
  const address = ipv4ToNumber(server.vip);
  return (address * 65_536 + server.port) * 4 + PROTOCOLS.indexOf(server.protocol);
}

/** Behind every IPv4 one. */
const RANK_V6 = 2 ** 50;
const RANK_NONE = 2 ** 51;

function rankOf(server: VirtualServerAddress | undefined): number {
  if (server === undefined) return RANK_NONE;
  return familyOf(server.vip) === 6 ? RANK_V6 : rankV4(server);
}

/**
 * In canonical order, as compareVirtualServers has it. What has no server is left out. Typed arrays, because a first
 * round pays for each page of memory that it touches; objects to sort would take ten times as many.
 */
export function sortKeys(
  unsorted: Iterable<VirtualServerKey>,
  serverOf: (key: VirtualServerKey) => VirtualServerAddress | undefined,
): readonly VirtualServerKey[] {
  const keys = [...unsorted];
  const ranks = new Float64Array(keys.length);
  let isSorted = true;
  let last = -1;
  let i = 0;
  for (const key of keys) {
    const rank = rankOf(serverOf(key));
    isSorted &&= rank > last && rank < RANK_NONE;
    last = rank;
    ranks[i++] = rank;
  }
  return isSorted ? keys : sortByRank(keys, ranks, serverOf);
}

function sortByRank(
  keys: readonly VirtualServerKey[],
  ranks: Float64Array,
  serverOf: (key: VirtualServerKey) => VirtualServerAddress | undefined,
): readonly VirtualServerKey[] {
  const places = Uint32Array.from(keys.keys());
  places.sort((a, b) => Number(ranks[a]) - Number(ranks[b]));
  const sorted: VirtualServerKey[] = [];
  const v6: { readonly key: VirtualServerKey; readonly server: VirtualServerAddress }[] = [];
  for (const place of places) {
    const key = String(keys[place]) as VirtualServerKey;
    const server = serverOf(key);
    if (server === undefined) continue;
    if (familyOf(server.vip) === 6) v6.push({ key, server });
    else sorted.push(key);
  }
  v6.sort((a, b) => compareVirtualServers(a.server, b.server));
  return sorted.concat(v6.map(({ key }) => key));
}

/**
 * After somebody flushed the table, the real servers in the opposite order of the last dump. The kernel keeps flushed
 * ones in one list for minutes and searches it for each that comes: in this order it finds them at the head
 * (ipvs.md 1.8: 17 us each instead of 266 at 25,000). `safeOps` as in Plan.
 */
export function rebuildOrder(
  ops: readonly Op[],
  safeOps: number,
  before: Observed['virtualServers'],
): readonly Op[] {
  const isLost = (op: Op): boolean => op.op === 'vs.add' && before?.has(serverKeyOf(op)) === true;
  if (before === undefined || !ops.some(isLost)) return ops;
  const places = new Map<string, number>();
  for (const [key, { realServers }] of before) {
    for (const realKey of realServers.keys()) places.set(`${key} ${realKey}`, places.size);
  }
  const others: Op[] = [];
  const returning: { readonly op: Op; readonly place: number }[] = [];
  for (const op of ops.slice(0, safeOps)) {
    const place =
      op.op === 'rs.add' ? places.get(`${serverKeyOf(op)} ${realServerKey(op.real)}`) : undefined;
    if (place === undefined) others.push(op);
    else returning.push({ op, place });
  }
  returning.sort((a, b) => b.place - a.place);
  return [...others, ...returning.map(({ op }) => op), ...ops.slice(safeOps)];
}
