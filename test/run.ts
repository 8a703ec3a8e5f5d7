// The one test runner: node test/run.ts [TIER | FILE]...   A tier is a folder below test/; without arguments all are run.
// *.test.ts runs here, *.kernel.ts inside the lab's guest, a boot for each file. Ends with every failure and one line
// `N passed, N failed, N skipped`. When unit, property and script are all run, the coverage gate is one more test.
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { type EventData, run } from 'node:test';

import { PURE_FILES } from '../scripts/pure-files.ts';
import { buildInBackground } from './background-build.ts';
import { coverageVerdicts } from './coverage-gate.ts';
import { runInGuests } from './lab/guest-tests.ts';
import { type Verdict, failVerdict, passVerdict } from './lab/reporter.ts';

const ROOT = path.resolve(import.meta.dirname, '..');
/** Together they must cover the pure files; they come first, being the quickest to fail. */
const COVERING_TIERS = ['unit', 'property', 'script'];
/** Generous, for a machine that others use too; a test that hangs is ended by it. */
const FILE_TIMEOUT_MS = 900_000;

const verdicts: Verdict[] = [];
const say = (text: string): void => void process.stdout.write(`${text}\n`);

async function main(args: readonly string[]): Promise<void> {
  const wanted = args.filter((arg) => arg !== '');
  const isFile = (arg: string): boolean => arg.endsWith('.ts');
  const tierNames = wanted.filter((arg) => !isFile(arg));
  const files = await findFiles(wanted.filter(isFile), tierNames, wanted.length === 0);
  if (files.length === 0) throw new Error(`no tests found for: ${wanted.join(' ')}`);
  process.chdir(ROOT);
  const tiers = Map.groupBy(files, tierOf);
  const built = tiers.has('cluster') ? buildInBackground(say) : Promise.resolve();
  const covering = COVERING_TIERS.flatMap((tier) => tiers.get(tier) ?? []);
  const gate = wanted.length === 0 || COVERING_TIERS.every((tier) => tierNames.includes(tier));
  if (gate) await runTier(COVERING_TIERS.join(', '), covering, true);
  for (const [tier, tierFiles] of tiers) {
    if (tier === 'cluster' || (gate && COVERING_TIERS.includes(tier))) continue;
    await runTier(tier, tierFiles, false);
  }
  // last: what it needs is being built meanwhile
  const clusterFiles = tiers.get('cluster');
  if (clusterFiles !== undefined) {
    await built;
    await runTier('cluster', clusterFiles, false);
  }
  summarize();
}

async function findFiles(
  named: readonly string[],
  tiers: readonly string[],
  all: boolean,
): Promise<readonly string[]> {
  for (const file of named) await stat(path.resolve(file));
  for (const tier of tiers) {
    if (!existsSync(path.join(ROOT, 'test', tier))) throw new Error(`no tier ${tier} below test/`);
  }
  const globs = (all ? ['*'] : tiers).map((tier) => `test/${tier}/**/*.{test,kernel}.ts`);
  const found = globs.length === 0 ? [] : globSync(globs, { cwd: ROOT });
  const chosen = [...found, ...named.map((file) => path.relative(ROOT, path.resolve(file)))];
  return [...new Set(chosen)].sort();
}

function tierOf(file: string): string {
  return file.split(path.sep)[1] ?? '';
}

async function runTier(tier: string, files: readonly string[], gate: boolean): Promise<void> {
  say(`${tier}: ${files.length} files to run`);
  const before = verdicts.length;
  const startMs = performance.now();
  const inGuest = files.filter((file) => file.endsWith('.kernel.ts'));
  const onHost = files.filter((file) => !file.endsWith('.kernel.ts'));
  if (onHost.length > 0) await runOnHost(onHost, gate);
  if (inGuest.length > 0) {
    await runInGuests(inGuest, (result) => {
      record(result.verdicts, result.output);
    });
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  say(`${tier}: ${tally(verdicts.slice(before))} in ${files.length} files, ${seconds} s`);
}

async function runOnHost(files: readonly string[], gate: boolean): Promise<void> {
  const outputs = new Map<string, string>();
  const found: Verdict[] = [];
  const coverage = gate ? { coverage: true, coverageIncludeGlobs: [...PURE_FILES] } : {};
  const events = run({
    files: files.map((file) => path.join(ROOT, file)),
    cwd: ROOT,
    concurrency: availableParallelism(),
    timeout: FILE_TIMEOUT_MS,
    ...coverage,
  });
  const printed = ({ file, message }: EventData.TestStdout): void => {
    const key = path.relative(ROOT, file);
    outputs.set(key, (outputs.get(key) ?? '') + message);
  };
  const ended = (verdict: Verdict | undefined): void => {
    if (verdict !== undefined) found.push(verdict);
  };
  const fileOf = (data: { file?: string }): string => path.relative(ROOT, data.file ?? '');
  let summary: EventData.TestCoverage['summary'] | undefined;
  events.on('test:stdout', printed).on('test:stderr', printed);
  events.on('test:pass', (data) => ended(passVerdict(data, fileOf(data))));
  events.on('test:fail', (data) => ended(failVerdict(data, fileOf(data))));
  events.on('test:coverage', (data) => (summary = data.summary));
  events.resume();
  await once(events, 'end');
  if (gate) found.push(...(await coverageVerdicts(ROOT, summary)));
  for (const [file, results] of Map.groupBy(found, (verdict) => verdict.file)) {
    record(results, outputs.get(file) ?? '');
  }
}

/** Keeps a file's verdicts; a file that failed shows at once what it printed and why. */
function record(results: readonly Verdict[], output: string): void {
  verdicts.push(...results);
  const failures = results.filter((verdict) => verdict.outcome === 'failed');
  if (failures.length === 0) return;
  if (output !== '') say(`--- ${failures[0]?.file ?? ''} printed:\n${output.trimEnd()}`);
  for (const { file, name, reason } of failures) say(`FAILED ${file}: ${name}\n${reason}\n`);
}

function tally(some: readonly Verdict[]): string {
  const count = (outcome: Verdict['outcome']): number =>
    some.filter((verdict) => verdict.outcome === outcome).length;
  const skipped = count('skipped');
  const tail = skipped > 0 ? `, ${skipped} skipped` : '';
  return `${count('passed')} passed, ${count('failed')} failed${tail}`;
}

function summarize(): void {
  for (const { file, name, reason } of verdicts.filter(({ outcome }) => outcome === 'skipped')) {
    say(`skipped ${file}: ${name}${reason === '' ? '' : ` (${reason})`}`);
  }
  const failures = verdicts.filter((verdict) => verdict.outcome === 'failed');
  for (const { file, name } of failures) say(`FAILED ${file}: ${name}`);
  say(tally(verdicts));
  if (failures.length > 0 || verdicts.length === 0) process.exitCode = 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`test/run.ts: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
