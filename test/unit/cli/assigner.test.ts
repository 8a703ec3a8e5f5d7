import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { after, before, test } from 'node:test';
import { runCli } from './run-cli.ts';

let home: string;
before(async () => {
  home = await mkdtemp(`${tmpdir()}/vipvs-home-`);
  const kubeconfig = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'here',
    contexts: [{ name: 'here', context: { cluster: 'c', user: 'u' } }],
    clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'u', user: { token: 't' } }],
  };
  await writeFile(`${home}/config`, JSON.stringify(kubeconfig));
  await writeFile(`${home}/broken`, '{');
});
after(() => rm(home, { recursive: true }));

test('what is wrong with the access to the API server is one line; exit 2', async () => {
  const cases = [
    { argv: [], want: /: no access to an API server: not in a pod, \$KUBECONFIG is not set and / },
    { argv: ['--kubeconfig', `${home}/none`], want: /\/none: .*no such file/ },
    { argv: ['--kubeconfig', `${home}/broken`], want: /\/broken: / },
    {
      argv: ['--kubeconfig', `${home}/config`, '--context', 'there'],
      want: /: no context "there"; there are here$/,
    },
    { argv: ['--hold-seconds', '-5'], want: /^vipvs: --hold-seconds: "-5" is not allowed: whole / },
    {
      argv: ['--lease-namespace', 'No'],
      want: /^vipvs: --lease-namespace: "No" is not allowed: a /,
    },
  ];
  for (const { argv, want } of cases) {
    const { code, stderr } = await runCli(['assigner', ...argv], { env: { HOME: home } });
    assert.equal(code, 2, argv.join(' '));
    assert.match(stderr.trimEnd(), want);
    assert.equal(stderr.trimEnd().includes('\n'), false, stderr);
  }
});

test('it waits for an API server that is away, and ends well when it is told to', async () => {
  const stop = new AbortController();
  const argv = ['--kubeconfig', `${home}/config`, '--listen', 'off', '--log-format', 'json'];
  const running = runCli(['assigner', ...argv], { env: { HOME: home }, signal: stop.signal });
  setImmediate(() => stop.abort());
  const { code, stderr } = await running;
  assert.equal(code, 0);
  assert.match(stderr, /"msg":"starting"/);
});
