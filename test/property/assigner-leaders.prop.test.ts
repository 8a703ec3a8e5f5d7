// Two whole assigners that both believe they lead, on an API server's rules in memory: every call takes a while to arrive,
// every watch is late and ends now and then, some of them too old to go on, and one of the two is killed now and then while
// its calls are under way and still arrive. After each single write no address may be shown by two Services, or by one
// that does not hold it; in the end both are quiet and see what the API server has. The real API server's turn is
// test/cluster/assigner-leaders.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ClusterView } from '../../src/api/cluster.ts';
import { AssignerProgram } from '../../src/assigner/program.ts';
import { arrayAt, objectAt, textAt, type JsonObject } from '../../src/kube/json.ts';
import type { ApiClient, Call, Stream } from '../../src/kube/transport.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { VirtualClock } from '../api/clocks.ts';
import { everybodyLeads } from '../api/everybody-leads.ts';
import { dice } from '../api/dice.ts';
import { MemoryApi } from '../api/memory-api.ts';
import { CONFIG } from '../unit/assigner/objects.ts';

const SERVICES = '/api/v1/services';
const IPS = '/apis/vipvs.io/v1alpha1/ips';
const POOL = '/apis/vipvs.io/v1alpha1/pools/public';
const NAMES = ['a', 'b', 'c', 'd'];
/** These share an address, where the time allows it. */
const SHARING: Readonly<Record<string, number>> = { c: 81, d: 82 };
/** Fewer than Services: what is given back is waited for. */
const FREE = ['192.0.2.1', '192.0.2.2', '192.0.2.4'];
/** Its object stays when its holder goes. */
const RETAINED = '192.0.2.3';
/** A tenth of a second each. */
const RUNS = 50;
const CALL_MAX_MS = 30;
const WATCH_MAX_MS = 60;
/** Longer than a decision waits that goes on failing (write/retries.ts). */
const SETTLE_MS = 120_000;
const QUIET_MS = 60_000;
/** A failure is made smaller for as long as this. */
const SHRINK_MAX_MS = 120_000;
/** A watch shows fewer events than this. */
const WATCH_EVENTS_MAX = 30;

/** An assigner's way to the API server. Who is killed does not call back what it has sent. */
class SlowWay implements ApiClient {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  async call(call: Call): Promise<unknown> {
    const { api, clock, random } = this.#world;
    const forever = new AbortController().signal;
    const late = (): Promise<void> => clock.sleep(random() * CALL_MAX_MS, forever);
    await late();
    // the memory keeps Services under one path, whatever their namespace
    const path = call.path.replace('/namespaces/default/services', '/services');
    try {
      return await api.call({ ...call, path, signal: forever });
    } finally {
      this.#world.check(`${call.method} ${path}`);
      await late();
      call.signal.throwIfAborted();
    }
  }

  async *#late(chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
    const { clock, random } = this.#world;
    for await (const chunk of chunks) {
      await clock.sleep(random() * WATCH_MAX_MS, signal);
      yield chunk;
    }
  }

  async stream(stream: Stream): Promise<AsyncIterable<Buffer>> {
    return this.#late(await this.#world.api.stream(stream), stream.signal);
  }
}

interface Running {
  readonly store: ClusterView;
  stop(): Promise<unknown>;
}

class World {
  readonly api = new MemoryApi();
  readonly clock = new VirtualClock();
  readonly random: () => number;
  readonly #assigners: Running[] = [];
  /** The first moment at which something was wrong. */
  fault: string | undefined;

  constructor(seed: number) {
    this.random = dice(seed);
    const watches = dice(seed + 1);
    this.api.watchPlan = () => ({
      events: Math.floor(watches() * WATCH_EVENTS_MAX),
      end: (['close', 'reset', 'gone'] as const)[Math.floor(watches() * 3)] ?? 'close',
    });
    this.api.put(POOL, {
      apiVersion: 'vipvs.io/v1alpha1',
      kind: 'Pool',
      metadata: { name: 'public' },
      spec: { addresses: [...FREE, RETAINED] },
    });
    this.api.put(`${IPS}/${RETAINED}`, {
      apiVersion: 'vipvs.io/v1alpha1',
      kind: 'IP',
      metadata: { name: RETAINED },
      spec: { address: RETAINED, poolName: 'public', retain: true },
    });
    for (const place of [0, 1]) this.#assigners[place] = this.#start();
  }

