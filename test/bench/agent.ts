// `make bench-agent` (and after the assigner in `make bench-cluster`): the agent of a director and kube-proxy (ipvs mode),
// each in a guest of its own, on the same Services of one real API server: from start to all programmed, memory, and what
// one changed endpoint takes and costs.
//   node test/bench/agent.ts [N]...     default 100 1000 10000 (twelve minutes)
// Table on stdout, figures in test/bench/results/agent-N.json, so that sizes may be measured one at a time; curves over the
// sizes in docs/limits. Nothing is asserted.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { pool, startWorld } from '../cluster/assigner-world.ts';
import { clientOf } from '../cluster/gadgets.ts';
import { measure, say, type Figures } from './agent-measure.ts';
import { createNode, createServices } from './agent-objects.ts';
import { drawCurves, type Point } from './chart.ts';
import { formatTable, rounded, type Row } from './table.ts';

const ROOT = `${import.meta.dirname}/../..`;
const RESULTS = `${import.meta.dirname}/results`;
const CURVES = `${ROOT}/docs/limits`;
const SIZES = [100, 1000, 10_000];
const WRITERS = 32;

const resultsOf = (services: number): string => `${RESULTS}/agent-${services}.json`;

/** Of all sizes that were measured, also earlier ones. */
async function draw(): Promise<void> {
  const files = SIZES.map(resultsOf).filter((file) => existsSync(file));
  const all = files.flatMap((file) => {
    const { figures } = JSON.parse(readFileSync(file, 'utf8')) as { figures: readonly Figures[] };
    return figures;
  });
  const points = (what: string, y: (each: Figures) => number): readonly Point[] =>
    all
      .map((each) => ({ series: `${each.program}${what}`, x: each.services, y: y(each) }))
      .filter((point) => Number.isFinite(point.y));
  const curves = [
    [
      'start',
      'From its start to N Services programmed (QEMU guest)',
      'seconds',
      'programmedSeconds',
    ],
    ['memory', 'Resident with N Services of 5 endpoints', 'MB', 'rssMb'],
  ] as const;
  for (const [name, title, unit, figure] of curves) {
    const axes = { x: 'Services', y: unit };
    await drawCurves(
      `${CURVES}/agent-${name}.svg`,
      title,
      axes,
      points('', (each) => each[figure]),
    );
  }
  const title = 'One endpoint changed: from the API server to the kernel (QEMU guest)';
  await drawCurves(`${CURVES}/agent-change.svg`, title, { x: 'Services', y: 'milliseconds' }, [
    ...points(', p50', ({ changeP50Ms }) => changeP50Ms),
    ...points(', p99', ({ changeP99Ms }) => changeP99Ms),
  ]);
}

function report(services: number, figures: readonly Figures[]): void {
  mkdirSync(RESULTS, { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  const text = JSON.stringify({ machine, figures }, undefined, 2);
  writeFileSync(resultsOf(services), `${text}\n`);
  const rows = figures.map((each): Row => ({
    program: each.program,
    Services: each.services,
    'on the host s': rounded(each.hostSeconds),
    'CPU s there': rounded(each.hostCpuSeconds),
    'bare lists s': rounded(each.bareListsSeconds),
    'programmed s': rounded(each.programmedSeconds),
    'ready s': rounded(each.readySeconds),
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
    const ours = await measure('vipvs node', plane, admin, size, made);
    report(size, [ours]);
    report(size, [ours, await measure('kube-proxy', plane, admin, size, made)]);
    made = size;
  }
} finally {
  await admin.close();
  await plane.stop();
}
await draw();
