// lab: -t 600
// `vipvs standalone` as its user runs it, on a real kernel with real packets: edits, restarts, crashes, and other people's
// hands in the kernel.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ChildProcess } from 'node:child_process';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  buildTopology,
  clientCommand,
  clientWords,
  countAnswers,
  ip,
  run,
  start,
  startServers,
  stop,
} from '../lab/topology.ts';

const DIRECTOR = 'director';
const DIR = '/tmp/manifests';
const VIP = '10.0.0.100';
const VIPVS = `${import.meta.dirname}/../../bin/vipvs`;
const PLACES = ['--state-dir', '/tmp/state', '--run-dir', '/tmp/run-vipvs'];
/** Far more than anything takes, also in a guest on a loaded machine. */
const LIMIT_MS = 120_000;
/** Looking costs three processes, and the guest has one CPU: seldom enough that the work gets most of it. */
const POLL_MS = 300;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + LIMIT_MS;
  while (!(await holds())) {
    if (performance.now() > deadlineMs) assert.fail(`did not come true: ${what}\n${log}`);
    await sleep(POLL_MS);
  }
}

const children: ChildProcess[] = [];
let vipvs: ChildProcess;
let log = '';

const POOL = `apiVersion: vipvs.io/v1alpha1
kind: Pool
metadata: { name: public }
spec: { addresses: [10.0.0.100-10.0.0.109, fd00::100-fd00::109] }
`;
const service = (name: string, extra = ''): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default${extra} }
spec: { type: LoadBalancer, ports: [{ name: p, port: 80 }] }
`;
const slice = (name: string, ...addresses: readonly string[]): string => `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${name}-1, namespace: default, labels: { kubernetes.io/service-name: ${name} } }
addressType: IPv4
ports: [{ name: p, port: 80 }]
endpoints: [${addresses.map((address) => `{ addresses: [${address}] }`).join(', ')}]
`;

async function apply(file: string, text: string): Promise<void> {
  await writeFile(`${DIR}/.${file}.new`, text);
  await rename(`${DIR}/.${file}.new`, `${DIR}/${file}`);
}

function launch(...more: readonly string[]): ChildProcess {
  const flags = ['-f', DIR, '--bind-iface', 'eth0', '--node-name', 'director', ...PLACES];
  const child = start(DIRECTOR, [VIPVS, 'standalone', ...flags, ...more]);
  children.push(child);
  child.stdout?.resume();
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
  return child;
}

async function untilReady(): Promise<void> {
  await until('standalone is ready', async () => {
    assert.equal(vipvs.exitCode, null, log);
    const curl = ['curl', '-sf', '-o', '/dev/null', 'http://127.0.0.1:9472/readyz'];
    return (await run(DIRECTOR, curl, { mayFail: true })).code === 0;
  });
}

/** Rules without their counters, and our address on the interface: what must not change by itself. */
async function kernelText(): Promise<string> {
  const { stdout } = await run(DIRECTOR, ['ipvsadm', '-Sn']);
  const addresses = await run(DIRECTOR, ['ip', '-o', 'address', 'show', 'dev', 'eth0']);
  return stdout + addresses.stdout;
}
const untilKernel = (what: string, holds: (text: string) => boolean): Promise<void> =>
  until(what, async () => holds(await kernelText()));

async function status(): Promise<string> {
  return (await run(DIRECTOR, [VIPVS, 'status', '--state-dir', '/tmp/state'])).stdout;
}

interface Stream {
  /** One TCP connection with a round trip every 50 ms: how it ended. */
  readonly end: Promise<string>;
}

async function openStream(seconds: number): Promise<Stream> {
  const child = start('client', clientCommand('stream', VIP, 80, seconds, 50));
  children.push(child);
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  const end = once(child, 'close').then(() => clientWords(text)['end'] ?? text);
  await until('the stream is there', async () => {
    const { stdout } = await run(DIRECTOR, ['ipvsadm', '-Lnc']);
    return stdout.includes('ESTABLISHED');
  });
  return { end };
}

before(async () => {
  const { backends } = await buildTopology({ directors: [DIRECTOR], backends: ['be1', 'be2'] });
  children.push(...(await startServers(backends)));
  await mkdir(DIR, { recursive: true });
  await apply('pool.yaml', POOL);
  await apply('web.yaml', service('web') + slice('web', '10.0.0.21', '10.0.0.22'));
  vipvs = launch();
  await untilReady();
  await untilKernel('the VIP', (text) => text.includes(`${VIP}/32`));
});

after(async () => {
  for (const child of children) await stop(child, 'SIGKILL');
});

test('requests through the VIP reach both backends', async () => {
  assert.deepEqual(await countAnswers('client', 'tcp', VIP, 80, 10), { be1: 5, be2: 5 });
});

test('plan finds nothing to do in what dump prints', async () => {
  const { stdout } = await run(DIRECTOR, [VIPVS, 'dump']);
  await writeFile('/tmp/dumped', stdout);
  const plan = [VIPVS, 'plan', '--node', 'director', '-f', DIR, '--observed', '/tmp/dumped'];
  const { code, stdout: todo } = await run(DIRECTOR, plan, { mayFail: true });
  assert.equal(todo, '', stdout);
  assert.equal(code, 0);
});

test('an edit is in the kernel at once, and a stream goes on through it', async () => {
  const stream = await openStream(6);
  await apply('web.yaml', service('web') + slice('web', '10.0.0.22'));
  await untilKernel('be1 drains', (rules) => rules.includes('-r 10.0.0.21:80 -m -w 0'));
  await apply('web.yaml', service('web') + slice('web', '10.0.0.21', '10.0.0.22'));
  await untilKernel('be1 is back', (rules) => rules.includes('-r 10.0.0.21:80 -m -w 1'));
  assert.equal(await stream.end, 'ok');
});

test('when a drain began is on disk, and outlives kill -9', async () => {
  await apply('web.yaml', service('web') + slice('web', '10.0.0.21'));
  await untilKernel('be2 is left out', (rules) => !rules.includes('-r 10.0.0.22:80 -m -w 1'));
  const stream = await openStream(12);
  await apply('web.yaml', service('web') + slice('web', '10.0.0.22'));
  const line = new RegExp(`^.*\\n${VIP}:80/TCP 10\\.0\\.0\\.21:80 \\d+\\n$`);
  await until('the drain is noted', async () => line.test(await noted()));
  const before_ = await noted();
  await killAll('SIGKILL');
  vipvs = launch();
  await untilReady();
  assert.equal(await noted(), before_);
  await apply('web.yaml', service('web') + slice('web', '10.0.0.21', '10.0.0.22'));
  await until('nothing drains', async () => (await noted()) === '');
  assert.equal(await stream.end, 'ok');
});

/** The record of when drains began; empty where there is none. */
async function noted(): Promise<string> {
  const { stdout } = await run(DIRECTOR, ['sh', '-c', 'cat /tmp/run-vipvs/drains-* || true']);
  return stdout;
}

test('ipvsadm -C by somebody else is repaired', async () => {
  const before_ = await kernelText();
  await run(DIRECTOR, ['ipvsadm', '-C']);
  await untilKernel('the rules are back', (text) => sorted(text) === sorted(before_));
});

const sorted = (text: string): string => text.split('\n').sort().join('\n');

test('an address that somebody removed is put back', async () => {
  await ip(DIRECTOR, [`address del ${VIP}/32 dev eth0`]);
  await untilKernel('the address is back', (text) => text.includes(`${VIP}/32`));
});

test('a deleted nft table is put back by the audit', async () => {
  await run(DIRECTOR, ['nft', 'delete', 'table', 'inet', 'vipvs']);
  // the audit's minute is too long for a test: a restart reads the whole kernel, too
  await stop(vipvs);
  vipvs = launch();
  await untilReady();
  await until('the table is back', async () => {
    const { code } = await run(DIRECTOR, ['nft', 'list', 'table', 'inet', 'vipvs'], {
      mayFail: true,
    });
    return code === 0;
  });
});

test('a second instance refuses and names the first', async () => {
  const second = launch('--listen', 'off');
  log = '';
  await once(second, 'close');
  assert.equal(second.exitCode, 1);
  assert.match(log, new RegExp(`another vipvs .*\\(process ${vipvs.pid}\\)`));
});

test('a restart changes nothing in the kernel, neither does kill -9', async () => {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    const before_ = await kernelText();
    const stream = await openStream(8);
    await killAll(signal);
    assert.equal(await kernelText(), before_, `after ${signal}`);
    vipvs = launch();
    await untilReady();
    assert.equal(await kernelText(), before_, `after the start that followed ${signal}`);
    assert.equal(await stream.end, 'ok');
  }
});

/** bin/vipvs becomes Node by exec, and `ip netns exec` becomes bin/vipvs: the child is the process itself. */
async function killAll(signal: NodeJS.Signals): Promise<void> {
  await stop(vipvs, signal);
}

test('what happened to the manifests while it was down is made good', async () => {
  await killAll('SIGKILL');
  await rm(`${DIR}/web.yaml`);
  await apply('other.yaml', service('other') + slice('other', '10.0.0.22'));
  vipvs = launch();
  await untilReady();
  await untilKernel('only the other Service is there', (text) => {
    // the freed address went to the other one: be1's old connections may still drain
    return text.includes('-r 10.0.0.22:80 -m -w 1') && !text.includes('-r 10.0.0.21:80 -m -w 1');
  });
  await rm(`${DIR}/other.yaml`);
  await apply('web.yaml', service('web') + slice('web', '10.0.0.21', '10.0.0.22'));
  await untilKernel('web is back', (text) => text.includes('-r 10.0.0.21:80 -m -w 1'));
});

test('the vanished directory deletes nothing, and edits count again when it is back', async () => {
  await until('web has its address', async () => (await status()).includes('default/web'));
  const before_ = await kernelText();
  await rename(DIR, `${DIR}.away`);
  await until('it is said', () => log.includes('manifests are away'));
  assert.equal(await kernelText(), before_);
  await rename(`${DIR}.away`, DIR);
  await apply('web.yaml', service('web') + slice('web', '10.0.0.21'));
  await untilKernel('be2 leaves', (text) => !text.includes('-r 10.0.0.22:80 -m -w 1'));
});

test('a malformed file stops nobody, and is named with its line', async () => {
  await apply('broken.yaml', 'apiVersion: v1\nkind: Service\nmetadata: {name: [}\n');
  await until('it is named', () => /broken\.yaml:3/.test(log));
  await apply('third.yaml', service('third') + slice('third', '10.0.0.21'));
  await untilKernel('the third is served', (text) => text.includes('10.0.0.101/32'));
  await rm(`${DIR}/broken.yaml`);
  await rm(`${DIR}/third.yaml`);
});

test('an interface that is missing is said, and used when it comes', async () => {
  const pool = POOL.replace('public', 'later').replace(
    '[10.0.0.100-10.0.0.109, fd00::100-fd00::109]',
    '[10.0.0.150], bindInterface: late0',
  );
  await apply('later.yaml', pool);
  const wish = ', annotations: { vipvs.io/pool: later }';
  await apply('late.yaml', service('late', wish) + slice('late', '10.0.0.21'));
  await until('it is said', async () => /late0/.test(await status()));
  await ip(DIRECTOR, ['link add late0 type dummy', 'link set late0 up']);
  await until('it is bound', async () => {
    const { stdout } = await run(DIRECTOR, ['ip', '-o', 'address', 'show', 'dev', 'late0']);
    return stdout.includes('10.0.0.150/32');
  });
});

test('foreign rules survive it all, and cleanup takes only ours', async () => {
  const foreign = '-A -t 203.0.113.9:80 -s rr\n-a -t 203.0.113.9:80 -r 10.0.0.21:80 -m -w 1\n';
  await run(DIRECTOR, ['ipvsadm', '-R'], { input: foreign });
  await stop(vipvs);
  const { stdout } = await run(DIRECTOR, [VIPVS, 'cleanup', '--run-dir', '/tmp/run-vipvs']);
  assert.notEqual(stdout, '');
  const text = await kernelText();
  assert.match(text, /203\.0\.113\.9:80/);
  assert.doesNotMatch(text, /10\.0\.0\.1\d\d\//);
  assert.doesNotMatch(text, /-t 10\.0\.0\.1/);
});
