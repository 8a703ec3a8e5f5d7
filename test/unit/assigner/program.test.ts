// The whole program on an API server's rules in memory: what only the timing of its watches can bring about.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { AssignerProgram } from '../../../src/assigner/program.ts';
import { arrayAt, objectAt, textAt, type JsonObject } from '../../../src/kube/json.ts';
import type { ApiClient, Stream } from '../../../src/kube/transport.ts';
import { ApiError } from '../../../src/kube/errors.ts';
import { systemClock } from '../../../src/runtime/clock.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { until } from '../../api/clocks.ts';
import { everybodyLeads } from '../../api/everybody-leads.ts';
import { MemoryApi } from '../../api/memory-api.ts';
import { CONFIG } from './objects.ts';

const SERVICES = '/api/v1/services';
const IP = '/apis/vipvs.io/v1alpha1/ips/192.0.2.1';

/** Watches of IPs show as many events as they are let. */
class SlowIpWatches implements ApiClient {
  readonly api = new MemoryApi();
  #permits = 0;
  #wake = (): void => undefined;

  call(call: Parameters<ApiClient['call']>[0]): Promise<unknown> {
    // the memory keeps Services under one path, whatever their namespace
    const path = call.path.replace('/namespaces/default/services', '/services');
    return this.api.call({ ...call, path });
  }

  async stream(stream: Stream): Promise<AsyncIterable<Buffer>> {
    const chunks = await this.api.stream(stream);
    return stream.path.endsWith('/ips') ? this.#slowly(chunks, stream.signal) : chunks;
  }

  letGo(events: number): void {
    this.#permits += events;
    this.#wake();
  }

  async *#slowly(chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      while (this.#permits === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
        signal.throwIfAborted();
      }
      this.#permits -= 1;
      yield chunk;
    }
  }
}

function service(name: string): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations: { 'vipvs.io/addresses': '192.0.2.1' } },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  };
}

function reserved(): JsonObject {
  return {
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'IP',
    metadata: { name: '192.0.2.1' },
    spec: { address: '192.0.2.1', poolName: 'public', retain: true },
  };
}

function addPool(api: MemoryApi): void {
  api.put('/apis/vipvs.io/v1alpha1/pools/public', {
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'Pool',
    metadata: { name: 'public' },
    spec: { addresses: ['192.0.2.0/28'] },
  });
}

function start(t: TestContext, client: ApiClient): AssignerProgram {
  const stop = new AbortController();
  const program = new AssignerProgram(
    { config: CONFIG, namespace: 'vipvs-system', identity: 'test' },
    {
      client,
      clock: systemClock,
      random: () => 0.5,
      log: silentLog,
      metrics: createMetrics(),
      releaseMemory: () => undefined,
      election: everybodyLeads,
    },
  );
  const ended = program.run(stop.signal);
  t.after(async () => {
    stop.abort();
    assert.equal(await ended, 'stopped');
  });
  return program;
}

test('a watch that shows an old holder late brings him back for nobody', async (t) => {
  const client = new SlowIpWatches();
  const { api } = client;
  addPool(api);
  api.put(IP, reserved());
  api.put(`${SERVICES}/first`, service('first'));
  const program = start(t, client);
  const holders = (): readonly (string | undefined)[] =>
    arrayAt(objectAt(api.objects.get(IP), 'spec'), 'claims').map((each) => textAt(each, 'name'));
  const isDecided = (name: string): boolean =>
    program.store.services.get(`default/${name}`)?.status !== undefined;
  await until('the first has it', () => holders()[0] === 'first');
  api.remove(`${SERVICES}/first`);
  await until('nobody has it', () => holders().length === 0);
  api.put(`${SERVICES}/second`, service('second'));
  await until('the second has it', () => holders()[0] === 'second');
  api.put(`${SERVICES}/third`, service('third'));
  await until('the third waits', () => isDecided('third'));
  // now the watch shows that the first has it, and that nobody has it
  client.letGo(2);
  api.put(`${SERVICES}/fourth`, service('fourth'));
  await until('a round was done', () => isDecided('fourth'));
  assert.deepEqual(holders(), ['second']);
  client.letGo(1000);
  api.put(`${SERVICES}/fifth`, service('fifth'));
  await until('a round was done', () => isDecided('fifth'));
  const writes = api.calls.filter((call) => call === `PATCH ${IP}`).length;
  assert.equal(writes, 3, 'taken, given back, taken');
});

