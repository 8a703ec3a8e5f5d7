// Runs in the lab. 20,000 Services are in the kernel; then one endpoint of one Service changes, again and again. What a
// change costs from the changed object to the kernel's answer: CPU of the process (the kernel's part included), and
// how many operations. Then a while with nothing to do: how many writes and dumps. Prints one JSON line.
import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { releaseAllMemory } from '../../src/cli/release-memory.ts';
import { Agent } from '../../src/ipvs-node/reconcile/agent.ts';
import { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import type { Kernel } from '../../src/ipvs-node/model/kernel.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { filledStore, sliceOf } from './objects.ts';
import { quantile, rounded } from './table.ts';

const SERVICES = 20_000;
const ENDPOINTS = 2;
const CHANGES = 300;
const WARM_UP = 20;
const IDLE_MS = 5000;
const SETTLE_MS = 5000;
/** Longer than the loop coalesces: each change is a round of its own. */
const BETWEEN_MS = 60;

const calls = { writes: 0, dumps: 0, canaries: 0 };

/** The kernel with its calls counted. */
function counted(kernel: Kernel): Kernel {
  return {
    owned: kernel.owned,
    drainRecord: kernel.drainRecord,
    settle: (evidence) => kernel.settle(evidence),
    observe: () => {
      calls.dumps += 1;
      return kernel.observe();
    },
    observeHost: () => {
      calls.dumps += 1;
      return kernel.observeHost();
    },
    listForeignServers: () => {
      calls.dumps += 1;
      return kernel.listForeignServers();
    },
    observeVirtualServers: (keys) => kernel.observeVirtualServers(keys),
    run: (ops) => {
      calls.writes += ops.length;
      return kernel.run(ops);
    },
    canary: (key) => {
      calls.canaries += 1;
      return kernel.canary(key);
    },
    onChange: (listener) => kernel.onChange(listener),
    close: () => kernel.close(),
  };
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

execFileSync('ip', ['link', 'set', 'lo', 'up']);
execFileSync('ip', ['link', 'add', 'vips', 'type', 'dummy']);
execFileSync('ip', ['link', 'set', 'vips', 'up']);
const store = filledStore(SERVICES, ENDPOINTS);
const kernel = counted(await LinuxKernel.open({ runDirectory: mkdtempSync('/tmp/run') }));
let rounds = 0;
const agent = new Agent(
  store,
  {
    kernel,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    report: () => undefined,
    onRound: () => void (rounds += 1),
  },
  { node: { name: 'bench', bindInterface: 'vips', hasKubeProxy: false } },
);
const startMs = performance.now();
agent.setSynced(true);
while (!agent.isReady) await sleep(50);
const fullRoundMs = performance.now() - startMs;
// as every program does a while after its start
await sleep(SETTLE_MS);
releaseAllMemory();

const cpu: number[] = [];
const wall: number[] = [];
const ops: number[] = [];
for (let i = 0; i < WARM_UP + CHANGES; i++) {
  await sleep(BETWEEN_MS);
  const n = (i * 7919) % SERVICES;
  const before = store.get('EndpointSlice', `default/s${n}-1`);
  const after = sliceOf(n, ENDPOINTS, 1);
  const atStart = { cpu: cpuMs(), wall: performance.now(), writes: calls.writes, rounds };
  store.set(after);
  agent.changed(before, after);
  while (rounds === atStart.rounds) await new Promise((resolve) => setImmediate(resolve));
  if (i < WARM_UP) continue;
  cpu.push(cpuMs() - atStart.cpu);
  wall.push(performance.now() - atStart.wall);
  ops.push(calls.writes - atStart.writes);
}
await sleep(2000);
const before = { ...calls };
const idleCpu = cpuMs();
await sleep(IDLE_MS);
const result = {
  services: SERVICES,
  fullRoundMs: rounded(fullRoundMs),
  cpuP50Ms: rounded(quantile(cpu, 0.5)),
  cpuP99Ms: rounded(quantile(cpu, 0.99)),
  wallP50Ms: rounded(quantile(wall, 0.5)),
  wallP99Ms: rounded(quantile(wall, 0.99)),
  operationsP50: quantile(ops, 0.5),
  operationsMax: Math.max(...ops),
  idleSeconds: IDLE_MS / 1000,
  idleWrites: calls.writes - before.writes,
  idleDumps: calls.dumps - before.dumps,
  idleCanaryReads: calls.canaries - before.canaries,
  idleCpuMs: rounded(cpuMs() - idleCpu),
  rssMb: rounded(process.memoryUsage().rss / 2 ** 20),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
await agent.stop();
await kernel.close();
