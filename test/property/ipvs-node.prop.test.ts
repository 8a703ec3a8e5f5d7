// What holds for every plan, whatever is wanted and whatever is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Op } from '../../src/ipvs-node/model/kernel.ts';
import { formatNodeState } from '../../src/ipvs-node/model/format.ts';
import { elementKey, FIREWALL_SETS, type ElementKey } from '../../src/ipvs-node/model/firewall.ts';
import { opText } from '../unit/ipvs-node/kernel-text.ts';
import { bindingKey, isBoundByUs, isOurs } from '../../src/ipvs-node/model/owned.ts';
import { planNode, type Plan } from '../../src/ipvs-node/plan/plan.ts';
import { planParts } from '../../src/ipvs-node/plan/parts.ts';
import type {
  DesiredAddress,
  DesiredVirtualServer,
  NodeState,
  Observed,
} from '../../src/ipvs-node/model/state.ts';
import { parseIp, type IpAddress } from '../../src/net/address.ts';
import {
  realServerKey,
  virtualServerKey,
  type RealServer,
  type VirtualServer,
  type VirtualServerKey,
} from '../../src/net/ipvs.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';

const RUNS = { numRuns: 200 };
const LIMITS = { orphanDrainSeconds: 30 };
const VIPS = ['192.0.2.1', '192.0.2.2', '2001:db8::1'].map(parseIp);
const REALS4 = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(parseIp);
const REALS6 = ['2001:db8:1::1', '2001:db8:1::2', '2001:db8:1::3'].map(parseIp);

interface Entry {
  readonly server: VirtualServer;
  readonly reals: readonly RealServer[];
  /** active connections of each */
  readonly connections: readonly number[];
  readonly drainSeconds: number;
  readonly isOwned: boolean;
}

const entry: fc.Arbitrary<Entry> = fc
  .record({
    vip: fc.constantFrom(...VIPS),
    port: fc.constantFrom(80, 443),
    scheduler: fc.constantFrom('rr', 'wlc', 'sh'),
    persistenceSeconds: fc.constantFrom(0, 60),
    reals: fc.array(
      fc.record({
        index: fc.nat(2),
        weight: fc.constantFrom(0, 1, 5),
        isTunnel: fc.boolean(),
        active: fc.constantFrom(0, 0, 2),
      }),
      { maxLength: 4 },
    ),
    drainSeconds: fc.constantFrom(0, 10),
    isOwned: fc.boolean(),
  })
  .map(({ vip, port, scheduler, persistenceSeconds, reals, drainSeconds, isOwned }) => {
    const pool = vip.includes(':') ? REALS6 : REALS4;
    const unique = new Map(reals.map((each) => [each.index, each]));
    const picked = [...unique.values()].sort((a, b) => a.index - b.index);
    return {
      server: {
        vip,
        port,
        protocol: 'TCP',
        scheduler,
        schedulerFlags: scheduler === 'sh' ? ['flag-1'] : [],
        persistenceSeconds,
      },
      reals: picked.map(({ index, weight, isTunnel }) => ({
        address: pool[index] ?? VIPS[0],
        port,
        method: isTunnel ? 'tunnel' : 'masquerade',
        weight,
      })),
      connections: picked.map(({ active }) => active),
      drainSeconds,
      isOwned,
    } as Entry;
  });

const entries = fc.uniqueArray(entry, {
  selector: ({ server }) => virtualServerKey(server),
  maxLength: 6,
});

/** Wanted real servers always serve. */
function desiredOf(wanted: readonly Entry[]): NodeState {
  const virtualServers = new Map<VirtualServerKey, DesiredVirtualServer>();
  const addresses = new Map<IpAddress, DesiredAddress>();
  const vips = new Map<ElementKey, IpAddress>();
  for (const { server, reals, drainSeconds } of wanted) {
    const key = virtualServerKey(server);
    const serving = reals.map((real) => ({ ...real, weight: Math.max(1, real.weight) }));
    const realServers = new Map(serving.map((real) => [realServerKey(real), real]));
    virtualServers.set(key, { server, realServers, drainSeconds, service: `default/${key}` });
    const behind = (addresses.get(server.vip)?.virtualServers ?? []).concat(key);
    const address = { address: server.vip, interface: 'eth0', virtualServers: behind };
    addresses.set(server.vip, address);
    if (!server.vip.includes(':')) vips.set(elementKey(server.vip), server.vip);
  }
  const sets = new Map(
    FIREWALL_SETS.map((set) => [set, set === 'vips4' ? vips : new Map<never, never>()]),
  );
  return { virtualServers, addresses, firewall: { sets }, sysctls: new Map() };
}

