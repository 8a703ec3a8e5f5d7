import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCli } from './run-cli.ts';

const POOL = `apiVersion: vipvs.io/v1alpha1
kind: Pool
metadata: { name: p }
spec: { addresses: [192.0.2.0/29] }
`;
const SERVICE = `apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { type: LoadBalancer, loadBalancerClass: vipvs.io/vipvs, ports: [{ port: 80 }] }
`;
const CLASSLESS = SERVICE.replace('loadBalancerClass: vipvs.io/vipvs, ', '');

interface Item {
  readonly kind: string;
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly unknown[] } };
}

async function items(stdin: string, ...flags: readonly string[]): Promise<readonly Item[]> {
  const { code, stdout } = await runCli(['simulate', '-f', '-', '-o', 'json', ...flags], { stdin });
  assert.equal(code, 0);
  return (JSON.parse(stdout) as { items: readonly Item[] }).items;
}

test('prints the objects by kind, then the Events', async () => {
  const all = await items(`${SERVICE}---\n${POOL}`);
  assert.deepEqual(
    all.map((item) => item.kind),
    ['Pool', 'IP', 'Service', 'Event', 'Event'],
  );
  assert.deepEqual(all[2]?.status?.loadBalancer?.ingress, [
    { ip: '192.0.2.0', ipMode: 'Proxy', ports: [{ port: 80, protocol: 'TCP' }] },
  ]);
});

test('a Service without a class is ours, as everywhere, unless --require-class says otherwise', async () => {
  const kinds = async (...flags: readonly string[]): Promise<readonly string[]> =>
    (await items(`${POOL}---\n${CLASSLESS}`, ...flags)).map((item) => item.kind);
  assert.ok((await kinds()).includes('IP'));
  assert.ok((await kinds('--default-class')).includes('IP'));
  assert.ok(!(await kinds('--require-class')).includes('IP'));
  const both = await runCli(['simulate', '-f', '-', '--default-class', '--require-class']);
  assert.equal(both.code, 2);
});

test('what is passed over, skipped or without effect is said on stderr', async () => {
  const other = SERVICE.replace('web', 'other').replace('vipvs.io/vipvs', 'io.cilium/node');
  const stdin = [
    POOL,
    SERVICE.replace('ports', 'loadbalancerIP: 192.0.2.1, ports'),
    CLASSLESS.replace('web', 'plain'),
    other,
    CLASSLESS.replace('web', 'internal').replace('LoadBalancer', 'ClusterIP'),
    'services: {}\n',
  ].join('---\n');
  const { code, stderr } = await runCli(['simulate', '-f', '-', '--require-class'], { stdin });
  assert.equal(code, 0);
  assert.equal(
    stderr,
    `<stdin>:9:80: Service shop/web: spec.loadbalancerIP: unknown field, which has no effect; did you mean loadBalancerIP?
<stdin>:25:1: skipped: no apiVersion and kind
Service shop/plain: passed over: it has no loadBalancerClass, and --require-class was given
Service shop/other: passed over: its loadBalancerClass is "io.cilium/node", not vipvs.io/vipvs
`,
  );
});

test('the output is valid input, and then nothing is left to do', async () => {
  const args = ['simulate', '-f', '-', '--now', '2026-01-31T12:00:00Z'];
  const first = await runCli(args, { stdin: `${POOL}---\n${SERVICE}` });
  const again = await runCli(args, { stdin: first.stdout });
  const objects = first.stdout.slice(0, first.stdout.indexOf('---\napiVersion: events.k8s.io'));
  assert.match(objects, /lastTransitionTime: "?2026-01-31T12:00:00Z/);
  assert.equal(again.stdout, objects);
  assert.equal(again.code, 0);
});

test('a document that is wrong is named, the others go on', async () => {
  const stdin = `${POOL}---\n${SERVICE.replace('port: 80', 'port: 99999')}`;
  const { code, stdout, stderr } = await runCli(['simulate', '-f', '-'], { stdin });
  assert.equal(code, 1);
  assert.match(stderr, /^<stdin>:\d+:\d+: Service shop\/web: spec\.ports\[0\]\.port: .*\n$/);
  assert.match(stdout, /kind: Pool/);
});

for (const { name, argv, want } of [
  {
    name: 'a path that is not there',
    argv: ['-f', '/nowhere.yaml'],
    want: /^vipvs: simulate: \/nowhere\.yaml: cannot be read: no such file/,
  },
  { name: 'a time that is none', argv: ['-f', '-', '--now', 'noon'], want: /--now.*RFC 3339/ },
  { name: 'a form that is none', argv: ['-f', '-', '-o', 'xml'], want: /yaml.*json/ },
]) {
  test(`wrong use: ${name}`, async () => {
    const { code, stderr } = await runCli(['simulate', ...argv]);
    assert.equal(code, 2);
    assert.match(stderr, want);
    assert.equal(stderr.trim().split('\n').length, 1);
  });
}

test('a note that is too long for an Event is cut', async () => {
  const disabled = Array.from({ length: 40 }, (_, i) =>
    POOL.replace('name: p', `name: pool-number-${i}`).replace(
      'addresses: [192.0.2.0/29]',
      `addresses: [198.51.100.${i}], disabled: true`,
    ),
  );
  const all = await items([...disabled, SERVICE].join('---\n'));
  const notes = all.flatMap((item) =>
    item.kind === 'Event' && 'note' in item ? [String(item.note)] : [],
  );
  assert.ok(notes.some((note) => note.length === 1024 && note.endsWith('…')));
});
