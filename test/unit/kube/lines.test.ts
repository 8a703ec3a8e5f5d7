import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSplitter, LineTooLong } from '../../../src/kube/lines.ts';

const cases = [
  { name: 'whole lines', given: ['a\nb\n'], want: [['a', 'b']] },
  { name: 'a line in three pieces', given: ['a', 'b', 'c\nd'], want: [[], [], ['abc']] },
  { name: 'empty lines are left out', given: ['\n \na\n'], want: [['a']] },
  { name: 'the newline comes alone', given: ['a', '\n', 'b\n'], want: [[], ['a'], ['b']] },
  { name: 'CRLF stays inside JSON white space', given: ['{}\r\n'], want: [['{}\r']] },
];
for (const { name, given, want } of cases) {
  test(`lines: ${name}`, () => {
    const splitter = new LineSplitter();
    assert.deepEqual(
      given.map((chunk) => splitter.push(Buffer.from(chunk))),
      want,
    );
  });
}

test('lines: every cut of the same bytes gives the same lines', () => {
  const bytes = Buffer.from('{"a":"ä€𝄞"}\n{"b":2}\n');
  for (let at = 0; at <= bytes.length; at += 1) {
    const splitter = new LineSplitter();
    const parts = [bytes.subarray(0, at), bytes.subarray(at)];
    assert.deepEqual(
      parts.flatMap((part) => splitter.push(part)),
      ['{"a":"ä€𝄞"}', '{"b":2}'],
    );
  }
});

test('lines: a line over the cap fails, whether its end has come or not', () => {
  const splitter = new LineSplitter(4);
  assert.deepEqual(splitter.push(Buffer.from('abcd\nab')), ['abcd']);
  assert.throws(() => splitter.push(Buffer.from('cde')), LineTooLong);
  assert.throws(() => new LineSplitter(4).push(Buffer.from('abcde\n')), LineTooLong);
});
