import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { defineCommand, EXIT_OK, type CommandEntry } from '../../../src/cli/command.ts';
import { completionTree } from '../../../src/cli/completion.ts';
import { formatBash, formatFish, formatZsh } from '../../../src/cli/completion-scripts.ts';
import { filesFlag, logLevelFlag } from '../../../src/cli/flag-catalogue.ts';
import { switchFlag } from '../../../src/runtime/flags.ts';

const check = defineCommand({
  summary: 'validate',
  flags: {
    files: filesFlag,
    level: logLevelFlag,
    strict: switchFlag({ flags: '--strict', description: "don't be lenient" }),
  },
  run: () => Promise.resolve(EXIT_OK),
});
const host = defineCommand({
  summary: 'the host',
  flags: { level: logLevelFlag },
  run: () => Promise.resolve(EXIT_OK),
});
const shells = defineCommand({
  summary: 'completion',
  arguments: '<shell>',
  flags: {},
  run: () => Promise.resolve(EXIT_OK),
});
const ENTRIES: readonly CommandEntry[] = [
  {
    name: 'check',
    summary: 'validate',
    load: () => Promise.resolve(check),
    children: [{ name: 'host', summary: 'the host', load: () => Promise.resolve(host) }],
  },
  { name: 'completion', summary: 'completion', load: () => Promise.resolve(shells) },
];

/** What bash would offer for the words; the last one is being typed. */
function bashOffers(script: string, words: readonly string[]): readonly string[] {
  const program = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_vipvs; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', program], { encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.split('\n').filter((line) => line !== '');
}

test('bash offers commands, children, flags and values', async () => {
  const script = formatBash(await completionTree(ENTRIES));
  const cases = [
    { words: ['vipvs', 'c'], want: ['check', 'completion'] },
    {
      words: ['vipvs', 'check', ''],
      want: ['host', '-f', '--filename', '--log-level', '--strict', '--help'],
    },
    { words: ['vipvs', 'check', '--s'], want: ['--strict'] },
    { words: ['vipvs', 'check', '--log-level', 'w'], want: ['warn'] },
    { words: ['vipvs', 'check', 'host', '--'], want: ['--log-level', '--help'] },
    { words: ['vipvs', 'completion', 'z'], want: ['zsh'] },
    { words: ['vipvs', 'nothing', ''], want: [] },
  ];
  for (const { words, want } of cases) {
    assert.deepEqual(bashOffers(script, words), want, words.join(' '));
  }
});

test('zsh gets the bash script behind its compatibility layer', async () => {
  const script = formatZsh(await completionTree(ENTRIES));
  assert.match(script, /^#compdef vipvs\n/);
  assert.match(script, /bashcompinit\n_vipvs\(\) \{/);
});

test('fish gets one line for each command and flag, quoted', async () => {
  const script = formatFish(await completionTree(ENTRIES));
  const lines = script.split('\n');
  assert.ok(lines.includes("complete -c vipvs -n __fish_use_subcommand -a check -d 'validate'"));
  assert.ok(
    lines.includes(
      "complete -c vipvs -n '__fish_seen_subcommand_from check' -l strict -d 'don\\'t be lenient'",
    ),
  );
  assert.match(script, /-s f -l filename -r -F -d /);
  assert.match(
    script,
    /from check; and __fish_seen_subcommand_from host' -l log-level -r -a 'trace debug/,
  );
});
