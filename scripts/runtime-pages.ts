// The reference pages of what a running program shows and takes: metrics, errors, commands with their flags and environment.
import { completionTree } from '../src/cli/completion.ts';
import { COMMANDS } from '../src/cli/program.ts';
import { ERROR_CODES } from '../src/runtime/errors.ts';
import { ENVIRONMENT } from '../src/runtime/flags.ts';
import { createMetrics } from '../src/runtime/metrics.ts';

type Page = readonly string[];

const HEAD = '<!-- Made by `npm run gen` from src/runtime and src/cli; do not edit. -->';

export function metricsPage(): Page {
  const rows = createMetrics()
    .catalogue.map(({ name, type, help, labels }) => {
      const labelText = labels.map((label) => `\`${label}\``).join(', ');
      return `| \`${name}\` | ${type} | ${labelText} | ${help} |`;
    })
    .sort();
  return [
    HEAD,
    '# Metrics',
    '',
    'Served at `/metrics` of `--listen`, in the text format of Prometheus. Labels come from closed sets and from the names of',
    'Pools, so the number of series does not grow with Services or traffic.',
    '',
    '| metric | type | labels | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
  ];
}

export function errorsPage(): Page {
  const rows = Object.entries(ERROR_CODES).map(
    ([code, [retry, text]]) =>
      `| \`${code}\` | ${retry === 'never' ? 'ends with exit code 1' : 'is tried again'} | ${text} |`,
  );
  return [
    HEAD,
    '# Errors',
    '',
    'Failures of the surroundings, as field `code` of the log. What is wrong with an object is a',
    '[condition](conditions.md) instead, and wrong use of a command ends with exit code 2 and one line.',
    '',
    '| code | the process | meaning |',
    '| --- | --- | --- |',
    ...rows,
  ];
}

export async function cliPage(): Promise<Page> {
  const commands = await completionTree(COMMANDS);
  return [
    HEAD,
    '# Commands',
    '',
    'Exit codes: 0 done, 1 failed, 2 wrong use, 3 differences (`plan`). Precedence: flag, environment, default. An unknown',
    'variable that begins with `VIPVS_` is an error.',
    '',
    ...commands.flatMap(({ path, summary, flags }) => [
      `## vipvs ${path}`,
      '',
      `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`,
      '',
      ...(flags.length === 0 ? [] : ['| flag | meaning |', '| --- | --- |']),
      ...flags.map(({ long, short, description, values }) => {
        const name = short === undefined ? `\`${long}\`` : `\`${short}\`, \`${long}\``;
        const allowed = values === 'files' || values.length === 0 ? '' : `: ${values.join(', ')}`;
        return `| ${name} | ${description}${allowed} |`;
      }),
      '',
    ]),
    '## Environment',
    '',
    ENVIRONMENT.map((name) => `\`${name}\``).join(', '),
  ];
}
