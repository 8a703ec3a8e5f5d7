// `vipvs completion`: scripts for shells, made from the same tables that the commands are made of.
import { longName, UsageError, type Flag } from '../runtime/flags.ts';
import { defineCommand, EXIT_OK, type Command, type CommandEntry } from './command.ts';
import {
  formatBash,
  formatFish,
  formatZsh,
  type CompletionCommand,
  type CompletionFlag,
} from './completion-scripts.ts';

const SHELLS = { bash: formatBash, zsh: formatZsh, fish: formatFish } as const;

/** The command gets the table that it stands in itself. */
export function makeCompletionCommand(entries: () => readonly CommandEntry[]): Command {
  return defineCommand({
    summary: 'print a completion script for bash, zsh or fish',
    details: `bash: source <(vipvs completion bash)
zsh:  source <(vipvs completion zsh)
fish: vipvs completion fish | source`,
    arguments: '<shell>',
    flags: {},
    run: async (io, _flags, [shell = '']) => {
      const format = Object.entries(SHELLS).find(([name]) => name === shell)?.[1];
      if (format === undefined) {
        throw new UsageError(
          `completion: ${JSON.stringify(shell)} is no shell known here; one of ${Object.keys(SHELLS).join(', ')}`,
        );
      }
      io.stdout(format(await completionTree(entries())));
      return EXIT_OK;
    },
  });
}

/** Every command with its flags; loads all of them. */
export async function completionTree(
  entries: readonly CommandEntry[],
  parent = '',
): Promise<readonly CompletionCommand[]> {
  const commands: CompletionCommand[] = [];
  for (const entry of entries) {
    const command = await entry.load();
    const path = `${parent}${entry.name}`;
    commands.push({
      path,
      summary: entry.summary,
      flags: Object.values(command.flags).map(toCompletionFlag),
      words: [
        ...(entry.children ?? []).map((child) => child.name),
        ...(command.arguments === '<shell>' ? Object.keys(SHELLS) : []),
      ],
    });
    commands.push(...(await completionTree(entry.children ?? [], `${path} `)));
  }
  return commands;
}

function toCompletionFlag(flag: Flag<unknown>): CompletionFlag {
  return {
    long: longName(flag),
    short: /^(-[a-zA-Z]),/.exec(flag.flags)?.[1],
    description: flag.description,
    takesValue: flag.takesValue,
    values: flag.complete ?? [],
  };
}
