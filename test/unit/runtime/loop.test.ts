import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loop, type RoundResult } from '../../../src/runtime/loop.ts';
import { FakeClock, settle } from './fake-clock.ts';

interface Harness {
  readonly clock: FakeClock;
  readonly loop: Loop;
  /** When each round began. */
  readonly rounds: number[];
  readonly failures: string[];
}

function harness(round: (count: number) => Promise<RoundResult> | RoundResult): Harness {
  const clock = new FakeClock();
  const rounds: number[] = [];
  const failures: string[] = [];
  const loop = new Loop({
    clock,
    random: () => 1,
    round: async () => {
      rounds.push(clock.nowMs());
      return round(rounds.length);
    },
    onFailure: (error, delayMs) => failures.push(`${String(error)} ${delayMs}`),
  });
  return { clock, loop, rounds, failures };
}

test('the first mark runs at once, later ones within the pause become one round', async () => {
  const { clock, loop, rounds } = harness(() => ({}));
  await clock.advance(1000);
  loop.mark();
  await clock.advance(0);
  loop.mark();
  await clock.advance(20);
  loop.mark();
  loop.mark();
  await clock.advance(1000);
  assert.deepEqual(rounds, [1000, 1050]);
});

test('a round that only time asked for holds up no mark', async () => {
  const { clock, loop, rounds } = harness((count) => (count === 1 ? { wakeAtMs: 100 } : {}));
  loop.mark();
  await clock.advance(105);
  loop.mark();
  await clock.advance(5);
  loop.mark();
  await clock.advance(100);
  assert.deepEqual(rounds, [0, 100, 105, 155]);
});

test('a mark during a round is in the next one, and rounds never overlap', async () => {
  let release: (() => void) | undefined;
  const { clock, loop, rounds } = harness((count) =>
    count === 1 ? new Promise((resolve) => (release = () => resolve({}))) : {},
  );
  loop.mark();
  await clock.advance(0);
  loop.mark();
  await clock.advance(500);
  assert.deepEqual(rounds, [0]);
  release?.();
  await clock.advance(1);
  assert.deepEqual(rounds, [0, 500]);
});

test('a failed round comes back after growing delays', async () => {
  const { clock, loop, rounds, failures } = harness((count) => {
    if (count <= 2) throw new Error('disk full');
    return {};
  });
  loop.mark();
  await clock.advance(0);
  assert.equal(loop.failures, 1);
  await clock.advance(100);
  loop.mark(); // does not shorten the backoff
  await clock.advance(5000);
  assert.deepEqual(rounds, [0, 250, 750]);
  assert.deepEqual(failures, ['Error: disk full 250', 'Error: disk full 500']);
  assert.equal(loop.failures, 0);
});

test('a round may ask to be woken, and an earlier mark comes first', async () => {
  const { clock, loop, rounds } = harness((count) => (count === 1 ? { wakeAtMs: 3000 } : {}));
  loop.mark();
  await clock.advance(10_000);
  assert.deepEqual(rounds, [0, 3000]);

  const second = harness((count) => (count < 3 ? { wakeAtMs: 3000 } : {}));
  second.loop.mark();
  await second.clock.advance(1000);
  second.loop.mark();
  await second.clock.advance(10_000);
  assert.deepEqual(second.rounds, [0, 1000, 3000]);
});

test('stop waits for the running round and starts no other', async () => {
  let release: (() => void) | undefined;
  const { clock, loop, rounds } = harness(
    () => new Promise((resolve) => (release = () => resolve({}))),
  );
  loop.mark();
  await clock.advance(0);
  let isStopped = false;
  const stopped = loop.stop().then(() => (isStopped = true));
  await settle();
  assert.equal(isStopped, false);
  release?.();
  await stopped;
  loop.mark();
  await clock.advance(1000);
  assert.deepEqual(rounds, [0]);
});

test('stop cancels a round that waits', async () => {
  const { clock, loop, rounds } = harness(() => ({}));
  loop.mark();
  await loop.stop();
  await clock.advance(1000);
  assert.deepEqual(rounds, []);
});

test('a round that only time asked for and that failed comes back, too, and holds up no mark', async () => {
  const { clock, loop, rounds } = harness((count) => {
    if (count === 2) throw new Error('disk full');
    return count === 1 ? { wakeAtMs: 1000 } : {};
  });
  loop.mark();
  await clock.advance(2000);
  assert.deepEqual(rounds, [0, 1000, 1250]);
  loop.mark();
  await clock.advance(0);
  assert.deepEqual(rounds, [0, 1000, 1250, 2000]);
});
