import assert from 'node:assert/strict';
import { test } from 'node:test';
import { preferLittleMemory, releaseMemory } from '../../../src/runtime/memory.ts';

test('garbage is collected when it is asked for', () => {
  preferLittleMemory();
  let garbage: unknown[] | undefined = Array.from({ length: 200_000 }, (_, i) => ({ i }));
  const before = process.memoryUsage().heapUsed;
  assert.equal(garbage.length, 200_000);
  garbage = undefined;
  releaseMemory();
  assert.ok(process.memoryUsage().heapUsed < before - 1_000_000);
});
