// The reflector against every fault that a network and an API server can produce, over real HTTPS. Time passes only in
// sleeps, which are written down, so delays are compared exactly; random() is 0, so there is no jitter.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import type { ReflectorSink } from '../../src/kube/reflector.ts';
import { until, type MemoryLog, type QuickClock } from './clocks.ts';
import { LineSink } from './line-sink.ts';
import { ServedReflector } from './served-reflector.ts';
import {
  bookmark,
  cut,
  ending,
  event,
  failure,
  type FakeServer,
  json,
  listOf,
  object,
  reset,
  silence,
  statusObject,
  streaming,
} from './fake-server.ts';

suite('reflector', () => {
  let served: ServedReflector;
  let fake: FakeServer;
  let clock: QuickClock;
  let log: MemoryLog;

  beforeEach(async () => {
    served = await ServedReflector.prepare();
    ({ fake, clock, log } = served);
  });
  afterEach(() => served.stop());

  const start = (sink?: ReflectorSink<string>): void =>
    served.start(sink === undefined ? {} : { sink });
  const lines = (want: readonly string[]): Promise<void> => served.lines(want);
  const watchVersions = (): readonly (string | null)[] =>
    served.queries('watch', 'resourceVersion');

  test('lists in one piece, watches from there, asks for bookmarks', async () => {
    fake.list.push(
      listOf([object('a', '1'), object('b', '2')], '10', 'more'),
      listOf([object('c', '3')], '10'),
    );
    fake.watch.push(streaming(event('ADDED', object('d', '11'))));
    start();
    await lines(['sync default/a default/b default/c', 'set default/d=d']);
    const [first, second] = fake.seen('list');
    assert.deepEqual(Object.fromEntries(first?.query ?? []), {});
    // nobody asked for a page: a server that gives one all the same is followed
    assert.deepEqual(Object.fromEntries(second?.query ?? []), { continue: 'more' });
    const [watch] = fake.seen('watch');
    assert.equal(watch?.path, '/api/v1/services');
    assert.deepEqual(Object.fromEntries(watch.query), {
      watch: '1',
      allowWatchBookmarks: 'true',
      resourceVersion: '10',
      timeoutSeconds: '300',
    });
    assert.deepEqual(clock.sleepsMs, []);
    const { phase, synced, objects, problem } = served.reflector.state();
    assert.deepEqual([phase, synced, objects, problem], ['watching', true, 4, undefined]);
  });

  test('an ended watch goes on from its last event or bookmark, without a list', async () => {
    fake.list.push(listOf([object('a', '1')], '10'));
    fake.watch.push(
      ending(event('MODIFIED', object('a', '11', 'A'))),
      ending(bookmark('15')),
      ending(event('DELETED', object('a', '16'))),
      streaming(),
    );
    start();
    await lines(['sync default/a', 'set default/a=A', 'del default/a']);
    await until('the fourth watch', () => fake.seen('watch').length === 4);
    assert.deepEqual(watchVersions(), ['10', '11', '15', '16']);
    assert.equal(fake.seen('list').length, 1);
    assert.deepEqual(clock.sleepsMs, []);
  });

  test('a line cut in the middle is not an event; the next watch brings it whole', async () => {
    const whole = event('MODIFIED', object('a', '12', 'A2'));
    fake.list.push(listOf([object('a', '1')], '10'));
    fake.watch.push(
      cut(event('MODIFIED', object('a', '11', 'A1')), whole.slice(0, 40)),
      streaming(whole),
    );
    start();
    await lines(['sync default/a', 'set default/a=A1', 'set default/a=A2']);
    assert.deepEqual(watchVersions(), ['10', '11']);
    assert.equal(fake.seen('list').length, 1);
  });

  test('a character cut in the middle comes out whole', async () => {
    const bytes = Buffer.from(event('ADDED', object('a', '11', 'Zürich')));
    const half = bytes.indexOf(0xc3) + 1;
    fake.list.push(listOf([], '10'));
    fake.watch.push((answer, seen) => {
      streaming(bytes.subarray(0, half))(answer, seen);
      setTimeout(() => answer.write(bytes.subarray(half)), 20);
    });
    start();
    await lines(['sync', 'set default/a=Zürich']);
  });

  const gone = {
    status: failure(410, 'Expired'),
    event: streaming(event('ERROR', statusObject(410, 'Expired'))),
  };
  for (const [how, step] of Object.entries(gone)) {
    test(`410 as ${how}: lists again at once and reports only differences`, async () => {
      const before = ['same', 'gone', 'changed', 'reborn'].map((name) => object(name, '1'));
      const after = [
        object('same', '1'),
        object('changed', '20', 'new'),
        object('reborn', '21', 'reborn', 'another-uid'),
        object('added', '22'),
      ];
      fake.list.push(listOf(before, '10'), listOf(after, '30'));
      fake.watch.push(step, streaming());
      start();
      await lines([
        'sync default/same default/gone default/changed default/reborn',
        'del default/gone',
        'set default/changed=new',
        'del default/reborn',
        'set default/reborn=reborn',
        'set default/added=added',
      ]);
      await until('the second watch', () => fake.seen('watch').length === 2);
      assert.deepEqual(watchVersions(), ['10', '30']);
      assert.deepEqual(clock.sleepsMs, []);
      assert.equal(served.reflector.state().restarts.get('gone'), 1);
    });

    test(`410 as ${how} again and again: backs off`, async () => {
      fake.list.push(listOf([], '10'));
      fake.watch.push(step, step, step, streaming());
      start();
      await until('the fourth watch', () => fake.seen('watch').length === 4);
      assert.deepEqual(clock.sleepsMs, [800, 1600]);
      assert.equal(fake.seen('list').length, 4);
    });
  }

  const retried = [
    { name: '500', step: failure(500, 'InternalError'), code: 'server' },
    { name: '503', step: failure(503, 'ServiceUnavailable'), code: 'server' },
    { name: 'a reset connection', step: reset, code: 'network' },
    { name: 'a watch that ends at once', step: ending(), code: 'network' },
    { name: 'a line that is not JSON', step: ending('{"type":\n'), code: 'bad-answer' },
    { name: 'an unknown event', step: ending(event('SOLD', {})), code: 'bad-answer' },
    { name: 'an event without object', step: ending('{"type":"ADDED"}\n'), code: 'bad-answer' },
    {
      name: 'an ERROR event of 500',
      step: ending(event('ERROR', statusObject(500, 'X'))),
      code: 'server',
    },
    { name: '401 with the same token', step: failure(401, 'Unauthorized'), code: 'unauthorized' },
    { name: '403', step: failure(403, 'Forbidden'), code: 'forbidden' },
  ] as const;
  for (const { name, step, code } of retried) {
    test(`${name} on a watch: tries again with backoff from the same place`, async () => {
      fake.list.push(listOf([object('a', '1')], '10'));
      fake.watch.push(step, step, step, streaming(event('ADDED', object('b', '11'))));
      start();
      await lines(['sync default/a', 'set default/b=b']);
      assert.deepEqual(clock.sleepsMs, [800, 1600, 3200]);
      assert.deepEqual(watchVersions(), ['10', '10', '10', '10']);
      assert.equal(fake.seen('list').length, 1);
      assert.equal(served.reflector.state().restarts.get(code), 3);
      assert.equal(served.reflector.state().problem, undefined);
      assert.equal(log.messages('warn').length, 1, 'one line for one kind of failure');
    });
  }

  const retriedLists = [
    { name: '500', step: failure(500, 'InternalError') },
    { name: 'a reset connection', step: reset },
    { name: 'an answer that is not JSON', step: ending('<html>') },
    { name: 'an answer that is not a list', step: json(200, { kind: 'Status' }) },
  ];
  for (const { name, step } of retriedLists) {
    test(`${name} on a list: tries again with backoff`, async () => {
      fake.list.push(step, step, listOf([object('a', '1')], '10'));
      fake.watch.push(streaming());
      start();
      await lines(['sync default/a']);
      assert.deepEqual(clock.sleepsMs, [800, 1600]);
    });
  }

  test('429 waits as long as Retry-After says', async () => {
    fake.list.push(failure(429, 'TooManyRequests', { 'retry-after': '7' }), listOf([], '10'));
    fake.watch.push(failure(429, 'TooManyRequests', { 'retry-after': '1' }), streaming());
    start();
    await until('the second watch', () => fake.seen('watch').length === 2);
    assert.deepEqual(clock.sleepsMs, [7000, 1600]);
  });

  test('401: the token is read again at once', async () => {
    fake.list.push(listOf([], '10'));
    fake.watch.push((answer, seen) => {
      fake.writeToken('second');
      failure(401, 'Unauthorized')(answer, seen);
    }, streaming());
    start();
    await until('the second watch', () => fake.seen('watch').length === 2);
    assert.deepEqual(
      fake.seen('watch').map((request) => request.authorization),
      ['Bearer first', 'Bearer second'],
    );
    assert.deepEqual(clock.sleepsMs, []);
  });

  test('403: the missing verb is named, and readiness can see it', async () => {
    fake.list.push(failure(403, 'Forbidden'));
    start();
    await until('a problem', () => served.reflector.state().problem !== undefined);
    const { problem, synced } = served.reflector.state();
    assert.equal(synced, false);
    assert.equal(problem?.code, 'forbidden');
    assert.match(problem.message, /^RBAC: the verb list on services is missing/);
    fake.list.push(listOf([], '10'));
    fake.watch.push(streaming());
    await lines(['sync']);
  });

  test('404: waits for the CRD, asks every few seconds, says so once', async () => {
    fake.list.push(...Array.from({ length: 6 }, () => failure(404, 'NotFound')), listOf([], '10'));
    fake.watch.push(streaming());
    start();
    await lines(['sync']);
    assert.deepEqual(clock.sleepsMs, [800, 1600, 3200, 4000, 4000, 4000]);
    assert.deepEqual(log.messages('warn'), [
      'the API server does not know services: its CRD is not installed (yet)',
    ]);
  });

  test('a kind that the API server may not have: none of it, no failure, asked again each minute', async () => {
    const absent = failure(404, 'NotFound');
    fake.list.push(absent, absent, listOf([object('a', '1')], '10'), absent, absent);
    fake.watch.push(failure(404, 'NotFound'));
    served.start({ isOptional: true });
    await lines(['sync', 'set default/a=a']);
    await until('it is gone again', () => clock.sleepsMs.length >= 4);
    assert.deepEqual(clock.sleepsMs.slice(0, 4), [60_000, 60_000, 60_000, 60_000]);
    assert.equal(served.reflector.state().problem, undefined);
    assert.equal(served.reflector.state().synced, true);
    assert.deepEqual(log.messages('warn'), []);
    // what was known stays
    await lines(['sync', 'set default/a=a']);
  });

  test('the CRD is deleted while we watch: nothing is deleted until a list says so', async () => {
    fake.list.push(listOf([object('a', '1')], '10'), failure(404, 'NotFound'), listOf([], '20'));
    fake.watch.push(failure(404, 'NotFound'), streaming());
    start();
    await lines(['sync default/a', 'del default/a']);
    assert.deepEqual(clock.sleepsMs, [800, 1600]);
  });

  test('a watch on a dead connection is given up after its time and a minute', async () => {
    fake.list.push(listOf([], '10'));
    fake.watch.push(streaming(bookmark('11')), streaming(event('ADDED', object('a', '12'))));
    start();
    await until('the bookmark', () => served.reflector.state().events === 1);
    clock.advance(359_000);
    assert.equal(fake.seen('watch').length, 1);
    clock.advance(2000);
    await lines(['sync', 'set default/a=a']);
    assert.deepEqual(watchVersions(), ['10', '11']);
    assert.equal(served.reflector.state().restarts.get('stalled'), 1);
    assert.deepEqual(clock.sleepsMs, []);
  });

  test('a list that never answers is given up after 30 s', async () => {
    fake.list.push(silence, listOf([], '10'));
    fake.watch.push(streaming());
    start();
    await until('the list', () => fake.seen('list').length === 1);
    clock.advance(30_001);
    await lines(['sync']);
    assert.equal(served.reflector.state().restarts.get('timeout'), 1);
  });

  const stops = [
    { name: 'during a list', list: silence, watches: 0 },
    { name: 'during a watch', list: listOf([], '10'), watches: 1 },
  ];
  for (const { name, list, watches } of stops) {
    test(`stop ${name}: no call to the sink after it, no request after it`, async () => {
      fake.list.push(list);
      fake.watch.push(streaming());
      start();
      await until('the requests', () => fake.requests.length === 1 + watches);
      await until('the watch', () => watches === 0 || served.sink.lines.length === 1);
      const before = served.sink.lines.length;
      served.stopping.abort();
      fake.open[0]?.write(event('ADDED', object('late', '99')));
      await served.running;
      assert.equal(served.sink.lines.length, before);
      assert.equal(fake.requests.length, 1 + watches);
      assert.equal(served.reflector.state().phase, 'stopped');
    });
  }

  test('stop from within the sink: the rest of the chunk is left', async () => {
    fake.list.push(listOf([], '10'));
    fake.watch.push(
      streaming(event('ADDED', object('a', '11')) + event('ADDED', object('b', '12'))),
    );
    const stopping = new LineSink();
    stopping.onUpsert = (key) => {
      stopping.lines.push(key);
      served.stopping.abort();
    };
    start(stopping);
    await served.running;
    assert.deepEqual(stopping.lines, ['sync', 'default/a']);
  });

  test('a sink that throws is a bug: run rejects with it', async () => {
    fake.list.push(listOf([], '10'));
    const bad = new LineSink();
    bad.onSync = () => {
      throw new Error('bug in the sink');
    };
    start(bad);
    await assert.rejects(served.running ?? Promise.resolve(), /bug in the sink/);
    served.running = undefined;
  });

  test('objects that are not ours are left out, and go when they stop being ours', async () => {
    fake.list.push(listOf([object('a', '1'), object('b', '2', 'not ours')], '10'));
    fake.watch.push(
      streaming(
        event('MODIFIED', object('a', '11', 'not ours')),
        event('MODIFIED', object('b', '12', 'ours now')),
        event('DELETED', object('c', '13', 'never seen')),
      ),
    );
    start();
    await lines(['sync default/a', 'del default/a', 'set default/b=ours now']);
  });

  test('an object that cannot be read stays as it was, in events and in lists', async () => {
    const unreadable = object('a', '11', 'unreadable');
    fake.list.push(listOf([object('a', '1')], '10'), listOf([unreadable], '20'));
    fake.watch.push(
      ending(event('MODIFIED', unreadable)),
      failure(410, 'Expired'),
      streaming(event('MODIFIED', object('a', '21', 'fine'))),
    );
    start();
    await lines(['sync default/a', 'set default/a=fine']);
    assert.equal(served.reflector.state().unreadable, 2);
  });

  test('a successor of the same name in a watch: delete, then add', async () => {
    fake.list.push(listOf([object('a', '1')], '10'));
    fake.watch.push(streaming(event('ADDED', object('a', '11', 'second', 'uid-2'))));
    start();
    await lines(['sync default/a', 'del default/a', 'set default/a=second']);
  });
});