  #start(): Running {
    const stop = new AbortController();
    const program = new AssignerProgram(
      { config: CONFIG, namespace: 'vipvs-system', identity: 'test' },
      {
        client: new SlowWay(this),
        clock: this.clock,
        random: this.random,
        log: silentLog,
        metrics: createMetrics(),
        releaseMemory: () => undefined,
        election: everybodyLeads,
      },
    );
    const ended = program.run(stop.signal);
    return {
      store: program.store,
      stop: () => {
        stop.abort();
        return ended;
      },
    };
  }

  async restart(place: number): Promise<void> {
    const ended = this.#assigners[place]?.stop();
    this.#assigners[place] = this.#start();
    await this.clock.advance(0);
    void ended;
  }

  async stop(): Promise<void> {
    const ends = this.#assigners.map((each) => each.stop());
    await this.clock.advance(1000);
    await Promise.all(ends);
  }

  /** What an assigner sees otherwise than it is. */
  misseen(): readonly string[] {
    const versions = new Map<string, string | undefined>();
    for (const [path, object] of this.api.objects)
      versions.set(path, textAt(objectAt(object, 'metadata'), 'resourceVersion'));
    return this.#assigners.flatMap(({ store }, place) => {
      const seen = new Map<string, string | undefined>();
      for (const [key, { metadata }] of store.ips)
        seen.set(`${IPS}/${key}`, metadata.resourceVersion);
      for (const { metadata } of store.services.values())
        seen.set(`${SERVICES}/${metadata.name}`, metadata.resourceVersion);
      const paths = new Set([...seen.keys(), ...versions.keys()]);
      const wrong = [...paths].filter(
        (path) => /services|ips/.test(path) && seen.get(path) !== versions.get(path),
      );
      return wrong.map((path) => `${place}: ${path} ${seen.get(path)}, not ${versions.get(path)}`);
    });
  }

  check(after: string): void {
    if (this.fault !== undefined) return;
    for (const name of NAMES) {
      const uid = textAt(objectAt(this.api.objects.get(`${SERVICES}/${name}`), 'metadata'), 'uid');
      for (const address of this.shown(name)) {
        const ip = this.api.objects.get(`${IPS}/${address}`);
        const holders = arrayAt(objectAt(ip, 'spec'), 'claims');
        const isHeld = holders.some((each) => textAt(each, 'uid') === uid);
        const isAlone = holders.length === 1;
        if (isHeld && (isAlone || holders.every((each) => textAt(each, 'sharingKey') === 'k')))
          continue;
        this.fault ??= `${after}: ${name} shows ${address}, held by ${JSON.stringify(holders)}`;
      }
    }
  }

  shown(name: string): readonly string[] {
    const status = objectAt(this.api.objects.get(`${SERVICES}/${name}`), 'status');
    const ingress = arrayAt(objectAt(status, 'loadBalancer'), 'ingress');
    return ingress.map((each) => textAt(each, 'ip') ?? '');
  }

  remove(name: string): void {
    this.api.remove(`${SERVICES}/${name}`);
  }

  /** A user's doing; the status stays as the API server keeps it. */
  put(name: string, edit: Partial<Record<'address' | 'className', string>>): void {
    const at = `${SERVICES}/${name}`;
    const old: JsonObject = this.api.objects.get(at) ?? {};
    const { address, className } = edit;
    const annotations = {
      ...(address === undefined ? {} : { 'vipvs.io/addresses': address }),
      ...(name in SHARING ? { 'vipvs.io/sharing-key': 'k' } : {}),
    };
    const ports = [{ port: SHARING[name] ?? 80, protocol: 'TCP' }];
    const spec = { type: 'LoadBalancer', ports };
    this.api.put(at, {
      ...old,
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default', annotations },
      spec: className === undefined ? spec : { ...spec, loadBalancerClass: className },
    });
  }
}

const step = fc.record({
  waitMs: fc.integer({ min: 0, max: 150 }),
  name: fc.constantFrom(...NAMES),
  act: fc.oneof(
    { weight: 4, arbitrary: fc.constant({ do: 'put' } as const) },
    { weight: 4, arbitrary: fc.constant({ do: 'delete' } as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom(0, 1).map((place) => ({ do: 'kill', place }) as const),
    },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom(...FREE, RETAINED)
        .map((address) => ({ do: 'ask', address }) as const),
    },
    { weight: 1, arbitrary: fc.constant({ do: 'foreign' } as const) },
  ),
});

async function play(
  world: World,
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
) {
  for (const { waitMs, name, act } of steps) {
    await world.clock.advance(waitMs);
    if (act.do === 'kill') await world.restart(act.place);
    else if (act.do === 'delete') world.remove(name);
    else if (act.do === 'ask') world.put(name, { address: act.address });
    else if (act.do === 'foreign') world.put(name, { className: 'example.com/other' });
    else world.put(name, {});
    if (world.fault !== undefined) return;
  }
}

test('no address is shown twice, or by one that does not hold it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer(),
      fc.array(step, { minLength: 10, maxLength: 40 }),
      async (seed, steps) => {
        const world = new World(seed);
        await play(world, steps);
        // in the end there is one for each that is left
        for (const name of ['a', 'c', 'd']) world.put(name, {});
        world.remove('b');
        await world.clock.advance(SETTLE_MS);
        const { length } = world.api.calls;
        await world.clock.advance(QUIET_MS);
        const late = world.api.calls.slice(length);
        const misseen = world.misseen();
        const waiting = ['a', 'c', 'd'].filter((name) => world.shown(name).length !== 1);
        await world.stop();
        assert.equal(world.fault, undefined);
        assert.deepEqual(waiting, []);
        assert.deepEqual(misseen, []);
        assert.deepEqual(late, []);
      },
    ),
    { numRuns: RUNS, interruptAfterTimeLimit: SHRINK_MAX_MS },
  );
});
