// `vipvs check -f`: are these manifests right? Offline: no cluster, no kernel, no root. `vipvs check host` is another file.
import { loadManifests } from '../files/manifests.ts';
import { formatManifestProblem } from '../files/parse-document.ts';
import { choiceFlag, switchFlag, UsageError } from '../runtime/flags.ts';
import { checkManifests, countFindings, formatFinding } from './check-report.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK } from './command.ts';
import { jsonText } from './data-text.ts';
import { filesFlag, requireClassFlag } from './flag-catalogue.ts';

export const checkCommand = defineCommand({
  summary: 'validate manifests offline: PASS, WARN and FAIL lines',
  details: `Checks every field, every Pool against the others, and whether every Service gets the address that it asks for from
the Pools in the input. WARN also names what has no effect: fields that no version of Kubernetes knows, misspelt
annotations. Files that hold no manifests (templates, values of charts) are a SKIP. Exit code 1 when a line says FAIL, with
--strict also when one says WARN.

\`vipvs check host\` checks this machine instead.`,
  flags: {
    files: filesFlag,
    strict: switchFlag({ flags: '--strict', description: 'warnings fail, too' }),
    requireClass: requireClassFlag,
    output: choiceFlag(
      { flags: '-o, --output <format>', description: 'output format', defaultText: 'text' },
      ['text', 'json'],
    ),
  },
  run: async (io, flags) => {
    const manifests = await loadManifests(flags.files, io);
    const [unreadable] = manifests.unreadable;
    if (unreadable !== undefined)
      throw new UsageError(`check: ${formatManifestProblem(unreadable)}`);
    const findings = checkManifests(manifests, !flags.requireClass);
    const counts = countFindings(findings);
    const ignored = [...manifests.ignored].map(([kind, count]) => ({ kind, count }));
    const forImport = [...manifests.otherPools].map(([product, count]) => ({ product, count }));
    if (flags.output === 'json') {
      const { skipped, ...judged } = counts;
      const data = {
        ...judged,
        ...(skipped === 0 ? {} : { skipped }),
        findings,
        ignored,
        ...(forImport.length === 0 ? {} : { forImport }),
      };
      io.stdout(jsonText(data));
    } else {
      const others = ignored.map(({ kind, count }) => `, ignored ${count} ${kind}`).join('');
      const { passed, warnings, failed, skipped } = counts;
      const skips = skipped === 0 ? '' : `, ${skipped} skipped`;
      io.stdout(findings.map(formatFinding).join(''));
      io.stdout(`${passed} passed, ${warnings} warnings, ${failed} failed${skips}${others}\n`);
      for (const { product, count } of forImport) io.stdout(importHint(product, count));
    }
    const isFailed = counts.failed > 0 || (flags.strict && counts.warnings > 0);
    return isFailed ? EXIT_FAILED : EXIT_OK;
  },
});

function importHint(product: string, count: number): string {
  const pools = count === 1 ? '1 object with address pools' : `${count} objects with address pools`;
  return `${pools} of ${product} in the input: check does not read them, \`vipvs import\` makes Pools of them\n`;
}
