import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fixtureText } from '../../fixtures/read-fixture.ts';
import { runCli } from './run-cli.ts';

const POOL =
  'apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: p, namespace: m}\nspec: {addresses: [192.0.2.0/28]}\n';

suite('vipvs import', () => {
  let cwd = '';

  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'vipvs-import-'));
    await writeFile(join(cwd, 'one.yaml'), POOL);
    await writeFile(join(cwd, 'two.yaml'), POOL);
    await writeFile(join(cwd, 'all.yaml'), fixtureText('migration/inwinstack.yaml'));
  });
  after(() => rm(cwd, { recursive: true }));

  test('YAML on stdout, the report in a file', async () => {
    const { code, stdout, stderr } = await runCli(
      ['import', '-f', 'one.yaml', '--report', 'r.txt'],
      { cwd },
    );
    assert.equal(code, 0, stderr);
    assert.equal(stderr, '');
    assert.equal(
      stdout,
      'apiVersion: vipvs.io/v1alpha1\nkind: Pool\nmetadata:\n  name: p\n  labels:\n    vipvs.io/imported-from: metallb\nspec:\n  addresses:\n    - 192.0.2.0/28\n',
    );
    assert.match(await readFile(join(cwd, 'r.txt'), 'utf8'), /Read: metallb \(1 object\)/);
  });

  test('an object that stands in two files is one; a document that is not YAML is in the report', async () => {
    const twice = await runCli(['import', '-f', 'one.yaml', 'two.yaml'], { cwd });
    assert.equal(twice.code, 0, twice.stderr);
    assert.equal(twice.stdout.match(/kind: Pool/g)?.length, 1);

    const stdin = 'kind: [\n';
    const { code, stdout } = await runCli(
      ['import', '-f', 'one.yaml', '-', '--report', 'broken.txt'],
      { cwd, stdin },
    );
    assert.equal(code, 1);
    assert.match(stdout, /name: p\n/);
    const report = await readFile(join(cwd, 'broken.txt'), 'utf8');
    assert.match(report, /^Not converted:\n {2}<stdin>:2:1: document: .*; it is left out$/m);
  });

  test('a document that is nested without end is one line with its file, and the others go on', async () => {
    const deep = `${POOL.replace('p, ', 'deep, ')}  a: ${'['.repeat(9000)}${']'.repeat(9000)}\n`;
    const list = `${'{"apiVersion":"v1","kind":"List","items":['.repeat(5000)}${']}'.repeat(5000)}\n`;
    const itself = POOL.replace('metadata: {name: p, ', 'metadata: &m {name: deep, labels: *m, ');
    for (const stdin of [deep, list, itself]) {
      const { code, stdout, stderr } = await runCli(['import', '-f', '-', 'one.yaml'], {
        cwd,
        stdin,
      });
      assert.equal(code, 1);
      assert.match(stdout, /name: p\n/);
      assert.equal(stderr.match(/<stdin>:\d+:\d+: document: /g)?.length, 1, stderr);
      assert.ok(stderr.split('\n').every((line) => line.length < 300));
    }
  });

  test('what is no manifest changes no exit code', async () => {
    const stdin = `services:\n  web: {image: nginx}\n---\n- hosts: all\n  tasks: []\n---\n{{ if .Values.service }}\napiVersion: v1\nkind: Service\n{{ end }}\n---\n${POOL}`;
    const { code, stderr } = await runCli(['import', '-f', '-'], { stdin });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Left aside, of no use here: .*templates \(1\)/);
  });

  test('--services prints no Service twice, and none that belongs to nobody', async () => {
    const service = (metadata: string): string =>
      `apiVersion: v1\nkind: Service\nmetadata: {name: web${metadata}}\nspec: {type: LoadBalancer, loadBalancerIP: 192.0.2.3, ports: [{port: 80}]}\n`;
    const stdin = [
      service(', namespace: default'),
      service(''),
      service(', namespace: default, labels: {a: b}'),
      service(', namespace: default'),
    ].join('---\n');
    const { code, stdout, stderr } = await runCli(['import', '-f', 'one.yaml', '-', '--services'], {
      cwd,
      stdin,
    });
    assert.equal(code, 1);
    assert.equal(stdout.match(/kind: Service/g)?.length, 1, stdout);
    assert.match(stderr, /<stdin>:\d+: Service web: metadata\.namespace: not known/);
    assert.match(stderr, /Service default\/web: is given 2 times/);
  });

  test('--services: what it prints is a whole input of simulate', async () => {
    const imported = await runCli(['import', '-f', 'all.yaml', '--services'], { cwd });
    assert.equal(imported.code, 0, imported.stderr);
    const simulated = await runCli(['simulate', '-f', '-', '--default-class'], {
      stdin: imported.stdout,
    });
    assert.equal(simulated.code, 0, simulated.stderr);
    for (const ip of ['172.22.132.200', '172.22.131.193', '172.22.132.202']) {
      assert.match(simulated.stdout, new RegExp(`- ip: ${ip.replaceAll('.', '\\.')}\\n`));
    }
  });

  test('Namespaces decide whom a Pool serves: their labels are read', async () => {
    const given = (label: string): string =>
      `${POOL.replace('spec: {', 'spec: {serviceAllocation: {namespaceSelectors: [{matchLabels: {team: a}}]}, ')}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: n, labels: {team: ${label}}}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: n}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}\n`;
    const inside = await runCli(['import', '-f', '-'], { stdin: given('a') });
    assert.equal(inside.code, 0, inside.stderr);
    const outside = await runCli(['import', '-f', '-'], { stdin: given('b') });
    assert.equal(outside.code, 1);
    assert.match(
      outside.stderr,
      /Service n\/x loses 192\.0\.2\.1: once its status is cleared: it gets none/,
    );
  });

  const WRONG = [
    { name: 'nothing to read', args: [], want: 'nothing to read: give -f PATH, or --from-cluster' },
    {
      name: 'no such file',
      args: ['-f', 'gone.yaml'],
      want: 'gone.yaml: cannot be read: no such file',
    },
    {
      name: 'a report that can not be written',
      args: ['-f', 'one.yaml', '--report', 'no/r.txt'],
      want: '--report no/r.txt: cannot be written: no such file',
    },
    {
      name: 'a ConfigMap without namespace',
      args: ['--from-cluster', '--configmap', 'x'],
      want: '--configmap: "x" is not allowed: namespace/name',
    },
    { name: 'no kubeconfig', args: ['--from-cluster', '--kubeconfig', 'gone'], want: 'gone: ' },
  ];
  for (const { name, args, want } of WRONG) {
    test(`wrong use: ${name}`, async () => {
      const { code, stderr } = await runCli(['import', ...args], { cwd });
      assert.equal(code, 2, stderr);
      assert.ok(stderr.includes(want), stderr);
      assert.equal(stderr.trimEnd().split('\n').length, 1);
    });
  }

  test('an API server that does not answer', async () => {
    const config = `apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n`;
    await writeFile(join(cwd, 'kubeconfig'), config);
    const { code, stderr } = await runCli(
      ['import', '--from-cluster', '--kubeconfig', 'kubeconfig'],
      { cwd },
    );
    assert.equal(code, 1);
    assert.match(stderr, /^ {2}API server: GET \/apis\/metallb\.io: /m);
  });
});
