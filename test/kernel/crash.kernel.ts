// The Linux adapter when things go wrong, and what it leaves behind: settings, cleanup, a record cut in half, a full disk,
// a second instance, kill -9.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { cleanUp } from '../../src/ipvs-node/host/cleanup.ts';
import type { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import { realServerKey, virtualServerKey } from '../../src/net/ipvs.ts';
import { SELF, ip, run, start, stop } from '../lab/topology.ts';
import { addElement } from '../contract/firewall-op.ts';
import {
  CHILD,
  DEVICE,
  RUN,
  VIP,
  VIP6,
  add,
  bind,
  errnos,
  ipvsRules,
  makeDevice,
  openKernel,
  realServer,
  virtualServer,
} from './adapter-lab.ts';

let kernel: LinuxKernel;

before(async () => {
  await makeDevice();
  kernel = await openKernel();
});

afterEach(async () => {
  await kernel.close();
  await cleanUp({ runDirectory: RUN, dryRun: false });
  await run(SELF, ['ipvsadm', '-C']);
  kernel = await openKernel();
});

after(async () => {
  await kernel.close();
});

test('settings are raised, never lowered, and restored by cleanup', async () => {
  const read = (): string =>
    readFileSync('/proc/sys/net/ipv4/vs/expire_nodest_conn', 'utf8').trim();
  writeFileSync('/proc/sys/net/ipv4/vs/conntrack', '1');
  assert.equal(read(), '0');
  const results = await kernel.run([
    { op: 'sysctl.set', key: 'net/ipv4/vs/expire_nodest_conn', value: 1 },
    { op: 'sysctl.set', key: 'net/ipv4/vs/conntrack', value: 0 },
    { op: 'sysctl.set', key: 'net/ipv4/vs/nosuch', value: 1 },
  ]);
  assert.deepEqual(errnos(results), ['ok', 'ok', 'ENOENT']);
  assert.equal(read(), '1');
  assert.equal(readFileSync('/proc/sys/net/ipv4/vs/conntrack', 'utf8').trim(), '1');
  await kernel.close();
  const steps = await cleanUp({ runDirectory: RUN, dryRun: false });
  assert.deepEqual(
    steps.map((step) => step.what),
    ['sysctl net.ipv4.vs.expire_nodest_conn 1 -> 0'],
  );
  assert.equal(read(), '0');
  kernel = await openKernel();
});

test('cleanup deletes what is ours and leaves everything else, and may run twice', async () => {
  const foreign = [
    '-A -t 203.0.113.5:80 -s rr',
    '-a -t 203.0.113.5:80 -r 10.9.0.1:80 -m',
    '-A -f 7 -s rr',
    `-A -t ${VIP}:8443 -s wlc`,
  ];
  await run(SELF, ['ipvsadm', '-R'], { input: `${foreign.join('\n')}\n` });
  await ip(SELF, [`address add 203.0.113.5/32 dev ${DEVICE}`]);
  await run(SELF, ['nft', 'add', 'table', 'inet', 'others']);
  const before = {
    rules: await ipvsRules(),
    addresses: (await run(SELF, ['ip', '-o', 'address', 'show', 'dev', DEVICE])).stdout,
    tables: (await run(SELF, ['nft', 'list', 'tables'])).stdout,
  };
  await kernel.run([
    add(),
    add(virtualServer(VIP6)),
    bind(VIP),
    bind(VIP6),
    addElement('vips4', VIP),
  ]);
  const { drainRecord } = kernel;
  const drains = new Map([
    [virtualServerKey(virtualServer()), new Map([[realServerKey(realServer(2)), 0]])],
  ]);
  assert.equal(drainRecord.save(drains, 0), undefined);
  await kernel.close();
  const planned = await cleanUp({ runDirectory: RUN, dryRun: true });
  assert.equal(drainRecord.load(0).starts.size, 1);
  assert.notEqual(await ipvsRules(), before.rules);
  const steps = await cleanUp({ runDirectory: RUN, dryRun: false });
  assert.deepEqual(steps, planned);
  assert.equal(drainRecord.load(0).starts.size, 0);
  assert.deepEqual(
    steps.map((step) => step.what),
    [
      `address ${VIP} on ${DEVICE}`,
      `address ${VIP6} on ${DEVICE}`,
      'virtual server 192.0.2.10:80/TCP',
      'virtual server [2001:db8::10]:80/TCP',
      'nft table inet vipvs',
    ],
  );
  assert.deepEqual(
    {
      rules: await ipvsRules(),
      addresses: (await run(SELF, ['ip', '-o', 'address', 'show', 'dev', DEVICE])).stdout,
      tables: (await run(SELF, ['nft', 'list', 'tables'])).stdout,
    },
    before,
  );
  assert.deepEqual(await cleanUp({ runDirectory: RUN, dryRun: false }), []);
  await ip(SELF, [`address del 203.0.113.5/32 dev ${DEVICE}`]);
  await run(SELF, ['nft', 'delete', 'table', 'inet', 'others']);
  kernel = await openKernel();
});

test('a record that was cut in half is read up to there, and written on whole', async () => {
  await kernel.run([add(), add(virtualServer(VIP, 81))]);
  await kernel.close();
  const file = `${RUN}/${(await run(SELF, ['ls', RUN])).stdout.trim()}`;
  appendFileSync(file, '+vs 192.0.2.10:8');
  kernel = await openKernel();
  assert.deepEqual(
    [...kernel.owned.virtualServers.keys()],
    ['192.0.2.10:80/TCP', '192.0.2.10:81/TCP'],
  );
  await kernel.run([add(virtualServer(VIP, 82))]);
  assert.match(
    readFileSync(file, 'utf8'),
    /^vipvs-owned 1 .*\n(\+vs 192\.0\.2\.10:8[0-2]\/TCP\n){3}$/,
  );
});

test('readings write nothing into the record, settle() does', async () => {
  await kernel.run([add(), bind()]);
  const file = `${RUN}/${(await run(SELF, ['ls', RUN])).stdout.trim()}`;
  const recorded = readFileSync(file, 'utf8');
  await run(SELF, ['ipvsadm', '-C']);
  const key = virtualServerKey(virtualServer());
  await kernel.observeVirtualServers([key]);
  await kernel.observeHost();
  const { addresses } = await kernel.observe();
  assert.equal(readFileSync(file, 'utf8'), recorded);
  kernel.settle({ gone: [key], addresses });
  assert.equal(readFileSync(file, 'utf8'), `${recorded}-vs ${key}\n`);
});

test('without room for the record nothing is made, and with room again it is', async () => {
  await kernel.close();
  mkdirSync(RUN, { recursive: true });
  await run(SELF, ['mount', '-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', RUN]);
  try {
    kernel = await openKernel();
    await kernel.run([add()]);
    await run(SELF, ['dd', 'if=/dev/zero', `of=${RUN}/full`, 'bs=4k'], { mayFail: true });
    const many = Array.from({ length: 2000 }, (_, i) => add(virtualServer(VIP, 1000 + i)));
    const results = await kernel.run([
      ...many,
      { op: 'vs.set', server: { ...virtualServer(), scheduler: 'wrr' } },
    ]);
    assert.deepEqual(new Set(errnos(results.slice(0, -1))), new Set(['ENOSPC']));
    assert.deepEqual(errnos(results.slice(-1)), ['ok'], 'what needs no new line goes on');
    assert.equal((await kernel.observe()).virtualServers?.size, 1);
    await run(SELF, ['rm', `${RUN}/full`]);
    assert.deepEqual(errnos(await kernel.run([add(virtualServer(VIP, 1000))])), ['ok']);
    await kernel.close();
    kernel = await openKernel();
    assert.equal(kernel.owned.virtualServers.size, 2);
    await kernel.close();
    await cleanUp({ runDirectory: RUN, dryRun: false });
  } finally {
    await run(SELF, ['umount', RUN]);
  }
  kernel = await openKernel();
});

test('a second instance is refused and told who is first', async () => {
  assert.equal(
    (await run(SELF, ['node', CHILD, 'instance', '/run/elsewhere'])).stdout.trim(),
    `another vipvs manages this network namespace (process ${process.pid}); stop it first`,
  );
});

test('kill -9 during a batch: the next start knows every virtual server that was made', async () => {
  await kernel.close();
  for (const waitMs of [40, 150]) {
    const child = start(SELF, ['node', CHILD, 'batch', RUN, '5000']);
    if (child.stdout === null) assert.fail('no stdout');
    await once(child.stdout, 'data');
    await delay(waitMs);
    await stop(child, 'SIGKILL');
    kernel = await openKernel();
    const { owned } = kernel;
    const { virtualServers } = await kernel.observe();
    const keys = [...(virtualServers?.keys() ?? [])];
    assert.deepEqual(
      keys.filter((key) => !owned.virtualServers.has(key)),
      [],
    );
    await kernel.close();
    await cleanUp({ runDirectory: RUN, dryRun: false });
    assert.equal(await ipvsRules(), '');
  }
  kernel = await openKernel();
});

/** What a start in another process says. */
async function startSays(...before: readonly string[]): Promise<string> {
  const command = [...before, process.execPath, CHILD, 'instance', '/run/elsewhere'];
  return (await run(SELF, command)).stdout.trim();
}

test('without root it says which right is missing', async () => {
  await kernel.close();
  const nobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups'];
  // the checkout may be in somebody's home, which nobody else may enter
  nobody.push('--inh-caps', '+dac_read_search', '--ambient-caps', '+dac_read_search');
  assert.match(await startSays(...nobody), /EPERM; CAP_NET_ADMIN in the initial user namespace/);
  kernel = await openKernel();
});

test(
  'a kernel without IPVS is named, and how to load it',
  { skip: process.env['VIPVS_LAB'] === 'host' ? 'would unload the module of this host' : false },
  async () => {
    const helper = '/proc/sys/kernel/modprobe';
    const modprobe = readFileSync(helper, 'utf8');
    await kernel.close();
    writeFileSync(helper, '/bin/false\n');
    try {
      const loaded = (await run(SELF, ['lsmod'])).stdout.match(/^ip_vs\w*/gm) ?? [];
      await run(SELF, ['rmmod', ...loaded.filter((name) => name !== 'ip_vs'), 'ip_vs']);
      assert.match(await startSays(), /the kernel has no IPVS; load it with: modprobe ip_vs/);
    } finally {
      writeFileSync(helper, modprobe);
    }
    kernel = await openKernel();
  },
);
