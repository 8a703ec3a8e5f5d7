// `make bench-cluster`: the assigner, as its own process from the bundle, on a real API server with N Services. Beside it, in
// the same run, a bare loop of the same two writes on the same API server, which is as fast as it can get. The two take turns,
// and the rates are medians: on a machine that others use, too, one turn says little.
//   node test/bench/cluster.ts [N]...     default 100 1000 10000 (about 15 minutes)
// Table on stdout, figures in test/bench/results/cluster.json, curves in docs/limits/cluster-*.svg. Nothing is asserted.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { CALL_CONNECTIONS } from '../../src/assigner/program.ts';
import { createObject, deleteObject, mergePatchObject } from '../../src/kube/apply.ts';
import { IPS } from '../../src/kube/own-kinds.ts';
import { arrayAt, objectAt, textAt } from '../../src/kube/json.ts';
import { collectionPath, SERVICES } from '../../src/kube/resource.ts';
import type { HttpApiClient } from '../../src/kube/transport.ts';
import { pool, startWorld } from '../cluster/assigner-world.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { clientOf } from '../cluster/gadgets.ts';
import { AssignerProcess } from './assigner-process.ts';
import { drawCurves, type Point } from './chart.ts';
import { ServiceWatch } from './service-watch.ts';
import { formatTable, quantile, rounded, type Row } from './table.ts';

const ROOT = `${import.meta.dirname}/../..`;
const RESULTS = `${import.meta.dirname}/results`;
const CURVES = `${ROOT}/docs/limits`;
const SIZES = [100, 1000, 10_000];
const WRITERS = 32;
const SAMPLES = 200;
const TURNS = 3;
/** Until the connections of the load are closed (src/kube/transport.ts: 60 s) and its memory is given back. */
const SETTLE_MS = 65_000;
const IDLE_MS = 60_000;
const NAMESPACE = 'default';

interface Turn {
  readonly bareRate: number;
  readonly rate: number;
  readonly fromStartSeconds: number;
  readonly cpuSeconds: number;
}

/** What a turn has is here the median of all. */
interface Figures extends Turn {
  readonly services: number;
  readonly turns: readonly Turn[];
  readonly ratio: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly idleCpuPercent: number;
  readonly idleWrites: number;
}

const signal = new AbortController().signal;
const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

async function inParallel(
  items: readonly string[],
  work: (item: string, index: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next;
      next += 1;
      const item = items[index];
      if (item !== undefined) await work(item, index);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, worker));
}

function createService(admin: HttpApiClient, name: string): Promise<unknown> {
  const metadata = { namespace: NAMESPACE, name };
  const spec = {
    type: 'LoadBalancer',
    ports: [{ port: 80 }],
    allocateLoadBalancerNodePorts: false,
  };
  const body = { apiVersion: 'v1', kind: 'Service', metadata, spec };
  return createObject(admin, SERVICES, body, signal);
}

/** The same two writes as the assigner's, by nobody who decides, watches or checks anything. */
async function bareLoop(admin: HttpApiClient, names: readonly string[]): Promise<number> {
  const address = (i: number): string => `10.64.${i >> 8}.${i & 255}`;
  const startMs = performance.now();
  await inParallel(names, async (name, i) => {
    const claims = [{ namespace: NAMESPACE, name, ports: [{ port: 80, protocol: 'TCP' }] }];
    const ip = {
      apiVersion: 'vipvs.io/v1alpha1',
      kind: 'IP',
      metadata: { name: address(i) },
      spec: { address: address(i), poolName: 'bare', claims },
    };
    await createObject(admin, IPS, ip, signal);
    const condition = {
      type: 'vipvs.io/AddressAssigned',
      status: 'True',
      reason: 'Assigned',
      message: `has ${address(i)}`,
      lastTransitionTime: '2026-01-01T00:00:00Z',
    };
    const ingress = [{ ip: address(i), ipMode: 'Proxy' }];
    await mergePatchObject(
      admin,
      SERVICES,
      {
        at: { namespace: NAMESPACE, name },
        subresource: 'status',
        patch: { status: { loadBalancer: { ingress }, conditions: [condition] } },
      },
      signal,
    );
  });
  const rate = (names.length / (performance.now() - startMs)) * 1000;
  await forget(admin, names, new Set(names.map((_, i) => address(i))));
  return rate;
}

