// `vipvs plan` as others script against it: texts, exit codes, one line for each mistake.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { stringify } from 'yaml';
import type { ClusterObject } from '../../../src/api/cluster.ts';
import { ip, pool, service, slice } from '../ipvs-node/objects.ts';
import { runCli, type CliResult } from './run-cli.ts';

const cwd = mkdtempSync(join(tmpdir(), 'vipvs-plan-'));
after(() => rmSync(cwd, { recursive: true }));

const WEB = [pool(), service(), slice(['10.0.0.1', '10.0.0.2'])];
const RULES = `-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1
-a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m -w 1
ip address add 192.0.2.10/32 dev eth0
sysctl -w net.ipv4.vs.conntrack=1
sysctl -w net.ipv4.vs.expire_nodest_conn=1
sysctl -w net.ipv4.vs.expire_quiescent_template=1
sysctl -w net.ipv4.ip_forward=1
`;

function plan(objects: readonly ClusterObject[], ...args: readonly string[]): Promise<CliResult> {
  const stdin = objects.map((object) => stringify(object)).join('---\n');
  return runCli(['plan', '--node', 'n1', '-f', '-', ...args], { stdin, cwd });
}

function observed(text: string): readonly string[] {
  writeFileSync(join(cwd, 'kernel.txt'), text);
  return ['--observed', 'kernel.txt'];
}

test('-o rules: all that the node should hold', async () => {
  assert.deepEqual(await plan(WEB, '-o', 'rules'), { code: 3, stdout: RULES, stderr: '' });
});

test('from an empty kernel: every line that an operator would type', async () => {
  const { code, stdout } = await plan(WEB, '--bind-iface', 'eth7');
  assert.equal(code, 3);
  assert.equal(
    stdout,
    `sysctl -w net.ipv4.vs.conntrack=1
sysctl -w net.ipv4.vs.expire_nodest_conn=1
sysctl -w net.ipv4.vs.expire_quiescent_template=1
sysctl -w net.ipv4.ip_forward=1
ipvsadm -A -t 192.0.2.10:80 -s rr
ipvsadm -a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1
ipvsadm -a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m -w 1
ip address add 192.0.2.10/32 dev eth7
`,
  );
});

test('the rules as they are: nothing to do', async () => {
  const nothing = { code: 0, stdout: '', stderr: '' };
  assert.deepEqual(await plan(WEB, ...observed(RULES)), nothing);
  assert.deepEqual(await plan([]), nothing);
});

test('differences to a dump, which has no sysctls', async () => {
  const dump = `-A -t 192.0.2.10:80 -s wlc
-a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m -w 1
-a -t 192.0.2.10:80 -r 10.0.0.3:8080 -m -w 1
-A -t 192.0.2.99:80 -s rr
-A -t 198.51.100.7:80 -s rr
-A -t 198.51.100.8:80 -s rr
ip address add 192.0.2.99/32 dev eth0
ip address add 10.0.0.5/24 dev eth0
`;
  const { code, stdout } = await plan([...WEB, ip('198.51.100.7')], ...observed(dump));
  assert.equal(code, 3);
  assert.equal(
    stdout,
    `ipvsadm -E -t 192.0.2.10:80 -s rr
ipvsadm -a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1
ip address add 192.0.2.10/32 dev eth0
ipvsadm -e -t 192.0.2.10:80 -r 10.0.0.3:8080 -m -w 0
ip address del 192.0.2.99/32 dev eth0
ipvsadm -D -t 192.0.2.99:80
ipvsadm -D -t 198.51.100.7:80
`,
  );
});

test("an address of the host's own inside a Pool is never taken away", async () => {
  const dump = `${RULES}ip address add 192.0.2.5/32 dev eth0
ip address add 192.0.2.6/32 dev eth0 proto 76
ip address add 192.0.2.7/32 dev eth0
`;
  const { stdout } = await plan([...WEB, ip('192.0.2.7')], ...observed(dump));
  assert.equal(
    stdout,
    'ip address del 192.0.2.6/32 dev eth0\nip address del 192.0.2.7/32 dev eth0\n',
  );
});

test('problems go to stderr, the rest goes on', async () => {
  const taken = service({ name: 'own', ingress: ['192.0.2.5'] });
  const dump = `${RULES}ip address add 192.0.2.5/24 dev eth0\n`;
  const { code, stdout, stderr } = await plan([...WEB, taken], ...observed(dump));
  assert.deepEqual([code, stdout], [0, '']);
  assert.match(
    stderr,
    /^Service default\/own: AddressOfHost: 192\.0\.2\.5 is an address of node n1/,
  );
});

test('a manifest with a mistake: named, the others go on, exit 1', async () => {
  const stdin = `kind: Pool\napiVersion: vipvs.io/v1alpha1\nmetadata: {name: x}\nspec: {addresses: []}\n---\n${stringify(pool())}`;
  const result = await runCli(['plan', '--node', 'n1', '-f', '-'], { stdin });
  assert.equal(result.code, 1);
  assert.match(result.stderr, /<stdin>:\d+/);
});

const MISTAKES = [
  { name: 'no such file', args: ['--observed', 'absent.txt'], want: /--observed absent\.txt: / },
  {
    name: 'a line that cannot be read',
    args: observed('-A -t 192.0.2.1:80\nfoo\n'),
    want: /kernel\.txt:2: not an ipvsadm rule/,
  },
  { name: 'another output', args: ['-o', 'json'], want: /diff, rules/ },
];
for (const { name, args, want } of MISTAKES) {
  test(`exit 2: ${name}`, async () => {
    if (name.startsWith('a line')) observed('-A -t 192.0.2.1:80\nfoo\n');
    const { code, stdout, stderr } = await plan(WEB, ...args);
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, want);
    assert.equal(stderr.trim().split('\n').length, 1);
  });
}

test('exit 2: a manifest that is not there, no node', async () => {
  assert.equal((await runCli(['plan', '--node', 'n1', '-f', 'absent.yaml'], { cwd })).code, 2);
  const { code, stderr } = await runCli(['plan', '-f', '-']);
  assert.equal(code, 2);
  assert.match(stderr, /--node is missing/);
});

test('the same input gives the same bytes, in whatever order it comes', async () => {
  const [one, two] = [await plan(WEB), await plan(WEB.toReversed())];
  assert.deepEqual(one, two);
});
