import assert from 'node:assert/strict';
import { test } from 'node:test';
import { namespacedName } from '../../../src/api/kubernetes.ts';
import { formatProblem, serviceRef } from '../../../src/api/problem.ts';
import type { LabelSelector } from '../../../src/api/label-selector.ts';
import { selectorMatches } from '../../../src/api/selector.ts';
import { serviceNamed, serviceWith } from './objects.ts';

const noNamespace = serviceNamed({ name: 'web' });

test('names', () => {
  assert.equal(namespacedName(serviceWith({}).metadata), 'shop/web');
  assert.equal(namespacedName(noNamespace.metadata), 'default/web');
  assert.deepEqual(serviceRef(noNamespace), { kind: 'Service', namespace: 'default', name: 'web' });
  const object = { kind: 'Pool', name: 'p' } as const;
  assert.equal(
    formatProblem({ object, reason: 'InvalidPool', message: 'm' }),
    'Pool p: InvalidPool: m',
  );
});

test('a problem is one line, whatever is in it', () => {
  const object = { kind: 'Service', namespace: 'a', name: 'b' } as const;
  const text = formatProblem({ object, reason: 'PoolNotFound', message: 'Pool x\ny' });
  assert.equal(text, 'Service a/b: PoolNotFound: Pool x\\u{a}y');
});

const labels = { app: 'web', tier: 'front' };
const expression = (
  key: string,
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist',
  ...values: string[]
) => ({
  matchExpressions: [{ key, operator, ...(values.length > 0 ? { values } : {}) }],
});
const SELECTORS: readonly { name: string; selector: LabelSelector; want: boolean }[] = [
  { name: 'an empty one selects all', selector: {}, want: true },
  { name: 'a label', selector: { matchLabels: { app: 'web' } }, want: true },
  { name: 'another value', selector: { matchLabels: { app: 'web', tier: 'back' } }, want: false },
  { name: 'In', selector: expression('app', 'In', 'db', 'web'), want: true },
  { name: 'In, not there', selector: expression('x', 'In', 'db'), want: false },
  { name: 'In, another value', selector: expression('app', 'In', 'db'), want: false },
  { name: 'In without values', selector: expression('app', 'In'), want: false },
  { name: 'NotIn', selector: expression('app', 'NotIn', 'web'), want: false },
  { name: 'NotIn, not there', selector: expression('x', 'NotIn', 'web'), want: true },
  { name: 'Exists', selector: expression('app', 'Exists'), want: true },
  { name: 'what every object has', selector: expression('constructor', 'Exists'), want: false },
  { name: 'what every object has, as a label', selector: { matchLabels: { toString: 'x' } }, want: false },
  { name: 'Exists, not there', selector: expression('x', 'Exists'), want: false },
  { name: 'DoesNotExist', selector: expression('app', 'DoesNotExist'), want: false },
  { name: 'DoesNotExist, not there', selector: expression('x', 'DoesNotExist'), want: true },
  { name: 'all must hold', selector: { matchLabels: { app: 'web' }, ...expression('x', 'Exists') }, want: false },
]; // prettier-ignore
for (const { name, selector, want } of SELECTORS) {
  test(`selector: ${name}`, () => assert.equal(selectorMatches(selector, labels), want));
}

test('an object without labels', () => {
  assert.equal(selectorMatches({}), true);
  assert.equal(selectorMatches({ matchLabels: { app: 'web' } }, undefined), false);
});
