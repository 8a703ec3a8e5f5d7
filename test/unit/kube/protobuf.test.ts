import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '../../../src/kube/errors.ts';
import { messageOf, ProtobufList, type Message } from '../../../src/kube/protobuf.ts';

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

/** The items and the rest, however the bytes are cut. */
function decode(message: Message, ...chunks: readonly Buffer[]): readonly [object, unknown[]] {
  const items: unknown[] = [];
  const list = new ProtobufList(ASKED, message, (item) => items.push(item));
  for (const chunk of chunks) list.push(chunk);
  return [list.end(), items];
}

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
    assert.deepEqual(decode(LIST, answer(...bytes(2, given))), [{}, [want]]);
  });
}

function cutBetween(): Buffer {
  return answer(...bytes(2, text(1, 'web')), ...bytes(2, text(1, 'dns'))).subarray(0, -7);
}

function tooShort(): Buffer {
  const object = bytes(2, text(1, 'web'));
  return Buffer.from([...Buffer.from('k8s\0'), 18, object.length - 2, ...object]);
}

const bad: readonly { name: string; given: Buffer; why: RegExp }[] = [
  { name: 'JSON', given: Buffer.from('{"items":[]}'), why: /no envelope/ },
  { name: 'an empty envelope', given: Buffer.from('k8s\0'), why: /without an object/ },
  { name: 'nothing at all', given: Buffer.alloc(0), why: /no envelope/ },
  { name: 'a group', given: answer(9 * 8 + 3), why: /wire type 3/ },
  { name: 'a group in an item', given: answer(...bytes(2, [9 * 8 + 3])), why: /wire type 3/ },
  { name: 'a text as a number', given: answer(...bytes(2, number(1, 7))), why: /wire type 0/ },
  {
    name: 'a number as a text',
    given: answer(...bytes(2, text(3, 'x'))),
    why: /number of wire type 2/,
  },
  { name: 'cut in a number', given: Buffer.from('k8s\0\x80', 'latin1'), why: /cut off/ },
  {
    name: 'cut in an item',
    given: answer(...bytes(2, text(1, 'web'))).subarray(0, -1),
    why: /cut off/,
  },
  { name: 'cut between two items', given: cutBetween(), why: /cut off/ },
  { name: 'an item longer than its list', given: tooShort(), why: /cut off/ },
  { name: 'a text longer than its item', given: answer(...bytes(2, [10, 9, 97])), why: /cut off/ },
];

for (const { name, given, why } of bad) {
  test(`protobuf refuses ${name}`, () => {
    assert.throws(
      () => decode(LIST, given),
      (error) => isApiError(error, 'bad-answer') && why.test(error.message),
    );
  });
}

const item = (name: string): number[] => bytes(2, text(1, name));

test('protobuf cut anywhere: the items of a list, each once, and what is around them', () => {
  const meta = bytes(1, text(1, 'm'));
  const given = answer(
    ...meta,
    ...item('a'),
    ...text(9, 'new field'),
    ...item('wéb'),
    ...number(4, 300),
  );
  const whole = Buffer.concat([given, Buffer.from([...number(7, 1), ...text(8, 'after')])]);
  const want = [{ metadata: { name: 'm' } }, [{ name: 'a' }, { name: 'wéb' }]];
  for (let at = 0; at <= whole.length; at++) {
    assert.deepEqual(decode(LIST, whole.subarray(0, at), whole.subarray(at)), want, `at ${at}`);
  }
  assert.deepEqual(decode(LIST, ...Array.from(whole, (byte) => Buffer.from([byte]))), want);
});

test('what came before a broken item was told, and nothing after it', () => {
  const items: unknown[] = [];
  const list = new ProtobufList(ASKED, LIST, (each) => items.push(each));
  const given = answer(...item('a'), ...bytes(2, number(1, 7)), ...item('b'));
  assert.throws(
    () => list.push(given),
    (error) => isApiError(error, 'bad-answer') && error.message.startsWith(ASKED),
  );
  assert.deepEqual(items, [{ name: 'a' }]);
});

test('a list without items has none', () => {
  assert.deepEqual(decode(LIST, answer(...bytes(1, []))), [{ metadata: {} }, []]);
  assert.deepEqual(decode(LIST, answer()), [{}, []]);
});

test('of a protobuf list one item is held at most, however many there are', () => {
  const text = Buffer.alloc(3_000_000, 'x');
  const name = [...varint(1 * 8 + 2), ...varint(text.length)];
  const large = Buffer.from([...varint(2 * 8 + 2), ...varint(name.length + text.length), ...name]);
  const last = Buffer.from(item('a'));
  const length = large.length + text.length + last.length;
  const head = Buffer.from([...Buffer.from('k8s\0'), ...varint(2 * 8 + 2), ...varint(length)]);
  const small = answer(...Array.from({ length: 200 }, (_, i) => item(`n${i}`.repeat(50))).flat());
  for (const { given, most } of [
    { given: small, most: 5000 },
    { given: Buffer.concat([head, large, text, last]), most: 3_100_000 },
  ]) {
    let heldMost = 0;
    let count = 0;
    const list = new ProtobufList(ASKED, LIST, () => (count += 1));
    for (let at = 0; at < given.length; at += 4096) {
      list.push(given.subarray(at, at + 4096));
      heldMost = Math.max(heldMost, list.heldBytes);
    }
    list.end();
    assert.ok(count >= 2 && heldMost <= most, `${count} items, ${heldMost} bytes`);
  }
});

test('an item above the limit is refused before it is read', () => {
  const list = new ProtobufList(ASKED, LIST, () => assert.fail('told'));
  const head = [...Buffer.from('k8s\0'), 18, ...varint(40 << 20), 18, ...varint(17 << 20)];
  assert.throws(
    () => list.push(Buffer.from(head)),
    (error) => isApiError(error, 'too-large') && /item of the list is larger/.test(error.message),
  );
});
