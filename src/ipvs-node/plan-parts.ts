// The plan of everything in parts, each safe by itself and of other VIPs than the others: a first round of 20,000 virtual
// servers needs the memory of a thousand, and what fails in one part holds up nothing in the next. Pure, and lazy: a part
// is planned when the one before it has been run.
import type { IpAddress } from '../net/address.ts';
import type { VirtualServer, VirtualServerKey } from '../net/ipvs.ts';
import type { DrainStarts } from './drain.ts';
import { planFirewall } from './plan-firewall.ts';
import { rebuildOrder, sortKeys } from './plan-order.ts';
import { planNode, planScope, planSysctls, type Limits, type Plan } from './plan.ts';
import { wholeScope } from './plan-scope.ts';
import type { NodeState, Observed } from './state.ts';

/** Virtual servers in a part; a VIP with more of them is not cut. */
const SERVERS_AT_ONCE = 1024;

/**
 * Everything, where `before` is what the kernel held when it was read last. After a flush as one part: the order in which
 * real servers return is then one over all of them.
 */
export function planRound(
  desired: NodeState,
  observed: Observed,
  before: Observed['virtualServers'],
  drains: DrainStarts,
  nowMs: number,
  limits: Limits,
): Iterable<Plan> {
  if (!hasLost(before, observed.virtualServers))
    return planParts(desired, observed, drains, nowMs, limits);
  const plan = planNode(desired, observed, drains, nowMs, limits);
  return [{ ...plan, ops: rebuildOrder(plan.ops, plan.safeOps, before) }];
}

function hasLost(before: Observed['virtualServers'], found: Observed['virtualServers']): boolean {
  if (before === undefined || found === undefined) return false;
  // no copy of the keys: every audit comes through here
  for (const key of before.keys()) if (!found.has(key)) return true;
  return false;
}

/**
 * The same operations as planNode's. What opens comes before the first virtual server, what closes after the last. While
 * it runs, `observed` may follow what was reached.
 */
export function* planParts(
  desired: NodeState,
  observed: Observed,
  drains: DrainStarts,
  nowMs: number,
  limits: Limits,
  serversAtOnce = SERVERS_AT_ONCE,
): Generator<Plan> {
  const scope = wholeScope(desired, observed);
  const addressesLeft = new Set(scope.addresses);
  const firewall = planFirewall(scope.firewall, desired.firewall, observed.firewall);
  const opening = [...planSysctls(desired, observed), ...firewall.add];
  yield { ...NOTHING_PLANNED, ops: opening, safeOps: opening.length };
  for (const { keys, vips } of byVips(scope.virtualServers, desired, observed, serversAtOnce)) {
    const addresses = vips.filter((vip) => addressesLeft.delete(vip));
    const servers = { virtualServers: keys, isSorted: true };
    const part = { ...servers, addresses, firewall: new Map(), sysctls: false };
    yield planScope(part, desired, observed, drains, nowMs, limits);
  }
  const others = { virtualServers: [], addresses: addressesLeft };
  const rest = { ...others, firewall: new Map(), sysctls: false };
  yield planScope(rest, desired, observed, drains, nowMs, limits);
  yield { ...NOTHING_PLANNED, ops: firewall.remove };
}

export const NOTHING_PLANNED: Plan = {
  ...({ ops: [], safeOps: 0, problems: [] } as const),
  ...{ drains: new Map(), wakeAtMs: undefined },
};

interface Part {
  readonly keys: readonly VirtualServerKey[];
  readonly vips: readonly IpAddress[];
}

/** All virtual servers of a VIP in one part: its address is bound behind them. */
function* byVips(
  unsorted: Iterable<VirtualServerKey>,
  desired: NodeState,
  observed: Observed,
  serversAtOnce: number,
): Generator<Part> {
  const serverOf = (key: VirtualServerKey): VirtualServer | undefined =>
    (desired.virtualServers.get(key) ?? observed.virtualServers?.get(key))?.server;
  let keys: VirtualServerKey[] = [];
  let vips: IpAddress[] = [];
  for (const key of sortKeys(unsorted, serverOf)) {
    const vip = serverOf(key)?.vip;
    if (vip !== undefined && vips.at(-1) !== vip) {
      if (keys.length >= serversAtOnce) {
        yield { keys, vips };
        keys = [];
        vips = [];
      }
      vips.push(vip);
    }
    keys.push(key);
  }
  if (keys.length > 0) yield { keys, vips };
}

export function* inTurn(parts: Iterable<Plan>, last: Plan): Generator<Plan> {
  yield* parts;
  yield last;
}
