import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Index } from '../../src/api/many-to-many.ts';

/** More than an array takes, so that every form is reached and left again. */
const VALUES = Array.from({ length: 14 }, (_, i) => i);
const some = fc.record({
  add: fc.boolean(),
  key: fc.constantFrom('a', 'b'),
  values: fc.shuffledSubarray(VALUES),
});
const edits = fc
  .array(some)
  .map((all) => all.flatMap(({ values, ...edit }) => values.map((value) => ({ ...edit, value }))));

test('an index is a map of ordered sets without empty ones', () => {
  fc.assert(
    fc.property(edits, (all) => {
      const index = new Index<string, number>();
      const model = new Map<string, readonly number[]>();
      for (const { add, key, value } of all) {
        const before = model.get(key) ?? [];
        const given = index.get(key);
        if (add) {
          index.add(key, value);
          model.set(key, before.includes(value) ? before : [...before, value]);
        } else {
          assert.equal(index.delete(key, value), before.includes(value));
          const rest = before.filter((each) => each !== value);
          if (rest.length > 0) model.set(key, rest);
          else model.delete(key);
        }
        assert.deepEqual(given, before, 'what was given stays as it is');
        assert.deepEqual(index.get(key), model.get(key) ?? []);
        assert.equal(index.has(key), model.has(key));
        assert.deepEqual([...index.keys()].sort(), [...model.keys()].sort());
      }
      index.clear();
      assert.deepEqual([...index.keys()], []);
    }),
  );
});
