// One Service whose IP the API server does not take: it is told, the others are served, and the program stays ready.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { AssignerProgram } from '../../../src/assigner/program.ts';
import { arrayAt, objectAt, textAt, type JsonObject } from '../../../src/kube/json.ts';
import { errorOfStatus } from '../../../src/kube/errors.ts';
import type { Call } from '../../../src/kube/transport.ts';
import { silentLog } from '../../../src/runtime/log.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';
import { until, VirtualClock } from '../../api/clocks.ts';
import { everybodyLeads } from '../../api/everybody-leads.ts';
import { MemoryApi } from '../../api/memory-api.ts';
import { CONFIG } from './objects.ts';

const SERVICES = '/api/v1/namespaces/default/services';

class World {
  readonly api = new MemoryApi();
  readonly clock = new VirtualClock();
  readonly program: AssignerProgram;

  constructor(t: TestContext) {
    const stop = new AbortController();
    this.program = new AssignerProgram(
      { config: CONFIG, namespace: 'vipvs-system', identity: 'test' },
      {
        // the memory lists what stands directly below a path
        client: {
          call: (call) => this.api.call({ ...call, path: flat(call.path) }),
          stream: (stream) => this.api.stream(stream),
        },
        clock: this.clock,
        random: () => 1,
        log: silentLog,
        metrics: createMetrics(),
        releaseMemory: () => undefined,
        election: everybodyLeads,
      },
    );
    this.api.put('/apis/vipvs.io/v1alpha1/pools/public', {
      apiVersion: 'vipvs.io/v1alpha1',
      kind: 'Pool',
      metadata: { name: 'public' },
      spec: { addresses: ['192.0.2.0/28'] },
    });
    const ended = this.program.run(stop.signal);
    t.after(async () => {
      stop.abort();
      await this.clock.advance(0);
      assert.equal(await ended, 'stopped');
    });
  }

  put(name: string, address: string): void {
    this.api.put(flat(`${SERVICES}/${name}`), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default', annotations: { 'vipvs.io/addresses': address } },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    });
  }

  object(name: string): JsonObject | undefined {
    return this.api.objects.get(flat(`${SERVICES}/${name}`));
  }

  said(name: string): string {
    const status = objectAt(this.object(name), 'status');
    const [entry] = arrayAt(objectAt(status, 'loadBalancer'), 'ingress');
    const [condition] = arrayAt(status, 'conditions');
    return `${textAt(entry, 'ip') ?? '-'} ${textAt(condition, 'reason') ?? ''}`;
  }

  /** Time passes until it is so. */
  async until(what: string, isTrue: () => boolean): Promise<void> {
    await until(what, async () => {
      await this.clock.advance(100);
      return isTrue();
    });
  }

  events(): readonly (string | undefined)[] {
    return [...this.api.objects]
      .filter(([path]) => path.includes('/events/'))
      .map(([, object]) => textAt(object, 'reason'));
  }
}

function flat(path: string): string {
  return path.replace('/namespaces/default/services', '/services');
}

const refuse = (when: (call: Call) => boolean, code: number, reason: string) => {
  return (moment: string, call: Call): void => {
    if (moment !== 'before' || !when(call)) return;
    const message = 'spec.claims[0].sharingKey: Too long';
    throw errorOfStatus(`${call.method} ${call.path}`, code, { code, reason, message });
  };
};

const namesBad = ({ method, body }: Call): boolean =>
  method === 'POST' && JSON.stringify(body).includes('192.0.2.9');

for (const [code, reason] of [
  [422, 'Invalid'],
  [403, 'Forbidden'],
  [400, 'BadRequest'],
] as const) {
  test(`${code} for one Service: it is told, the others are served, the program is ready`, async (t) => {
    const world = new World(t);
    world.api.fault = refuse(namesBad, code, reason);
    world.put('bad', '192.0.2.9');
    world.put('good', '192.0.2.1');
    await world.until('the good one is served', () => world.said('good') === '192.0.2.1 Assigned');
    await world.until('the bad one is told', () => world.said('bad') === '- WriteRefused');
    const [condition] = arrayAt(objectAt(world.object('bad'), 'status'), 'conditions');
    assert.match(textAt(condition, 'message') ?? '', /sharingKey: Too long/);
    assert.deepEqual(world.program.notReady(), []);
    await world.until('an Event says it', () => world.events().includes('WriteRefused'));
    // it is tried again, and told once
    const tries = (): number => world.api.calls.filter((call) => call.endsWith('/ips')).length;
    const version = textAt(objectAt(world.object('bad'), 'metadata'), 'resourceVersion');
    const before = tries();
    await world.until('it is tried again', () => tries() > before + 1);
    const after = textAt(objectAt(world.object('bad'), 'metadata'), 'resourceVersion');
    assert.equal(after, version);
    world.api.fault = () => undefined;
    await world.until('it is served', () => world.said('bad') === '192.0.2.9 Assigned');
  });
}

test('a Service that is changed is tried at once', async (t) => {
  const world = new World(t);
  world.api.fault = refuse(namesBad, 422, 'Invalid');
  world.put('bad', '192.0.2.9');
  await world.until('it is told', () => world.said('bad') === '- WriteRefused');
  world.put('bad', '192.0.2.8');
  await world.until('it is served', () => world.said('bad') === '192.0.2.8 Assigned');
});

test('where the status is what is refused an Event says it', async (t) => {
  const world = new World(t);
  const isStatus = ({ path }: Call): boolean => path.endsWith('/bad/status');
  world.api.fault = refuse(isStatus, 422, 'Invalid');
  world.put('bad', '192.0.2.9');
  await world.until('the Event', () => world.events().includes('WriteRefused'));
  assert.deepEqual(world.program.notReady(), []);
  world.api.fault = () => undefined;
  await world.until('it is served', () => world.said('bad') === '192.0.2.9 Assigned');
});
