// Differences of the nft sets. What is added keeps every port at least as closed as it was meant to be at each step;
// what is deleted goes in the opposite order.
import {
  FIREWALL_SETS,
  portOfSource,
  type ElementKey,
  type FirewallElements,
  type FirewallSet,
  type FirewallState,
} from '../model/firewall.ts';
import type { FirewallOp, Op } from '../model/kernel.ts';
import type { Observed } from '../model/state.ts';

export interface FirewallPlan {
  readonly add: readonly Op[];
  readonly remove: readonly Op[];
}

/** Sources before the mark that closes a port to all others, that before the opened port, that before the VIP's chain. */
const KINDS = ['sources', 'ranged', 'ports', 'local', 'vips'] as const;
const ORDER: readonly FirewallSet[] = KINDS.flatMap((kind) =>
  FIREWALL_SETS.filter((set) => set.startsWith(kind)),
);

export function planFirewall(
  scope: ReadonlyMap<FirewallSet, Iterable<ElementKey>>,
  desired: FirewallState,
  observed: Observed['firewall'],
): FirewallPlan {
  const add: Op[] = [];
  const remove: Op[] = [];
  if (observed === undefined || observed === 'absent') return { add, remove };
  for (const set of ORDER) {
    const keys = scope.get(set);
    if (keys === undefined) continue;
    const { coming, going } = differences(set, keys, desired.sets.get(set), observed.sets.get(set));
    const renewed = new Set(coming.map(({ element }) => portOfSource(element)));
    for (const op of going) {
      const port = portOfSource(op.element);
      // nft refuses intervals that overlap: the old range of a port has to go before its new one comes
      (port !== undefined && renewed.has(port) ? add : remove).push(op);
    }
    for (const op of coming) add.push(op);
  }
  return { add, remove: remove.reverse() };
}

function differences(
  set: FirewallSet,
  keys: Iterable<ElementKey>,
  wanted: FirewallElements | undefined,
  found: FirewallElements | undefined,
): { readonly coming: readonly FirewallOp[]; readonly going: readonly FirewallOp[] } {
  const coming: FirewallOp[] = [];
  const going: FirewallOp[] = [];
  for (const key of keys) {
    const [want, have] = [wanted?.get(key), found?.get(key)];
    if (want !== undefined && have === undefined) {
      coming.push({ op: 'fw.add', set, key, element: want });
    } else if (want === undefined && have !== undefined) {
      going.push({ op: 'fw.del', set, key, element: have });
    }
  }
  return { coming: coming.sort(byKey), going: going.sort(byKey) };
}

function byKey(a: FirewallOp, b: FirewallOp): number {
  return a.key < b.key ? -1 : 1;
}
