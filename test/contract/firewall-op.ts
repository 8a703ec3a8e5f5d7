// Firewall operations, short to write down.
import {
  elementKey,
  type FirewallElement,
  type FirewallSet,
} from '../../src/ipvs-node/model/firewall.ts';
import type { FirewallOp } from '../../src/ipvs-node/model/kernel.ts';

export function addElement(set: FirewallSet, element: FirewallElement): FirewallOp {
  return { op: 'fw.add', set, key: elementKey(element), element };
}

export function deleteElement(set: FirewallSet, element: FirewallElement): FirewallOp {
  return { op: 'fw.del', set, key: elementKey(element), element };
}
