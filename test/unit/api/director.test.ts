import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDirectorReady } from '../../../src/api/director.ts';
import { projectDirector } from '../../../src/api/project.ts';

const raw = (...conditions: readonly object[]): object => ({
  apiVersion: 'vipvs.io/v1alpha1',
  kind: 'Director',
  metadata: { name: 'n1', uid: 'u', managedFields: [] },
  status: { conditions: conditions.map((each) => ({ reason: 'x', message: 'y', ...each })) },
});

test('a Director is ready when it says so', () => {
  const ready = projectDirector(raw({ type: 'Ready', status: 'True' }));
  assert.deepEqual(ready.metadata, { name: 'n1', uid: 'u' });
  assert.equal(isDirectorReady(ready), true);
  assert.equal(isDirectorReady(projectDirector(raw({ type: 'Ready', status: 'False' }))), false);
  assert.equal(isDirectorReady(projectDirector(raw({ type: 'Other', status: 'True' }))), false);
  assert.equal(isDirectorReady(projectDirector({ ...raw(), status: undefined })), false);
});

test('one that no API server has seen has no uid', () => {
  const { metadata } = projectDirector({ ...raw(), metadata: { name: 'n1' } });
  assert.deepEqual(metadata, { name: 'n1' });
});

test('what is no Director is told', () => {
  assert.throws(() => projectDirector({ ...raw(), kind: 'Pool' }), /Director/);
});
