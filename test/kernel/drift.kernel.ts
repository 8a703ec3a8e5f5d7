// Other people's hands in a real kernel, with the tools that they use: what they changed is repaired and counted, what they
// made beside us inside our Pools is left alone and named.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cleanUp } from '../../src/ipvs-node/host/cleanup.ts';
import type { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import { Agent } from '../../src/ipvs-node/reconcile/agent.ts';
import { countRound } from '../../src/ipvs-node/report/metrics.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { SELF, run } from '../lab/topology.ts';
import { pool, service, slice, storeOf } from '../unit/ipvs-node/objects.ts';
import { DEVICE, RUN, ipvsRules, makeDevice, openKernel, until } from './adapter-lab.ts';

const VIP = '192.0.2.10';
const metrics = createMetrics();
let kernel: LinuxKernel;
let agent: Agent;
let rounds = 0;

async function drift(): Promise<Readonly<Record<string, number>>> {
  const text = await metrics.registry.metrics();
  const found = text.matchAll(/^vipvs_kernel_drift_total\{kind="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries([...found].map(([, kind = '', count]) => [kind, Number(count)]));
}

before(async () => {
  await makeDevice();
  kernel = await openKernel();
  agent = new Agent(
    storeOf(pool(), service(), slice(['10.0.0.1@self', '10.0.0.2'])),
    {
      kernel,
      clock: systemClock,
      random: Math.random,
      log: silentLog,
      report: () => undefined,
      onRound: (round) => {
        rounds += 1;
        countRound(metrics, round, 0);
      },
    },
    { node: { name: 'self', bindInterface: DEVICE, hasKubeProxy: false } },
  );
  agent.setSynced(true);
  await until('it is ready', () => agent.isReady);
});

after(async () => {
  await agent.stop();
  await kernel.close();
  metrics.process.stop();
  await cleanUp({ runDirectory: RUN, dryRun: false });
});

test('what the first round makes is no drift', async () => {
  assert.deepEqual(await drift(), {
    virtual_server: 0,
    real_server: 0,
    address: 0,
    firewall: 0,
    sysctl: 0,
  });
});

const HANDS: readonly {
  readonly command: readonly string[];
  readonly want: Readonly<Record<string, number>>;
  /** Nothing else tells of it: the test does not wait for the audit's minute. */
  readonly needsAudit?: boolean;
}[] = [
  { command: ['ipvsadm', '-C'], want: { virtual_server: 1, real_server: 2 } },
  { command: ['ip', 'address', 'del', `${VIP}/32`, 'dev', DEVICE], want: { address: 1 } },
  {
    command: ['ipvsadm', '-E', '-t', `${VIP}:80`, '-s', 'wlc'],
    want: { virtual_server: 1 },
    needsAudit: true,
  },
  {
    command: ['ipvsadm', '-d', '-t', `${VIP}:80`, '-r', '10.0.0.1:8080'],
    want: { real_server: 1 },
    needsAudit: true,
  },
  {
    command: ['ipvsadm', '-e', '-t', `${VIP}:80`, '-r', '10.0.0.2:8080', '-m', '-w', '7'],
    want: { real_server: 1 },
    needsAudit: true,
  },
  {
    command: ['sysctl', '-w', 'net.ipv4.vs.conntrack=0'],
    want: { sysctl: 1 },
    needsAudit: true,
  },
  {
    command: ['nft', 'flush', 'set', 'inet', 'vipvs', 'local4'],
    want: { firewall: 1 },
    needsAudit: true,
  },
];
for (const { command, want, needsAudit = false } of HANDS) {
  test(`${command.join(' ')}: repaired and counted`, async () => {
    const rules = await ipvsRules();
    const counted = await drift();
    const done = rounds;
    await run(SELF, command);
    if (needsAudit) agent.audit();
    await until('a round repaired it', () => rounds > done);
    await until('the rules are as they were', async () => (await ipvsRules()) === rules);
    const now = await drift();
    const more = Object.entries(now).map(([kind, count]) => [kind, count - (counted[kind] ?? 0)]);
    assert.deepEqual(Object.fromEntries(more.filter(([, count]) => count !== 0)), want);
  });
}

test('a virtual server of somebody else inside a Pool is named, one outside is not', async () => {
  for (const vip of ['192.0.2.50', '203.0.113.50']) {
    await run(SELF, ['ipvsadm', '-A', '-t', `${vip}:80`, '-s', 'wlc']);
  }
  const listed = [...((await kernel.listForeignServers()) ?? [])];
  assert.deepEqual(listed.sort(), [
    ['192.0.2.50:80/TCP', '192.0.2.50'],
    ['203.0.113.50:80/TCP', '203.0.113.50'],
  ]);
  agent.audit();
  await until('it is named', () => agent.foreignServers.length > 0);
  assert.deepEqual(agent.foreignServers, ['192.0.2.50:80/TCP (scheduler wlc, no real servers)']);
  for (const vip of ['192.0.2.50', '203.0.113.50']) {
    await run(SELF, ['ipvsadm', '-D', '-t', `${vip}:80`]);
  }
});
