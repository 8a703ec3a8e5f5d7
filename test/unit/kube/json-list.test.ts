import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isApiError } from '../../../src/kube/errors.ts';
import { JsonList } from '../../../src/kube/json-list.ts';

const ASKED = 'GET /api/v1/x';

/** The list without its items, and these. */
function decode(...chunks: readonly Buffer[]): readonly [object, readonly unknown[]] {
  const items: unknown[] = [];
  const list = new JsonList(ASKED, (item) => items.push(item));
  for (const chunk of chunks) list.push(chunk);
  return [list.end(), items];
}

test('what is held of a chunk stays when its memory is used again', () => {
  const items: unknown[] = [];
  const list = new JsonList(ASKED, (item) => items.push(item));
  const chunk = Buffer.from('{"items":[{"name":"ab');
  list.push(chunk);
  chunk.fill('x');
  list.push(Buffer.from('c"}]}'));
  assert.deepEqual([list.end(), items], [{ items: [] }, [{ name: 'abc' }]]);
});

const METADATA = { resourceVersion: '7', continue: 'items":[' };
const ITEMS = [
  { metadata: { name: 'a' }, text: 'br}ace ] "quoted" \\', items: [{ items: [] }, [1], 2] },
  { metadata: { name: 'wéb €' }, empty: {}, none: null },
  {},
];
const lists: readonly { name: string; given: object; want?: readonly unknown[] }[] = [
  {
    name: 'metadata first, as of built-in kinds',
    given: { kind: 'L', metadata: METADATA, items: ITEMS },
  },
  {
    name: 'metadata last, as of custom resources',
    given: { items: ITEMS, kind: 'L', metadata: METADATA },
  },
  { name: 'no items', given: { metadata: METADATA, items: [] } },
  { name: 'null for no items', given: { metadata: METADATA, items: null }, want: [] },
  { name: 'no list at all', given: { kind: 'Status', details: [{ items: [{}] }] }, want: [] },
  {
    name: 'keys that look like it',
    given: { 'x"items': [1], xitems: [{}], items: ITEMS, a: { items: [{}] } },
  },
  { name: 'items that are lists', given: { items: [[1], [[]]] } },
];

for (const { name, given, want } of lists) {
  for (const [how, space] of [
    ['', undefined],
    [', with blanks', ' \n'],
  ] as const) {
    test(`JSON of a list cut anywhere: ${name}${how}`, () => {
      const whole = Buffer.from(JSON.stringify(given, undefined, space));
      const items = want ?? (given as { items: readonly unknown[] }).items;
      const rest = {
        ...given,
        ...(Array.isArray((given as { items?: unknown }).items) ? { items: [] } : {}),
      };
      for (let at = 0; at <= whole.length; at++) {
        assert.deepEqual(
          decode(whole.subarray(0, at), whole.subarray(at)),
          [rest, items],
          `at ${at}`,
        );
      }
      assert.deepEqual(decode(...Array.from(whole, (byte) => Buffer.from([byte]))), [rest, items]);
    });
  }
}

const bad: readonly { name: string; given: string; told: number }[] = [
  { name: 'nothing', given: '', told: 0 },
  { name: 'no JSON', given: 'Bad Gateway', told: 0 },
  { name: 'an array', given: '[{}]', told: 0 },
  { name: 'an end within an item', given: '{"items":[{"a":1},{"b":', told: 1 },
  { name: 'an end between items', given: '{"items":[{"a":1},', told: 1 },
  { name: 'an end within the list', given: '{"items":[{"a":1}],"metadata":{', told: 1 },
  { name: 'a broken item', given: '{"items":[{"a":1},{"b"},{"c":1}]}', told: 1 },
  { name: 'items without a comma', given: '{"items":[{"a":1}{"b":1}]}', told: 1 },
  { name: 'a comma too many', given: '{"items":[{"a":1},,{"b":1}]}', told: 1 },
  { name: 'a comma before the end', given: '{"items":[{"a":1},]}', told: 1 },
  { name: 'a number as an item', given: '{"items":[{"a":1},5]}', told: 1 },
  { name: 'a number before an item', given: '{"items":[5,{"a":1}]}', told: 0 },
  { name: 'a brace that ends the items', given: '{"items":[{"a":1}}}', told: 1 },
  { name: 'more than a list', given: '{"items":[{"a":1}]}{}', told: 1 },
];

for (const { name, given, told } of bad) {
  test(`JSON of a list refuses ${name}`, () => {
    const items: unknown[] = [];
    const list = new JsonList(ASKED, (item) => items.push(item));
    assert.throws(
      () => {
        list.push(Buffer.from(given));
        list.end();
      },
      (error) => isApiError(error, 'bad-answer') && error.message.startsWith(ASKED),
    );
    assert.equal(items.length, told);
  });
}

test('of a list in JSON one item is held at most, however many there are', () => {
  const small = Array.from({ length: 5000 }, (_, i) => ({ name: `n${i}`, text: 'x'.repeat(300) }));
  const large = [{ text: 'x'.repeat(3_000_000) }, {}];
  for (const { items, most } of [
    { items: small, most: 5000 },
    { items: large, most: 3_100_000 },
  ]) {
    const given = Buffer.from(JSON.stringify({ metadata: METADATA, items }));
    let heldMost = 0;
    let count = 0;
    const list = new JsonList(ASKED, () => (count += 1));
    for (let at = 0; at < given.length; at += 4096) {
      list.push(given.subarray(at, at + 4096));
      heldMost = Math.max(heldMost, list.heldBytes);
    }
    list.end();
    assert.equal(count, items.length);
    assert.ok(heldMost <= most, `${heldMost} bytes`);
  }
});

test('an item above the limit is refused', () => {
  const list = new JsonList(ASKED, () => assert.fail('told'));
  list.push(Buffer.from('{"items":[{"text":"'));
  const piece = Buffer.alloc(1 << 20, 'x');
  assert.throws(
    () => {
      for (let i = 0; i < 20; i++) list.push(piece);
    },
    (error) => isApiError(error, 'too-large') && /item of the list is larger/.test(error.message),
  );
});
