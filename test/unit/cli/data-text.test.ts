import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { jsonText, objectsText, yamlText } from '../../../src/cli/data-text.ts';
import { printable } from '../../../src/net/address.ts';

const HIDDEN = '\u0000\u0007\u001b[31m\u007f\u009b\u00ad\u200b\u202e\u2028\u2029\ufeff\u{e0041}x';
const DATA = {
  [`key ${HIDDEN}`]: HIDDEN,
  block: 'one\n\ttwo\n',
  // YAML would print them as they are: nothing else in these texts needs quotes
  turned: 'a\u202eb',
  parted: 'a\u200bb',
  mixed: `one\n${HIDDEN}\ntwo\n`,
  plain: 'ordinary text: ü 漢',
};

/** Line breaks and tabs apart. */
function hidden(text: string): string {
  return printable(text.replaceAll(/[\n\t]/g, ' '));
}

describe('nothing in the printed data acts on a terminal, and it reads back the same', () => {
  test('YAML', () => {
    const text = yamlText(DATA);
    assert.equal(text.replaceAll(/[\n\t]/g, ' '), hidden(text));
    assert.deepEqual(parse(text), DATA);
    assert.match(text, /^block: \|\n {2}one$/m, 'what hides nothing stays as it was');
  });

  test('JSON', () => {
    const text = jsonText(DATA);
    assert.equal(text.replaceAll(/[\n\t]/g, ' '), hidden(text));
    assert.deepEqual(JSON.parse(text), DATA);
  });
});

test('objects are a stream of documents, or a List', () => {
  const items = [{ a: 'yes' }, { a: '2' }];
  const read = parseAllDocuments(objectsText(items, 'yaml')).map((each) => each.toJS() as unknown);
  assert.deepEqual(read, items);
  assert.deepEqual(JSON.parse(objectsText(items, 'json')), {
    apiVersion: 'v1',
    kind: 'List',
    items,
  });
});
