import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff, WATCH_BACKOFF } from '../../../src/kube/backoff.ts';

test('backoff: doubles from 0.8 s to 30 s', () => {
  const backoff = new Backoff(WATCH_BACKOFF, () => 0);
  const delays = Array.from({ length: 8 }, () => backoff.nextMs(0) / 1000);
  assert.deepEqual(delays, [0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 30, 30]);
});

test('backoff: up to 100 % jitter on top', () => {
  assert.equal(new Backoff(WATCH_BACKOFF, () => 0.5).nextMs(0), 1200);
});

test('backoff: never shorter than the server asks for', () => {
  const backoff = new Backoff(WATCH_BACKOFF, () => 0);
  assert.equal(backoff.nextMs(0, 7000), 7000);
  assert.equal(backoff.nextMs(0, 1000), 1600);
});

test('backoff: starts over two minutes after the last wait', () => {
  const backoff = new Backoff(WATCH_BACKOFF, () => 0);
  backoff.nextMs(0);
  assert.equal(backoff.nextMs(100_000), 1600);
  assert.equal(backoff.nextMs(101_600 + 120_001), 800);
});
