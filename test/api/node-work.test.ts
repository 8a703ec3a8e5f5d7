// What work costs `vipvs node`, counted, not timed: a changed EndpointSlice is the same few steps among 20 Services as among
// 200, nothing is listed or dumped for it, and the Director is written once for many of them.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { NodeProgram } from '../../src/ipvs-node/program.ts';
import type { ClusterObject } from '../../src/api/cluster.ts';
import type { JsonObject } from '../../src/kube/json.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { parseIp } from '../../src/net/address.ts';
import { virtualServerKey, type VirtualServerKey } from '../../src/net/ipvs.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';
import { node, pool, service, slice } from '../unit/ipvs-node/objects.ts';
import { until } from './clocks.ts';
import { MemoryApi, PATHS } from './memory-api.ts';

const CHANGES = 10;

class Counted {
  readonly api = new MemoryApi();
  readonly kernel = new FakeKernel();
  readonly program: NodeProgram;
  readonly services: number;

  constructor(context: TestContext, services: number) {
    this.services = services;
    this.put(node('n1', '10.0.0.11'));
    this.put(pool());
    for (let i = 0; i < services; i += 1) {
      this.put(service({ name: `s${i}`, ingress: [vip(i)] }));
      this.setEndpoints(i, 2);
    }
    this.program = new NodeProgram(
      {
        node: { name: 'n1' },
        bindInterface: 'eth0',
        namespace: 'vipvs-system',
        versions: { vipvs: '1', kernel: '6' },
      },
      {
        client: this.api,
        kernel: this.kernel,
        interfaceOf: () => undefined,
        probeKubeProxy: () => Promise.resolve(undefined),
        clock: systemClock,
        random: Math.random,
        log: silentLog,
      },
    );
    const end = new AbortController();
    const ended = this.program.run(end.signal);
    context.after(() => {
      end.abort();
      return ended;
    });
  }

  put(object: ClusterObject): void {
    // JSON as it would come over the wire
    const json = JSON.parse(JSON.stringify(object)) as JsonObject;
    this.api.put(`${PATHS[object.kind]}/${object.metadata.name}`, json);
  }

  setEndpoints(i: number, count: number): void {
    const addresses = Array.from({ length: count }, (_, j) => `10.1.${i >> 6}.${(i & 63) * 4 + j}`);
    this.put(slice(addresses, { name: `s${i}-1`, of: `s${i}` }));
  }

  async untilQuiet(): Promise<void> {
    await until('all is in the kernel', () => this.kernel.virtualServers.size === this.services);
    await until('it is ready', () => this.program.notReady().length === 0);
    const written = (): number => this.shownRealServers();
    await until('the Director says it', () => written() === 2 * this.services);
  }

  shownRealServers(): number {
    const director = this.api.objects.get('/apis/vipvs.io/v1alpha1/directors/n1');
    const status = director?.['status'];
    if (typeof status !== 'object' || status === null || !('realServers' in status)) return 0;
    return Number(status.realServers);
  }

  /** Everything that was done so far. */
  counts() {
    const sum = (what: 'lists' | 'watches' | 'events'): number =>
      // its own Director comes back to it some time after it was written
      this.program
        .sources()
        .filter(({ resource }) => resource !== 'directors.vipvs.io')
        .reduce((total, source) => total + source[what], 0);
    const calls = (pattern: RegExp): number =>
      this.api.calls.filter((call) => pattern.test(call)).length;
    return {
      lists: sum('lists'),
      watches: sum('watches'),
      events: sum('events'),
      kernelOps: this.kernel.log.length,
      dumps: this.kernel.observeCount,
      reads: calls(/^GET (?!.*\/leases\/)/),
      directorWrites: calls(/^PATCH .*\/directors\//),
    };
  }
}

const virtualServerKeyOf = (i: number): VirtualServerKey =>
  virtualServerKey({ vip: parseIp(vip(i)), port: 80, protocol: 'TCP' });

/** All of the Pool of unit/ipvs-node/objects.ts. */
const vip = (i: number): string => `192.0.2.${i}`;

for (const services of [20, 200]) {
  test(`one changed slice among ${services} Services: one operation, no list, no dump`, async (context) => {
    const counted = new Counted(context, services);
    await counted.untilQuiet();
    const before = counted.counts();
    for (let i = 0; i < CHANGES; i += 1) {
      counted.setEndpoints(i, 3);
      const server = counted.kernel.virtualServers.get(virtualServerKeyOf(i));
      await until('the kernel has the new endpoint', () => server?.realServers.size === 3);
    }
    await until('the Director says it', () => {
      return counted.shownRealServers() === 2 * services + CHANGES;
    });
    const after = counted.counts();
    assert.deepEqual(after, {
      ...before,
      kernelOps: before.kernelOps + CHANGES,
      directorWrites: after.directorWrites,
      events: before.events + CHANGES,
    });
  });
}

test('a change of every Service at once: as many operations, one write of the Director a second', async (context) => {
  const services = 200;
  const counted = new Counted(context, services);
  await counted.untilQuiet();
  const before = counted.counts();
  const startMs = performance.now();
  for (let i = 0; i < services; i += 1) counted.setEndpoints(i, 3);
  await until('the Director says it', () => counted.shownRealServers() === 3 * services);
  const seconds = (performance.now() - startMs) / 1000;
  const after = counted.counts();
  const writes = after.directorWrites - before.directorWrites;
  assert.equal(after.kernelOps - before.kernelOps, services);
  assert.ok(writes <= 2 + seconds, `${writes} writes in ${seconds} s`);
  assert.deepEqual(
    [after.lists, after.watches, after.dumps, after.reads],
    [...[before.lists, before.watches, before.dumps, before.reads]],
  );
});
