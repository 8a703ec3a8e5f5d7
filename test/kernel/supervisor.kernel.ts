// lab: -t 900 -m 1024M
// vipvs-keepalived with a real keepalived on both sides of a link: its life, its configuration, and who sees to the
// addresses. What needs no keepalived is tested in C (native/test/supervisor_*).
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import {
  FakeAgent,
  PeerDirector,
  SUPERVISOR,
  SharedDir,
  Supervised,
  boundBecome,
  boundVips,
  buildLink,
  until,
} from '../lab/supervised.ts';
import { SELF, ip, run, start } from '../lab/topology.ts';

const GROUPS = ['eth0-1', 'eth0-2'];
const [ONE, TWO] = ['eth0-1', 'eth0-2'] as const;
const VIPS = ['10.0.0.101', 'fd00::101'];
const LIST = '10.0.0.101/32 eth0\nfd00::101/128 eth0\n';
/** Longer than a connected agent has for a transition. */
const AGENT_ACTS_MS = 2_000;
/** An emulated processor needs minutes for five thousand. */
const COUNT = process.env['VIPVS_LAB'] === 'host' ? 5_000 : 1_000;

const peer = new PeerDirector(new SharedDir('/run/peer'));
const dir = new SharedDir('/run/vipvs/vrrp');
let running: Supervised | undefined;
const agents: FakeAgent[] = [];

before(async () => {
  await buildLink();
  await peer.begin(GROUPS);
});

afterEach(async () => {
  for (const agent of agents.splice(0)) agent.close();
  await running?.stop();
  running = undefined;
  await run(SELF, ['ip', 'address', 'flush', 'dev', 'eth0', 'to', '10.0.0.96/27'], {
    mayFail: true,
  });
  for (const group of GROUPS) await peer.takes(group, false);
});

after(() => peer.end());

async function begin(...flags: readonly string[]): Promise<Supervised> {
  await dir.create(GROUPS, 0);
  await dir.write(`vips/${ONE}`, LIST);
  await dir.configure(GROUPS);
  running = new Supervised(dir, 'lab', flags);
  return running;
}

async function agentThat(manner: 'acts' | 'hangs' | 'pongs'): Promise<FakeAgent> {
  const agent = await FakeAgent.connect('lab', manner);
  agents.push(agent);
  return agent;
}

test('with an agent it tells and touches no address; a reload moves nothing; a bad configuration keeps the old one', async () => {
  const supervised = await begin();
  const agent = await agentThat('acts');
  await agent.hears(/^hello 1 \d+\.\d+\.\d+ (\d+\.\d+\.\d+|-)$/);
  await agent.hears(`state ${ONE} MASTER 200`);
  await dir.reaches(ONE, 'MASTER 200');
  await delay(AGENT_ACTS_MS + 500);
  assert.deepEqual(await boundVips(), []);

  const pid = supervised.keepalivedPid();
  await dir.write('keepalived.conf', 'nonsense\u0007 {\n}\n');
  await until('the problem is told', () => dir.read('problem') !== '');
  assert.match(
    dir.read('problem'),
    /^keepalived\.conf: keepalived -t refuses it:\n[^\u0007]*nonsense/,
  );
  await dir.configure([...GROUPS, 'eth0-3']);
  await agent.hears(/^state eth0-3 BACKUP/);
  assert.equal(dir.read('problem'), '');
  await dir.configure(GROUPS);
  await agent.hears(/^state eth0-3 DELETED/);
  await until('a deleted group is forgotten', () => dir.read('state/eth0-3') === '');
  assert.equal(supervised.keepalivedPid(), pid);
  assert.deepEqual(agent.heard.filter((line) => line.startsWith(`state ${ONE} `)).slice(-1), [
    `state ${ONE} MASTER 200`,
  ]);
});

test('an agent that hangs: its addresses are bound and cleared after two seconds, and it can read that', async () => {
  await begin();
  const agent = await agentThat('hangs');
  await dir.reaches(ONE, 'MASTER 200 bound');
  await boundBecome(VIPS);
  await peer.takes(ONE, true);
  await dir.reaches(ONE, 'BACKUP 200 cleared');
  assert.deepEqual(await boundVips(), []);
  agent.goOn('acts');
  await agent.hears(`state ${ONE} BACKUP 200 cleared`);
  assert.equal(dir.read(`state/${ONE}`), 'BACKUP 200 cleared');
  await peer.takes(ONE, false);
  await agent.hears(`state ${ONE} MASTER 200`);
  await dir.reaches(ONE, 'MASTER 200');
});

