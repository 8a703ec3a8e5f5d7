import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WriteLimit } from '../../../../src/assigner/write/limit.ts';
import { ApiError, type ApiErrorCode } from '../../../../src/kube/errors.ts';
import { VirtualClock } from '../../../api/clocks.ts';

const failure = (code: ApiErrorCode, retryAfterMs?: number): ApiError =>
  new ApiError(code, { code, status: 0, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });

interface World {
  readonly clock: VirtualClock;
  readonly gate: WriteLimit;
  readonly stop: AbortController;
  readonly entered: number[];
  /** Asks for entry. */
  readonly ask: (...names: readonly number[]) => void;
}

function world(max: number): World {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const gate = new WriteLimit(max, { clock, random: () => 1, signal: stop.signal });
  const entered: number[] = [];
  const ask = (...names: readonly number[]): void => {
    for (const name of names) void gate.enter().then(() => entered.push(name));
  };
  return { clock, gate, stop, entered, ask };
}

test('first come, first served, never more than the limit', async () => {
  const { clock, gate, entered, ask } = world(2);
  ask(1, 2, 3, 4);
  await clock.advance(0);
  assert.deepEqual(entered, [1, 2]);
  gate.leave();
  ask(5);
  await clock.advance(0);
  assert.deepEqual(entered, [1, 2, 3]);
  gate.leave();
  gate.leave();
  await clock.advance(0);
  assert.deepEqual(entered, [1, 2, 3, 4, 5]);
});

test('429 halves the limit once a wave, waits as long as it asks for, and success brings it back', async () => {
  const { clock, gate, entered, ask } = world(8);
  ask(1, 2, 3);
  for (let i = 0; i < 3; i += 1) {
    gate.failed(failure('too-many-requests', 3000));
    gate.leave();
  }
  assert.equal(gate.limit, 4);
  ask(4, 5, 6, 7, 8, 9);
  await clock.advance(2999);
  assert.deepEqual(entered, [1, 2, 3]);
  await clock.advance(1);
  assert.deepEqual(entered, [1, 2, 3, 4, 5, 6, 7]);
  for (let i = 0; i < 10; i += 1) gate.succeeded();
  assert.equal(gate.limit, 8);
  gate.leave();
  await clock.advance(0);
  assert.deepEqual(entered.length, 9, 'both who waited, not only one for the one who left');
});

test('a server that is away is asked by one, later and later', async () => {
  const { clock, gate, entered, ask } = world(8);
  ask(1, 2, 3);
  gate.failed(failure('network'));
  for (let i = 0; i < 3; i += 1) gate.leave();
  ask(4, 5);
  await clock.advance(199);
  assert.equal(entered.length, 3);
  await clock.advance(1);
  assert.deepEqual(entered, [1, 2, 3, 4]);
  gate.failed(failure('server'));
  gate.leave();
  await clock.advance(399);
  assert.equal(entered.length, 4);
  await clock.advance(1);
  assert.deepEqual(entered, [1, 2, 3, 4, 5]);
});

test('a refusal of one object does not hold up the others', async () => {
  const { clock, gate, entered, ask } = world(8);
  gate.failed(failure('forbidden'));
  gate.failed(failure('invalid'));
  ask(1, 2);
  await clock.advance(0);
  assert.equal(gate.limit, 8);
  assert.deepEqual(entered, [1, 2]);
});

test('after the signal everybody is let through', async () => {
  const { clock, gate, entered, ask, stop } = world(1);
  gate.failed(failure('unauthorized'));
  ask(1, 2, 3);
  await clock.advance(0);
  assert.deepEqual(entered, []);
  stop.abort();
  ask(4);
  await clock.advance(0);
  assert.deepEqual(entered, [1, 2, 3, 4]);
});
