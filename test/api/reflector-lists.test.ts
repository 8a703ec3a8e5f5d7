// How the reflector lists: in one piece, in pages where that is too much. The rest of it is in reflector.test.ts.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { until, type MemoryLog, type QuickClock } from './clocks.ts';
import {
  cut,
  ending,
  failure,
  listOf,
  object,
  silence,
  streaming,
  type FakeServer,
  type Step,
} from './fake-server.ts';
import { project } from './line-sink.ts';
import { ServedReflector } from './served-reflector.ts';

suite('lists of the reflector', () => {
  let served: ServedReflector;
  let fake: FakeServer;
  let clock: QuickClock;
  let log: MemoryLog;

  beforeEach(async () => {
    served = await ServedReflector.prepare();
    ({ fake, clock, log } = served);
  });
  afterEach(() => served.stop());

  const limits = (): readonly (string | null)[] => served.queries('list', 'limit');
  /** Whatever a list is made of; the rest of it never comes. */
  const stuck: Step = (answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' });
    answer.write('{"kind":"ServiceList","metadata":{"resourceVersion":"9"},"items":[');
    answer.write(JSON.stringify(object('stuck', '1')));
  };
  const untilPages = async (): Promise<void> => {
    await until('the first list', () => fake.seen('list').length === 1);
    clock.advance(30_000);
  };
  const firstPage = listOf([object('a', '1')], '10', 'more');

  for (const [how, step] of [
    ['never begins', silence],
    ['stops after an item', stuck],
  ] as const) {
    test(`a list that ${how} is read in pages`, async () => {
      fake.list.push(step, firstPage, listOf([object('b', '2')], '10'));
      fake.watch.push(streaming());
      served.start();
      await untilPages();
      await served.lines(['sync default/a default/b']);
      assert.deepEqual(limits(), [null, '500', '500']);
      assert.equal(served.reflector.state().restarts.get('timeout'), 1);
      assert.match(log.messages('info').join('\n'), /no answer in 30000 ms: reading it in pages/);
      assert.deepEqual(clock.sleepsMs, []);
      assert.equal(served.reflector.state().problem, undefined);
    });
  }

  test('a place lost between two pages: from the beginning, at once', async () => {
    const small = listOf([object('b', '2')], '20');
    fake.list.push(stuck, firstPage, failure(410, 'Expired'), small);
    fake.watch.push(streaming());
    served.start();
    await untilPages();
    await served.lines(['sync default/b']);
    assert.deepEqual(limits(), [null, '500', '500', null]);
    assert.deepEqual(clock.sleepsMs, []);
  });

  test('a list that is cut in its middle is no list: what it showed counts for nothing', async () => {
    const half = JSON.stringify({
      metadata: { resourceVersion: '9' },
      items: [object('a', '1'), object('b', '1')],
    }).slice(0, -20);
    fake.list.push(cut(half), ending(half), listOf([object('c', '1')], '10'));
    fake.watch.push(streaming());
    served.start();
    await served.lines(['sync default/c']);
    const { restarts, lists } = served.reflector.state();
    assert.deepEqual([restarts.get('network'), restarts.get('bad-answer'), lists], [1, 1, 1]);
  });

  test('a later list that is cut deletes nothing', async () => {
    const small = JSON.stringify({
      metadata: { resourceVersion: '20' },
      items: [object('a', '1')],
    });
    fake.list.push(listOf([object('a', '1'), object('b', '1')], '10'), cut(small.slice(0, -2)));
    fake.list.push(listOf([object('a', '1'), object('b', '2')], '21'));
    fake.watch.push(failure(410, 'Expired'), streaming());
    served.start();
    await served.lines(['sync default/a default/b', 'set default/b=b']);
  });

  test('a long list leaves others their turn', async () => {
    const value = 'x'.repeat(1000);
    const objects = Array.from({ length: 1200 }, (_, i) => object(`s${i}`, '1', value));
    fake.list.push(listOf(objects, '10'));
    let turn = 0;
    let next = setImmediate(function count() {
      turn += 1;
      next = setImmediate(count);
    });
    const perTurn = new Map<number, number>();
    served.start({
      project: (raw) => {
        perTurn.set(turn, (perTurn.get(turn) ?? 0) + 1);
        return project(raw);
      },
    });
    await until('the list', () => served.sink.lines.length === 1);
    clearImmediate(next);
    assert.ok(Math.max(...perTurn.values()) <= 500, [...perTurn.values()].join(' '));
  });
});
