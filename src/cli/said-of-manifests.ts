// What commands that use manifests say about them on stderr, before their own work.
import type { Manifests } from '../files/manifests.ts';
import { formatManifestProblem, type ManifestProblem } from '../files/parse-document.ts';

/** Problems first: they decide the exit code. */
export function saidOf({ problems, remarks, skipped }: Manifests): string {
  const lines = [
    ...problems.map(formatManifestProblem),
    ...remarks.map(formatManifestProblem),
    ...skipped.map(asSkipped),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

function asSkipped(problem: ManifestProblem): string {
  return formatManifestProblem({ ...problem, message: `skipped: ${problem.message}` });
}
