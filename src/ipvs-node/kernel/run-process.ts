// Runs another program to its end: nft, keepalived. The only file of this folder that starts a process and waits for it.
// Invariant: a program never comes from the working directory, whatever PATH says.
import { spawn } from 'node:child_process';
import path from 'node:path';

export type ProcessOutcome =
  | {
      readonly kind: 'exit';
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
    }
  /** There is no such program. */
  | { readonly kind: 'missing' }
  /** Ended by a signal or the time limit, or not started: what it did is not known. */
  | { readonly kind: 'lost'; readonly why: string };

export function runProcess(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly timeoutMs: number },
): Promise<ProcessOutcome> {
  return new Promise((resolve) => {
    // messages are read, so they must be English
    const child = spawn(program, args, {
      env: { ...process.env, LC_ALL: 'C', PATH: searchPath(process.env['PATH']) },
      stdio: 'pipe',
      timeout: options.timeoutMs,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => undefined); // it ended before it read all: the exit code says why
    child.on('error', (error: NodeJS.ErrnoException) => {
      resolve(error.code === 'ENOENT' ? { kind: 'missing' } : { kind: 'lost', why: error.message });
    });
    child.on('close', (code, signal) => {
      if (code !== null) resolve({ kind: 'exit', code, stdout, stderr });
      else resolve({ kind: 'lost', why: `${program} was ended by ${signal ?? 'a signal'}` });
    });
    child.stdin.end(options.input ?? '');
  });
}

/** A service's PATH may lack sbin, or be empty. */
const USUAL_FOLDERS = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Without its empty and relative elements: both name the working directory, which may be anybody's. */
function searchPath(given = ''): string {
  const folders = given.split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  return [...folders, ...USUAL_FOLDERS].join(path.delimiter);
}
