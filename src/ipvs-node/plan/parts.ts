// The plan of everything in parts, each safe after those before it: a first round of 20,000 virtual servers needs the memory
// of a thousand, and what fails in one part holds up nothing in the next. Pure, and lazy: a part is planned when the one
// before it has been run.
import { compareIp } from '../../net/address.ts';
import type { VirtualServer, VirtualServerKey } from '../../net/ipvs.ts';
import type { Op } from '../model/kernel.ts';
import { planFirewall } from './firewall.ts';
import { rebuildOrder, sortKeys } from './order.ts';
import { planNode, planScope, planSysctls, type Limits, type Plan } from './plan.ts';
import { wholeScope, type Scope } from './scope.ts';
import type { DrainStarts } from '../model/state.ts';
import type { NodeState, Observed } from '../model/state.ts';

/** Virtual servers, or addresses, in a part. */
const AT_ONCE = 1024;

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
 * The same operations as planNode's: settings, what is wanted of IPVS, the firewall, the addresses with their announcements,
 * and then what goes. A VIP is bound when all virtual servers are there; a port is closed until the firewall opens it.
 * While it runs, `observed` may follow what was reached.
 */
export function* planParts(
  desired: NodeState,
  observed: Observed,
  drains: DrainStarts,
  nowMs: number,
  limits: Limits,
  atOnce = AT_ONCE,
): Generator<Plan> {
  const scope = wholeScope(desired, observed);
  const serverOf = (key: VirtualServerKey): VirtualServer | undefined =>
    (desired.virtualServers.get(key) ?? observed.virtualServers?.get(key))?.server;
  const keys = sortKeys(scope.virtualServers, serverOf);
  const firewall = planFirewall(scope.firewall, desired.firewall, observed.firewall);
  const planOf = (part: Partial<Scope>): Plan =>
    planScope({ ...NO_SCOPE, ...part }, desired, observed, drains, nowMs, limits);
  yield safePlan(planSysctls(desired, observed));
  const wanted = keys.filter((key) => desired.virtualServers.has(key));
  // whose a virtual server is depends on what is ours of its VIP: one VIP is never in two parts
  const vipOf = (key: VirtualServerKey): unknown => serverOf(key)?.vip;
  for (const virtualServers of inSlices(wanted, atOnce, vipOf)) {
    yield planOf({ virtualServers, isSorted: true });
  }
  yield safePlan(firewall.add);
  const addresses = [...scope.addresses].sort(compareIp);
  const kept = addresses.filter((address) => desired.addresses.has(address));
  for (const some of inSlices(kept, atOnce)) yield planOf({ addresses: some });
  yield planOf({
    virtualServers: keys.filter((key) => !desired.virtualServers.has(key)),
    isSorted: true,
    addresses: addresses.filter((address) => !desired.addresses.has(address)),
  });
  yield { ...NOTHING_PLANNED, ops: firewall.remove };
}

const NO_SCOPE: Scope = { virtualServers: [], addresses: [], firewall: new Map(), sysctls: false };

function safePlan(ops: readonly Op[]): Plan {
  return { ...NOTHING_PLANNED, ops, safeOps: ops.length };
}

/** Of at least `length` items; neighbours of one group stay together. */
function* inSlices<T>(
  items: readonly T[],
  length: number,
  groupOf: (item: T) => unknown = (item) => item,
): Generator<readonly T[]> {
  let slice: T[] = [];
  let last: unknown;
  for (const item of items) {
    const group = groupOf(item);
    if (slice.length >= length && group !== last) {
      yield slice;
      slice = [];
    }
    slice.push(item);
    last = group;
  }
  if (slice.length > 0) yield slice;
}

export const NOTHING_PLANNED: Plan = {
  ops: [],
  safeOps: 0,
  problems: [],
  drains: new Map(),
  wakeAtMs: undefined,
};

export function* inTurn(parts: Iterable<Plan>, last: Plan): Generator<Plan> {
  yield* parts;
  yield last;
}
