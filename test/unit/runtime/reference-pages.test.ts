import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generatedFiles } from '../../../scripts/generated-files.ts';

test('the pages about metrics, errors and commands are fresh: npm run gen', async () => {
  const root = join(import.meta.dirname, '../../..');
  const files = await generatedFiles();
  for (const page of ['metrics', 'errors', 'cli']) {
    const path = `docs/reference/${page}.md`;
    assert.equal(await readFile(join(root, path), 'utf8'), files.get(path), path);
  }
});
