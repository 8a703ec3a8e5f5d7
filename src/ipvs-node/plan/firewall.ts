// Differences of the nft sets. What is added keeps every port at least as closed as it was meant to be at each step;
// what is deleted goes in the opposite order.
import type { Op } from '../model/kernel.ts';
import {
  FIREWALL_SETS,
  type FirewallSet,
  type FirewallState,
  type Observed,
} from '../model/state.ts';

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
  scope: ReadonlyMap<FirewallSet, Iterable<string>>,
  desired: FirewallState,
  observed: Observed['firewall'],
): FirewallPlan {
  const add: Op[] = [];
  const remove: Op[] = [];
  if (observed === undefined || observed === 'absent') return { add, remove };
  for (const set of ORDER) {
    const wanted = desired.sets.get(set);
    const found = observed.sets.get(set);
    const elements = [...(scope.get(set) ?? [])];
    const coming = elements.filter((each) => wanted?.has(each) && !found?.has(each)).sort();
    const going = elements.filter((each) => found?.has(each) && !wanted?.has(each)).sort();
    const isSources = set.startsWith('sources');
    const renewed = new Set(isSources ? coming.map(portOfSource) : []);
    for (const element of going) {
      // nft refuses intervals that overlap: the old range of a port has to go before its new one comes
      const isFirst = isSources && renewed.has(portOfSource(element));
      (isFirst ? add : remove).push({ op: 'fw.del', set, element });
    }
    for (const element of coming) add.push({ op: 'fw.add', set, element });
  }
  return { add, remove: remove.reverse() };
}

/** `vip . proto . port . source` -> `vip . proto . port` */
function portOfSource(element: string): string {
  return element.slice(0, element.lastIndexOf(' . '));
}
