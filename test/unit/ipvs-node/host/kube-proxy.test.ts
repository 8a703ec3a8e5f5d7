// How kube-proxy of this node is found: what it answers, and for how long its silence means nothing.
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { test, type TestContext } from 'node:test';
import { probeKubeProxy } from '../../../../src/ipvs-node/host/kube-proxy-probe.ts';
import { KubeProxyWatch } from '../../../../src/ipvs-node/host/kube-proxy-watch.ts';
import { silentLog } from '../../../../src/runtime/log.ts';
import { FakeClock } from '../../runtime/fake-clock.ts';
import type { KubeProxy } from '../../../../src/ipvs-node/model/kube-proxy.ts';

const DRIP_MS = 20;

/** Answers by path; of some an endless one, byte by byte, of some none at all; anything else is a 404. */
async function serve(
  context: TestContext,
  answers: Readonly<Record<string, string>>,
  dripping: readonly string[] = [],
  silent: readonly string[] = [],
): Promise<string> {
  const listener: RequestListener = (request, response) => {
    const { url = '' } = request;
    if (silent.includes(url)) return;
    if (dripping.includes(url)) {
      const drip = setInterval(() => response.write(' '), DRIP_MS);
      response.on('close', () => clearInterval(drip));
      return;
    }
    const text = answers[url];
    if (text === undefined) response.writeHead(404).end('404 page not found\n');
    else response.end(text);
  };
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return `http://127.0.0.1:${address.port}`;
}

const config = (ipvs: object): string =>
  JSON.stringify({ 'kubeproxy.config.k8s.io': { mode: 'ipvs', ipvs } });
const health = JSON.stringify({
  lastUpdated: '2026-11-21T10:00:00Z',
  currentTime: '2026-11-21T10:00:01Z',
});
const UNKNOWN: KubeProxy = { mode: undefined, excludeCidrs: undefined, strictArp: undefined };

const cases: readonly {
  readonly name: string;
  readonly given: Readonly<Record<string, string>>;
  readonly want: KubeProxy | undefined;
}[] = [
  { name: 'nobody', given: {}, want: undefined },
  {
    name: 'mode and configuration',
    given: {
      '/proxyMode': 'ipvs',
      '/configz': config({ excludeCIDRs: ['192.0.2.0/24'], strictARP: true }),
    },
    want: { mode: 'ipvs', excludeCidrs: ['192.0.2.0/24'], strictArp: true },
  },
  {
    name: 'a configuration with what is by default',
    given: { '/proxyMode': 'nftables\n', '/configz': config({ excludeCIDRs: null }) },
    want: { mode: 'nftables', excludeCidrs: [], strictArp: false },
  },
  {
    name: 'no configuration',
    given: { '/proxyMode': 'iptables' },
    want: { ...UNKNOWN, mode: 'iptables' },
  },
  {
    name: 'garbage for a configuration',
    given: { '/proxyMode': 'ipvs', '/configz': '{' },
    want: { ...UNKNOWN, mode: 'ipvs' },
  },
  { name: 'the health check only', given: { '/healthz': health }, want: UNKNOWN },
  { name: 'a health check of somebody else', given: { '/healthz': 'ok' }, want: undefined },
  { name: 'a mode that nobody knows', given: { '/proxyMode': 'userspace' }, want: undefined },
  {
    name: 'an endless answer',
    given: { '/healthz': health + ' '.repeat(300_000) },
    want: undefined,
  },
];
for (const { name, given, want } of cases) {
  test(name, async (context) => {
    const url = await serve(context, given);
    assert.deepEqual(await probeKubeProxy(url, `${url}/healthz`), want);
  });
}

const DRIPS: readonly {
  readonly name: string;
  readonly given: Readonly<Record<string, string>>;
  readonly dripping: readonly string[];
  readonly want: KubeProxy | undefined;
}[] = [
  { name: 'every answer', given: {}, dripping: ['/proxyMode', '/healthz'], want: undefined },
  {
    name: 'the mode',
    given: { '/healthz': health },
    dripping: ['/proxyMode'],
    want: UNKNOWN,
  },
  {
    name: 'the configuration',
    given: { '/proxyMode': 'ipvs' },
    dripping: ['/configz', '/healthz'],
    want: { ...UNKNOWN, mode: 'ipvs' },
  },
];
for (const { name, given, dripping, want } of DRIPS) {
  test(`a server that drips ${name}, byte by byte and for ever: the rest counts`, async (context) => {
    const url = await serve(context, given, dripping);
    assert.deepEqual(await probeKubeProxy(url, `${url}/healthz`, 1000), want);
  });
}

test('a port that takes connections and says nothing', async (context) => {
  const url = await serve(context, {}, [], ['/proxyMode', '/healthz']);
  assert.equal(await probeKubeProxy(url, `${url}/healthz`, 100), undefined);
});

test('nobody listens', async () => {
  assert.equal(await probeKubeProxy('http://127.0.0.1:1', 'http://127.0.0.1:1'), undefined);
});

test('a restart is no absence; what changes is told once', async () => {
  const clock = new FakeClock();
  let answer: KubeProxy | undefined;
  const told: (string | undefined)[] = [];
  const watch = new KubeProxyWatch({
    clock,
    log: silentLog,
    probe: () => Promise.resolve(answer),
    onChange: (kubeProxy) => void told.push(kubeProxy?.mode),
  });
  const end = new AbortController();
  const ended = watch.run(end.signal);
  await clock.advance(20_000);
  assert.deepEqual(told, []);
  answer = { mode: 'ipvs', excludeCidrs: [], strictArp: false };
  await clock.advance(20_000);
  answer = undefined;
  await clock.advance(40_000);
  assert.deepEqual(told, ['ipvs']);
  answer = { mode: 'ipvs', excludeCidrs: [], strictArp: false };
  await clock.advance(10_000);
  answer = { ...answer, excludeCidrs: undefined };
  await clock.advance(20_000);
  answer = UNKNOWN;
  await clock.advance(20_000);
  assert.deepEqual(told, ['ipvs'], 'half an answer is none');
  answer = { mode: 'nftables', excludeCidrs: [], strictArp: false };
  await clock.advance(10_000);
  assert.deepEqual(told, ['ipvs', 'nftables']);
  answer = undefined;
  await clock.advance(120_000);
  assert.deepEqual(told, ['ipvs', 'nftables', undefined]);
  assert.equal(watch.kubeProxy, undefined);
  end.abort();
  await clock.advance(10_000);
  await ended;
});
