// Runs a command line in this process and catches what it prints.
import type { ExitCode } from '../../../src/cli/command.ts';
import { runCommandLine } from '../../../src/cli/program.ts';

export interface CliResult {
  readonly code: ExitCode;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliSurroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  readonly signal?: AbortSignal;
}

export async function runCli(
  argv: readonly string[],
  around: CliSurroundings = {},
): Promise<CliResult> {
  let stdout = '';
  let stderr = '';
  const code = await runCommandLine(argv, {
    stdout: (text) => void (stdout += text),
    stderr: (text) => void (stderr += text),
    readStdin: () => Promise.resolve(around.stdin ?? ''),
    env: around.env ?? {},
    cwd: around.cwd ?? process.cwd(),
    isTty: false,
    signal: around.signal ?? new AbortController().signal,
  });
  return { code, stdout, stderr };
}
