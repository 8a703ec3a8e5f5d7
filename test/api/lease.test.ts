// Election in virtual time: who leads, who may write, and when.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ApiError } from '../../src/kube/errors.ts';
import { numberAt, objectAt, textAt } from '../../src/kube/json.ts';
import { Lease, type LeaseEnd, type LeaseTimes } from '../../src/kube/lease.ts';
import { MemoryLog, VirtualClock } from './clocks.ts';
import { MemoryApi } from './memory-api.ts';

const PATH = '/apis/coordination.k8s.io/v1/namespaces/vipvs/leases/assigner';
const down = new ApiError('no connection', { code: 'network', status: 0 });

class Contender {
  readonly lease: Lease;
  readonly stop = new AbortController();
  leads = false;
  end: LeaseEnd | undefined;
  readonly done: Promise<void>;

  constructor(identity: string, api: MemoryApi, clock: VirtualClock, times?: LeaseTimes) {
    const options = { client: api, namespace: 'vipvs', name: 'assigner', identity };
    const ports = { clock, random: () => 0, log: new MemoryLog() };
    this.lease = new Lease({ ...options, ...ports, ...(times === undefined ? {} : { times }) });
    this.done = this.#run();
  }

  async #run(): Promise<void> {
    this.leads = await this.lease.acquire(this.stop.signal);
    if (this.leads) this.end = await this.lease.keep(this.stop.signal);
    this.leads = false;
  }
}

function spec(api: MemoryApi): unknown {
  return objectAt(api.objects.get(PATH), 'spec');
}

