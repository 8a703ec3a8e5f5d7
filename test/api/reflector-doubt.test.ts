// A list that lacks many known objects deletes nothing before a second list lacks them, too. What a watch event says is
// believed at once.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { until } from './clocks.ts';
import { event, failure, listOf, object, streaming, type FakeServer } from './fake-server.ts';
import { ServedReflector } from './served-reflector.ts';

const NAMES = Array.from({ length: 20 }, (_, i) => `s${String(i).padStart(2, '0')}`);
const all = NAMES.map((name) => object(name, '1'));
const GONE = failure(410, 'Expired');

suite('a list that lacks much', () => {
  let served: ServedReflector;
  let fake: FakeServer;
  const doubts: string[] = [];

  beforeEach(async () => {
    doubts.length = 0;
    served = await ServedReflector.prepare();
    fake = served.fake;
    fake.list.push(listOf(all, '10'));
    fake.watch.push(GONE);
  });
  afterEach(() => served.stop());

  const synced = `sync ${NAMES.map((name) => `default/${name}`).join(' ')}`;
  const start = (): void => served.start({ onDoubt: (message) => doubts.push(message) });
  const watches = (count: number): Promise<void> =>
    until(`${count} watches`, () => fake.seen('watch').length === count);

  test('nothing is deleted, what came counts, and a second list that has all ends it', async () => {
    fake.list.push(listOf([...all.slice(0, 5), object('new', '11')], '12'));
    fake.watch.push(streaming());
    fake.list.push(listOf([...all, object('new', '11')], '13'));
    fake.watch.push(streaming());
    start();
    await watches(2);
    assert.deepEqual(served.sink.lines, [synced, 'set default/new=new']);
    assert.deepEqual(doubts, [
      "the API server's list lacks 15 of 20 services that were there before: none is taken for deleted unless " +
        'another list in 10 s lacks it, too',
    ]);
    served.clock.advance(10_000);
    await watches(3);
    assert.deepEqual(served.sink.lines, [synced, 'set default/new=new']);
    assert.equal(doubts.length, 1);
  });

  test('a second list that lacks them, too, deletes them', async () => {
    fake.list.push(listOf(all.slice(0, 5), '12'));
    fake.watch.push(streaming());
    fake.list.push(listOf(all.slice(0, 5), '13'));
    fake.watch.push(streaming());
    start();
    await watches(2);
    served.clock.advance(9_999);
    assert.equal(served.reflector.state().objects, 20);
    served.clock.advance(1);
    await watches(3);
    assert.equal(served.reflector.state().objects, 5);
    assert.equal(served.sink.lines.filter((line) => line.startsWith('del ')).length, 15);
  });

  test('a watch event deletes at once meanwhile', async () => {
    fake.list.push(listOf(all.slice(0, 5), '12'));
    fake.watch.push(streaming(event('DELETED', object('s19', '13'))));
    start();
    await until('the deletion', () => served.sink.lines.includes('del default/s19'));
    assert.equal(served.reflector.state().objects, 19);
  });

  test('a second list that lacks others deletes only what both lack', async () => {
    fake.list.push(listOf(all.slice(0, 5), '12'));
    fake.watch.push(streaming());
    fake.list.push(listOf(all.slice(16), '13'));
    fake.watch.push(streaming());
    start();
    await watches(2);
    served.clock.advance(10_000);
    await watches(3);
    assert.deepEqual(
      served.sink.lines.slice(1),
      NAMES.slice(5, 16)
        .map((name) => `del default/${name}`)
        .concat(NAMES.slice(0, 5).map((name) => `del default/${name}`))
        .sort(),
    );
  });

  test('the server forgets the place meanwhile: the list after it does not come 10 s later, and is doubted', async () => {
    fake.list.push(listOf(all.slice(0, 5), '12'));
    fake.watch.push(GONE);
    fake.list.push(listOf(all.slice(0, 5), '13'));
    fake.watch.push(streaming());
    start();
    await watches(3);
    assert.equal(served.reflector.state().objects, 20);
    assert.equal(doubts.length, 1);
  });

  test('a quarter of them may be missing', async () => {
    fake.list.push(listOf(all.slice(0, 15), '12'));
    fake.watch.push(streaming());
    start();
    await watches(2);
    assert.equal(served.reflector.state().objects, 15);
    assert.deepEqual(doubts, []);
  });
});
