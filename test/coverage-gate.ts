// The coverage gate: every branch of every pure file is taken by the unit, property and script tiers together.

import { transform } from 'esbuild';
import { glob, readFile } from 'node:fs/promises';
import type { EventData } from 'node:test';
import path from 'node:path';

import { PURE_FILES } from '../scripts/pure-files.ts';
import type { Verdict } from './lab/reporter.ts';

type Summary = EventData.TestCoverage['summary'];

/** One failed verdict for each pure file with an untaken branch or line, or that no test loaded; else one that passed. */
export async function coverageVerdicts(
  root: string,
  summary: Summary | undefined,
): Promise<readonly Verdict[]> {
  const measured = new Map(summary?.files.map((file) => [file.path, file]));
  const failed: Verdict[] = [];
  for await (const file of glob([...PURE_FILES], { cwd: root })) {
    const found = measured.get(path.join(root, file));
    const reason =
      found === undefined
        ? (await hasCode(path.join(root, file))) && 'no test loads it'
        : missing(found);
    if (reason !== false) {
      failed.push({ file, name: 'every branch is tested', outcome: 'failed', reason });
    }
  }
  if (failed.length > 0) return failed;
  return [{ file: 'src', name: 'every branch is tested', outcome: 'passed', reason: '' }];
}

function missing(file: Summary['files'][number]): string | false {
  const branches = file.branches
    .filter((branch) => branch.count === 0)
    .map((branch) => branch.line);
  const lines = file.lines.filter((line) => line.count === 0).map((line) => line.line);
  if (branches.length === 0 && lines.length === 0) return false;
  const parts = [
    branches.length > 0 && `branches not taken at line ${[...new Set(branches)].join(', ')}`,
    lines.length > 0 && `lines not run: ${ranges(lines)}`,
  ];
  return parts.filter((part) => part !== false).join('; ');
}

function ranges(lines: readonly number[]): string {
  const spans: { first: number; last: number }[] = [];
  for (const line of lines) {
    const open = spans.at(-1);
    if (open?.last === line - 1) open.last = line;
    else spans.push({ first: line, last: line });
  }
  return spans
    .map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`))
    .join(', ');
}

/** A file of types alone leaves nothing to cover. */
async function hasCode(file: string): Promise<boolean> {
  const { code } = await transform(await readFile(file, 'utf8'), { loader: 'ts' });
  return code.trim() !== '';
}
