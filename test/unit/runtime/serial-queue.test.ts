import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SerialQueue } from '../../../src/runtime/serial-queue.ts';

test('work runs in the order in which it was asked for, and never overlaps', async () => {
  const queue = new SerialQueue();
  const lines: string[] = [];
  const first = Promise.withResolvers<string>();
  const slow = queue.run(() => {
    lines.push('slow begins');
    return first.promise.finally(() => lines.push('slow ends'));
  });
  const quick = queue.run(() => {
    lines.push('quick');
    return 2;
  });
  const settled = queue.settle().then(() => lines.push('settled'));
  await new Promise(setImmediate);
  assert.deepEqual(lines, ['slow begins']);
  first.resolve('done');
  assert.deepEqual(await Promise.all([slow, quick]), ['done', 2]);
  await settled;
  assert.deepEqual(lines, ['slow begins', 'slow ends', 'quick', 'settled']);
});

test('a failure is told to its caller, and holds up nobody', async () => {
  const queue = new SerialQueue();
  const thrown = queue.run(() => {
    throw new Error('at once');
  });
  const rejected = queue.run(() => Promise.reject(new Error('later')));
  const after = queue.run(() => 'fine');
  await assert.rejects(thrown, /at once/);
  await assert.rejects(rejected, /later/);
  assert.equal(await after, 'fine');
  await queue.settle();
});