interface Found {
  readonly servers: readonly Entry[];
  readonly bound: readonly {
    readonly vip: IpAddress;
    readonly name: string;
    readonly ours: boolean;
  }[];
}

const found: fc.Arbitrary<Found> = fc.record({
  servers: entries,
  bound: fc.uniqueArray(
    fc.record({
      vip: fc.constantFrom(...VIPS),
      name: fc.constantFrom('eth0', 'eth1'),
      ours: fc.boolean(),
    }),
    { selector: ({ vip, name }) => `${vip} ${name}`, maxLength: 4 },
  ),
});

function kernelOf({ servers, bound }: Found): FakeKernel {
  const kernel = new FakeKernel();
  for (const { server, reals, connections, isOwned } of servers) {
    const realServers = new Map(
      reals.map((real, i) => [
        realServerKey(real),
        { ...real, activeConnections: connections[i] ?? 0, inactiveConnections: 0 },
      ]),
    );
    kernel.addForeign({ server, realServers });
    if (isOwned) kernel.owned.virtualServers.add(virtualServerKey(server));
  }
  for (const { vip, name, ours } of bound) {
    const entriesOfVip = kernel.addresses.get(vip) ?? [];
    kernel.addresses.set(vip, [...entriesOfVip, { address: vip, interface: name, mark: 'plain' }]);
    if (ours) kernel.owned.addresses.add(bindingKey(vip, name));
  }
  return kernel;
}

/** With what is ours as it is now. */
async function readingOf(kernel: FakeKernel): Promise<Observed> {
  const { virtualServers, addresses } = kernel.owned;
  const owned = { virtualServers: new Set(virtualServers), addresses: new Set(addresses) };
  return { ...(await kernel.observe()), owned };
}

/** Plans and runs until nothing is left to do, as the agent does over time. */
async function converge(kernel: FakeKernel, desired: NodeState): Promise<readonly Plan[]> {
  const plans: Plan[] = [];
  let drains: Plan['drains'] = new Map();
  let nowMs = 0;
  for (let round = 0; round < 200; round++) {
    const plan = planNode(desired, await readingOf(kernel), drains, nowMs, LIMITS);
    plans.push(plan);
    if (plan.ops.length === 0 && plan.wakeAtMs === undefined) return plans;
    const results = await kernel.run(plan.ops);
    for (const [i, result] of results.entries()) {
      const op = plan.ops[i];
      assert.ok(result.ok, `${op === undefined ? '' : opText(op)}: ${JSON.stringify(result)}`);
    }
    drains = plan.drains;
    nowMs = plan.wakeAtMs ?? nowMs;
  }
  throw new Error('the plan never ends');
}

/** Whose it is when the planner begins: recorded, or on a tagged address of which the record knows nothing. */
function isForeign(
  observed: Observed,
  desired: NodeState,
  key: VirtualServerKey,
  vip: IpAddress,
): boolean {
  const { owned } = observed;
  if (owned.virtualServers.has(key)) return false;
  const behind = [...(desired.addresses.get(vip)?.virtualServers ?? [])];
  return (
    !desired.virtualServers.has(key) ||
    !isBoundByUs(observed, vip) ||
    behind.some((each) => owned.virtualServers.has(each))
  );
}