test('an agent that is away: the priority falls, another director takes over, the addresses go; then it comes back', async () => {
  await peer.dir.write(`priority/${ONE}`, '-20\n');
  const supervised = await begin('--agent-limit', '3');
  await dir.write(`priority/${ONE}.away`, '-40\n');
  await dir.write(`priority/${TWO}.away`, '-254\n');
  const agent = await agentThat('pongs');
  await dir.reaches(ONE, 'MASTER 200 bound');
  agent.hang();
  await until('lowered', () => dir.read(`priority/${ONE}`) === '-40');
  await dir.reaches(ONE, 'BACKUP 160 cleared');
  assert.deepEqual(await boundVips(), []);
  assert.equal(dir.read(`priority/${TWO}`), '0', 'a value that faults is not taken');
  assert.ok(supervised.has(`priority/${TWO}.away: not a number from -253 to 253`));
  agent.goOn('acts');
  await agent.hears('away');
  await dir.write(`priority/${ONE}`, '0\n');
  await dir.reaches(ONE, 'MASTER 200');
  await delay(4_000);
  assert.equal(dir.read(`priority/${ONE}`), '0', 'what an agent writes that answers stays');
});

test('no agent: transitions are carried out at once, with what is not ours left alone', async () => {
  await ip(SELF, ['address add 10.0.0.102/32 dev eth0']);
  const supervised = await begin('--agent-limit', '600');
  await dir.write(`vips/${ONE}`, `${LIST}10.0.0.102/32 eth0\nnonsense\n10.0.0.103/32 nosuch0\n`);
  await dir.write(`vips/${TWO}`, '10.0.0.104/32 eth0\n');
  // the interface that is missing keeps its duty open; the rest is there
  await boundBecome([...VIPS, '10.0.0.102', '10.0.0.104']);
  await dir.reaches(TWO, 'MASTER 200 bound');
  await supervised.says(`vips/${ONE}: not ADDRESS/PREFIX INTERFACE: nonsense`);
  await supervised.says(`vips/${ONE}: interface nosuch0 is missing`);
  await peer.takes(ONE, true);
  await dir.reaches(ONE, 'BACKUP 200 cleared');
  assert.deepEqual([...(await boundVips())].sort(), ['10.0.0.102', '10.0.0.104']);
  await supervised.says(/1 addresses of its list are there without our tag/);
});

test('keepalived killed: dead is told, the addresses stay, it is started again', async () => {
  const supervised = await begin();
  await dir.reaches(ONE, 'MASTER 200 bound');
  const agent = await agentThat('acts');
  const pids = [supervised.keepalivedPid('vrrp.pid'), supervised.keepalivedPid()];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await agent.hears(`state ${ONE} DEAD 0 bound`);
  await until('it runs again', () => ![...pids, 0].includes(supervised.keepalivedPid('vrrp.pid')));
  await dir.reaches(ONE, 'MASTER 200');
  assert.deepEqual([...(await boundVips())].sort(), VIPS);
  // its first process alone: the second one says goodbye
  process.kill(supervised.keepalivedPid(), 'SIGKILL');
  await agent.hears(`state ${ONE} STOP 200`);
  await until('after that it is dead, then it runs', () => agent.heard.filter((line) => line.startsWith(`state ${ONE} MASTER`)).length >= 3); // prettier-ignore
  assert.equal(supervised.has('keepalived was ended by signal 9; started again in 0 ms'), true);
});

test('a keepalived that can not be run, and one that ends at once: told, tried again, never for ever', async () => {
  const supervised = await begin('--keepalived', '/usr/sbin/no-such-keepalived');
  await until('the problem is told', () => dir.read('problem').includes('No such file'));
  await supervised.stop();
  const fake = '/run/fake-keepalived';
  await writeFile(
    fake,
    '#!/bin/sh\ncase " $* " in *" -t "*) exit 0;; esac\necho crash >&2\nexit 3\n',
    { mode: 0o755 },
  );
  const crashing = await begin('--keepalived', fake);
  await crashing.says('keepalived ended with exit code 3; started again in 1000 ms');
  await crashing.says('keepalived ended with exit code 3; started again in 2000 ms');
  assert.match(dir.read('problem'), /^keepalived ended with exit code 3, \d times in a row$/);
});

test('told to end: cleared when no agent is there, after keepalived has said goodbye', async () => {
  const supervised = await begin();
  await dir.reaches(ONE, 'MASTER 200 bound');
  await supervised.stop();
  assert.equal(dir.read(`state/${ONE}`), 'DEAD 0 cleared');
  assert.deepEqual(await boundVips(), []);
});

