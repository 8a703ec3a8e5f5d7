import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '../../../src/kube/errors.ts';
import { itemsOf } from '../../../src/kube/json.ts';
import { decodeAnswer, messageOf } from '../../../src/kube/protobuf.ts';

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return [...bytes, rest];
}
const number = (field: number, value: number): number[] => [...varint(field * 8), ...varint(value)];
const bytes = (field: number, content: readonly number[]): number[] => [
  ...varint(field * 8 + 2),
  ...varint(content.length),
  ...content,
];
const text = (field: number, value: string): number[] => bytes(field, [...Buffer.from(value)]);
const answer = (...object: readonly number[]): Buffer =>
  Buffer.from([...Buffer.from('k8s\0'), ...text(1, 'type'), ...bytes(2, object)]);
const entry = (field: number, key: string, value: string): number[] =>
  bytes(field, [...text(1, key), ...text(2, value)]);

const ASKED = 'GET /api/v1/x';
const INNER = messageOf({ 1: { name: 'name', type: 'text' } });
const OBJECT = messageOf({
  1: { name: 'name', type: 'text' },
  2: { name: 'alias', type: 'optional-text' },
  3: { name: 'port', type: 'number' },
  4: { name: 'ready', type: 'boolean' },
  5: { name: 'made', type: 'time' },
  6: { name: 'target', type: 'number-or-text' },
  7: { name: 'labels', type: { map: (key) => key.startsWith('our/') } },
  8: {
    name: 'spec',
    type: {
      message: messageOf({
        8: { name: 'inner', type: { message: INNER }, isList: true },
        20: { name: 'words', type: 'text', isList: true },
      }),
    },
  },
});
const LIST = messageOf({
  1: { name: 'metadata', type: { message: INNER } },
  2: { name: 'items', type: { message: OBJECT }, isList: true },
});

const cases: readonly { name: string; given: readonly number[]; want: object }[] = [
  { name: 'nothing', given: [], want: {} },
  { name: 'text, with letters of two bytes', given: text(1, 'wéb'), want: { name: 'wéb' } },
  { name: 'an empty text is not there', given: text(1, ''), want: {} },
  { name: 'an empty text behind a pointer is', given: text(2, ''), want: { alias: '' } },
  { name: 'numbers', given: number(3, 65_535), want: { port: 65_535 } },
  { name: 'yes and no', given: [...number(4, 1), ...number(4, 0)], want: { ready: false } },
  {
    name: 'a time',
    given: bytes(5, [...number(1, 1_767_225_600), ...number(2, 0)]),
    want: { made: '2026-01-01T00:00:00Z' },
  },
  { name: 'no time', given: bytes(5, []), want: {} },
  {
    name: 'number or text: a number',
    given: bytes(6, [...number(1, 0), ...number(2, 8080), ...text(3, '')]),
    want: { target: 8080 },
  },
  {
    name: 'number or text: a text',
    given: bytes(6, [...number(1, 1), ...number(2, 0), ...text(3, 'http')]),
    want: { target: 'http' },
  },
  { name: 'number or text: neither', given: bytes(6, []), want: { target: 0 } },
  { name: 'number or text: an empty text', given: bytes(6, number(1, 1)), want: { target: '' } },
  {
    name: 'of a map what is wanted',
    given: [...entry(7, 'our/a', '1'), ...entry(7, 'their/b', '2'), ...entry(7, 'our/c', '')],
    want: { labels: { 'our/a': '1', 'our/c': '' } },
  },
  { name: 'a map of others', given: entry(7, 'their/b', '2'), want: {} },
  {
    name: 'lists',
    given: bytes(8, [
      ...[...bytes(8, text(1, 'x')), ...text(20, 'a')],
      ...[...bytes(8, []), ...text(20, 'b')],
    ]),
    want: { spec: { inner: [{ name: 'x' }, {}], words: ['a', 'b'] } },
  },
  {
    name: 'fields that nobody asked for, of every wire type',
    given: [
      ...number(9, 2 ** 40),
      ...[...varint(10 * 8 + 1), 1, 2, 3, 4, 5, 6, 7, 8],
      ...[...varint(11 * 8 + 5), 1, 2, 3, 4],
      ...text(99, 'managed'),
      ...text(1, 'web'),
    ],
    want: { name: 'web' },
  },
];

for (const { name, given, want } of cases) {
  test(`protobuf: ${name}`, () => {
    assert.deepEqual(decodeAnswer(ASKED, answer(...given), OBJECT), want);
  });
}

const bad: readonly { name: string; given: Buffer; why: RegExp }[] = [
  { name: 'JSON', given: Buffer.from('{"items":[]}'), why: /no envelope/ },
  { name: 'an empty envelope', given: Buffer.from('k8s\0'), why: /without an object/ },
  { name: 'a group', given: answer(9 * 8 + 3), why: /wire type 3/ },
  { name: 'a text as a number', given: answer(...number(1, 7)), why: /wire type 0/ },
  { name: 'a number as a text', given: answer(...text(3, 'x')), why: /number of wire type 2/ },
  { name: 'cut in a number', given: Buffer.from('k8s\0\x80', 'latin1'), why: /cut off/ },
  { name: 'cut in a text', given: answer(...text(1, 'web')).subarray(0, -1), why: /cut off/ },
];

for (const { name, given, why } of bad) {
  test(`protobuf refuses ${name}`, () => {
    assert.throws(
      () => decodeAnswer(ASKED, given, OBJECT),
      (error) => isApiError(error, 'bad-answer') && why.test(error.message),
    );
  });
}

const item = (name: string): number[] => bytes(2, text(1, name));

test('the items of a list are decoded while they are iterated', () => {
  const broken = bytes(2, number(1, 7));
  const meta = bytes(1, text(1, 'm'));
  const given = answer(...meta, ...item('a'), ...text(9, 'new field'), ...item('b'), ...broken);
  const list = decodeAnswer(ASKED, given, LIST);
  assert.deepEqual(list['metadata'], { name: 'm' });
  const items = itemsOf(list)[Symbol.iterator]();
  assert.deepEqual(items.next().value, { name: 'a' });
  assert.deepEqual(items.next().value, { name: 'b' });
  assert.throws(
    () => items.next(),
    (error) => isApiError(error, 'bad-answer') && error.message.startsWith(ASKED),
  );
});

test('a list without items has none', () => {
  assert.deepEqual([...itemsOf(decodeAnswer(ASKED, answer(...bytes(1, [])), LIST))], []);
});
