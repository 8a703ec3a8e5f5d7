import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff, LOCAL_BACKOFF, WATCH_BACKOFF } from '../../../src/runtime/backoff.ts';

test('the backoff doubles to its limit, with jitter below, and starts again after a success', () => {
  const high = new Backoff(LOCAL_BACKOFF, () => 1);
  const delays = Array.from({ length: 9 }, () => high.nextMs());
  assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  assert.equal(high.failures, 9);
  high.reset();
  assert.equal(high.nextMs(), 250);
  assert.equal(new Backoff(LOCAL_BACKOFF, () => 0).nextMs(), 125);
});

test('the backoff of a watch doubles from 0.8 s to 30 s', () => {
  const backoff = new Backoff(WATCH_BACKOFF, () => 0);
  const delays = Array.from({ length: 8 }, () => backoff.nextMs(0) / 1000);
  assert.deepEqual(delays, [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]);
});

test('and has up to 100 % jitter on top', () => {
  assert.equal(new Backoff(WATCH_BACKOFF, () => 0.5).nextMs(0), 1200);
});

test('no delay is shorter than the server asks for', () => {
  const backoff = new Backoff(WATCH_BACKOFF, () => 0);
  assert.equal(backoff.nextMs(0, 7000), 7000);
  assert.equal(backoff.nextMs(0, 1000), 1600);
});

test('the backoff of a watch starts over two minutes after the last wait', () => {
  const backoff = new Backoff(WATCH_BACKOFF, () => 0);
  backoff.nextMs(0);
  assert.equal(backoff.nextMs(100_000), 1600);
  assert.equal(backoff.nextMs(101_600 + 120_001), 800);
});
