// Allocation: whole decisions for 100,000 Services from a /8, picks in a Pool made as ragged as it can be, and the
// memory of 1,000,000 addresses in use. Run: node --expose-gc test/bench/allocation.bench.ts
import { ClusterStore } from '../../src/api/cluster.ts';
import { parsePoolSpace } from '../../src/api/pool-space.ts';
import { poolSchema, type Pool } from '../../src/api/pool.ts';
import { FreeSpace } from '../../src/assigner/holders/free-space.ts';
import { planAll } from '../../src/assigner/engine.ts';
import { Holders } from '../../src/assigner/holders/holders.ts';
import { newIp } from '../../src/assigner/holders/ip-object.ts';
import { ipFromBigInt } from '../../src/net/address.ts';
import { formatTable, rounded, type Row } from './table.ts';

export interface AllocationResult {
  readonly name: string;
  readonly count: number;
  readonly cpuSeconds: number;
  readonly microsecondsEach: number;
  /** Growth of the heap that is still reachable at the end; 0 where it was not measured. */
  readonly heapMB: number;
}

const CONFIG = { loadBalancerClass: 'vipvs.io/vipvs', handleUnset: true, holdSeconds: 0 };

function pool(addresses: readonly string[], spec: Readonly<Record<string, unknown>> = {}): Pool {
  return poolSchema.parse({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'Pool',
    metadata: { name: 'p' },
    spec: { addresses, ...spec },
  });
}

/** CPU of the whole process, the collector's threads too: what one core would need at most. */
function cpuSeconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

function heapMB(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

function result(name: string, count: number, seconds: number, megabytes = 0): AllocationResult {
  return {
    name,
    count,
    cpuSeconds: rounded(seconds),
    microsecondsEach: rounded((seconds / count) * 1e6),
    heapMB: rounded(megabytes),
  };
}

/** From nothing to every action: IP objects, Service statuses, Events. */
function decideServices(count: number): AllocationResult {
  const store = new ClusterStore();
  store.set(pool(['10.0.0.0/8'], { avoidBuggyIPs: true, avoidGatewayIPs: true }));
  for (let i = 0; i < count; i++) {
    store.set({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        namespace: `team-${i % 100}`,
        name: `service-${i}`,
        uid: `00000000-0000-0000-0000-${String(i).padStart(12, '0')}`,
        creationTimestamp: '2026-01-01T00:00:00Z',
      },
      spec: { type: 'LoadBalancer', ports: [{ port: 80, protocol: 'TCP' }], ipFamilies: ['IPv4'] },
    });
  }
  const seconds = cpuSeconds(() => {
    const { decisions } = planAll(store, CONFIG, 0);
    if (decisions.length !== count + 1) throw new Error(`${decisions.length} decisions`);
  });
  return result('decide Services, from a /8', count, seconds);
}

/** Every second address in use: as many runs as there can be; then one back and one taken, all over the Pool. */
function ragged(runs: number, picks: number): AllocationResult {
  const { space } = parsePoolSpace(pool(['10.0.0.0/8'], { avoidBuggyIPs: true }));
  if (space === undefined) throw new Error('no space');
  const free = new FreeSpace(space, 4);
  const base = 10n << 24n;
  for (let i = 0; i < runs; i++) free.occupy(base + BigInt(i * 2 + 1));
  const seconds = cpuSeconds(() => {
    for (let i = 0; i < picks; i++) {
      free.release(base + BigInt(((i * 7919) % runs) * 2 + 1));
      const first = free.first();
      if (first === undefined || !free.occupy(first)) throw new Error('nothing free');
    }
  });
  return result(`release and pick among ${runs} runs`, picks, seconds);
}

/** Every second address excluded by an avoid flag or a filter, all free: a pick must not search. */
function filtered(picks: number): AllocationResult {
  const filterIPs = Array.from({ length: 1024 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  const { space } = parsePoolSpace(pool(['10.0.0.0/8'], { avoidBuggyIPs: true, filterIPs }));
  if (space === undefined) throw new Error('no space');
  const free = new FreeSpace(space, 4);
  const seconds = cpuSeconds(() => {
    for (let i = 0; i < picks; i++) {
      const first = free.first();
      if (first === undefined || !free.occupy(first)) throw new Error('nothing free');
    }
  });
  return result('pick behind 1024 filters', picks, seconds);
}

/** The holders alone, over IP objects that somebody holds anyway; then with the objects. */
function inUse(count: number): readonly AllocationResult[] {
  const before = heapMB();
  const ips = Array.from({ length: count }, (_, i) =>
    newIp(ipFromBigInt(4, (10n << 24n) + BigInt(i)), 'p', {
      namespace: `team-${i % 100}`,
      name: `service-${i}`,
      ports: [{ port: 80, protocol: 'TCP' }],
    }),
  );
  const objects = heapMB() - before;
  let holders: Holders | undefined;
  const seconds = cpuSeconds(() => {
    holders = new Holders(new Map([['p', pool(['10.0.0.0/8'])]]), [], ips);
  });
  const index = heapMB() - before - objects;
  const picked = cpuSeconds(() => {
    for (let i = 0; i < 100_000; i++) holders?.pools.get('p')?.free.get(4)?.first();
  });
  return [
    result('1,000,000 IP objects (heap of the objects)', ips.length, 0, objects),
    result('build the holders over them (heap of the holders)', count, seconds, index),
    result('find the first free address among them', 100_000, picked),
  ];
}

export function run(): readonly AllocationResult[] {
  return [
    decideServices(10_000), // warms up the compiler; printed all the same
    decideServices(100_000),
    ragged(1_000, 100_000),
    ragged(1_000_000, 100_000),
    filtered(100_000),
    ...inUse(1_000_000),
  ];
}

if (import.meta.main) {
  const results = run();
  process.stdout.write(`${formatTable(results.map((each): Row => ({ ...each })))}\n`);
  process.stdout.write(`${JSON.stringify({ allocation: results })}\n`);
}