test('(1) a plan leads to what is wanted, (2) and then there is nothing to do', async () => {
  const property = fc.asyncProperty(entries, found, async (wanted, there) => {
    const kernel = kernelOf(there);
    const before = await readingOf(kernel);
    const desired = desiredOf(wanted);
    await converge(kernel, desired);
    const after = await readingOf(kernel);
    for (const [key, { server, realServers }] of desired.virtualServers) {
      if (before.virtualServers?.has(key) && isForeign(before, desired, key, server.vip)) continue;
      const reached = after.virtualServers?.get(key);
      assert.deepEqual(reached?.server, server);
      const reals = [...reached.realServers].map(([realKey, real]) => {
        const { activeConnections = 0, inactiveConnections = 0, ...config } = real;
        assert.ok(activeConnections >= 0 && inactiveConnections >= 0);
        return [realKey, config] as const;
      });
      assert.deepEqual(new Map(reals), new Map(realServers));
    }
    for (const key of before.owned.virtualServers.keys()) {
      assert.equal(after.virtualServers?.has(key), desired.virtualServers.has(key));
    }
    for (const [vip, list] of after.addresses ?? []) {
      const ours = list.filter((each) => isOurs(after.owned, each)).map((each) => each.interface);
      assert.ok(ours.length <= (desired.addresses.has(vip) ? 1 : 0), `${vip} on ${ours.join()}`);
    }
    const again = planNode(desired, after, new Map(), 1e9, LIMITS);
    assert.deepEqual(again.ops, []);
  });
  await fc.assert(property, RUNS);
});

test('(2b) in parts it is the same plan, in a safe order, and leads there, too', async () => {
  const sizes = fc.integer({ min: 1, max: 4 });
  const property = fc.asyncProperty(entries, found, sizes, async (wanted, there, atOnce) => {
    const kernel = kernelOf(there);
    const desired = desiredOf(wanted);
    const before = await readingOf(kernel);
    const whole = planNode(desired, before, new Map(), 0, LIMITS);
    const parts = [...planParts(desired, before, new Map(), 0, LIMITS, atOnce)];
    const lines = parts.flatMap(({ ops }) => ops.map(opText));
    assert.deepEqual(lines.toSorted(), whole.ops.map(opText).toSorted());
    assert.deepEqual(new Set(parts.flatMap(({ problems }) => problems)), new Set(whole.problems));
    assert.deepEqual(new Map(parts.flatMap(({ drains }) => [...drains])), whole.drains);
    const ops = parts.flatMap((part) => part.ops);
    for (const vip of VIPS) assert.ok(isSafeOrder(ops.filter((op) => isAbout(op, vip))), vip);
    for (const part of parts) await kernel.run(part.ops);
    await converge(kernel, desired);
  });
  await fc.assert(property, RUNS);
});

function isAbout(op: Op, vip: IpAddress): boolean {
  return ('server' in op && op.server.vip === vip) || ('address' in op && op.address === vip);
}

/** A VIP is bound when its virtual servers are there, and gone before they go. */
function isSafeOrder(ops: readonly Op[]): boolean {
  const places = (...kinds: readonly Op['op'][]): readonly number[] =>
    ops.flatMap(({ op }, i) => (kinds.includes(op) ? [i] : []));
  const [bound = Infinity] = places('vip.add');
  const [destroyed = Infinity] = places('vs.del');
  return (
    places('vs.add', 'rs.add').every((i) => i < bound) &&
    places('vip.del').every((i) => i < destroyed || bound < Infinity)
  );
}

test('(3) the order of the input does not matter', async () => {
  const property = fc.asyncProperty(
    entries,
    found,
    fc.array(fc.nat(), { minLength: 30, maxLength: 30 }),
    async (wanted, there, ranks) => {
      let next = 0;
      const shuffle = <T>(items: readonly T[]): readonly T[] =>
        items
          .map((item) => ({ item, rank: ranks[next++ % ranks.length] ?? 0 }))
          .sort((a, b) => a.rank - b.rank)
          .map(({ item }) => item);
      const one = desiredOf(wanted);
      const two = desiredOf(shuffle(wanted));
      assert.equal(formatNodeState(one), formatNodeState(two));
      const shuffled = { servers: shuffle(there.servers), bound: shuffle(there.bound) };
      const plans = [
        planNode(one, await readingOf(kernelOf(there)), new Map(), 0, LIMITS),
        planNode(two, await readingOf(kernelOf(shuffled)), new Map(), 0, LIMITS),
      ];
      const [first, second] = plans.map(({ ops }) =>
        ops.filter(({ op }) => op !== 'vip.del').map(opText),
      );
      assert.deepEqual(first, second);
    },
  );
  await fc.assert(property, RUNS);
});

