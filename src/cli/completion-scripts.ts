// Completion scripts for three shells out of one tree of commands. Pure text.
export interface CompletionFlag {
  readonly long: string;
  readonly short: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
  /** Words that its value may be, or file names. */
  readonly values: readonly string[] | 'files';
}

export interface CompletionCommand {
  /** `check host` */
  readonly path: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
  /** Words that may follow it: its children, or the choices of its argument. */
  readonly words: readonly string[];
}

const GLOBAL_WORDS = ['--help', '--version'];

type Commands = readonly CompletionCommand[];

function topNames(commands: Commands): readonly string[] {
  return commands.filter(({ path }) => !path.includes(' ')).map(({ path }) => path);
}

function flagWords(flags: readonly CompletionFlag[]): readonly string[] {
  return [
    ...flags.flatMap(({ long, short }) => (short === undefined ? [long] : [short, long])),
    '--help',
  ];
}

function flagPattern({ long, short }: CompletionFlag): string {
  return short === undefined ? long : `${short}|${long}`;
}

function bashFlagCases({ path, flags }: CompletionCommand): readonly string[] {
  return flags
    .filter((flag) => flag.takesValue)
    .map((flag) => {
      const reply = flag.values === 'files' ? '-f' : `-W '${flag.values.join(' ')}'`;
      return `    '${path} '${flagPattern(flag).replaceAll('|', `|'${path} '`)}) COMPREPLY=($(compgen ${reply} -- "$word")); return ;;`;
    });
}

export function formatBash(commands: Commands): string {
  const words = commands.map(
    ({ path, flags, words: own }) =>
      `    '${path}') words='${[...own, ...flagWords(flags)].join(' ')}' ;;`,
  );
  const nested = commands.filter(({ path }) => path.includes(' ')).map(({ path }) => `'${path}'`);
  return `# bash completion for vipvs; source <(vipvs completion bash)
_vipvs() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command=\${COMP_WORDS[1]} words
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${[...topNames(commands), ...GLOBAL_WORDS].join(' ')}' -- "$word"))
    return
  fi
  if ((COMP_CWORD > 2)); then
    case "$command \${COMP_WORDS[2]}" in
    ${nested.length === 0 ? "''" : nested.join('|')}) command="$command \${COMP_WORDS[2]}" ;;
    esac
  fi
  case "$command $previous" in
${commands.flatMap(bashFlagCases).join('\n')}
  esac
  case "$command" in
${words.join('\n')}
  *) return ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _vipvs vipvs
`;
}

/** zsh runs the bash script through its own compatibility layer: one source of truth for two shells. */
export function formatZsh(commands: Commands): string {
  return `#compdef vipvs
# zsh completion for vipvs; source <(vipvs completion zsh)
autoload -Uz compinit bashcompinit
(( \${+functions[compdef]} )) || compinit
bashcompinit
${formatBash(commands).split('\n').slice(1).join('\n')}`;
}

export function formatFish(commands: Commands): string {
  const lines = [
    '# fish completion for vipvs; vipvs completion fish | source',
    'complete -c vipvs -f',
  ];
  for (const { path, summary, flags, words } of commands) {
    const parts = path.split(' ');
    const name = parts.at(-1) ?? '';
    const inCommand = parts.map((part) => `__fish_seen_subcommand_from ${part}`).join('; and ');
    lines.push(
      parts.length === 1
        ? `complete -c vipvs -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`
        : `complete -c vipvs -n ${quote(`__fish_seen_subcommand_from ${parts[0] ?? ''}`)} -a ${name} -d ${quote(summary)}`,
    );
    if (words.length > 0) {
      lines.push(`complete -c vipvs -n ${quote(inCommand)} -a ${quote(words.join(' '))}`);
    }
    for (const flag of flags) lines.push(fishFlag(inCommand, flag));
  }
  return `${lines.join('\n')}\n`;
}

function fishFlag(condition: string, flag: CompletionFlag): string {
  return [
    `complete -c vipvs -n ${quote(condition)}`,
    ...(flag.short === undefined ? [] : [`-s ${flag.short.slice(1)}`]),
    `-l ${flag.long.slice(2)}`,
    ...(flag.takesValue ? ['-r'] : []),
    ...(flag.values === 'files' ? ['-F'] : []),
    ...(flag.values !== 'files' && flag.values.length > 0
      ? [`-a ${quote(flag.values.join(' '))}`]
      : []),
    `-d ${quote(flag.description)}`,
  ].join(' ');
}

function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
