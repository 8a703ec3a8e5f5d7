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
      name: 'what has no effect is named; the object is none that passed',
      given: [
        POOL.replace('192.0.2.100/31', '192.0.2.200/28'),
        service(
          'web',
          ', loadbalancerIP: 192.0.2.1',
          ', annotations: {vipvs.io/adresses: 192.0.2.11}',
        ),
      ],
      code: 0,
      want: `WARN a.yaml:1: Pool public: HostBits: spec.addresses[0]: 192.0.2.200/28 is 192.0.2.192/28, 192.0.2.192 to 192.0.2.207; did you mean 192.0.2.200-192.0.2.215 or 192.0.2.200/32?
WARN a.yaml:8:56: Service default/web: NoEffect: metadata.annotations.vipvs.io/adresses: has no effect; did you mean vipvs.io/addresses?
WARN a.yaml:9:65: Service default/web: NoEffect: spec.loadbalancerIP: unknown field, which has no effect; did you mean loadBalancerIP?
0 passed, 3 warnings, 0 failed
`,
    },
    {
      name: 'types and ports that an API server refuses',
      given: [
        service('type').replace('LoadBalancer', 'loadbalancer'),
        service('ports').replace('{port: 80}', '{port: 80}, {port: 443}'),
      ],
      code: 1,
      want: `FAIL a.yaml:4:14: Service type: spec.type: must be one of ClusterIP, NodePort, LoadBalancer, ExternalName, is "loadbalancer"; did you mean LoadBalancer?
FAIL a.yaml:9:36: Service ports: spec.ports[0].name: is required where there are several ports: endpoints are found by it
FAIL a.yaml:9:48: Service ports: spec.ports[1].name: is required where there are several ports: endpoints are found by it
0 passed, 0 warnings, 3 failed
`,
    },
    {
      name: 'externalTrafficPolicy Local: some node has an endpoint',
      given: [
        POOL,
        service('web', ', externalTrafficPolicy: Local'),
        slice('web-1', LABEL).replace('7]}', '7], nodeName: n1}'),
      ],
      code: 0,
      want: /^3 passed, 0 warnings, 0 failed$/m,
    },
    {
      name: 'externalTrafficPolicy Local: no endpoint is on a node',
      given: [POOL, service('web', ', externalTrafficPolicy: Local'), slice('web-1', LABEL)],
      code: 0,
      want: /^WARN a\.yaml:6: Service default\/web: NoEndpoints: externalTrafficPolicy is Local, and no endpoint has a nodeName: every node refuses clients$/m,
    },
    {
      name: 'externalTrafficPolicy Local: no endpoint is ready',
      given: [
        POOL,
        service('web', ', externalTrafficPolicy: Local'),
        slice('web-1', LABEL).replace('7]}', '7], nodeName: n1, conditions: {ready: false}}'),
      ],
      code: 0,
      want: /^WARN a\.yaml:6: Service default\/web: NoEndpoints: port 80\/TCP, IPv4: no endpoint is ready; clients are refused$/m,
    },
    {
      name: 'documents that are no manifests',
      given: [POOL, 'services: {}\n', '{{ if }}\na: b\n{{ end }}\n'],
      code: 0,
      want: `PASS a.yaml:1: Pool public
SKIP a.yaml:5:1: 2 documents: no apiVersion and kind, a template (Helm, Jinja); check what it renders
1 passed, 0 warnings, 0 failed, 1 skipped
`,
    },
    {
      name: 'pools of others are for import',
      given: [
        'apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: a}\n',
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config}\ndata: {config: "address-pools: []"}\n',
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kubevip}\ndata: {range-global: 192.0.2.1-192.0.2.2}\n',
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n',
        'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {a: b}\n',
        POOL,
      ],
      code: 0,
      want: `PASS a.yaml:24: Pool public
1 passed, 0 warnings, 0 failed, ignored 1 metallb.io/v1beta1 IPAddressPool, ignored 4 v1 ConfigMap
2 objects with address pools of MetalLB in the input: check does not read them, \`vipvs import\` makes Pools of them
1 object with address pools of kube-vip in the input: check does not read them, \`vipvs import\` makes Pools of them
`,
    },
    {
      name: 'nothing at all',
      given: ['# words\n'],
      code: 0,
      want: `WARN a.yaml: there is nothing to check: the input is empty
0 passed, 1 warnings, 0 failed
`,
    },
    {
      name: 'a name with a line break makes no line of its own',
      given: ['apiVersion: v1\nkind: Namespace\nmetadata: {name: "a\\nPASS b"}\n'],
      code: 1,
      want: /^FAIL a\.yaml:3:18: Namespace "a\\nPASS b": metadata\.name: .*\n0 passed, 0 warnings, 1 failed\n$/,
    },
    {
      name: 'a manifest that contains itself',
      given: [POOL, service('web').replace('{name: web}', '&m {name: web, labels: *m}')],
      code: 1,
      want: `PASS a.yaml:1: Pool public
FAIL a.yaml:8:34: *m contains itself
1 passed, 0 warnings, 1 failed
`,
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

test('-o json names skips and pools of others where there are any', async (context) => {
  const text = `services: {}\n---\napiVersion: cilium.io/v2\nkind: CiliumLoadBalancerIPPool\nmetadata: {name: a}\n`;
  const { stdout } = await check(context, text, '-o', 'json');
  const { skipped, forImport } = JSON.parse(stdout) as Record<string, unknown>;
  assert.deepEqual(
    { skipped, forImport },
    { skipped: 1, forImport: [{ product: 'Cilium', count: 1 }] },
  );
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
