// `make bench-agent`: the agent of a director and kube-proxy (ipvs mode), each in a guest of its own, on the same Services of one
// real API server: from start to all programmed, memory, and what one changed endpoint takes and costs.
//   node test/bench/agent.ts [N]...     default 100 1000 10000 (six minutes)
// Table on stdout, figures in test/bench/results/agent-N.json, so that sizes may be measured one at a time. Nothing is asserted.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { DIRECTORS } from '../../src/kube/own-kinds.ts';
import type { HttpApiClient } from '../../src/kube/transport.ts';
import { pool, startWorld } from '../cluster/assigner-world.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clientOf } from '../cluster/gadgets.ts';
import { BenchGuest } from './agent-guest.ts';
import { addEndpoint, createNode, createServices, ENDPOINTS, NODE } from './agent-objects.ts';
import { ServiceWatch } from './service-watch.ts';
import { formatTable, quantile, rounded, type Row } from './table.ts';

const ROOT = `${import.meta.dirname}/../..`;
const RESULTS = `${import.meta.dirname}/results`;
const SIZES = [100, 1000, 10_000];
const WRITERS = 32;
/** The guest sees the host's loopback here. */
const HOST = '10.0.2.2';
const GUEST_LIMIT_SECONDS = 300;
const SETTLE_MS = 15_000;
const IDLE_MS = 10_000;
/** Longer than the agent coalesces. */
const BETWEEN_MS = 120;
/** kube-proxy syncs all Services at every change: fewer samples, which it can keep up with. */
const CHANGES = { 'vipvs node': 200, 'kube-proxy': 15 } as const;

type Program = keyof typeof CHANGES;

interface Figures {
  readonly program: Program;
  readonly services: number;
  /** From the start of its process until the last real server is in the kernel. */
  readonly programmedSeconds: number;
  readonly programmedCpuSeconds: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
  /** From the API server's answer to the write until the kernel has it. */
  readonly changeP50Ms: number;
  readonly changeP99Ms: number;
  /** What the process used for one change, its idle use taken off. */
  readonly changeCpuMs: number;
  /** What came in for one change, TLS and TCP included. */
  readonly changeBytes: number;
  /** Writes of Directors for one change. */
  readonly changeWrites: number;
  readonly idleCpuPercent: number;
}

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

async function commandOf(program: Program, plane: ControlPlane): Promise<readonly string[]> {
  if (program === 'kube-proxy') {
    const names = ['--hostname-override', NODE, '--cluster-cidr', '10.244.0.0/16'];
    const kubeconfig = await plane.kubeconfig('admin', HOST);
    const mode = ['--proxy-mode', 'ipvs', '--kubeconfig', kubeconfig];
    return [`${plane.binaries}/kube-proxy`, ...mode, ...names];
  }
  const kubeconfig = await plane.kubeconfig('node', HOST);
  const names = ['--node-name', NODE, '--bind-iface', 'vips', '--run-dir', '/run/vipvs'];
  return [`${ROOT}/bin/vipvs`, 'node', '--kubeconfig', kubeconfig, '--log-level', 'warn', ...names];
}

async function measure(
  program: Program,
  plane: ControlPlane,
  admin: HttpApiClient,
  services: number,
): Promise<Figures> {
  const guest = await BenchGuest.boot(plane.directory, GUEST_LIMIT_SECONDS);
  try {
    const command = await commandOf(program, plane);
    // its files once: else the first read of them over the lab's file system is measured
    await guest.run([command[0] ?? '', '--version']);
    const startMs = performance.now();
    await guest.start(command);
    await guest.untilProgrammed(services, services * ENDPOINTS);
    const programmedSeconds = (performance.now() - startMs) / 1000;
    const { cpuMs } = await guest.usage();
    say(`${program}: programmed in ${rounded(programmedSeconds)} s`);
    await sleep(SETTLE_MS);
    const { rssMb, peakRssMb } = await guest.usage();
    return {
      ...{ program, services, programmedSeconds, programmedCpuSeconds: cpuMs / 1000 },
      ...{ rssMb, peakRssMb },
      ...(await changes(program, guest, admin, services)),
    };
  } finally {
    const errors = await guest.stop().catch(String);
    if (program === 'vipvs node' && errors !== '') say(errors);
    await guest.end();
  }
}