/** Takes the addresses back: the Services wait again. */
async function forget(
  admin: HttpApiClient,
  names: readonly string[],
  ips: ReadonlySet<string>,
): Promise<void> {
  await inParallel(names, async (name) => {
    const patch = { status: { loadBalancer: null, conditions: null } };
    const at = { namespace: NAMESPACE, name };
    await mergePatchObject(admin, SERVICES, { at, patch, subresource: 'status' }, signal);
  });
  await inParallel([...ips], (name) => deleteObject(admin, IPS, { name }, {}, signal));
}

/** One Service at a time: from the answer to its creation to its address at a watcher. */
async function latencies(admin: HttpApiClient, watch: ServiceWatch): Promise<readonly number[]> {
  const values: number[] = [];
  for (let i = 0; i < SAMPLES; i += 1) {
    const name = `sample-${i}`;
    await createService(admin, name);
    const createdMs = performance.now();
    values.push(Math.max(0, (await watch.addressOf(name)) - createdMs));
  }
  return values;
}

interface Running {
  readonly turn: Turn;
  readonly assigner: AssignerProcess;
  readonly watch: ServiceWatch;
}

/** The bare loop, then the assigner, which goes on running. */
async function takeTurn(
  plane: ControlPlane,
  admin: HttpApiClient,
  names: readonly string[],
): Promise<Running> {
  say('bare loop');
  // the same watcher beside both: the API server and this process serve it, too
  const other = await ServiceWatch.start(admin);
  const bareRate = await bareLoop(admin, names);
  other.stop();
  say('assigner');
  const watch = await ServiceWatch.start(admin);
  const startMs = performance.now();
  const kubeconfig = await plane.kubeconfig('assigner');
  const assigner = await AssignerProcess.start(`${ROOT}/bin/vipvs`, kubeconfig);
  await watch.untilServed(names.length);
  const { firstMs, lastMs } = watch;
  const { cpuSeconds } = await assigner.usage();
  const rate = ((names.length - 1) / (lastMs - firstMs)) * 1000;
  const fromStartSeconds = (lastMs - startMs) / 1000;
  return { turn: { bareRate, rate, fromStartSeconds, cpuSeconds }, assigner, watch };
}

async function end({ assigner, watch }: Running): Promise<void> {
  await assigner.stop();
  watch.stop();
}

async function ipNames(admin: HttpApiClient): Promise<ReadonlySet<string>> {
  const list = await admin.call({ method: 'GET', path: collectionPath(IPS), signal });
  const names = arrayAt(list, 'items').map((ip) => textAt(objectAt(ip, 'metadata'), 'name') ?? '');
  return new Set(names);
}

async function measure(plane: ControlPlane, admin: HttpApiClient, size: number): Promise<Figures> {
  const names = Array.from({ length: size }, (_, i) => `n${size}-${i}`);
  say(`${size} Services are created`);
  await inParallel(names, (name) => createService(admin, name));
  const turns: Turn[] = [];
  let running = await takeTurn(plane, admin, names);
  turns.push(running.turn);
  while (turns.length < TURNS) {
    await end(running);
    await forget(admin, names, await ipNames(admin));
    running = await takeTurn(plane, admin, names);
    turns.push(running.turn);
  }
  try {
    return { services: size, turns, ...medians(turns), ...(await single(admin, running)) };
  } finally {
    await end(running);
    const samples = Array.from({ length: SAMPLES }, (_, i) => `sample-${i}`);
    await inParallel([...names, ...samples], (name) =>
      deleteObject(admin, SERVICES, { namespace: NAMESPACE, name }, {}, signal),
    );
    const ips = [...(await ipNames(admin))];
    await inParallel(ips, (name) => deleteObject(admin, IPS, { name }, {}, signal));
  }
}

