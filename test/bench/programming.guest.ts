// Runs in the lab. `RAW N...`: programs N virtual servers with 2 real servers each, from empty, in a fresh network
// namespace every time, by the product, by raw C and by `ipvsadm -R`, and prints one JSON line per measurement.
// `ours N DIR`: the product's part, a process with a first round and later ones.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { load } from 'koffi';
import { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import { planParts } from '../../src/ipvs-node/plan/parts.ts';
import { desiredRules, EMPTY_KERNEL } from './rules.ts';

export interface Measurement {
  /** `vipvs`: the first round of a process. */
  readonly how: 'vipvs' | 'vipvs, later' | 'raw C' | 'ipvsadm -R';
  readonly virtualServers: number;
  readonly ms: number;
  readonly planMs?: number;
  /** Most memory that the process had resident. */
  readonly rssMb: number;
}

const REAL_SERVERS = 2;
const RUNS = 3;
/** linux/sched.h */
const CLONE_NEWNET = 0x4000_0000;
/** ipvsadm takes half a minute for 20,000 in the lab: one run of a large size says enough. */
const IPVSADM_RUNS_BELOW = 5000;

/** A round from empty, timed; then the kernel is empty again. */
async function round(
  how: Measurement['how'],
  virtualServers: number,
  runDirectory: string,
): Promise<void> {
  const desired = desiredRules(virtualServers, REAL_SERVERS);
  const kernel = await LinuxKernel.open({ runDirectory });
  const startMs = performance.now();
  let planMs = 0;
  let failed = 0;
  const parts = planParts(desired, EMPTY_KERNEL, new Map(), 0, { orphanDrainSeconds: 300 });
  for (;;) {
    const beforeMs = performance.now();
    const part = parts.next();
    planMs += performance.now() - beforeMs;
    if (part.done === true) break;
    const results = await kernel.run(part.value.ops);
    failed += results.filter((result) => !result.ok).length;
  }
  const ms = performance.now() - startMs;
  if (failed > 0) throw new Error(`${failed} operations failed`);
  print({ how, virtualServers, ms, planMs, rssMb: process.resourceUsage().maxRSS / 1024 });
  const servers = [...desired.virtualServers.values()].map(({ server }) => server);
  await kernel.run(servers.map((server) => ({ op: 'vs.del', server })));
  await kernel.close();
}

/**
 * One process: its first round, then later ones, each in a network namespace of its own. In the old one the kernel would
 * search the real servers that were just deleted for every one that comes (ip_vs_ctl.c, ip_vs_trash_get_dest()).
 */
async function ours(virtualServers: number, runDirectory: string): Promise<void> {
  const unshare: (flags: number) => number = load('libc.so.6').func('int unshare(int flags)');
  await round('vipvs', virtualServers, runDirectory);
  for (let i = 0; i < RUNS; i++) {
    if (unshare(CLONE_NEWNET) !== 0) throw new Error('no new network namespace');
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    await round('vipvs, later', virtualServers, runDirectory);
  }
}

function print(measurement: Measurement): void {
  process.stdout.write(`${JSON.stringify(measurement)}\n`);
}

let namespaces = 0;

/** Runs a command in a new namespace and answers what it printed. */
function inFreshNamespace(command: readonly string[]): string {
  const name = `bench${namespaces++}`;
  execFileSync('ip', ['netns', 'add', name]);
  execFileSync('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
  try {
    return execFileSync('ip', ['netns', 'exec', name, ...command], { encoding: 'utf8' });
  } finally {
    execFileSync('ip', ['netns', 'delete', name]);
  }
}

interface Timed {
  readonly stdout: string;
  readonly ms: number;
  readonly rssMb: number;
}

/** A command from start to end, by raw.c's `run`, in a fresh namespace. */
function timed(raw: string, command: string): Timed {
  const directory = mkdtempSync(`${tmpdir()}/bench`);
  const stdout = inFreshNamespace(['sh', '-c', `exec ${raw} run ${command} 2> ${directory}/cost`]);
  const cost = readFileSync(`${directory}/cost`, 'utf8').trim().split('\n').at(-1) ?? '';
  const [ms, kb] = cost.split(' ').map(Number);
  return { stdout, ms: ms ?? 0, rssMb: (kb ?? 0) / 1024 };
}

function compare(raw: string, sizes: readonly number[]): void {
  const script = process.argv[1] ?? '';
  for (const virtualServers of sizes) {
    const n = String(virtualServers);
    const rules = `${mkdtempSync(`${tmpdir()}/rules`)}/rules`;
    execFileSync('sh', ['-c', `${raw} rules ${n} ${REAL_SERVERS} > ${rules}`]);
    for (let run = 0; run < RUNS; run++) {
      const directory = mkdtempSync(`${tmpdir()}/run`);
      process.stdout.write(
        inFreshNamespace([process.execPath, ...process.execArgv, script, 'ours', n, directory]),
      );
      const { stdout, rssMb } = timed(raw, `${raw} prog ${n} ${REAL_SERVERS} 1024`);
      print({ how: 'raw C', virtualServers, ms: Number(stdout), rssMb });
      if (run > 0 && virtualServers >= IPVSADM_RUNS_BELOW) continue;
      const ipvsadm = timed(raw, `ipvsadm -R < ${rules}`);
      print({ how: 'ipvsadm -R', virtualServers, ms: ipvsadm.ms, rssMb: ipvsadm.rssMb });
    }
  }
}

const [what, ...rest] = process.argv.slice(2);
if (what === 'ours') await ours(Number(rest[0]), rest[1] ?? '');
else compare(what ?? '', rest.map(Number));
