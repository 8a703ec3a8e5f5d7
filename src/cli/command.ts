// What a command of `vipvs` is: a table of flags and a function that gets their values and answers an exit code.
// A command never touches process: everything it may use of it comes in as CliIo, so that tests run it in-process.
import { readFlags, type Flags, type FlagValues } from '../runtime/flags.ts';

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
/** Wrong flags, unknown environment, unreadable files. */
export const EXIT_USAGE = 2;
/** `plan`: the kernel differs from what is wanted. */
export const EXIT_DIFFERENCES = 3;
export type ExitCode =
  typeof EXIT_OK | typeof EXIT_FAILED | typeof EXIT_USAGE | typeof EXIT_DIFFERENCES;

export interface CliIo {
  /** Data. */
  readonly stdout: (text: string) => void;
  /** Problems and logs. */
  readonly stderr: (text: string) => void;
  readonly readStdin: () => Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly cwd: string;
  /** stderr is a terminal: a person reads the log. */
  readonly isTty: boolean;
  /** SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

export interface CommandDefinition<F extends Flags> {
  /** One line of `vipvs --help`; the rest of the help text stands in `details`. */
  readonly summary: string;
  readonly details?: string;
  /** commander's syntax: `<shell>`, `[file...]`. */
  readonly arguments?: string;
  readonly flags: F;
  readonly run: (
    io: CliIo,
    flags: FlagValues<F>,
    positional: readonly string[],
  ) => Promise<ExitCode>;
}

/** A command whose flags' types are folded away. */
export interface Command {
  readonly summary: string;
  readonly details: string | undefined;
  readonly arguments: string | undefined;
  readonly flags: Flags;
  /** `given`: the texts of the command line by long flag name. Throws UsageError. */
  readonly run: (
    io: CliIo,
    given: ReadonlyMap<string, readonly string[]>,
    positional: readonly string[],
  ) => Promise<ExitCode>;
}

/** One line of the table of commands (program.ts). */
export interface CommandEntry {
  readonly name: string;
  /** Also in the command's file; here so that `vipvs --help` loads none of them. A test compares them. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
  readonly children?: readonly CommandEntry[];
}

/**
 * The value that a command's file exports; main.ts adds it by its name:
 *
 *     export const planCommand = defineCommand({
 *       summary: 'print what the agent of a node would do',
 *       flags: { files: filesFlag, output: choiceFlag({ ... }, ['diff', 'rules']) },
 *       run: async (io, flags) => { ...; return EXIT_OK; },
 *     });
 */
export function defineCommand<F extends Flags>(definition: CommandDefinition<F>): Command {
  return {
    summary: definition.summary,
    details: definition.details,
    arguments: definition.arguments,
    flags: definition.flags,
    run: (io, given, positional) =>
      definition.run(io, readFlags(definition.flags, given, io.env), positional),
  };
}
