import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COMMANDS, runCommandLine } from '../../../src/cli/program.ts';
import { runCli } from './run-cli.ts';

test('wrong use is one line that says what, where and what is allowed; exit 2', async () => {
  const cases = [
    {
      argv: ['stats'],
      want: /^vipvs: unknown command "stats" \(Did you mean status\?\); commands: standalone, /,
    },
    { argv: ['--nope'], want: /^vipvs: unknown option "--nope"; commands: / },
    {
      argv: ['status', '--outptu', 'json'],
      want: /^vipvs: status: unknown option "--outptu" \(Did you mean --output\?\); `vipvs status --help` lists what is allowed$/,
    },
    {
      argv: ['status', '-o', 'xml'],
      want: /^vipvs: --output: "xml" is not allowed: one of table, wide, json, yaml$/,
    },
    {
      argv: ['status', '-o'],
      want: /^vipvs: status: option "-o, --output <format>" argument missing; /,
    },
    {
      argv: ['check', '-f', 'a\nb\u001b[2J'],
      want: /^vipvs: check: a\\u\{a\}b\\u\{1b\}\[2J: cannot be read: no such file or directory$/,
    },
    { argv: ['status', 'extra'], want: /^vipvs: status: too many arguments/ },
    { argv: ['completion'], want: /^vipvs: completion: missing required argument "shell"; / },
    {
      argv: ['completion', 'csh'],
      want: /^vipvs: completion: "csh" is no shell known here; one of bash, zsh, fish$/,
    },
  ];
  for (const { argv, want } of cases) {
    const { code, stdout, stderr } = await runCli(argv);
    assert.equal(code, 2, argv.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr.trimEnd(), want);
    assert.equal(stderr.trimEnd().includes('\n'), false, 'one line');
  }
});

test('an unknown variable with our prefix stops every command', async () => {
  const { code, stderr } = await runCli(['--version'], { env: { VIPVS_STATE: '/x' } });
  assert.equal(code, 2);
  assert.match(stderr, /^vipvs: unknown environment variable VIPVS_STATE/);
});

test('help and version answer on stdout with 0', async () => {
  const help = await runCli(['--help']);
  assert.equal(help.code, 0);
  for (const { name } of COMMANDS) assert.match(help.stdout, new RegExp(`^ {2}${name} `, 'm'));
  assert.match(help.stdout, /Exit codes: 0 done/);
  const version = await runCli(['--version']);
  assert.equal(version.code, 0);
  assert.match(version.stdout, /^vipvs \d+\.\d+\.\d+( \(\w+\))?, library ABI \d+, node v?24\./);
});

test('no command at all shows the help, as wrong use', async () => {
  const { code, stderr } = await runCli([]);
  assert.equal(code, 2);
  assert.match(stderr, /^Usage: vipvs/);
});

test('every command loads, says the same summary in both places, and has help', async () => {
  const entries = COMMANDS.flatMap((entry) => [
    { argv: [entry.name], entry },
    ...(entry.children ?? []).map((child) => ({ argv: [entry.name, child.name], entry: child })),
  ]);
  for (const { argv, entry } of entries) {
    assert.equal((await entry.load()).summary, entry.summary);
    const { code, stdout } = await runCli([...argv, '--help']);
    assert.equal(code, 0, argv.join(' '));
    assert.match(stdout, new RegExp(`^Usage: vipvs ${argv.join(' ')}`));
  }
});

test('a bug is thrown, not turned into a message', async () => {
  const io = {
    stdout: () => {
      throw new Error('bug');
    },
    stderr: () => undefined,
    readStdin: () => Promise.resolve(''),
    env: {},
    cwd: '/',
    isTty: false,
    signal: new AbortController().signal,
  };
  await assert.rejects(runCommandLine(['--version'], io), { message: 'bug' });
});

test('help COMMAND shows the options of that command', async () => {
  for (const argv of [['check'], ['check', 'host'], ['simulate'], ['standalone']]) {
    const help = await runCli(['help', ...argv]);
    assert.deepEqual(help, await runCli([...argv, '--help']));
    assert.equal(help.code, 0);
    assert.match(help.stdout, /-o, --output|--require-class/);
  }
  assert.equal((await runCli(['help'])).code, 0);
  const unknown = await runCli(['help', 'chekc']);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /^vipvs: unknown command "chekc" \(Did you mean check\?\)/);
});