function medians(turns: readonly Turn[]): Turn & Pick<Figures, 'ratio'> {
  const median = (figure: (turn: Turn) => number): number =>
    rounded(quantile(turns.map(figure), 0.5));
  return {
    bareRate: median(({ bareRate }) => bareRate),
    rate: median(({ rate }) => rate),
    ratio: median(({ rate, bareRate }) => rate / bareRate),
    fromStartSeconds: median(({ fromStartSeconds }) => fromStartSeconds),
    cpuSeconds: median(({ cpuSeconds }) => cpuSeconds),
  };
}

/** One Service at a time beside those that have their addresses, then nothing at all. */
async function single(
  admin: HttpApiClient,
  { assigner, watch }: Running,
): Promise<Omit<Figures, keyof Turn | 'services' | 'turns' | 'ratio'>> {
  await sleep(2000);
  const values = await latencies(admin, watch);
  await sleep(SETTLE_MS);
  const [before, eventsBefore] = [await assigner.usage(), watch.events];
  await sleep(IDLE_MS);
  const [after, eventsAfter] = [await assigner.usage(), watch.events];
  return {
    rssMb: rounded(after.rssMb),
    peakRssMb: rounded(after.peakRssMb),
    p50Ms: rounded(quantile(values, 0.5)),
    p99Ms: rounded(quantile(values, 0.99)),
    idleCpuPercent: rounded((100_000 * (after.cpuSeconds - before.cpuSeconds)) / IDLE_MS, 2),
    idleWrites: eventsAfter - eventsBefore,
  };
}

async function report(all: readonly Figures[]): Promise<void> {
  const rows = all.map((each): Row => ({
    Services: each.services,
    'assigned/s': each.rate,
    'bare loop/s': each.bareRate,
    ratio: each.ratio,
    'of each turn': each.turns.map(({ rate, bareRate }) => rounded(rate / bareRate)).join(' '),
    'start to all s': each.fromStartSeconds,
    'CPU s': each.cpuSeconds,
    'RSS MB': each.rssMb,
    'peak MB': each.peakRssMb,
    'p50 ms': each.p50Ms,
    'p99 ms': each.p99Ms,
    'idle CPU %': each.idleCpuPercent,
    'idle writes': each.idleWrites,
  }));
  process.stdout.write(`${formatTable(rows)}\n`);
  mkdirSync(RESULTS, { recursive: true });
  mkdirSync(CURVES, { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  const text = JSON.stringify({ machine, figures: all }, undefined, 2);
  writeFileSync(`${RESULTS}/cluster.json`, `${text}\n`);
  if (all.length < 2) return;
  const points = (series: string, y: (each: Figures) => number): readonly Point[] =>
    all.map((each) => ({ series, x: each.services, y: y(each) }));
  await drawCurves(
    `${CURVES}/cluster-rate.svg`,
    'N pending Services: addresses assigned per second',
    { x: 'Services', y: 'Services/s' },
    [
      ...points('vipvs assigner', ({ rate }) => rate),
      ...points('bare loop of the same two writes', ({ bareRate }) => bareRate),
    ],
  );
  await drawCurves(
    `${CURVES}/cluster-latency.svg`,
    'One Service at a time among N: created to address seen by a watcher',
    { x: 'Services', y: 'milliseconds' },
    [...points('p50', ({ p50Ms }) => p50Ms), ...points('p99', ({ p99Ms }) => p99Ms)],
  );
  await drawCurves(
    `${CURVES}/cluster-memory.svg`,
    'Resident memory of the assigner after N Services',
    { x: 'Services', y: 'MB' },
    points('vipvs assigner', ({ rssMb }) => rssMb),
  );
}

const sizes = process.argv.slice(2).map(Number);
execFileSync(process.execPath, [`${ROOT}/scripts/bundle.ts`], { stdio: 'inherit' });
const plane = await startWorld();
const admin = await clientOf(plane, 'admin', CALL_CONNECTIONS);
try {
  await plane.kubectl(['apply', '-f', '-'], { stdin: pool('public', '10.128.0.0/16') });
  const all: Figures[] = [];
  for (const size of sizes.length > 0 ? sizes : SIZES) all.push(await measure(plane, admin, size));
  await report(all);
} finally {
  await admin.close();
  await plane.stop();
}