suite('lease', () => {
  test('one of two leads; the record is as client-go writes it', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    const b = new Contender('b', api, clock);
    await clock.advance(60_000);
    assert.deepEqual([a.leads, b.leads], [true, false]);
    assert.deepEqual([a.lease.mayWrite(), b.lease.mayWrite()], [true, false]);
    assert.equal(b.lease.holder, 'a');
    assert.equal(b.lease.heldForMs(), 0);
    assert.deepEqual(spec(api), {
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:01:00.000000Z',
      leaseTransitions: 0,
    });
    a.stop.abort();
    b.stop.abort();
    await Promise.all([a.done, b.done]);
    assert.equal(a.end, 'stopped');
  });

  test('a lease is released also when a renewal was under way whose answer nobody heard', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(0);
    api.put(PATH, { ...api.objects.get(PATH) });
    a.stop.abort();
    await a.done;
    await a.lease.release(new AbortController().signal);
    assert.equal(textAt(spec(api), 'holderIdentity'), '');
    assert.equal(a.lease.heldForMs(), 0);
  });

  test('a lease that somebody else has by now is not released', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(0);
    api.put(PATH, { ...api.objects.get(PATH), spec: { holderIdentity: 'b' } });
    a.stop.abort();
    await a.done;
    await a.lease.release(new AbortController().signal);
    assert.equal(textAt(spec(api), 'holderIdentity'), 'b');
    assert.equal(a.lease.heldForMs(), 0);
  });

  test('a released lease is taken at once', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(1000);
    const b = new Contender('b', api, clock);
    await clock.advance(1000);
    a.stop.abort();
    await a.done;
    await a.lease.release(new AbortController().signal);
    assert.equal(a.lease.heldForMs(), 0);
    await clock.advance(2000);
    assert.equal(b.leads, true);
    assert.equal(numberAt(spec(api), 'leaseTransitions'), 1);
    b.stop.abort();
  });

  test('a dead leader is followed after its duration, however wrong its clock was', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    clock.jumpWall(365 * 86_400_000);
    const a = new Contender('a', api, clock);
    await clock.advance(1000);
    clock.jumpWall(-2 * 365 * 86_400_000);
    const b = new Contender('b', api, clock);
    await clock.advance(10_000);
    a.stop.abort(); // dies without releasing, having renewed a second ago at most
    await a.done;
    await clock.advance(13_000);
    assert.equal(b.leads, false, 'its record changed less than 15 s ago');
    await clock.advance(6000);
    assert.equal(b.leads, true);
    b.stop.abort();
  });

  test('no API server: may not write after 10 s, lost, and never taken again', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(4000);
    api.fault = () => {
      throw down;
    };
    await clock.advance(7000);
    assert.deepEqual([a.leads, a.lease.mayWrite()], [true, true]);
    await clock.advance(4000);
    assert.deepEqual([a.leads, a.end, a.lease.mayWrite()], [false, 'lost', false]);
    assert.equal(a.lease.heldForMs(), 0);
  });

  test('a short outage is survived', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(4000);
    api.fault = () => {
      throw down;
    };
    await clock.advance(7000);
    api.fault = () => undefined;
    await clock.advance(30_000);
    assert.deepEqual([a.leads, a.lease.mayWrite()], [true, true]);
    a.stop.abort();
  });

  test('a process that stood still knows that it may not write', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(4000);
    clock.stall(9000);
    assert.equal(a.lease.mayWrite(), true);
    clock.stall(2000);
    assert.equal(a.lease.mayWrite(), false);
    assert.ok(a.lease.heldForMs() > 0, 'nobody else has it yet');
    clock.stall(5000);
    assert.equal(a.lease.heldForMs(), 0);
    a.stop.abort();
  });

  test('by attempts: an outage is no silence of the holder, who could not renew either', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(3000);
    a.stop.abort();
    await a.done;
    const options = { client: api, namespace: 'vipvs', name: 'assigner', identity: 'b' };
    const b = new Lease({ ...options, clock, random: () => 0, log: new MemoryLog() });
    const { signal } = new AbortController();
    const attempt = (): Promise<boolean> => b.attempt(signal, () => true);
    assert.equal(await attempt(), false, 'seen for the first time');
    api.fault = () => {
      throw down;
    };
    await clock.advance(60_000);
    await assert.rejects(attempt(), /no connection/);
    api.fault = () => undefined;
    assert.equal(await attempt(), false, 'the holder may renew now');
    for (const want of [false, false, false, false, true]) {
      await clock.advance(2000);
      assert.equal(await attempt(), want, 'the outage counts as three tries: 6 of 15 s');
    }
  });

  test('its time counts from before the request, not from the answer', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    api.fault = (when) => {
      if (when === 'after') clock.stall(3000);
    };
    const a = new Contender('a', api, clock);
    await clock.advance(0);
    // The GET that finds nothing throws before `after`; the POST takes 3 s
    assert.equal(a.lease.heldForMs(), 12_000);
    a.stop.abort();
  });

  test('a renewal whose answer is lost is found out to be ours', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(3000);
    let lost = 0;
    api.fault = (when, call) => {
      if (when !== 'after' || call.method !== 'PUT' || lost > 0) return;
      lost += 1;
      throw down;
    };
    await clock.advance(30_000);
    assert.equal(lost, 1);
    assert.deepEqual([a.leads, a.end], [true, undefined]);
    a.stop.abort();
  });

  const takeovers = [
    {
      name: 'another took it',
      change: (api: MemoryApi): void => {
        const object = api.objects.get(PATH) ?? {};
        api.put(PATH, { ...object, spec: { ...objectAt(object, 'spec'), holderIdentity: 'b' } });
      },
    },
    { name: 'somebody deleted it', change: (api: MemoryApi): void => api.remove(PATH) },
  ];
  for (const { name, change } of takeovers) {
    test(`${name}: lost at the next renewal`, async () => {
      const api = new MemoryApi();
      const clock = new VirtualClock();
      const a = new Contender('a', api, clock);
      await clock.advance(3000);
      change(api);
      await clock.advance(2000);
      assert.deepEqual([a.leads, a.end], [false, 'lost']);
      assert.notEqual(textAt(spec(api), 'holderIdentity'), 'a');
    });
  }

  test('an annotation on the Lease costs nothing', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock);
    await clock.advance(3000);
    const object = api.objects.get(PATH) ?? {};
    api.put(PATH, { ...object, metadata: { ...objectAt(object, 'metadata'), annotations: {} } });
    await clock.advance(30_000);
    assert.equal(a.leads, true);
    a.stop.abort();
  });

  test('renewed at its own pace, and after a failure at that of the tries', async () => {
    const api = new MemoryApi();
    const clock = new VirtualClock();
    const a = new Contender('a', api, clock, {
      leaseMs: 15_000,
      renewDeadlineMs: 10_000,
      retryMs: 2000,
      renewMs: 5000,
    });
    const renewals = (): number => api.calls.filter((call) => call.startsWith('PUT')).length;
    await clock.advance(0);
    await clock.advance(19_000);
    assert.equal(renewals(), 3);
    let failed = 0;
    api.fault = (_, call) => {
      if (call.method !== 'PUT' || failed === 2) return;
      failed += 1;
      throw down;
    };
    await clock.advance(5000);
    assert.deepEqual([renewals(), a.leads], [6, true], 'two that failed, and one that did not');
    await clock.advance(5000);
    assert.equal(renewals(), 7);
    a.stop.abort();
  });

  const badTimes: readonly (LeaseTimes & { readonly want: RegExp })[] = [
    { leaseMs: 15_000, renewDeadlineMs: 15_000, retryMs: 2000, want: /lease > renew deadline/ },
    { leaseMs: 15_000, renewDeadlineMs: 2400, retryMs: 2000, want: /renew deadline > retry x 1.2/ },
    { leaseMs: 1500, renewDeadlineMs: 1000, retryMs: 200, want: /whole seconds/ },
    { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 0, want: /above 0/ },
    { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2000, renewMs: 6000, want: /no time for/ },
    { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2000, renewMs: 1000, want: /no time for/ },
  ];
  for (const { want, ...times } of badTimes) {
    test(`times ${JSON.stringify(times)} are refused`, () => {
      const fixed = { namespace: 'n', name: 'l', identity: 'i', random: () => 0 };
      const ports = { client: new MemoryApi(), clock: new VirtualClock(), log: new MemoryLog() };
      assert.throws(() => new Lease({ ...fixed, ...ports, times }), want);
    });
  }
});