test('told to end: the addresses of an agent that stays are its own, those of one that goes, too, are cleared', async () => {
  const supervised = await begin();
  await dir.reaches(ONE, 'MASTER 200 bound');
  const agent = await agentThat('acts');
  await agent.hears(`state ${ONE} MASTER 200 bound`);
  supervised.terminate();
  await agent.hears(`state ${ONE} DEAD 0`);
  await supervised.exited;
  assert.deepEqual([...(await boundVips())].sort(), VIPS);
  await until('the socket closes', () => agent.closed);

  const next = await begin();
  await dir.reaches(ONE, 'MASTER 200 bound');
  const leaving = await agentThat('acts');
  next.terminate();
  await leaving.hears(`state ${ONE} DEAD 0`);
  leaving.close();
  await next.exited;
  assert.deepEqual(await boundVips(), []);
});

test('one agent at a time, of the same user; one supervisor at a time; what nobody understands is told and passed over', async () => {
  const supervised = await begin();
  const first = await agentThat('acts');
  await first.hears(`state ${ONE} MASTER 200`);
  const second = await agentThat('acts');
  await second.hears(`state ${ONE} MASTER 200`);
  await until('the first one is disconnected', () => first.closed);

  const stranger = start(SELF, [
    'setpriv',
    '--reuid',
    '65534',
    '--clear-groups',
    'socat',
    '-',
    'ABSTRACT-CONNECT:vipvs-vrrp/lab',
  ]);
  await supervised.says(/a process of user 65534 may not connect/);
  if (stranger.exitCode === null) await once(stranger, 'exit');

  second.say(`pong\ndone ../${ONE} MASTER\n${'x'.repeat(5000)}\ndone nobody MASTER\n`);
  await supervised.says('the agent sent a line that is none: pong');
  await writeFile(
    `${dir.path}/notify.fifo`,
    `nonsense\u001b\n${'y'.repeat(5000)}\nINSTANCE "forged" FAULT 7\n`,
  );
  await second.hears('state forged FAULT 7');
  await supervised.says('notify.fifo: not a line of keepalived: nonsense\\\\u001b');
  await supervised.says('notify.fifo: a line of more than 256 characters');
  assert.equal(second.closed, false);

  const other = new Supervised(new SharedDir('/run/other'), 'lab');
  await other.says('@vipvs-vrrp/lab: another process has it');
  await other.stop();
  assert.equal(other.has('started as process'), false);
});

test('64 groups', async () => {
  const groups = Array.from({ length: 64 }, (_, i) => `eth0-${i + 1}`);
  await dir.create(groups, 0);
  await dir.configure(groups);
  running = new Supervised(dir, 'lab');
  for (const group of groups) await dir.reaches(group, 'MASTER 200 bound');
  await running.stop();
  for (const group of groups) assert.equal(dir.read(`state/${group}`), 'DEAD 0 cleared');
});

test('thousands of addresses in one group', async (context) => {
  const supervised = await begin();
  const many = Array.from(
    { length: COUNT / 2 },
    (_, i) => `10.7.${i >> 8}.${i & 255}/32 eth0\nfd00:7::${i.toString(16)}/128 eth0\n`,
  );
  await dir.write(`vips/${ONE}`, many.join(''));
  await dir.reaches(ONE, 'MASTER 200 bound');
  assert.equal((await boundVips()).length, COUNT);
  await peer.takes(ONE, true);
  await dir.reaches(ONE, 'BACKUP 200 cleared');
  assert.deepEqual(await boundVips(), []);
  for (const line of supervised.said.filter((said) => said.includes(`group ${ONE}: `))) {
    context.diagnostic(/"msg":"([^"]*)"/.exec(line)?.[1] ?? line);
  }
});

test('it needs CAP_NET_ADMIN and CAP_NET_RAW and a directory to write to, nothing else', async () => {
  await dir.create(GROUPS, 0);
  await dir.write(`vips/${ONE}`, LIST);
  await dir.configure(GROUPS);
  const caps = '-all,+net_admin,+net_raw';
  const child = start(SELF, ['unshare', '--mount', 'sh', '-c',
    `mount --bind /run/vipvs /run/vipvs && mount -o remount,bind,ro /run && mount -o remount,bind,ro / && exec setpriv --bounding-set ${caps} --inh-caps ${caps} --no-new-privs "$@"`,
    'sh', SUPERVISOR, '--dir', dir.path, '--name', 'caps']); // prettier-ignore
  const said: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => said.push(text));
  try {
    await dir.reaches(ONE, 'MASTER 200 bound');
    await boundBecome(VIPS);
    await peer.takes(ONE, true);
    await dir.reaches(ONE, 'BACKUP 200 cleared');
    assert.doesNotMatch(said.join(''), /not permitted|denied|Read-only/i);
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
  }
});
