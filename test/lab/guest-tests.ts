// Runs test files inside the lab's guest: bundles each one, boots a guest for it, reads its verdicts back.
// A first comment line `// lab: ARGS` gives a file arguments for test/lab/run (-n, -m 2048M, -t 600, -e uml).
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';

import { bundle } from './bundle.ts';
import type { Verdict } from './reporter.ts';

const LAB = import.meta.dirname;
const BUILD = path.join(LAB, 'build');
/** Two guests keep two cores busy; timing tests suffer beyond that. */
const GUESTS_AT_ONCE = 2;

const verdictSchema = z.object({
  file: z.string(),
  name: z.string(),
  outcome: z.enum(['passed', 'failed', 'skipped']),
  reason: z.string(),
});

const sourceMapSchema = z.object({
  file: z.string().default(''),
  version: z.number(),
  sources: z.array(z.string()),
  sourcesContent: z.array(z.string()),
  names: z.array(z.string()),
  mappings: z.string(),
  sourceRoot: z.string().default(''),
});

export interface FileResult {
  readonly file: string;
  readonly verdicts: readonly Verdict[];
  /** What the file printed. */
  readonly output: string;
}

export async function runInGuests(
  files: readonly string[],
  onResult: (result: FileResult) => void,
): Promise<void> {
  await bundle(path.join(LAB, 'reporter.ts'), path.join(BUILD, 'reporter.mjs'));
  await bundleCommand(onResult);
  const waiting = [...files];
  const worker = async (): Promise<void> => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      onResult(await runFile(file));
    }
  };
  await Promise.all(Array.from({ length: GUESTS_AT_ONCE }, worker));
}

/** In the guest bin/vipvs runs dist/, which must be of today. Tests that do not need the command go on without it. */
async function bundleCommand(onResult: (result: FileResult) => void): Promise<void> {
  const file = 'scripts/bundle.ts';
  const { code, output } = await collect(process.execPath, [file], process.env);
  if (code !== 0) onResult({ file, verdicts: [failed(file, output)], output: '' });
}

async function runFile(file: string): Promise<FileResult> {
  const bundled = path.join(BUILD, `${path.basename(file, '.ts')}.mjs`);
  try {
    await bundle(file, bundled);
  } catch (error) {
    return { file, verdicts: [failed(file, `does not bundle: ${String(error)}`)], output: '' };
  }
  const out = await mkdtemp(path.join(tmpdir(), 'vipvs-kernel.'));
  try {
    const { code, output } = await boot(file, bundled, out);
    const places = await sourcePlaces(bundled);
    const verdicts = (await readVerdicts(path.join(out, 'verdicts'))).map((verdict) => ({
      ...verdict,
      file,
      reason: places(verdict.reason),
    }));
    if (code !== 0 && !verdicts.some((verdict) => verdict.outcome === 'failed')) {
      verdicts.push(failed(file, `ended with exit code ${code}`));
    }
    if (verdicts.length === 0) verdicts.push(failed(file, 'no test in this file'));
    return { file, verdicts, output: places(output) };
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}

function failed(file: string, reason: string): Verdict {
  return { file, name: path.basename(file), outcome: 'failed', reason };
}

async function boot(file: string, bundled: string, out: string): Promise<Ended> {
  const head = (await readFile(file, 'utf8')).split('\n', 1)[0] ?? '';
  const args = head.startsWith('// lab: ') ? head.slice('// lab: '.length).trim().split(/ +/) : [];
  const reporter = `--test-reporter=${path.join(BUILD, 'reporter.mjs')}`;
  return collect(
    path.join(LAB, 'run'),
    [...args, '--', 'node', reporter, `--test-reporter-destination=${out}/verdicts`, bundled],
    { ...process.env, OUT: out },
  );
}

/** What a signal to us must end, too: a guest would go on until its time limit. */
const running = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const child of running) child.kill('SIGTERM');
    process.exit(143);
  });
}

interface Ended {
  readonly code: number;
  readonly output: string;
}

async function collect(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Ended> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let output = '';
  for (const pipe of [child.stdout, child.stderr]) {
    pipe.setEncoding('utf8').on('data', (text: string) => (output += text));
  }
  await once(child, 'close');
  running.delete(child);
  return { code: child.exitCode ?? 143, output };
}

async function readVerdicts(file: string): Promise<Verdict[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n').slice(0, -1); // a guest that died may leave half a line
  return lines.map((line) => verdictSchema.parse(JSON.parse(line)));
}

/** Translates places in the bundle to places in the source; done here, because Node in the guest takes a second for it. */
async function sourcePlaces(bundled: string): Promise<(text: string) => string> {
  const payload: unknown = JSON.parse(await readFile(`${bundled}.map`, 'utf8'));
  const map = new SourceMap(sourceMapSchema.parse(payload));
  return (text) =>
    text.replaceAll(
      /(?:file:\/\/)?([^\s()]+\.mjs):(\d+):(\d+)/g,
      (whole, file: string, line: string, column: string) => {
        if (file !== bundled) return whole;
        const origin = map.findEntry(Number(line) - 1, Number(column) - 1);
        if (!('originalSource' in origin)) return whole;
        const source = path.resolve(path.dirname(bundled), origin.originalSource);
        return `${path.relative(process.cwd(), source)}:${origin.originalLine + 1}:${origin.originalColumn + 1}`;
      },
    );
}
