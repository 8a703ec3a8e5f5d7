// How the reflector lists: in one piece, in pages where that is too much. The rest of it is in reflector.test.ts.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { until, type MemoryLog, type QuickClock } from './clocks.ts';
import {
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
  const tooLarge: Step = (answer) => {
    answer.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
    answer.end(gzipSync(Buffer.alloc((32 << 20) + 1)));
  };
  const firstPage = listOf([object('a', '1')], '10', 'more');

  test('a list too large for one piece is read in pages', async () => {
    fake.list.push(tooLarge, firstPage, listOf([object('b', '2')], '10'));
    fake.watch.push(streaming());
    served.start();
    await served.lines(['sync default/a default/b']);
    assert.deepEqual(limits(), [null, '500', '500']);
    assert.equal(served.reflector.state().restarts.get('too-large'), 1);
    assert.match(
      log.messages('info').join('\n'),
      /larger than 33554432 bytes: reading it in pages/,
    );
    assert.deepEqual(clock.sleepsMs, []);
  });

  test('a list that takes too long is read in pages', async () => {
    fake.list.push(silence, listOf([object('a', '1')], '10'));
    fake.watch.push(streaming());
    served.start();
    await until('the first list', () => fake.seen('list').length === 1);
    clock.advance(30_000);
    await served.lines(['sync default/a']);
    assert.deepEqual(limits(), [null, '500']);
    assert.equal(served.reflector.state().problem, undefined);
  });

  test('a place lost between two pages: from the beginning, at once', async () => {
    const small = listOf([object('b', '2')], '20');
    fake.list.push(tooLarge, firstPage, failure(410, 'Expired'), small);
    fake.watch.push(streaming());
    served.start();
    await served.lines(['sync default/b']);
    assert.deepEqual(limits(), [null, '500', '500', null]);
    assert.deepEqual(clock.sleepsMs, []);
  });

  test('a long list leaves others their turn', async () => {
    const names = Array.from({ length: 1200 }, (_, index) => `s${index}`);
    const objects = names.map((name) => object(name, '1'));
    fake.list.push(listOf(objects, '10'));
    let turn = 0;
    let next = setImmediate(function count() {
      turn += 1;
      next = setImmediate(count);
    });
    const turns: number[] = [];
    served.start({
      project: (raw) => {
        turns.push(turn);
        return project(raw);
      },
    });
    await until('the list', () => served.sink.lines.length === 1);
    clearImmediate(next);
    const pages = [turns.slice(0, 500), turns.slice(500, 1000), turns.slice(1000)];
    const turnsOfPages = pages.map((page) => [...new Set(page)]);
    assert.deepEqual(
      turnsOfPages.map((page) => page.length),
      [1, 1, 1],
      'a page is one turn',
    );
    assert.equal(new Set(turnsOfPages.flat()).size, 3);
  });
});
