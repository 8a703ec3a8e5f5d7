import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCli } from './run-cli.ts';

const POOL = `apiVersion: vipvs.io/v1alpha1
kind: Pool
metadata: {name: public}
spec: {addresses: [192.0.2.100/31]}
`;
function service(name: string, rest = '', annotations = ''): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}${annotations}}
spec: {type: LoadBalancer, ports: [{port: 80}]${rest}}
`;
}
function slice(name: string, label: string): string {
  return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, labels: {${label}}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [198.51.100.7]}]
`;
}
const LABEL = 'kubernetes.io/service-name: web';

async function check(context: TestContext, text: string, ...flags: readonly string[]) {
  const cwd = await mkdtemp(join(tmpdir(), 'vipvs-check-'));
  context.after(() => rm(cwd, { recursive: true, force: true }));
  await writeFile(join(cwd, 'a.yaml'), text);
  return runCli(['check', '-f', 'a.yaml', ...flags], { cwd });
}

test('what check says about manifests', async (context) => {
  const cases = [
    {
      name: 'all is well',
      given: [POOL, service('web'), slice('web-1', LABEL)],
      code: 0,
      want: `PASS a.yaml:1: Pool public
PASS a.yaml:6: Service default/web
PASS a.yaml:11: EndpointSlice default/web-1
3 passed, 0 warnings, 0 failed
`,
    },
    {
      name: 'wrong fields, and one bad object never stops another',
      given: [
        POOL.replace('addresses:', 'adresses:'),
        service('web', ', externalTrafficPolicy: Everywhere'),
        POOL.replace('public', 'other'),
      ],
      code: 1,
      want: `FAIL a.yaml:4:7: Pool public: spec.addresses: is required
FAIL a.yaml:4:18: Pool public: spec.adresses: unknown field; did you mean addresses?
FAIL a.yaml:9:72: Service web: spec.externalTrafficPolicy: must be one of Cluster, Local, is "Everywhere"
PASS a.yaml:11: Pool other
1 passed, 0 warnings, 3 failed
`,
    },
    {
      name: 'two Pools overlap: the newer one is named',
      given: [POOL, POOL.replace('public', 'second')],
      code: 1,
      want: /^PASS a\.yaml:1: Pool public\nFAIL a\.yaml:6: Pool second: PoolOverlap: 192\.0\.2\.100\/31 is already in pool public, /,
    },
    {
      name: 'a Service that gets no address',
      given: [POOL, service('web', '', ', annotations: {vipvs.io/pool: nowhere}')],
      code: 1,
      want: /FAIL a\.yaml:6: Service default\/web: PoolNotFound: /,
    },
    {
      name: 'without Pools it may be satisfied elsewhere',
      given: [service('web')],
      code: 0,
      want: /^WARN a\.yaml:1: Service default\/web: NoPool: /,
    },
    {
      name: 'an annotation that can not be read',
      given: [POOL, service('web', '', ', annotations: {vipvs.io/scheduler: fastest}')],
      code: 1,
      want: /FAIL a\.yaml:6: Service default\/web: InvalidAnnotation: vipvs\.io\/scheduler: "fastest" is not allowed; allowed: /,
    },
    {
      name: 'slices without their Service',
      given: [slice('a', LABEL), slice('b', 'app: web')],
      code: 0,
      want: `WARN a.yaml:1: EndpointSlice default/a: NoService: its label kubernetes.io/service-name names Service default/web, which is not here
WARN a.yaml:8: EndpointSlice default/b: NoService: has no label kubernetes.io/service-name: it belongs to no Service
0 passed, 2 warnings, 0 failed
`,
    },
    {
      name: 'a Service without slices beside one with them',
      given: [POOL, service('web'), slice('web-1', LABEL), service('other')],
      code: 0,
      want: /^WARN a\.yaml:18: Service default\/other: NoEndpoints: /m,
    },
    {
      name: 'a reservation outside every Pool',
      given: [
        POOL,
        'apiVersion: vipvs.io/v1alpha1\nkind: IP\nmetadata: {name: 192.0.2.7}\nspec: {address: 192.0.2.7, poolName: public}\n',
      ],
      code: 1,
      want: /FAIL a\.yaml:6: IP 192\.0\.2\.7: InvalidIp: Pool public does not hold this address/,
    },
    {
      name: 'foreign kinds are counted',
      given: [POOL, 'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n'],
      code: 0,
      want: 'PASS a.yaml:1: Pool public\n1 passed, 0 warnings, 0 failed, ignored 1 apps/v1 Deployment\n',
    },
    {
      name: 'broken YAML has its line',
      given: [POOL, 'kind: [\n'],
      code: 1,
      want: /^FAIL a\.yaml:\d+:\d+: /m,
    },
  ];
  for (const { name, given, code, want } of cases) {
    const result = await check(context, given.join('---\n'));
    assert.equal(result.code, code, name);
    if (typeof want === 'string') assert.equal(result.stdout, want, name);
    else assert.match(result.stdout, want, name);
  }
});

test('--strict turns warnings into failure, --require-class leaves Services alone', async (context) => {
  assert.equal((await check(context, service('web'), '--strict')).code, 1);
  const { code, stdout } = await check(context, service('web'), '--strict', '--require-class');
  assert.equal(code, 0);
  assert.equal(stdout, 'PASS a.yaml:1: Service default/web\n1 passed, 0 warnings, 0 failed\n');
});

test('-o json holds the same', async (context) => {
  const { stdout } = await check(context, `${POOL}---\n${service('web')}`, '-o', 'json');
  assert.deepEqual(JSON.parse(stdout), {
    passed: 2,
    warnings: 0,
    failed: 0,
    findings: [
      { level: 'PASS', where: 'a.yaml:1', object: 'Pool public' },
      { level: 'PASS', where: 'a.yaml:6', object: 'Service default/web' },
    ],
    ignored: [],
  });
});

test('files that can not be read are wrong use; stdin is read', async () => {
  const missing = await runCli(['check', '-f', 'nowhere.yaml'], { cwd: tmpdir() });
  assert.deepEqual(missing, {
    code: 2,
    stdout: '',
    stderr: 'vipvs: check: nowhere.yaml: cannot be read: no such file or directory\n',
  });
  const none = await runCli(['check']);
  assert.equal(none.stderr, 'vipvs: --filename is missing: a file, a directory, or -\n');
  const stdin = await runCli(['check', '-f', '-'], { stdin: POOL });
  assert.equal(stdin.stdout, 'PASS <stdin>:1: Pool public\n1 passed, 0 warnings, 0 failed\n');
});
