import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { OperationalError } from '../../../src/runtime/errors.ts';
import { startHealthServer, type HealthServer } from '../../../src/runtime/http.ts';
import { createMetrics } from '../../../src/runtime/metrics.ts';

async function serve(context: TestContext, notReady: string[]): Promise<HealthServer> {
  const metrics = createMetrics();
  metrics.rounds.total.inc({ component: 'agent', kind: 'full', outcome: 'ok' });
  const server = await startHealthServer(
    { host: '127.0.0.1', port: 0 },
    {
      notReady: () => notReady,
      metrics: async () => ({
        contentType: metrics.registry.contentType,
        body: await metrics.registry.metrics(),
      }),
    },
  );
  context.after(() => server.close());
  return server;
}

async function get(server: HealthServer, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
  return { status: response.status, body: await response.text() };
}

test('ready follows what is missing, healthy does not', async (context) => {
  const notReady = ['first full round not done'];
  const server = await serve(context, notReady);
  assert.deepEqual(await get(server, '/readyz'), {
    status: 503,
    body: 'first full round not done\n',
  });
  assert.deepEqual(await get(server, '/healthz'), { status: 200, body: 'ok\n' });
  notReady.pop();
  assert.deepEqual(await get(server, '/readyz'), { status: 200, body: 'ok\n' });
});

test('metrics are served in the text format', async (context) => {
  const { status, body } = await get(await serve(context, []), '/metrics');
  assert.equal(status, 200);
  assert.match(body, /^vipvs_round_total\{component="agent",kind="full",outcome="ok"\} 1$/m);
  assert.match(body, /^vipvs_resident_memory_bytes \d+$/m);
  assert.match(body, /^vipvs_event_loop_delay_seconds /m);
});

test('other paths and methods are refused', async (context) => {
  const server = await serve(context, []);
  assert.equal((await get(server, '/')).status, 404);
  assert.equal((await get(server, '/metrics', 'POST')).status, 405);
});

test('an address in use is an operational error that says what to do', async (context) => {
  const { port } = await serve(context, []);
  const source = {
    notReady: () => [],
    metrics: () => Promise.resolve({ contentType: '', body: '' }),
  };
  await assert.rejects(
    startHealthServer({ host: '127.0.0.1', port }, source),
    (error) =>
      error instanceof OperationalError &&
      error.code === 'listen-failed' &&
      error.message.includes('choose another --listen'),
  );
});

test('a failing collector is an answer, not a crash', async (context) => {
  const server = await startHealthServer(
    { host: '127.0.0.1', port: 0 },
    { notReady: () => [], metrics: () => Promise.reject(new Error('broken')) },
  );
  context.after(() => server.close());
  assert.deepEqual(await get(server, '/metrics'), { status: 500, body: 'broken\n' });
});
