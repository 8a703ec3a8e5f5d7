import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../../src/kube/errors.ts';
import { groupVersions, resourcesOf } from '../../../src/kube/discovery.ts';
import { listObjects, readList } from '../../../src/kube/list.ts';
import { SERVICES } from '../../../src/kube/resource.ts';
import type { ApiClient, Call } from '../../../src/kube/transport.ts';
import { tellItems, type WholeList } from '../../api/memory-api.ts';

const signal = new AbortController().signal;
const isWholeList = (answer: unknown): answer is WholeList =>
  typeof answer === 'object' && answer !== null && 'items' in answer;
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
      if (answer instanceof Error) return Promise.reject(answer);
      return Promise.resolve(isWholeList(answer) ? tellItems(call, answer) : answer);
    },
    stream: () => Promise.reject(new Error('no watch here')),
  };
}

const tooSlow = new ApiError('no answer in 30000 ms', { code: 'timeout', status: 0 });
const named = (name: string): object => ({ metadata: { name, resourceVersion: '1' } });
const page = (names: readonly string[], token = ''): WholeList => ({
  metadata: { resourceVersion: '9', continue: token },
  items: names.map(named),
});

test('a list in one piece, with the type that its items leave out', async () => {
  const client = scripted([page(['a', 'b'])]);
  const objects = await listObjects(client, SERVICES, signal, { labelSelector: 'x=y' });
  assert.deepEqual(objects, [
    { apiVersion: 'v1', kind: 'Service', ...named('a') },
    { apiVersion: 'v1', kind: 'Service', ...named('b') },
  ]);
  const [call] = client.calls;
  assert.deepEqual([call?.path, call?.query?.['labelSelector']], ['/api/v1/services', 'x=y']);
});

test('a list that takes too long comes in pages', async () => {
  const client = scripted([tooSlow, page(['a'], 't'), page(['b'])]);
  assert.equal((await listObjects(client, SERVICES, signal)).length, 2);
  const pages = client.calls.slice(1).map(({ query }) => [query?.['limit'], query?.['continue']]);
  assert.deepEqual(pages, [
    [500, undefined],
    [500, 't'],
  ]);
});

test('a list whose token is too old starts again, and gives up in the end', async () => {
  const again = scripted([tooSlow, page(['a'], 't'), gone, page(['b'])]);
  const objects = await listObjects(again, SERVICES, signal);
  assert.deepEqual(objects, [{ apiVersion: 'v1', kind: 'Service', ...named('b') }]);
  const never = scripted([gone, gone, gone, gone, page([])]);
  await assert.rejects(listObjects(never, SERVICES, signal), gone);
});

test('what is no list is none', async () => {
  const items = [{ metadata: { name: 'a' } }, 5];
  for (const answer of [{ items: [] }, ...items.map((item) => ({ ...page([]), items: [item] }))]) {
    await assert.rejects(listObjects(scripted([answer]), SERVICES, signal), /is not a list/);
  }
});

test('a reader that throws is a bug, and not taken for a failure of the connection', async () => {
  const bug = new TypeError('a bug');
  const client = scripted([page(['a', 'b'])]);
  const request = { client, path: '/api/v1/services', signal };
  let reads = 0;
  await assert.rejects(
    readList(request, () => {
      reads += 1;
      throw bug;
    }),
    bug,
  );
  assert.equal(reads, 1, 'nothing is read after it');
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