async function changes(
  program: Program,
  guest: BenchGuest,
  admin: HttpApiClient,
  services: number,
): Promise<
  Pick<
    Figures,
    | 'changeP50Ms'
    | 'changeP99Ms'
    | 'changeCpuMs'
    | 'changeBytes'
    | 'changeWrites'
    | 'idleCpuPercent'
  >
> {
  const idleBefore = await guest.usage();
  await sleep(IDLE_MS);
  const before = await guest.usage();
  const idleCpuShare = (before.cpuMs - idleBefore.cpuMs) / IDLE_MS;
  await guest.observe();
  const watch = await ServiceWatch.start(admin, [DIRECTORS]);
  const wayMs = await guest.wayMs();
  const count = Math.min(CHANGES[program], services / 2);
  const times: number[] = [];
  const startMs = performance.now();
  for (let i = 0; i < count; i += 1) {
    // the two programs must not find the changes of each other
    const service = (program === 'kube-proxy' ? services / 2 : 0) + i;
    const changed = guest.nextChange();
    await addEndpoint(admin, service);
    const answeredMs = performance.now();
    times.push(Math.max(0, (await changed) - wayMs - answeredMs));
    await sleep(BETWEEN_MS);
  }
  await sleep(2 * BETWEEN_MS);
  const after = await guest.usage();
  const idleMs = idleCpuShare * (performance.now() - startMs);
  watch.stop();
  return {
    changeP50Ms: quantile(times, 0.5),
    changeP99Ms: quantile(times, 0.99),
    changeCpuMs: (after.cpuMs - before.cpuMs - idleMs) / count,
    changeBytes: (after.receivedBytes - before.receivedBytes) / count,
    changeWrites: watch.events / count,
    idleCpuPercent: 100 * idleCpuShare,
  };
}

function report(services: number, figures: readonly Figures[]): void {
  mkdirSync(RESULTS, { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  const text = JSON.stringify({ machine, figures }, undefined, 2);
  writeFileSync(`${RESULTS}/agent-${services}.json`, `${text}\n`);
  const rows = figures.map((each): Row => ({
    program: each.program,
    Services: each.services,
    'programmed s': rounded(each.programmedSeconds),
    'CPU s': rounded(each.programmedCpuSeconds),
    'RSS MB': rounded(each.rssMb),
    'peak MB': rounded(each.peakRssMb),
    'change p50 ms': rounded(each.changeP50Ms),
    'p99 ms': rounded(each.changeP99Ms),
    'CPU ms': rounded(each.changeCpuMs),
    bytes: Math.round(each.changeBytes),
    writes: rounded(each.changeWrites),
    'idle CPU %': rounded(each.idleCpuPercent),
  }));
  process.stdout.write(`${formatTable(rows)}\n`);
}

const sizes = process.argv.slice(2).map(Number);
execFileSync(process.execPath, [`${ROOT}/scripts/bundle.ts`], { stdio: 'inherit' });
const plane = await startWorld();
const admin = await clientOf(plane, 'admin', WRITERS);
try {
  await plane.kubectl(['apply', '-f', '-'], { stdin: pool('public', '10.100.0.0/16') });
  await createNode(admin);
  let made = 0;
  for (const size of (sizes.length > 0 ? sizes : SIZES).sort((a, b) => a - b)) {
    say(`${size} Services are created`);
    await createServices(admin, made, size);
    made = size;
    const ours = await measure('vipvs node', plane, admin, size);
    report(size, [ours, await measure('kube-proxy', plane, admin, size)]);
  }
} finally {
  await admin.close();
  await plane.stop();
}
