// `make bench`: every bench, its table on stdout, its figures as JSON in test/bench/results, its curves as SVG in
// docs/limits. Kernel benches run in a User Mode Linux guest (its kernel code is four times faster than QEMU's, a page that
// is touched for the first time ten times slower), the largest programming also in a QEMU guest with Debian's own kernel;
// what is compared runs side by side in one guest. Nothing is asserted here.
//   node test/bench/run.ts [programming | change | memory | allocation]...
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { bundle } from '../lab/bundle.ts';
import { drawCurves, type Point } from './chart.ts';
import type { Measurement } from './programming.guest.ts';
import { formatTable, quantile, rounded, type Row } from './table.ts';

const ROOT = `${import.meta.dirname}/../..`;
const BUILD = `${ROOT}/test/lab/build`;
const RESULTS = `${import.meta.dirname}/results`;
const CURVES = `${ROOT}/docs/limits`;

/** As bin/vipvs starts it, and runtime/memory.ts sets it. */
const NODE_OF_PRODUCT = [
  ...['env', 'MALLOC_ARENA_MAX=1', 'MALLOC_MMAP_THRESHOLD_=65536'],
  ...['node', '--semi-space-growth-factor=1'],
];

type Engine = 'uml' | 'qemu';

/** Runs a bundled guest program in the lab and answers its JSON lines. */
async function inGuest<T>(
  name: string,
  args: readonly string[],
  seconds: number,
  engine: Engine = 'uml',
): Promise<T[]> {
  const program = `${BUILD}/${name}.mjs`;
  await bundle(`${import.meta.dirname}/${name}.guest.ts`, program);
  const guest = ['-e', engine, '-m', '2048M', '-t', String(seconds), '--'];
  const lab = [...guest, ...NODE_OF_PRODUCT, program, ...args];
  const { stdout, status } = spawnSync(`${ROOT}/test/lab/run`, lab, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 1 << 28,
  });
  if (status !== 0) throw new Error(`bench ${name} ended with ${status}:\n${stdout}`);
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as T);
}

function report(name: string, rows: readonly Row[], figures: unknown): void {
  mkdirSync(RESULTS, { recursive: true });
  const machine = { cpu: cpus()[0]?.model, cores: availableParallelism(), node: process.version };
  writeFileSync(`${RESULTS}/${name}.json`, `${JSON.stringify({ machine, figures }, null, 2)}\n`);
  process.stdout.write(`\n${name}\n${formatTable(rows)}\n`);
}

const SIZES = [1000, 2000, 5000, 10_000, 20_000];
const SERIES = ['vipvs', 'vipvs, later', 'raw C', 'ipvsadm -R'] as const;

/** Median of what one program did to one size. */
function median(
  measurements: readonly Measurement[],
  how: (typeof SERIES)[number],
  size: number,
  what: (m: Measurement) => number,
): number {
  const chosen = measurements.filter((m) => m.how === how && m.virtualServers === size);
  return rounded(quantile(chosen.map(what), 0.5));
}

function programmingRow(engine: Engine, measurements: readonly Measurement[], size: number): Row {
  const of = (how: (typeof SERIES)[number], what: (m: Measurement) => number): number =>
    median(measurements, how, size, what);
  const [first = 0, later = 0, raw = 0, ipvsadm = 0] = SERIES.map((how) => of(how, ({ ms }) => ms));
  return {
    guest: engine,
    'virtual servers': size,
    'first round ms': first,
    'of it planning': of('vipvs', ({ planMs }) => planMs ?? 0),
    'later ms': later,
    'of it planning ': of('vipvs, later', ({ planMs }) => planMs ?? 0),
    'raw C ms': raw,
    'ipvsadm -R ms': ipvsadm,
    'first / raw': rounded(first / raw),
    'later / raw': rounded(later / raw),
    'ipvsadm / first': rounded(ipvsadm / first),
    'ipvsadm / later': rounded(ipvsadm / later),
    'vipvs MB': of('vipvs', ({ rssMb }) => rssMb),
  };
}

async function programming(): Promise<void> {
  execFileSync('cc', ['-O2', '-o', `${BUILD}/raw`, `${import.meta.dirname}/raw/raw.c`]);
  const measure = (engine: Engine, sizes: readonly number[]): Promise<Measurement[]> =>
    inGuest('programming', [`${BUILD}/raw`, ...sizes.map(String)], 560, engine);
  const uml = await measure('uml', SIZES);
  const qemu = await measure('qemu', SIZES.slice(-1));
  const rows = SIZES.map((size) => programmingRow('uml', uml, size));
  rows.push(...SIZES.slice(-1).map((size) => programmingRow('qemu', qemu, size)));
  report('programming', rows, { uml, qemu });
  const curve = (what: (m: Measurement) => number): readonly Point[] =>
    SERIES.flatMap((series) =>
      SIZES.map((x): Point => ({ series, x, y: median(uml, series, x, what) })),
    );
  const title = 'Programming N virtual servers with 2 real servers each, from empty (UML guest)';
  mkdirSync(CURVES, { recursive: true });
  const axes = { x: 'virtual servers', y: 'milliseconds' };
  await drawCurves(
    `${CURVES}/programming.svg`,
    title,
    axes,
    curve(({ ms }) => ms),
  );
  const memoryTitle = 'Greatest resident memory of the process that programs them (UML guest)';
  const memory = curve(({ rssMb }) => rssMb);
  await drawCurves(`${CURVES}/memory.svg`, memoryTitle, { x: axes.x, y: 'MB' }, memory);
}

async function single(name: 'change' | 'memory', args: readonly string[]): Promise<void> {
  const [figures] = await inGuest<Record<string, number>>(name, args, 400);
  if (figures === undefined) throw new Error(`bench ${name} printed nothing`);
  const rows = Object.entries(figures).map(([figure, value]) => ({ figure, value }));
  report(name, rows, figures);
}

const BENCHES: Readonly<Record<string, () => Promise<void>>> = {
  programming,
  change: () => single('change', []),
  memory: async () => {
    execFileSync(process.execPath, [`${ROOT}/scripts/bundle.ts`], { stdio: 'inherit' });
    await single('memory', [`${ROOT}/bin/vipvs`]); // the lab sets VIPVS_LAB: it runs dist
  },
  allocation: async () => {
    const { run } = await import('./allocation.bench.ts');
    const results = run();
    report(
      'allocation',
      results.map((each): Row => ({ ...each })),
      results,
    );
  },
};

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(BENCHES)) {
  const bench = BENCHES[name];
  if (bench === undefined) {
    throw new Error(`no bench ${name}; there are ${Object.keys(BENCHES).join(', ')}`);
  }
  await bench();
}
