import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadRawManifests, parseYamlText } from '../../../src/files/raw-objects.ts';

const LIST = `kind: EipList
apiVersion: network.kubesphere.io/v1alpha2
items:
- metadata: {name: a}
- {kind: List, items: [{kind: Pool, metadata: {name: b}}, 5]}
`;
const TEXT = `# nothing but a comment
---
kind: A
metadata: {name: a}
---
kind: [
---
${LIST}---
{{ if x }}
`;

test('raw manifests: documents, lists in lists, and what can not be read', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'vipvs-raw-'));
  try {
    await writeFile(join(directory, 'a.yaml'), TEXT);
    const input = { cwd: directory, readStdin: () => Promise.resolve('{"kind": "J"}') };
    const { manifests, problems, templates, unreadable } = await loadRawManifests(
      ['a.yaml', '-', 'gone'],
      input,
    );
    assert.deepEqual(
      manifests.map(({ raw, file, line }) => [file, line, raw]),
      [
        ['a.yaml', 2, { kind: 'A', metadata: { name: 'a' } }],
        [
          'a.yaml',
          7,
          { apiVersion: 'network.kubesphere.io/v1alpha2', kind: 'Eip', metadata: { name: 'a' } },
        ],
        ['a.yaml', 7, { kind: 'Pool', metadata: { name: 'b' } }],
        ['<stdin>', 1, { kind: 'J' }],
      ],
    );
    assert.deepEqual(templates, [{ text: '---\n{{ if x }}\n', file: 'a.yaml', line: 13 }]);
    assert.equal(problems.length, 1);
    assert.equal(problems[0]?.line, 7); // where the list that began in line 6 should have ended
    assert.deepEqual(unreadable, [
      { file: 'gone', message: 'cannot be read: no such file or directory' },
    ]);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('an alias bomb is an error of one line', () => {
  const lines = ['a: &a [x, x, x, x, x, x, x, x, x]'];
  for (const { name, from } of [
    { name: 'b', from: 'a' },
    { name: 'c', from: 'b' },
    { name: 'd', from: 'c' },
    { name: 'e', from: 'd' },
  ]) {
    lines.push(`${name}: &${name} [${Array(9).fill(`*${from}`).join(', ')}]`);
  }
  const value = parseYamlText(lines.join('\n'));
  assert.ok(value instanceof Error);
  assert.doesNotMatch(value.message, /\n/);
});
