import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { FieldRow, Fields, Reader } from '../../../src/api/fields.ts';
import { ipSchema } from '../../../src/api/ip.ts';
import { keeperOf, keysRead } from '../../../src/api/keep-fields.ts';
import {
  endpointSliceSchema,
  namespaceSchema,
  nodeSchema,
  serviceCidrSchema,
  serviceSchema,
} from '../../../src/api/kubernetes.ts';
import { parseObject } from '../../../src/api/parse.ts';
import { Compactor } from '../../../src/files/compact.ts';
import { FULL, pathsOf, pathsRead, rowsIn, TABLES, type FieldKind } from './field-samples.ts';

const KINDS = Object.keys(TABLES) as readonly FieldKind[];
const SCHEMAS: Readonly<Record<FieldKind, z.ZodType>> = {
  Service: serviceSchema,
  EndpointSlice: endpointSliceSchema,
  Node: nodeSchema,
  ServiceCIDR: serviceCidrSchema,
  Namespace: namespaceSchema,
  IP: ipSchema,
};

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: unknown;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
}

/** What a table would call the type of the field. */
function* rowsOfSchema(schema: JsonSchema, path: string): Generator<readonly [string, string]> {
  const { anyOf = [], properties, items, type } = schema;
  const choices = anyOf.filter((each) => each.type !== 'null');
  const [only] = choices;
  if (choices.length === 1 && only !== undefined) yield* rowsOfSchema(only, path);
  else if (choices.length > 1) yield [path, choices.map((each) => each.type).join(' or ')];
  else if (items !== undefined) yield* rowsOfSchema(items, `${path}[]`);
  else if (properties !== undefined) {
    for (const [name, each] of Object.entries(properties)) {
      yield* rowsOfSchema(each, path === '' ? name : `${path}.${name}`);
    }
  } else {
    const [name = ''] = [type ?? ''].flat();
    yield [path, name === 'object' ? 'map' : name === 'integer' ? 'number' : name];
  }
}

const IN_SCHEMA: Readonly<Record<string, string>> = {
  text: 'string',
  'optional-text': 'string',
  time: 'string',
  'number-or-text': 'integer or string',
};

function typeInSchema(row: FieldRow): string {
  if (!('type' in row)) return 'map';
  return IN_SCHEMA[row.type] ?? row.type;
}

for (const kind of KINDS) {
  test(`the table of ${kind} has what its schema has`, () => {
    const schema = z.toJSONSchema(SCHEMAS[kind], { io: 'input' }) as JsonSchema;
    const found = [...rowsOfSchema(schema, '')].filter(
      ([path]) => !/^(apiVersion|kind)$/.test(path),
    );
    const table = [...rowsIn(TABLES[kind])].map(
      ([path, row]) => [path, typeInSchema(row)] as const,
    );
    assert.deepEqual(new Map(table), new Map(found));
  });

  test(`the sample of ${kind} is right, and has every row`, () => {
    assert.equal(parseObject(FULL[kind]).kind, 'object');
    const withKeys = pathsOf(kind, FULL[kind]).map((path) => path.replace(/\{.*/, ''));
    assert.deepEqual(
      [...new Set(withKeys)].sort(),
      [...rowsIn(TABLES[kind])].map(([path]) => path).sort(),
    );
  });

  test(`the compactor keeps every field of ${kind}`, () => {
    const parsed = parseObject(FULL[kind]);
    assert.ok(parsed.kind === 'object');
    assert.deepEqual(
      new Compactor().compact(parsed.object),
      JSON.parse(JSON.stringify(parsed.object)),
    );
  });
}

test('no two fields of a message have one number, and every field of a built-in kind has one', () => {
  const check = (fields: Fields, where: string): void => {
    const numbers = Object.values(fields).map((row) => row.number);
    assert.equal(new Set(numbers).size, numbers.length, where);
    assert.ok(
      numbers.every((each) => Number.isInteger(each) && each > 0),
      where,
    );
    for (const [name, row] of Object.entries(fields)) {
      if ('fields' in row) check(row.fields, `${where}.${name}`);
    }
  };
  for (const kind of KINDS) if (kind !== 'IP') check(TABLES[kind], kind);
});

const readers: readonly Reader[] = ['assigner', 'node'];
for (const kind of KINDS) {
  for (const reader of readers) {
    test(`of ${kind} is kept what ${reader} reads`, () => {
      const kept = keeperOf(TABLES[kind], reader)(FULL[kind]);
      assert.deepEqual(pathsOf(kind, kept), pathsRead(kind, reader));
      assert.deepEqual([kept.apiVersion, kept.kind], [FULL[kind].apiVersion, kind]);
    });
  }
}

test('what is not there is not kept', () => {
  const bare = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: {} };
  const labels = { 'example.com/other': 'x' };
  const given = { ...bare, metadata: { name: 'web', labels } };
  assert.deepEqual(keeperOf(TABLES.Service, 'node')(given), bare);
});

test('of labels and annotations somebody reads certain keys', () => {
  const isRead = keysRead(TABLES.Service, 'annotations', 'node');
  assert.deepEqual([isRead('vipvs.io/scheduler'), isRead('vipvs.io/pool')], [true, false]);
  assert.equal(keysRead(TABLES.Node, 'annotations', 'node')('vipvs.io/scheduler'), false);
  assert.equal(keysRead({}, 'labels', 'node')('a'), false);
});
