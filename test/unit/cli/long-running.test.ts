import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { readVersions } from '../../../src/cli/version.ts';
import { realDisk, saveState } from '../../../src/files/state.ts';
import { isRunning, startTicksOf } from '../../../src/runtime/process-identity.ts';
import { exampleState } from '../files/state-fixture.ts';
import { runCli } from './run-cli.ts';

async function directory(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'vipvs-cli-'));
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

test('standalone refuses what it can not start with, before it touches the kernel', async (context) => {
  const cwd = await directory(context);
  const iface = ['--bind-iface', 'eth0'];
  const cases = [
    { argv: ['-f', '.'], want: '--bind-iface is missing: an interface name of at most 15 characters, such as eth0' },
    { argv: iface, want: '--filename is missing: a directory or a file' },
    { argv: ['-f', 'nowhere', ...iface], want: `standalone: --filename ${cwd}/nowhere cannot be read: no such file or directory` },
    { argv: ['-f', '.', ...iface, '--listen', '9472'], want: '--listen: "9472" is not allowed: HOST:PORT such as 127.0.0.1:9472, [::1]:9472 or :9472, or off' },
    { argv: ['-f', '.', '--bind-iface', 'eth0:1'], want: '--bind-iface: "eth0:1" is not allowed: an interface name of at most 15 characters, such as eth0' },
    { argv: ['-f', '.', ...iface, '--node-name', 'Big Node'], want: '--node-name: "Big Node" is not allowed: a node name: lower case letters, digits, - and .' },
  ]; // prettier-ignore
  for (const { argv, want } of cases) {
    const { code, stderr } = await runCli(['standalone', ...argv], { cwd });
    assert.deepEqual({ code, stderr }, { code: 2, stderr: `vipvs: ${want}\n` });
  }
  const { stderr } = await runCli(['standalone', '-f', '.'], {
    cwd,
    env: { VIPVS_BIND_IFACE: 'a/b' },
  });
  assert.match(stderr, /^vipvs: VIPVS_BIND_IFACE: "a\/b" is not allowed/);
});

test('status without a state, with one, and as data', async (context) => {
  const cwd = await directory(context);
  const status = (...argv: string[]) => runCli(['status', '--state-dir', '.', ...argv], { cwd });
  const none = await status();
  assert.equal(none.code, 1);
  assert.equal(
    none.stderr,
    `vipvs: no state in ${cwd}: \`vipvs standalone\` has not run with this --state-dir\n`,
  );
  await saveState(cwd, exampleState(), realDisk);
  const table = await status();
  assert.match(table.stdout, /^vipvs is not running \(node director, pid 42, started \d+d ago\)/);
  assert.match((await status('-o', 'wide')).stdout, /^default\/web-0 +192\.0\.2\.0/m);
  const json = (await status('-o', 'json')).stdout;
  assert.match(json, /^ {4}"isRunning": false$/m);
  assert.match(json, /"key": "default\/web-0"/);
  assert.doesNotMatch(json, /"kept"/);
  assert.match((await status('-o', 'yaml')).stdout, /^ {2}isRunning: false$/m);
  await writeFile(join(cwd, 'state.json'), 'x');
  assert.match(
    (await status()).stdout,
    /^warning: .*state\.json is damaged \(not a state file\); its copy is used/,
  );
  await writeFile(join(cwd, 'state.json.1'), 'x');
  const lost = await status();
  assert.equal(lost.code, 1);
  assert.match(lost.stderr, /damaged.*damaged/);
  const file = await runCli(['status', '--state-dir', './state.json'], { cwd });
  assert.equal(
    file.stderr,
    `vipvs: --state-dir ${cwd}/state.json cannot be read: not a directory\n`,
  );
});

test('a process is told from a later one with its pid', async () => {
  const startTicks = await startTicksOf(process.pid);
  assert.match(startTicks ?? '', /^\d+$/);
  assert.equal(await isRunning({ pid: process.pid, startTicks }), true);
  assert.equal(await isRunning({ pid: process.pid, startTicks: '1' }), false);
  assert.equal(await isRunning({ pid: 2 ** 30, startTicks: '1' }), false);
  assert.equal(await isRunning({ pid: process.pid, startTicks: undefined }), undefined);
});

test('the version is read from a checkout, from an installed package, and from nowhere', async (context) => {
  const root = await directory(context);
  assert.deepEqual(await readVersions([root]), {
    version: 'unknown',
    commit: undefined,
    libraryAbi: undefined,
  });
  await writeFile(join(root, 'package.json'), '{"version": "1.2.3"}');
  assert.deepEqual(await readVersions([join(root, 'nowhere'), root]), {
    version: '1.2.3',
    commit: undefined,
    libraryAbi: undefined,
  });
  const checkout = await readVersions();
  assert.match(checkout.version, /^\d+\.\d+\.\d+/);
  assert.match(checkout.libraryAbi ?? '', /^\d+$/);
});
