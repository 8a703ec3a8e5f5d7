import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guarded, shortText } from '../../../src/migration/fields.ts';
import { sourceObject } from '../../../src/migration/source-objects.ts';

const RAW = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', namespace: 'n' } };

const CASES = [
  { name: 'no apiVersion', given: { ...RAW, apiVersion: undefined } },
  { name: 'no kind', given: { ...RAW, kind: 5 } },
  { name: 'no metadata', given: { ...RAW, metadata: [] } },
  { name: 'no name', given: { ...RAW, metadata: {} } },
];

for (const { name, given } of CASES) {
  test(`not an object: ${name}`, () => assert.equal(sourceObject(given, 't'), undefined));
}

test('an object of a group, and of none', () => {
  const core = sourceObject(RAW, 't:1');
  assert.deepEqual(core, {
    group: '',
    version: 'v1',
    kind: 'Service',
    name: 'a',
    namespace: 'n',
    raw: RAW,
    where: 't:1',
  });
  const raw = { apiVersion: 'metallb.io/v1beta1', kind: 'X', metadata: { name: 'a' } };
  const other = sourceObject(raw, 't:2');
  assert.deepEqual(
    [other?.group, other?.version, other?.namespace],
    ['metallb.io', 'v1beta1', undefined],
  );
});

test('a bug in the work on an object is not taken for a mistake of the user', () => {
  const object = sourceObject(RAW, 't');
  assert.ok(object !== undefined);
  const work = (): never => {
    throw new TypeError('bug');
  };
  assert.throws(() => {
    guarded([], object, work);
  }, TypeError);
});

test('long values are cut', () => {
  assert.equal(shortText('x'.repeat(100)), `"${'x'.repeat(79)}…`);
  assert.equal(shortText(['x']), '["x"]');
});