/** The first watch of IPs shows nothing, until it is too old. */
class OldIpWatch extends SlowIpWatches {
  readonly tooOld = Promise.withResolvers<undefined>();
  #isFirst = true;

  override async stream(stream: Stream): Promise<AsyncIterable<Buffer>> {
    if (!stream.path.endsWith('/ips') || !this.#isFirst) return super.stream(stream);
    this.#isFirst = false;
    await this.tooOld.promise;
    throw new ApiError('too old', { code: 'gone', status: 410 });
  }
}

test('an IP that is made and taken away between two lists, which no watch shows, is made again', async (t) => {
  const client = new OldIpWatch();
  const { api } = client;
  addPool(api);
  const program = start(t, client);
  api.put(`${SERVICES}/first`, service('first'));
  await until(
    'it is made',
    () => program.store.services.get('default/first')?.status !== undefined,
  );
  assert.ok(program.store.ips.has('192.0.2.1'));
  api.remove(IP);
  client.tooOld.resolve(undefined);
  await until('it is made again', () => api.objects.has(IP));
});

/** An API server that has come back with half of its data: from then on its list of Services is empty. */
class HalfLists implements ApiClient {
  readonly api = new MemoryApi();
  readonly #broken = Promise.withResolvers<undefined>();
  #isBroken = false;
  lists = 0;

  break(): void {
    this.#isBroken = true;
    this.#broken.resolve(undefined);
  }

  async call(call: Parameters<ApiClient['call']>[0]): Promise<unknown> {
    const path = call.path.replace('/namespaces/default/services', '/services');
    const isList = call.list !== undefined && call.path === SERVICES;
    if (isList) this.lists += 1;
    const list = { onItem: (): void => undefined };
    return this.api.call({ ...call, path, ...(isList && this.#isBroken ? { list } : {}) });
  }

  async stream(stream: Stream): Promise<AsyncIterable<Buffer>> {
    const chunks = await this.api.stream(stream);
    return stream.path === SERVICES && !this.#isBroken ? this.#untilBroken(chunks) : chunks;
  }

  async *#untilBroken(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    const broken = this.#broken.promise.then(() => {
      throw new ApiError('WATCH: Expired', { code: 'gone', status: 410 });
    });
    const iterator = chunks[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([iterator.next(), broken]);
      if (next.done === true) return;
      yield next.value;
    }
  }
}

test('a list without Services releases nothing, and an event says so', async (t) => {
  const client = new HalfLists();
  const { api } = client;
  addPool(api);
  const names = Array.from({ length: 12 }, (_, i) => `s${i}`);
  const anyAddress = (name: string): JsonObject => ({
    ...service(name),
    metadata: { name, namespace: 'default' },
  });
  for (const name of names) api.put(`${SERVICES}/${name}`, anyAddress(name));
  const program = start(t, client);
  const isAssigned = (name: string): boolean =>
    program.store.services.get(`default/${name}`)?.status?.loadBalancer?.ingress?.length === 1;
  await until('all have addresses', () => names.every(isAssigned));
  const ips = (): readonly unknown[] =>
    [...api.objects].filter(([path]) => path.includes('/ips/')).map(([, object]) => object);
  const before = ips();
  client.break();
  const events = (): readonly (string | undefined)[] =>
    [...api.objects]
      .filter(([path]) => path.includes('/events/'))
      .map(([, object]) => textAt(object, 'reason'));
  await until('the event', () => events().includes('ListDoubted'));
  assert.equal(client.lists, 2);
  // a change makes it decide once more: on what it knew
  api.put(`${SERVICES}/late`, anyAddress('late'));
  await until('the new one has an address', () => isAssigned('late'));
  assert.deepEqual(ips().slice(0, names.length), before);
  assert.ok(names.every(isAssigned));
});
