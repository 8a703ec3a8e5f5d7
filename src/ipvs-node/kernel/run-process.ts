// Runs another program to its end: nft, keepalived. The only file of this folder that starts a process and waits for it.
import { spawn } from 'node:child_process';

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
    // a service's PATH may lack sbin; messages are read, so they must be English
    const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
    const child = spawn(program, args, {
      env: { ...process.env, LC_ALL: 'C', PATH: path },
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
