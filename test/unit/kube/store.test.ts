import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store } from '../../../src/kube/store.ts';

test('store: keeps objects, tells what changed and when the first list is in', () => {
  const lines: string[] = [];
  const store = new Store<number>({
    changed: (key, before, after) => lines.push(`${key} ${before ?? '-'} ${after ?? '-'}`),
    synced: () => lines.push('synced'),
  });
  assert.equal(store.synced, false);
  store.onSync(new Map([['a', 1]]));
  assert.equal(store.synced, true);
  store.onUpsert('a', 2);
  store.onUpsert('b', 3);
  store.onDelete('a');
  store.onDelete('never seen');
  assert.deepEqual(lines, ['a - 1', 'synced', 'a 1 2', 'b - 3', 'a 2 -']);
  assert.deepEqual([...store.objects], [['b', 3]]);
  assert.deepEqual([store.get('b'), store.get('a')], [3, undefined]);
});

test('store: works without a listener', () => {
  const store = new Store<number>();
  store.onSync(new Map());
  store.onUpsert('a', 1);
  store.onDelete('a');
  assert.equal(store.objects.size, 0);
});