function servingCount(kernel: FakeKernel, key: VirtualServerKey): number {
  const reals = kernel.virtualServers.get(key)?.realServers.values() ?? [];
  return [...reals].filter(({ weight }) => weight > 0).length;
}

test('(4) at every step each virtual server that stays has a real server that serves', async () => {
  const property = fc.asyncProperty(entries, found, async (wanted, there) => {
    const kernel = kernelOf(there);
    const desired = desiredOf(wanted);
    const continuing = [...desired.virtualServers]
      .filter(([key, { realServers }]) => realServers.size > 0 && servingCount(kernel, key) > 0)
      .map(([key]) => key);
    kernel.onOp = () => {
      for (const key of continuing) assert.ok(servingCount(kernel, key) > 0, key);
    };
    await converge(kernel, desired);
    for (const key of continuing) assert.ok(servingCount(kernel, key) > 0, key);
  });
  await fc.assert(property, RUNS);
});

test('an address is bound after its virtual servers, and withdrawn before them', async () => {
  const property = fc.asyncProperty(entries, found, async (wanted, there) => {
    const kernel = kernelOf(there);
    const desired = desiredOf(wanted);
    const { ops } = planNode(desired, await readingOf(kernel), new Map(), 0, LIMITS);
    const at = (isMatch: (op: Op) => boolean): readonly number[] =>
      ops.flatMap((op, i) => (isMatch(op) ? [i] : []));
    for (const vip of VIPS) {
      const added = at((op) => (op.op === 'vs.add' || op.op === 'rs.add') && op.server.vip === vip);
      const bound = at((op) => op.op === 'vip.add' && op.address === vip);
      const unbound = at((op) => op.op === 'vip.del' && op.address === vip);
      const deleted = at((op) => op.op === 'vs.del' && op.server.vip === vip);
      for (const i of bound) assert.ok(added.every((j) => j < i));
      if (!desired.addresses.has(vip)) {
        for (const i of deleted) assert.ok(unbound.every((j) => j < i));
      }
    }
  });
  await fc.assert(property, RUNS);
});

test('(5) what is not ours is never touched', async () => {
  const property = fc.asyncProperty(entries, found, async (wanted, there) => {
    const kernel = kernelOf(there);
    const before = await readingOf(kernel);
    const desired = desiredOf(wanted);
    await converge(kernel, desired);
    const after = await readingOf(kernel);
    for (const [key, entryBefore] of before.virtualServers ?? []) {
      if (!isForeign(before, desired, key, entryBefore.server.vip)) continue;
      assert.deepEqual(after.virtualServers?.get(key), entryBefore);
    }
    for (const [vip, list] of before.addresses ?? []) {
      const foreign = list.filter((each) => !isOurs(before.owned, each));
      const left = after.addresses?.get(vip)?.filter((each) => !isOurs(after.owned, each)) ?? [];
      assert.deepEqual(left, foreign);
    }
  });
  await fc.assert(property, RUNS);
});

test('(6) nothing is deleted from a part that was not read, and nothing added to it', async () => {
  const part = fc.constantFrom('virtualServers', 'addresses', 'firewall');
  const property = fc.asyncProperty(entries, found, part, async (wanted, there, missing) => {
    const observed = { ...(await readingOf(kernelOf(there))), [missing]: undefined };
    const { ops } = planNode(desiredOf(wanted), observed, new Map(), 0, LIMITS);
    const prefixes = { virtualServers: /^[vr]s\./, addresses: /^vip\./, firewall: /^fw\./ };
    const pattern = prefixes[missing];
    assert.deepEqual(
      ops.filter(({ op }) => pattern.test(op)),
      [],
    );
  });
  await fc.assert(property, RUNS);
});
