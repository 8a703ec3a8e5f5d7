// One measurement of the agent bench: a program (the agent of a director, or kube-proxy) in a guest of its own, from its start
// to its last change, on the Services that agent-objects.ts has made.
import { setTimeout as sleep } from 'node:timers/promises';
import { DIRECTORS } from '../../src/kube/own-kinds.ts';
import type { HttpApiClient } from '../../src/kube/transport.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { bundle } from '../lab/bundle.ts';
import { BenchGuest } from './agent-guest.ts';
import { startOnHost, type HostStart } from './agent-on-host.ts';
import { addEndpoint, clusterIpOf, ENDPOINTS, NODE } from './agent-objects.ts';
import { vipOf } from './rules.ts';
import { ServiceWatch } from './service-watch.ts';
import { quantile, rounded } from './table.ts';

const NOT_MEASURED: HostStart = { hostSeconds: Number.NaN, hostCpuSeconds: Number.NaN };
const ROOT = `${import.meta.dirname}/../..`;
/** The guest sees the host's loopback here. */
const HOST = '10.0.2.2';
const GUEST_LIMIT_SECONDS = 700;
const SETTLE_MS = 15_000;
/** With one audit in it. */
const IDLE_MS = 60_000;
/** A change that takes longer is infinite in the table, and the last one. */
const CHANGE_LIMIT_MS = 120_000;
/** Longer than the agent coalesces. */
const BETWEEN_MS = 120;
const SAMPLES = 16;
const CURL = [
  '-sf',
  '-o',
  '/dev/null',
  '--retry',
  '600',
  '--retry-delay',
  '1',
  '--retry-all-errors',
];
const READY_URLS = {
  'vipvs node': 'http://127.0.0.1:9472/readyz',
  'kube-proxy': 'http://127.0.0.1:10256/healthz',
} as const;
/** kube-proxy syncs all Services at every change: fewer samples, which it can keep up with. */
const CHANGES = { 'vipvs node': 200, 'kube-proxy': 4 } as const;

/** What is needed of a control plane. */
export type Plane = Pick<ControlPlane, 'binaries' | 'directory' | 'kubeconfig'>;
export type Program = keyof typeof CHANGES;

export interface Figures extends HostStart {
  readonly program: Program;
  readonly services: number;
  /** From the start of its process until the last real server is in the kernel. */
  readonly programmedSeconds: number;
  readonly programmedCpuSeconds: number;
  /** A bare program of Node that reads the same lists, and no more; not for kube-proxy. */
  readonly bareListsSeconds: number;
  /** Until it says so itself: with the VIPs bound only where it was the announcer before its first round. */
  readonly readySeconds: number;
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

export const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

/** VIPs of some Services, the last among them. */
async function samplesOf(
  program: Program,
  admin: HttpApiClient,
  services: number,
): Promise<readonly string[]> {
  const step = Math.ceil(services / SAMPLES);
  const chosen = Array.from({ length: SAMPLES }, (_, i) => Math.max(0, services - 1 - i * step));
  if (program === 'vipvs node') return chosen.map(vipOf);
  return Promise.all(chosen.map((i) => clusterIpOf(admin, i)));
}

async function commandOf(program: Program, plane: Plane): Promise<readonly string[]> {
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

/** From the start of its process to its end. */
async function bareLists(guest: BenchGuest, plane: Plane): Promise<number> {
  const file = `${ROOT}/test/lab/build/lists.mjs`;
  await bundle(`${import.meta.dirname}/lists.guest.ts`, file);
  const kubeconfig = await plane.kubeconfig('node', HOST);
  const startMs = performance.now();
  await guest.run(['node', file, kubeconfig]);
  return (performance.now() - startMs) / 1000;
}

/** Endpoints of the Services from number `unchanged` on are changed: of those before earlier measurements have done so. */
export async function measure(
  program: Program,
  plane: Plane,
  admin: HttpApiClient,
  services: number,
  unchanged: number,
): Promise<Figures> {
  const isOurs = program === 'vipvs node';
  const onHost = isOurs ? startOnHost(await plane.kubeconfig('node'), NODE) : NOT_MEASURED;
  const guest = await BenchGuest.boot(plane.directory, GUEST_LIMIT_SECONDS);
  try {
    const command = await commandOf(program, plane);
    // its files once: else the first read of them over the lab's file system is measured
    await guest.run([command[0] ?? '', '--version']);
    const bareListsSeconds = isOurs ? await bareLists(guest, plane) : Number.NaN;
    const samples = await samplesOf(program, admin, services);
    const startMs = performance.now();
    await guest.start(command);
    const want = { virtualServers: services, realServersEach: ENDPOINTS };
    await guest.untilProgrammed({ ...want, samples });
    const programmedSeconds = (performance.now() - startMs) / 1000;
    const { cpuMs } = await guest.usage();
    say(`${program}: programmed in ${rounded(programmedSeconds)} s`);
    await guest.check(want);
    await guest.run(['curl', ...CURL, READY_URLS[program]]);
    const readySeconds = (performance.now() - startMs) / 1000;
    await sleep(SETTLE_MS);
    const { rssMb, peakRssMb } = await guest.usage();
    say(`${program}: ready in ${rounded(readySeconds)} s, ${rounded(rssMb)} MB resident`);
    const changed = await changes(program, guest, admin, services, unchanged);
    const [p50, p99] = [rounded(changed.changeP50Ms), rounded(changed.changeP99Ms)];
    say(`${program}: an endpoint change takes ${p50} ms (p50), ${p99} ms (p99)`);
    return {
      program,
      services,
      programmedSeconds,
      programmedCpuSeconds: cpuMs / 1000,
      bareListsSeconds,
      ...onHost,
      readySeconds,
      rssMb,
      peakRssMb,
      ...changed,
    };
  } finally {
    const errors = await guest.stop().catch(String);
    if (isOurs && errors !== '') say(errors);
    await guest.end();
  }
}

async function changes(
  program: Program,
  guest: BenchGuest,
  admin: HttpApiClient,
  services: number,
  unchanged: number,
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
  const fresh = services - unchanged;
  const count = Math.min(CHANGES[program], fresh / 2);
  const times: number[] = [];
  const startMs = performance.now();
  for (let i = 0; i < count; i += 1) {
    // the two programs must not find the changes of each other
    const service = unchanged + (program === 'kube-proxy' ? fresh / 2 : 0) + i;
    const changed = guest.nextChange();
    await addEndpoint(admin, service);
    const answeredMs = performance.now();
    // a guest that ends meanwhile is told by whoever asks it next
    changed.catch(() => undefined);
    const never = sleep(CHANGE_LIMIT_MS, Number.POSITIVE_INFINITY, { ref: false });
    times.push(Math.max(0, (await Promise.race([changed, never])) - wayMs - answeredMs));
    if (times.at(-1) === Number.POSITIVE_INFINITY) break;
    await sleep(BETWEEN_MS);
  }
  await sleep(2 * BETWEEN_MS);
  const after = await guest.usage();
  const idleMs = idleCpuShare * (performance.now() - startMs);
  watch.stop();
  return {
    changeP50Ms: quantile(times, 0.5),
    changeP99Ms: quantile(times, 0.99),
    changeCpuMs: (after.cpuMs - before.cpuMs - idleMs) / times.length,
    changeBytes: (after.receivedBytes - before.receivedBytes) / times.length,
    changeWrites: watch.events / times.length,
    idleCpuPercent: 100 * idleCpuShare,
  };
}
