import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/kube/errors.ts';
import { groupVersions, listObjects, resourcesOf } from '../../../src/kube/list.ts';
import { SERVICES } from '../../../src/kube/resource.ts';
import type { ApiClient, Call } from '../../../src/kube/transport.ts';

const signal = new AbortController().signal;
const gone = new ApiError('too old', { code: 'gone', status: 410 });
const absent = new ApiError('nothing there', { code: 'not-found', status: 404 });
const forbidden = new ApiError('no', { code: 'forbidden', status: 403 });

/** Answers the calls in order; an Error rejects. */
function scripted(answers: readonly unknown[]): ApiClient & { readonly calls: Call[] } {
  const left = [...answers];
  const calls: Call[] = [];
  return {
    calls,
    call: (call) => {
      calls.push(call);
      const answer = left.shift();
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
    stream: () => Promise.reject(new Error('no watch here')),
  };
}

test('a list in pages, with the type that its items leave out', async () => {
  const client = scripted([
    { metadata: { continue: 't' }, items: [{ metadata: { name: 'a' } }, 5] },
    { metadata: {}, items: [{ metadata: { name: 'b' } }] },
  ]);
  const objects = await listObjects(client, SERVICES, signal, { labelSelector: 'x=y' });
  assert.deepEqual(objects, [
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' } },
    { apiVersion: 'v1', kind: 'Service', metadata: { name: 'b' } },
  ]);
  assert.deepEqual(
    client.calls.map(({ path, query }) => [path, query]),
    [
      ['/api/v1/services', { labelSelector: 'x=y', limit: 500, continue: undefined }],
      ['/api/v1/services', { labelSelector: 'x=y', limit: 500, continue: 't' }],
    ],
  );
});

test('a list whose token is too old starts again, and gives up in the end', async () => {
  const again = scripted([{ metadata: { continue: 't' }, items: [{}] }, gone, { items: [] }]);
  assert.deepEqual(await listObjects(again, SERVICES, signal), []);
  const never = scripted([gone, gone, gone, gone, { items: [] }]);
  await assert.rejects(listObjects(never, SERVICES, signal), gone);
});

test('versions of a group: the preferred one first; none without the group', async () => {
  const versions = [{ version: 'v1' }, { version: 'v2' }, {}];
  const served = scripted([{ preferredVersion: { version: 'v2' }, versions }]);
  assert.deepEqual(await groupVersions(served, 'g', signal), ['v2', 'v1']);
  assert.deepEqual(await groupVersions(scripted([{ versions }]), 'g', signal), ['v1', 'v2']);
  assert.deepEqual(await groupVersions(scripted([absent]), 'g', signal), []);
  await assert.rejects(groupVersions(scripted([forbidden]), 'g', signal), forbidden);
});

test('kinds of a group version, without subresources', async () => {
  const resources = [
    { name: 'eips', kind: 'Eip' },
    { name: 'eips/status', kind: 'Eip' },
    { name: 'x' },
    {},
  ];
  assert.deepEqual(await resourcesOf(scripted([{ resources }]), 'g', 'v1', signal), [
    { group: 'g', version: 'v1', plural: 'eips', kind: 'Eip', namespaced: true },
  ]);
});
