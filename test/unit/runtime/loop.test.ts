import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loop, type RoundResult } from '../../../src/runtime/loop.ts';
import { FakeClock, settle } from './fake-clock.ts';

interface Harness {
  readonly clock: FakeClock;
  readonly loop: Loop<string>;
  /** `time: keys` of each round. */
  readonly rounds: string[];
  readonly failures: string[];
}

function harness(round: (count: number) => Promise<RoundResult> | RoundResult): Harness {
  const clock = new FakeClock();
  const rounds: string[] = [];
  const failures: string[] = [];
  const loop = new Loop<string>({
    clock,
    random: () => 1,
    round: async (keys) => {
      rounds.push(`${clock.nowMs()}: ${[...keys].sort().join(' ')}`);
      return round(rounds.length);
    },
    onFailure: (error, delayMs) => failures.push(`${String(error)} ${delayMs}`),
  });
  return { clock, loop, rounds, failures };
}

test('the first mark runs at once, later ones within the pause become one round', async () => {
  const { clock, loop, rounds } = harness(() => ({}));
  await clock.advance(1000);
  loop.mark('a');
  await clock.advance(0);
  loop.mark('b');
  await clock.advance(20);
  loop.mark('c');
  loop.mark('b');
  await clock.advance(1000);
  assert.deepEqual(rounds, ['1000: a', '1050: b c']);
});

test('a round that only time asked for holds up no mark', async () => {
  const { clock, loop, rounds } = harness((count) => (count === 1 ? { wakeAtMs: 100 } : {}));
  loop.mark('a');
  await clock.advance(105);
  loop.mark('b');
  await clock.advance(5);
  loop.mark('c');
  await clock.advance(100);
  assert.deepEqual(rounds, ['0: a', '100: ', '105: b', '155: c']);
});

test('a mark during a round is in the next one, and rounds never overlap', async () => {
  let release: (() => void) | undefined;
  const { clock, loop, rounds } = harness((count) =>
    count === 1 ? new Promise((resolve) => (release = () => resolve({}))) : {},
  );
  loop.mark('a');
  await clock.advance(0);
  loop.mark('a');
  await clock.advance(500);
  assert.deepEqual(rounds, ['0: a']);
  release?.();
  await clock.advance(1);
  assert.deepEqual(rounds, ['0: a', '500: a']);
});

test('a failed round keeps its keys and comes back after growing delays', async () => {
  const { clock, loop, rounds, failures } = harness((count) => {
    if (count <= 2) throw new Error('disk full');
    return {};
  });
  loop.mark('a');
  await clock.advance(0);
  assert.equal(loop.failures, 1);
  await clock.advance(100);
  loop.mark('b'); // does not shorten the backoff
  await clock.advance(5000);
  assert.deepEqual(rounds, ['0: a', '250: a b', '750: a b']);
  assert.deepEqual(failures, ['Error: disk full 250', 'Error: disk full 500']);
  assert.equal(loop.failures, 0);
});

test('a round may ask to be woken, and an earlier mark comes first', async () => {
  const { clock, loop, rounds } = harness((count) => (count === 1 ? { wakeAtMs: 3000 } : {}));
  loop.mark('a');
  await clock.advance(10_000);
  assert.deepEqual(rounds, ['0: a', '3000: ']);

  const second = harness((count) => (count < 3 ? { wakeAtMs: 3000 } : {}));
  second.loop.mark('a');
  await second.clock.advance(1000);
  second.loop.mark('b');
  await second.clock.advance(10_000);
  assert.deepEqual(second.rounds, ['0: a', '1000: b', '3000: ']);
});

test('stop waits for the running round and starts no other', async () => {
  let release: (() => void) | undefined;
  const { clock, loop, rounds } = harness(
    () => new Promise((resolve) => (release = () => resolve({}))),
  );
  loop.mark('a');
  await clock.advance(0);
  let isStopped = false;
  const stopped = loop.stop().then(() => (isStopped = true));
  await settle();
  assert.equal(isStopped, false);
  release?.();
  await stopped;
  loop.mark('b');
  await clock.advance(1000);
  assert.deepEqual(rounds, ['0: a']);
});

test('stop cancels a round that waits', async () => {
  const { clock, loop, rounds } = harness(() => ({}));
  loop.mark('a');
  await loop.stop();
  await clock.advance(1000);
  assert.deepEqual(rounds, []);
});
