// The HTTP client over real HTTPS: connections, credentials, the mapping of failures, cancelling.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { KubeConfigError, loadKubeAccess } from '../../src/kube/config.ts';
import { ApiError, isApiError } from '../../src/kube/errors.ts';
import { messageOf } from '../../src/kube/protobuf.ts';
import { HttpApiClient, type Call } from '../../src/kube/transport.ts';
import { MemoryLog, QuickClock, until } from './clocks.ts';
import { failure, FakeServer, json, reset, silence, streaming, type Step } from './fake-server.ts';

suite('transport', () => {
  let fake: FakeServer;
  let client: HttpApiClient;
  let clock: QuickClock;
  let log: MemoryLog;

  beforeEach(async () => {
    fake = await FakeServer.start();
    clock = new QuickClock();
    log = new MemoryLog();
    const access = await loadKubeAccess({ kubeconfig: fake.kubeconfig(), env: {} });
    client = new HttpApiClient({ access, clock, log, userAgent: 'vipvs/test', callConnections: 2 });
  });
  afterEach(async () => {
    await client.close();
    await fake.stop();
  });

  const signal = new AbortController().signal;
  const get: Call = { method: 'GET', path: '/api/v1/nodes/n1', signal };

  async function failed(call: Call = get): Promise<ApiError> {
    const error: unknown = await client.call(call).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }

  test('a hundred calls, two at a time: two connections', async () => {
    fake.other.push(json(200, { ok: true }));
    await Promise.all(Array.from({ length: 100 }, () => client.call(get)));
    assert.equal(fake.requests.length, 100);
    assert.equal(fake.connections, 2);
  });

  test('watches never keep calls from their connections', async () => {
    fake.other.push(json(200, { ok: true }));
    fake.watch.push(streaming('{}\n'));
    const watching = new AbortController();
    for (let index = 0; index < 5; index += 1) {
      await client.stream({ path: '/api/v1/nodes', query: { watch: 1 }, signal: watching.signal });
    }
    assert.deepEqual(await client.call(get), { ok: true });
    watching.abort();
  });

  const raw =
    (body: Buffer, headers: Readonly<Record<string, string>>): Step =>
    (answer) => {
      answer.writeHead(200, headers);
      answer.end(body);
    };

  test('a compressed answer is unpacked; one that is broken is the network', async () => {
    const headers = { 'content-type': 'application/json', 'content-encoding': 'gzip' };
    fake.other.push(raw(gzipSync('{"ok":true}'), headers), raw(Buffer.from('no gzip'), headers));
    assert.deepEqual(await client.call(get), { ok: true });
    assert.equal((await failed()).code, 'network');
  });

  const packings = [
    { how: 'as it is', pack: (body: Buffer) => body, headers: {} },
    { how: 'packed', pack: gzipSync, headers: { 'content-encoding': 'gzip' } },
  ] as const;
  const told: unknown[] = [];
  const list = { onItem: (item: unknown): unknown => told.push(item) };

  for (const { how, pack, headers } of packings) {
    test(`the items of a list are told while it comes, ${how}`, async () => {
      told.splice(0);
      const items = Array.from({ length: 3000 }, (_, i) => ({
        name: `n${i}`,
        text: 'é'.repeat(40),
      }));
      const body = pack(Buffer.from(JSON.stringify({ items, metadata: { resourceVersion: '7' } })));
      const type = { 'content-type': 'application/json', ...headers };
      fake.other.push(raw(body, type), raw(body.subarray(0, -5), type), raw(Buffer.alloc(0), type));
      const answer = await client.call({ ...get, list });
      assert.deepEqual(answer, { items: [], metadata: { resourceVersion: '7' } });
      assert.deepEqual(told, items);
      // unpacking notices it, or the decoder
      const code = how === 'packed' ? 'network' : 'bad-answer';
      assert.equal((await failed({ ...get, list })).code, code, 'cut short');
      assert.equal((await failed({ ...get, list })).code, code, 'nothing');
    });
  }

  test('protobuf where it is asked for and given, else JSON', async () => {
    told.splice(0);
    const headers = { 'content-type': 'application/vnd.kubernetes.protobuf' };
    const item = messageOf({ 1: { name: 'name', type: 'text' } });
    const protobuf = messageOf({ 2: { name: 'items', type: { message: item }, isList: true } });
    const object = Buffer.from([18, 4, 10, 2, 110, 49]); // field 2: field 1: n1
    const bytes = Buffer.concat([Buffer.from('k8s\0'), Buffer.from([18, 6]), object]);
    fake.other.push(raw(bytes, headers), json(200, { ok: true }), raw(Buffer.from('x'), headers));
    const asked = { ...get, list: { ...list, protobuf } };
    assert.deepEqual(await client.call(asked), {});
    assert.deepEqual(told, [{ name: 'n1' }]);
    assert.deepEqual(await client.call(asked), { ok: true });
    const { code, message } = await failed(asked);
    assert.deepEqual(
      [code, message],
      [...['bad-answer', 'GET /api/v1/nodes/n1: the answer is not protobuf: no envelope']],
    );
  });

  const mapped = [
    { status: 400, reason: 'BadRequest', code: 'bad-request' },
    { status: 401, reason: 'Unauthorized', code: 'unauthorized' },
    { status: 403, reason: 'Forbidden', code: 'forbidden' },
    { status: 404, reason: 'NotFound', code: 'not-found' },
    { status: 409, reason: 'AlreadyExists', code: 'already-exists' },
    { status: 409, reason: 'Conflict', code: 'conflict' },
    { status: 410, reason: 'Expired', code: 'gone' },
    { status: 422, reason: 'Invalid', code: 'invalid' },
    { status: 429, reason: 'TooManyRequests', code: 'too-many-requests' },
    { status: 500, reason: 'InternalError', code: 'server' },
    { status: 503, reason: 'ServiceUnavailable', code: 'server' },
  ] as const;
  for (const { status, reason, code } of mapped) {
    test(`${status} ${reason} is ${code}`, async () => {
      fake.other.push(failure(status, reason, { 'retry-after': '3' }));
      const error = await failed();
      assert.deepEqual([error.code, error.status, error.reason], [code, status, reason]);
      assert.equal(error.retryAfterMs, 3000);
      assert.equal(error.message, `GET /api/v1/nodes/n1: ${status} ${reason}: as told`);
    });
  }

  test('422 says which field is wrong', async () => {
    const causes = [
      { field: 'spec.addresses[0]', message: 'not an IP address' },
      { field: 'spec.driver', message: 'unknown' },
    ];
    const message = 'Pool "a" is invalid: spec.driver: unknown';
    const body = { kind: 'Status', code: 422, reason: 'Invalid', message, details: { causes } };
    fake.other.push(json(422, body));
    assert.equal(
      (await failed()).message,
      'GET /api/v1/nodes/n1: 422 Invalid: Pool "a" is invalid: spec.driver: unknown; ' +
        'spec.addresses[0]: not an IP address',
    );
  });

  test('no answer in time', async () => {
    fake.other.push(silence);
    const waiting = failed({ ...get, timeoutMs: 5000 });
    await until('the request', () => fake.requests.length === 1);
    clock.advance(5001);
    const error = await waiting;
    assert.deepEqual(
      [error.code, error.message],
      ['timeout', 'GET /api/v1/nodes/n1: no answer in 5000 ms'],
    );
  });

  test('an answer that stops half-way', async () => {
    fake.other.push((answer) => void answer.writeHead(200).write('{"ok":'));
    const waiting = failed({ ...get, timeoutMs: 5000 });
    await until('the request', () => fake.requests.length === 1);
    clock.advance(5001);
    assert.equal((await waiting).code, 'timeout');
  });

  test('a server that never finishes the connection is the network: nothing was asked yet', async (context) => {
    const sockets: Socket[] = [];
    const mute = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    context.after(() => {
      for (const socket of sockets) socket.destroy();
      mute.close();
    });
    await once(mute, 'listening');
    const address = mute.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const access = {
      server: `https://127.0.0.1:${port}`,
      source: 'x',
      namespace: undefined,
      credentials: () => Promise.resolve({ headers: {}, tls: {} }),
    };
    const options = { access, clock, log, userAgent: 'x', connectTimeoutMs: 100 };
    const waiting = new HttpApiClient(options);
    context.after(() => waiting.close());
    const isOfNetwork = (error: unknown): boolean =>
      isApiError(error, 'network') && error.message.includes('UND_ERR_CONNECT_TIMEOUT');
    await assert.rejects(waiting.call(get), isOfNetwork);
    await assert.rejects(waiting.stream({ path: '/api/v1/nodes', query: {}, signal }), isOfNetwork);
  });

  test('a broken connection, an answer that is not JSON, no server', async () => {
    fake.other.push(reset, (answer) => answer.end('<html>'));
    assert.equal((await failed()).code, 'network');
    assert.equal((await failed()).code, 'bad-answer');
    const access = {
      server: 'https://127.0.0.1:1',
      source: 'x',
      namespace: undefined,
      credentials: () => Promise.resolve({ headers: {}, tls: {} }),
    };
    const nowhere = new HttpApiClient({ access, clock, log, userAgent: 'x' });
    await assert.rejects(nowhere.call(get), (error) => isApiError(error, 'network'));
    await nowhere.close();
  });

  test("cancelling rejects with the caller's own reason", async () => {
    fake.other.push(silence);
    const cancel = new AbortController();
    const reason = new Error('stopping');
    const waiting = assert.rejects(client.call({ ...get, signal: cancel.signal }), reason);
    await until('the request', () => fake.requests.length === 1);
    cancel.abort(reason);
    await waiting;
    await assert.rejects(client.call({ ...get, signal: cancel.signal }), reason);
    assert.equal(fake.requests.length, 1);
  });

  test('the token file is read again after a minute', async () => {
    fake.other.push(json(200, {}));
    await client.call(get);
    fake.writeToken('second');
    await client.call(get);
    clock.advance(60_001);
    await client.call(get);
    const sent = fake.requests.map((request) => request.authorization);
    assert.deepEqual(sent, ['Bearer first', 'Bearer first', 'Bearer second']);
  });

  test('401 for many calls at once: the credentials are read once', async () => {
    let reads = 0;
    const access = {
      server: `https://127.0.0.1:${fake.port}`,
      source: 'x',
      namespace: undefined,
      credentials: () => {
        reads += 1;
        const headers = { authorization: `Bearer ${reads}` };
        return Promise.resolve({ headers, tls: { rejectUnauthorized: false } });
      },
    };
    const many = new HttpApiClient({ access, clock, log, userAgent: 'x' });
    fake.other.push((answer, seen) => {
      const old = seen.authorization === 'Bearer 1';
      (old ? failure(401, 'Unauthorized') : json(200, {}))(answer, seen);
    });
    await Promise.all(Array.from({ length: 10 }, () => many.call(get)));
    assert.equal(reads, 2);
    await many.close();
  });

  test('a credential that cannot be read any more: on with the old one', async () => {
    let reads = 0;
    const access = {
      server: `https://127.0.0.1:${fake.port}`,
      source: 'x',
      namespace: undefined,
      credentials: () => {
        reads += 1;
        if (reads > 1) return Promise.reject(new KubeConfigError('no such file'));
        return Promise.resolve({ headers: {}, tls: { rejectUnauthorized: false } });
      },
    };
    const one = new HttpApiClient({ access, clock, log, userAgent: 'x' });
    fake.other.push(json(200, {}));
    await one.call(get);
    clock.advance(60_001);
    await one.call(get);
    assert.equal(reads, 2);
    assert.match(log.messages('warn')[0] ?? '', /going on with the old ones/);
    await one.close();
  });

  const kubeconfigs = [
    { name: 'no such file', text: undefined, want: /nofile: ENOENT/ },
    { name: 'empty, as while it is written', text: '\n', want: /kubeconfig: the file is empty/ },
    { name: 'not a kubeconfig', text: '[]', want: /kubeconfig: / },
    {
      name: 'no current context',
      text: '{clusters: [], users: [], contexts: []}',
      want: /no context/,
    },
    {
      name: 'a proxy',
      text: `{current-context: c, contexts: [{name: c, context: {cluster: k, user: u}}],
        clusters: [{name: k, cluster: {server: 'https://x', proxy-url: 'http://p'}}],
        users: [{name: u, user: {token: t}}]}`,
      want: /proxy-url is not supported/,
    },
  ];
  for (const { name, text, want } of kubeconfigs) {
    test(`kubeconfig refused: ${name}`, async () => {
      const path = join(fake.directory, text === undefined ? 'nofile' : 'kubeconfig');
      if (text !== undefined) writeFileSync(path, text);
      await assert.rejects(loadKubeAccess({ kubeconfig: path, env: {} }), (error) => {
        assert.ok(error instanceof KubeConfigError);
        assert.match(error.message, want);
        return true;
      });
    });
  }

  test('a kubeconfig is read once, so that all of it is of one moment', async () => {
    const pipe = join(fake.directory, 'pipe');
    execFileSync('mkfifo', [pipe]);
    // a second reader would find the pipe empty
    const writers = 'cat "$1" > "$0"; sleep 0.2; : > "$0"';
    const reading = async <T>(read: () => Promise<T>): Promise<T> => {
      const writer = spawn('sh', ['-c', writers, pipe, fake.kubeconfig()], { stdio: 'ignore' });
      const exit = once(writer, 'exit');
      const result = await read();
      writer.kill();
      await exit;
      return result;
    };
    const access = await reading(() => loadKubeAccess({ kubeconfig: pipe, env: {} }));
    const { headers } = await reading(() => access.credentials(true));
    assert.match(headers['authorization'] ?? '', /^Bearer \S+$/);
  });

  test('an exec plugin is run, and run again after a 401', async () => {
    const plugin = join(fake.directory, 'plugin');
    const count = join(fake.directory, 'count');
    writeFileSync(
      plugin,
      `#!/bin/sh\necho x >> ${count}\nn=$(wc -l < ${count})\n` +
        `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"t'$n'"}}'\n`,
      { mode: 0o755 },
    );
    const path = join(fake.directory, 'exec-kubeconfig');
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: plugin, args: [] };
    const cluster = {
      server: `https://127.0.0.1:${fake.port}`,
      'certificate-authority': fake.caFile,
    };
    writeFileSync(
      path,
      JSON.stringify({
        'current-context': 'c',
        contexts: [{ name: 'c', context: { cluster: 'k', user: 'u' } }],
        clusters: [{ name: 'k', cluster }],
        users: [{ name: 'u', user: { exec } }],
      }),
    );
    const access = await loadKubeAccess({ kubeconfig: path, env: {} });
    const other = new HttpApiClient({ access, clock, log, userAgent: 'x' });
    fake.other.push(json(200, {}), failure(401, 'Unauthorized'), json(200, {}));
    await other.call(get);
    await other.call(get);
    const sent = fake.requests.map((request) => request.authorization);
    assert.deepEqual(sent, ['Bearer t1', 'Bearer t1', 'Bearer t2']);
    await other.close();
  });
});
