import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cutText, listed } from '../../../src/api/bounded-text.ts';

const bytes = (text: string): number => Buffer.byteLength(text);

test('a text is cut to its bytes, and never within a character', () => {
  assert.equal(cutText('short', 100), 'short');
  assert.equal(cutText('x'.repeat(100), 100), 'x'.repeat(100));
  assert.equal(cutText('x'.repeat(101), 100), `${'x'.repeat(97)}…`);
  for (const character of ['ä', '…', '😀']) {
    const long = character.repeat(100);
    for (let max = 4; max < 24; max++) {
      const cut = cutText(`a${long}`, max);
      assert.ok(bytes(cut) <= max, cut);
      assert.ok(bytes(cut) > max - bytes(character), cut);
      assert.ok(cut.endsWith('…') && `a${long}`.startsWith(cut.slice(0, -1)), cut);
      assert.equal(Buffer.from(cut).toString(), cut);
    }
  }
});

test('a long list is counted', () => {
  assert.equal(listed(['a', 'b'], 2), 'a, b');
  assert.equal(listed(['a', 'b', 'c', 'd'], 2), 'a, b and 2 more');
});
