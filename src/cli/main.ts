// The program that bin/vipvs starts: hands the real process to the command line. Importing it runs it.
import { EXIT_FAILED, EXIT_OK, type CliIo } from './command.ts';
import { runCommandLine } from './program.ts';

/** The real process as CliIo. */
function processIo(): CliIo {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(EXIT_FAILED); // the second signal: at once
      stop.abort(signal);
    });
  }
  // `vipvs simulate | head`: the reader went away, which is not a failure
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT_OK);
    throw error;
  });
  return {
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    readStdin: async () => {
      let text = '';
      const chunks: AsyncIterable<string> = process.stdin.setEncoding('utf8');
      for await (const chunk of chunks) text += chunk;
      return text;
    },
    env: process.env,
    cwd: process.cwd(),
    isTty: process.stderr.isTTY,
    signal: stop.signal,
  };
}

process.exitCode = await runCommandLine(process.argv.slice(2), processIo());
