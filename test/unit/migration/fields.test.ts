import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guarded, shortText } from '../../../src/migration/notes.ts';
import { walk } from '../../../src/migration/json.ts';
import { sourceObject } from '../../../src/migration/source-objects.ts';
import { variableHint } from '../../../src/migration/variables.ts';

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

test('a template without quotes is shown as it was written', () => {
  assert.equal(shortText({ '{ .Values.ip }': null }), '{{ .Values.ip }}');
  assert.equal(shortText({ '{ a }': null, b: 1 }), '{"{ a }":null,"b":1}');
  assert.equal(shortText({}), '{}');
});

for (const text of [
  '${IP}',
  '$(IP)',
  '{{ ip }}',
  '[[ ip ]]',
  '<lb-ip>',
  '$IP',
  '@@IP@@',
  '%IP%',
  'LB_IP',
]) {
  test(`a variable: ${text}`, () => assert.match(variableHint(text), /looks like a variable/));
}

for (const text of ['', '192.0.2.1', '2001:db8::1', '192.0.2.1-192.0.2.9', 'lan', 'LAN']) {
  test(`no variable: ${JSON.stringify(text)}`, () => assert.equal(variableHint(text), ''));
}

test('what is nested deeper than anybody writes is not looked at', () => {
  let value: unknown = 'leaf';
  for (let i = 0; i < 20_000; i++) value = i % 2 === 0 ? [value] : { a: value };
  const seen: unknown[] = [];
  walk(value, (each) => seen.push(each));
  assert.equal(seen.length, 101);
});
