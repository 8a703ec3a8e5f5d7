// All commands of `vipvs`: finds the one that was asked for, loads only its file, reads its flags and runs it.
// Invariant: every mistake of the caller is one line on stderr that says what, where and what is allowed; exit 2.
import { Command as CommanderCommand, CommanderError, Option } from 'commander';
import { printable } from '../net/address.ts';
import { checkEnvironment, longName, UsageError } from '../runtime/flags.ts';
import {
  EXIT_OK,
  EXIT_USAGE,
  type CliIo,
  type Command,
  type CommandEntry,
  type ExitCode,
} from './command.ts';

export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'standalone',
    summary: 'run a load balancer from a directory of manifests, without Kubernetes',
    load: async () => (await import('./standalone.ts')).standaloneCommand,
  },
  {
    name: 'assigner',
    summary: 'give Services of a Kubernetes cluster their addresses',
    load: async () => (await import('./assigner.ts')).assignerCommand,
  },
  {
    name: 'node',
    summary: 'keep the kernel of a director as the Services of a Kubernetes cluster want it',
    load: async () => (await import('./node.ts')).nodeCommand,
  },
  {
    name: 'sysctls',
    summary: 'set the kernel settings that the agent needs, for a privileged init container',
    load: async () => (await import('./sysctls.ts')).sysctlsCommand,
  },
  {
    name: 'status',
    summary: 'show the Pools, addresses and Services of the standalone process',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'check',
    summary: 'validate manifests offline: PASS, WARN and FAIL lines',
    load: async () => (await import('./check.ts')).checkCommand,
    children: [
      {
        name: 'host',
        summary: 'check whether this machine can be a director',
        load: async () => (await import('./check-host.ts')).checkHostCommand,
      },
    ],
  },
  {
    name: 'simulate',
    summary: 'run the assigner on manifests and print every object as it ends',
    load: async () => (await import('./simulate.ts')).simulateCommand,
  },
  {
    name: 'plan',
    summary: 'print what the agent of a node would do, as ipvsadm and ip lines',
    load: async () => (await import('./plan.ts')).planCommand,
  },
  {
    name: 'dump',
    summary: 'print what the kernel holds, in ipvsadm-save and ip syntax',
    load: async () => (await import('./dump.ts')).dumpCommand,
  },
  {
    name: 'cleanup',
    summary: 'remove from the kernel what vipvs made, and nothing else',
    load: async () => (await import('./cleanup.ts')).cleanupCommand,
  },
  {
    name: 'import',
    summary:
      'turn the objects of other load balancers into ours, addresses in use staying the same',
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    load: async () => (await import('./completion.ts')).makeCompletionCommand(() => COMMANDS),
  },
];

const VERSION_FLAGS = ['--version', '-V', 'version'];

/** Runs one command line (without the program's name) and answers its exit code. Throws only for bugs. */
export async function runCommandLine(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  try {
    checkEnvironment(io.env);
    if (argv.length === 1 && VERSION_FLAGS.includes(argv[0] ?? '')) {
      const { versionText } = await import('./version.ts');
      io.stdout(`${await versionText()}\n`);
      return EXIT_OK;
    }
    return await dispatch(helpAsFlag(argv), io);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.stderr(`${printable(`vipvs: ${error.message}`)}\n`);
    return EXIT_USAGE;
  }
}

/** `help check host` is `check host --help`, so that the command is loaded and its flags are shown. */
function helpAsFlag(argv: readonly string[]): readonly string[] {
  const [first, ...rest] = argv;
  const [name] = rest;
  if (first !== 'help' || name === undefined || name.startsWith('-')) return argv;
  return COMMANDS.some((command) => command.name === name) ? [...rest, '--help'] : rest;
}

async function dispatch(argv: readonly string[], io: CliIo): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT_USAGE;
  const program = new CommanderCommand('vipvs');
  configure(program, io);
  program
    .description('Virtual IPs and IPVS load balancing for bare-metal Kubernetes, and without it.')
    .option('-V, --version', 'print the versions of the program, of its library and of Node')
    .addHelpText('after', `\n${EXIT_CODES}`);
  for (const entry of COMMANDS) {
    const done = (code: ExitCode): void => void (exitCode = code);
    await addCommand(program, entry, entry.name === argv[0] ? argv.slice(1) : undefined, io, done);
  }
  if (argv.length === 0) {
    io.stderr(program.helpInformation());
    return EXIT_USAGE;
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT_OK;
    throw new UsageError(oneLine(error.message, argv));
  }
  return exitCode;
}

const EXIT_CODES = `Exit codes: 0 done, 1 failed, 2 wrong use, 3 differences (plan).
Flags of long-running commands can also be set in the environment, as VIPVS_LOG_LEVEL=debug.`;

function configure(command: CommanderCommand, io: CliIo): void {
  command.exitOverride().configureOutput({
    writeOut: io.stdout,
    writeErr: () => undefined, // told once, by runCommandLine, as one line
  });
}

/** `rest`: the arguments after the command's name where this one was asked for; the others stay unloaded stubs. */
async function addCommand(
  parent: CommanderCommand,
  entry: CommandEntry,
  rest: readonly string[] | undefined,
  io: CliIo,
  done: (code: ExitCode) => void,
): Promise<void> {
  const commander = parent.command(entry.name).description(entry.summary);
  configure(commander, io);
  if (rest === undefined) return;
  const child = entry.children?.find((candidate) => candidate.name === rest[0]);
  for (const each of entry.children ?? []) {
    await addCommand(commander, each, each === child ? rest.slice(1) : undefined, io, done);
  }
  if (child === undefined) declare(commander, await entry.load(), io, done);
}

/** Adds the flags, the arguments and the action of a loaded command. */
function declare(
  commander: CommanderCommand,
  command: Command,
  io: CliIo,
  done: (code: ExitCode) => void,
): void {
  if (command.details !== undefined) commander.addHelpText('after', `\n${command.details}`);
  if (command.arguments !== undefined) commander.arguments(command.arguments);
  for (const flag of Object.values(command.flags)) {
    const notes = [
      ...(flag.complete === undefined || flag.complete === 'files'
        ? []
        : [flag.complete.join('|')]),
      ...(flag.defaultText === undefined ? [] : [`default ${flag.defaultText}`]),
      ...(flag.env === undefined ? [] : [`env ${flag.env}`]),
    ];
    const note = notes.length === 0 ? '' : ` (${notes.join('; ')})`;
    commander.addOption(new Option(flag.flags, `${flag.description}${note}`));
  }
  commander.action(async () => {
    const options: Readonly<Record<string, unknown>> = commander.opts();
    const given = new Map<string, readonly string[]>();
    for (const option of commander.options) {
      const value = options[option.attributeName()];
      if (value !== undefined) given.set(longName(option), textsOf(value));
    }
    done(await command.run(io, given, commander.args));
  });
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [String(value)];
}

/** commander's message without its prefix and line break, and where to read more. */
function oneLine(message: string, argv: readonly string[]): string {
  const entry = COMMANDS.find((candidate) => candidate.name === argv[0]);
  const text = message
    .replace(/^error: /, '')
    .replace(/\n\(/, ' (')
    .replace(/\.$/, '')
    .replaceAll('\n', ' ')
    .replaceAll("'", '"');
  const allowed =
    entry === undefined
      ? `commands: ${COMMANDS.map((command) => command.name).join(', ')}`
      : `\`vipvs ${entry.name} --help\` lists what is allowed`;
  return `${entry === undefined ? '' : `${entry.name}: `}${text}; ${allowed}`;
}
