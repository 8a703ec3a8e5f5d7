// The event recorder: one object per thing that happened, repeats counted, everything bounded.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { ApiError } from '../../src/kube/errors.ts';
import { EventRecorder, type EventToRecord } from '../../src/kube/events.ts';
import { numberAt, objectAt, textAt, type JsonObject } from '../../src/kube/json.ts';
import { MemoryLog, VirtualClock } from './clocks.ts';
import { MemoryApi } from './memory-api.ts';

function exhausted(service: string, note = 'pool a has no free address'): EventToRecord {
  const about = { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: service, uid: 'u1' };
  return { about, type: 'Warning', reason: 'PoolExhausted', action: 'Assign', note };
}

suite('events', () => {
  let api: MemoryApi;
  let clock: VirtualClock;
  let log: MemoryLog;
  let recorder: EventRecorder;
  let stop: AbortController;
  let running: Promise<void>;
  let isBusy = false;

  beforeEach(() => {
    api = new MemoryApi();
    clock = new VirtualClock();
    log = new MemoryLog();
    stop = new AbortController();
    const who = { controller: 'vipvs.io/assigner', instance: 'pod-1' };
    isBusy = false;
    recorder = new EventRecorder({
      client: api,
      ...who,
      isBusy: () => isBusy,
      clock,
      random: () => 0,
      log,
    });
    running = recorder.run(stop.signal);
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  function only(): JsonObject {
    assert.equal(api.objects.size, 1);
    return [...api.objects.values()][0] ?? {};
  }

  test('an event as events.k8s.io/v1 wants it', async () => {
    recorder.record(exhausted('web'));
    await clock.advance(1000);
    const { metadata, ...body } = only();
    assert.equal(textAt(metadata, 'namespace'), 'shop');
    assert.match(textAt(metadata, 'name') ?? '', /^web\.[0-9a-f]+(-[0-9a-f]+){2}$/);
    assert.deepEqual(body, {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'vipvs.io/assigner',
      reportingInstance: 'pod-1',
      regarding: { apiVersion: 'v1', kind: 'Service', namespace: 'shop', name: 'web', uid: 'u1' },
      type: 'Warning',
      reason: 'PoolExhausted',
      action: 'Assign',
      note: 'pool a has no free address',
    });
  });

  test('repeats are counted in the series, at most one write a minute', async () => {
    for (let second = 0; second < 130; second += 1) {
      recorder.record(exhausted('web'));
      await clock.advance(1000);
    }
    assert.equal(api.calls.length, 3);
    assert.equal(numberAt(objectAt(only(), 'series'), 'count'), 121);
  });

  test('after six quiet minutes it is a new event', async () => {
    recorder.record(exhausted('web'));
    await clock.advance(6 * 60_000 + 1000);
    recorder.record(exhausted('web'));
    await clock.advance(1000);
    assert.equal(api.objects.size, 2);
  });

  test('another note, another object: another event', async () => {
    recorder.record(exhausted('web'));
    recorder.record(exhausted('web', 'pool b has no free address'));
    recorder.record(exhausted('api'));
    await clock.advance(1000);
    assert.equal(api.objects.size, 3);
  });

  test('about a cluster-scoped object: in namespace default', async () => {
    const about = { apiVersion: 'vipvs.io/v1alpha1', kind: 'Pool', name: 'public' };
    recorder.record({ ...exhausted('x'), about });
    await clock.advance(1000);
    assert.equal(textAt(only()['metadata'], 'namespace'), 'default');
  });

  test('an event that Kubernetes has expired is written anew, with its count', async () => {
    recorder.record(exhausted('web'));
    await clock.advance(61_000);
    for (const path of api.objects.keys()) api.remove(path);
    recorder.record(exhausted('web'));
    await clock.advance(1000);
    assert.equal(numberAt(objectAt(only(), 'series'), 'count'), 2);
  });

  test('ten a second at most, a thousand waiting at most, the rest counted', async () => {
    await clock.advance(0);
    for (let index = 0; index < 1500; index += 1) recorder.record(exhausted(`web-${index}`));
    await clock.advance(1000);
    assert.ok(api.objects.size <= 11, `${api.objects.size} in the first second`);
    await clock.advance(200_000);
    assert.equal(api.objects.size + recorder.dropped, 1500);
    assert.ok(api.objects.size >= 1000);
    assert.match(log.messages('warn')[0] ?? '', /too many events wait/);
    assert.ok(log.messages('warn').length < 12);
  });

  test('a short outage is waited out; what is refused for good is dropped', async () => {
    let failures = 2;
    api.fault = (when) => {
      if (when === 'before' && failures-- > 0) {
        throw new ApiError('no connection', { code: 'network', status: 0 });
      }
    };
    recorder.record(exhausted('web'));
    await clock.advance(10_000);
    assert.equal(api.objects.size, 1);
    api.fault = () => {
      throw new ApiError('namespace is terminating', { code: 'forbidden', status: 403 });
    };
    recorder.record(exhausted('other'));
    await clock.advance(10_000);
    assert.equal(recorder.dropped, 1);
    assert.deepEqual(log.messages('warn'), ['event not written: namespace is terminating']);
  });

  test('a long note is cut at 1,024 bytes, not in the middle of a character', async () => {
    recorder.record(exhausted('web', 'ä'.repeat(800)));
    await clock.advance(1000);
    const note = textAt(only(), 'note') ?? '';
    assert.ok(Buffer.byteLength(note) <= 1024);
    assert.match(note, /^ä+…$/);
  });

  test('good news waits for all else, and for a program that is busy', async () => {
    const good = (service: string): EventToRecord => ({
      ...exhausted(service, 'got it'),
      type: 'Normal',
      isUnhurried: true,
    });
    recorder.record(good('first'));
    recorder.record(exhausted('bad'));
    recorder.record(good('second'));
    isBusy = true;
    await clock.advance(5000);
    const written = (): readonly string[] =>
      [...api.objects.values()].map(
        (object) => textAt(objectAt(object, 'regarding'), 'name') ?? '',
      );
    assert.deepEqual(written(), ['bad']);
    isBusy = false;
    await clock.advance(5000);
    assert.deepEqual(written(), ['bad', 'first', 'second']);
  });

  test('good news under load is dropped and counted; what matters is not', async () => {
    isBusy = true;
    for (let index = 0; index < 1500; index += 1) {
      recorder.record({ ...exhausted(`web-${index}`, 'got it'), isUnhurried: true });
    }
    assert.equal(recorder.dropped, 500);
    recorder.record(exhausted('bad'));
    await clock.advance(1000);
    assert.equal(api.objects.size, 1);
    assert.equal(recorder.dropped, 500);
  });
});
