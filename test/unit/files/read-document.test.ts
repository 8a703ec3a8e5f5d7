// One document as plain data: whatever its text does, it is one fault with a place, or a value that may be walked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEPTH_MAX } from '../../../src/files/json-text.ts';
import { readDocument } from '../../../src/files/read-document.ts';

const chain = Array.from(
  { length: DEPTH_MAX + 50 },
  (_, i) => `k${i}: &k${i} {y: *${i === 0 ? 'a' : `k${i - 1}`}}`,
).join('\n');

const FAULTS = [
  { name: 'a mapping that contains itself', text: 'a: &m\n  b: *m\n', want: '2:6: *m contains itself' },
  { name: 'a list that contains itself, deeper', text: 'a: &m [1, {b: [*m]}]', want: '1:16: *m contains itself' },
  { name: 'an alias of nothing', text: 'a: *b\n', want: '1:4: *b has no &b before it' },
  { name: 'a mapping as a name', text: 'a: {{ x }}\n', want: '1:4: a mapping or a list can not be the name of a field' },
  { name: 'a list as a name', text: '? [a]\n: b\n', want: '1:1: a mapping or a list can not be the name of a field' },
  { name: 'a name twice', text: 'a:\n  b: 1\n  b : 2\n', want: '3:3: the field "b" is there twice in one mapping; remove one of them' },
  { name: 'a quoted name twice', text: '"a": 1\n"a": 2\n', want: '2:1: the field "a" is there twice in one mapping; remove one of them' },
  { name: 'a name twice in JSON', text: '{"a": {"b":1},\n "a" : 2}', want: '2:2: the field "a" is there twice in one mapping; remove one of them' },
  { name: 'JSON too deep', text: `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`, want: '1:205: nested more than 200 deep' },
  { name: 'lists in flow style too deep', text: `[x, ${'['.repeat(300)}${']'.repeat(300)}]`, want: '1:205: nested more than 200 deep' },
  { name: 'lists in block style too deep', text: `${'- '.repeat(900)}a`, want: '1:403: nested more than 200 deep' },
  { name: 'too deep by aliases', text: `a: &a {x: 1}\n${chain}`, want: '200:17: nested more than 200 deep' },
  { name: 'UTF-16', text: 'a\0:\0', want: '1:2: there is a zero byte: this is no text, or UTF-16; save it as UTF-8' },
  { name: 'a merge of a number', text: '<<: 5', want: '1:1: Merge sources must be maps or map aliases' },
]; // prettier-ignore
for (const { name, text, want } of FAULTS) {
  test(`a fault with its place: ${name}`, () => {
    const { fault } = readDocument(text, 1);
    assert.equal(fault && `${fault.line}:${fault.column}: ${fault.message}`, want);
  });
}

test('what overflows the stack of the parser is a fault, too', () => {
  const { fault } = readDocument('- '.repeat(200_000), 7);
  assert.match(fault?.message ?? '', /^nested more than 200 deep/);
  assert.equal(fault?.line, 7);
});

test('YAML of a size that would take all memory is refused, JSON of that size is not', () => {
  const long = 'x'.repeat(17 * 1024 * 1024);
  assert.match(
    readDocument(`a: ${long}`, 3).fault?.message ?? '',
    /^one document of YAML has at most 16777216 /,
  );
  assert.equal(readDocument(`{"a":"${long}"}`, 3).fault, undefined);
});

test('several errors are one, which says how many follow', () => {
  const { fault } = readDocument('a: [1,\nb: "x\n', 1);
  assert.match(fault?.message ?? '', /\(and \d+ more, which may follow from it\)$/);
});

const VALUES = [
  { name: 'aliases beside each other', text: 'a: &a {b: 1}\nc: [*a, *a]', want: { a: { b: 1 }, c: [{ b: 1 }, { b: 1 }] } },
  { name: 'an anchor again inside of itself', text: 'a: &a {x: &a 1, y: *a}', want: { a: { x: 1, y: 1 } } },
  { name: 'fields without values', text: 'a:\n? b\n', want: { a: null, b: null } },
  { name: 'JSON whose text looks like names', text: '{"a": "\\"b\\": {", "b": "\\\\", "c": ["b", "b"], "d": {"b": 1}}', want: { a: '"b": {', b: '\\', c: ['b', 'b'], d: { b: 1 } } },
  { name: 'names in small and capital letters', text: '{"a":1,"A":2}', want: { a: 1, A: 2 } },
]; // prettier-ignore
for (const { name, text, want } of VALUES) {
  test(`a value: ${name}`, () => {
    const read = readDocument(text, 1);
    assert.ok(read.fault === undefined);
    assert.deepEqual(read.value, want);
  });
}

test('places in JSON are those of the values', () => {
  const text = ' {"a": [1,\n  {"b\\u0063": "x:,]",\n "d":null}, [] ],"e" : {} }';
  const read = readDocument(text, 10);
  assert.ok(read.fault === undefined);
  const PLACES = [
    { path: [], want: '10:2' },
    { path: ['a'], want: '10:8' },
    { path: ['a', 0], want: '10:9' },
    { path: ['a', 1], want: '11:3' },
    { path: ['a', 1, 'bc'], want: '11:15' },
    { path: ['a', 1, 'd'], want: '12:6' },
    { path: ['a', 1, 'missing', 'x'], want: '11:3' },
    { path: ['a', 2], want: '12:13' },
    { path: ['e'], want: '12:24' },
  ];
  for (const { path, want } of PLACES) {
    const { line, column } = read.locate(path);
    assert.equal(`${line}:${column}`, want, path.join('.'));
  }
});
