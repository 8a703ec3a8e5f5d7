import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Retries } from '../../../../src/assigner/write/retries.ts';
import { NOTHING, type Decision } from '../../../../src/assigner/decide/decision.ts';
import { VirtualClock } from '../../../api/clocks.ts';

interface World {
  readonly clock: VirtualClock;
  readonly retries: Retries;
  readonly due: Decision[];
  readonly stop: AbortController;
}

function world(): World {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const due: Decision[] = [];
  const retries = new Retries({
    clock,
    random: () => 1,
    signal: stop.signal,
    onDue: (decision) => void due.push(decision),
  });
  return { clock, retries, due, stop };
}

const decision = (): Decision => ({ ...NOTHING });

test('a decision that goes on failing comes back later and later, at most after half a minute', () => {
  const { retries } = world();
  const delays = Array.from({ length: 10 }, () => retries.afterFailure('a', decision(), 0));
  assert.deepEqual(delays, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  assert.equal(retries.afterFailure('a', decision(), 90_000), 90_000, 'as the server asked');
  retries.succeeded('a');
  assert.equal(retries.afterFailure('a', decision(), 0), 200);
});

test('each comes back when it is due', async () => {
  const { clock, retries, due } = world();
  const [a, b] = [decision(), decision()];
  retries.afterFailure('b', b, 500);
  retries.afterFailure('a', a, 0);
  await clock.advance(200);
  assert.deepEqual(due, [a]);
  await clock.advance(299);
  assert.equal(due.length, 1);
  await clock.advance(1);
  assert.equal(due[1], b);
  await clock.advance(100_000);
  assert.equal(due.length, 2, 'once');
});

test('after a conflict it comes back at once, after a second one in a row it waits', async () => {
  const { clock, retries, due } = world();
  assert.equal(retries.afterConflict('a', decision()), 0);
  assert.equal(due.length, 1);
  assert.equal(retries.afterConflict('a', decision()), 400);
  await clock.advance(400);
  assert.equal(due.length, 2);
  retries.succeeded('a');
  assert.equal(retries.afterConflict('a', decision()), 0);
});

test('objects that failed and vanished are forgotten', async () => {
  const { clock, retries } = world();
  for (let i = 0; i < 1000; i += 1) retries.afterFailure(`old-${i}`, decision(), 0);
  await clock.advance(100_000);
  retries.afterFailure('new', decision(), 0);
  assert.equal(retries.size, 1);
});

test('nothing comes back after the signal', async () => {
  const { clock, retries, due, stop } = world();
  retries.afterFailure('a', decision(), 0);
  stop.abort();
  retries.afterFailure('b', decision(), 0);
  await clock.advance(100_000);
  assert.deepEqual(due, []);
});
