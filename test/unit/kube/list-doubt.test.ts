// Which lists are believed at once, and what a second one confirms.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONFIRM_AFTER_MS, ListDoubt } from '../../../src/kube/list-doubt.ts';

const names = (from: number, to: number): readonly string[] =>
  Array.from({ length: to - from }, (_, i) => `s${from + i}`);

const LOSSES = [
  { known: 20, missing: 10, isBelieved: true, why: 'ten are not many' },
  { known: 20, missing: 11, isBelieved: false, why: 'more than ten, and more than a quarter' },
  { known: 44, missing: 11, isBelieved: true, why: 'a quarter is not more than a quarter' },
  { known: 43, missing: 11, isBelieved: false, why: 'just more than a quarter' },
];

for (const { known, missing, isBelieved, why } of LOSSES) {
  test(`${missing} of ${known} missing: ${why}`, () => {
    const doubt = new ListDoubt();
    const lost = names(0, missing);
    assert.deepEqual(doubt.gone(known, lost, 0), isBelieved ? lost : []);
    assert.equal(doubt.dueMs, isBelieved ? undefined : CONFIRM_AFTER_MS);
  });
}

test('a second list counts only when its time has come, and does not put it off', () => {
  const doubt = new ListDoubt();
  const lost = names(0, 30);
  assert.deepEqual(doubt.gone(40, lost, 0), []);
  assert.deepEqual(doubt.gone(40, lost, CONFIRM_AFTER_MS - 1), []);
  assert.equal(doubt.dueMs, CONFIRM_AFTER_MS);
  assert.deepEqual(doubt.gone(40, lost, CONFIRM_AFTER_MS), lost);
  assert.equal(doubt.dueMs, undefined);
});

test('what came back is not gone, and a list that is whole again ends the doubt', () => {
  const doubt = new ListDoubt();
  doubt.gone(40, names(0, 30), 0);
  assert.deepEqual(doubt.gone(40, names(0, 12), CONFIRM_AFTER_MS), names(0, 12));
  doubt.gone(40, names(0, 30), 0);
  assert.deepEqual(doubt.gone(40, [], 1), []);
  assert.equal(doubt.dueMs, undefined);
});

test('others than those that were doubted need a confirmation of their own', () => {
  const doubt = new ListDoubt();
  doubt.gone(60, names(0, 20), 0);
  assert.deepEqual(doubt.gone(60, names(0, 45), CONFIRM_AFTER_MS), names(0, 20));
  assert.equal(doubt.dueMs, 2 * CONFIRM_AFTER_MS);
  assert.deepEqual(doubt.gone(40, names(20, 45), 2 * CONFIRM_AFTER_MS), names(20, 45));
});
