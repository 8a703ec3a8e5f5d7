// What is generated or written about src/api is what src/api says.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { z } from 'zod';
import {
  ALLOW_NODE_ADDRESS,
  ALLOW_RENUMBER,
  ANNOTATIONS,
  REQUEST_KEYS,
  WEIGHT,
} from '../../../src/api/annotations.ts';
import { ADDRESS_ASSIGNED, PROGRAMMED } from '../../../src/api/conditions.ts';
import { structuralSchema } from '../../../src/api/structural-schema.ts';
import { FORWARDINGS } from '../../../src/api/pool.ts';
import { DEFAULT_DRAIN_SECONDS, DEFAULT_SCHEDULER } from '../../../src/api/traffic.ts';
import { SCHEDULERS } from '../../../src/net/ipvs.ts';
import { generatedFiles } from '../../../scripts/generated-files.ts';

const root = path.join(import.meta.dirname, '../../..');
const readText = (file: string) => readFile(path.join(root, file), 'utf8');

test('generated files are fresh', async () => {
  for (const [file, want] of await generatedFiles()) {
    assert.equal(await readText(file), want, `${file} is old: npm run gen`);
  }
});

test('docs/reference/annotations.md names exactly the keys that are read', async () => {
  const text = await readText('docs/reference/annotations.md');
  const known = [
    ...Object.values(ANNOTATIONS),
    ...Object.values(REQUEST_KEYS).flat(),
    ALLOW_RENUMBER,
    ALLOW_NODE_ADDRESS,
    WEIGHT,
  ];
  const conditions: readonly string[] = [ADDRESS_ASSIGNED, PROGRAMMED];
  const named = [...text.matchAll(/`([a-z][a-z0-9.-]*\/[A-Za-z-]+)[`:]/g)].map(
    ([, key = '']) => key,
  );
  assert.deepEqual(new Set(named.filter((key) => !conditions.includes(key))), new Set(known));
});

test('docs/reference/annotations.md has the values and defaults of the code', async () => {
  const text = await readText('docs/reference/annotations.md');
  assert.ok(text.includes(`\`${SCHEDULERS.join(' ')}\``));
  for (const forwarding of FORWARDINGS) assert.ok(text.includes(`\`${forwarding}\``));
  assert.ok(text.includes(`scheduler \`${DEFAULT_SCHEDULER}\``));
  assert.ok(text.includes(`drain ${DEFAULT_DRAIN_SECONDS} s`));
});

test('structural schemas', () => {
  const schema = z.strictObject({
    count: z.number().int().min(0).optional(),
    names: z.record(z.string(), z.array(z.string().max(5))),
  });
  assert.deepEqual(structuralSchema(schema.meta({ description: 'd' })), {
    description: 'd',
    type: 'object',
    required: ['names'],
    properties: {
      count: { type: 'integer', minimum: 0 },
      names: {
        type: 'object',
        additionalProperties: { type: 'array', items: { type: 'string', maxLength: 5 } },
      },
    },
  });
  assert.throws(() => structuralSchema(z.unknown()), /schema without a type/);
});
