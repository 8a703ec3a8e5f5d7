// One server of the control plane as a child process: started, waited for, killed, started again. It never outlives
// this process: setpriv asks the kernel to kill it with its parent, whatever way the parent goes.
import { spawn, type ChildProcess } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_TIMEOUT_MS = 60_000;
const POLL_MS = 25;
const STOP_TIMEOUT_MS = 10_000;

export interface ServerOptions {
  readonly name: string;
  readonly program: string;
  /** Asked at every start: files may have changed. */
  readonly args: () => readonly string[];
  readonly logFile: string;
  readonly ready: () => Promise<boolean>;
}

export class ServerProcess {
  readonly #options: ServerOptions;
  #child: ChildProcess | undefined;
  #exit: Promise<void> = Promise.resolve();

  constructor(options: ServerOptions) {
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the server is ready; rejects with the end of its log when it is not within a minute. */
  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error(`${this.#options.name} runs already`);
    const log = await open(this.#options.logFile, 'a');
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', this.#options.program, ...this.#options.args()],
      {
        stdio: ['ignore', log.fd, log.fd],
        env: { PATH: process.env['PATH'], HOME: '/nonexistent' },
      },
    );
    this.#child = child;
    this.#exit = new Promise((resolve) => {
      const ended = (): void => {
        if (this.#child === child) this.#child = undefined;
        resolve();
      };
      child.once('exit', ended);
      child.once('error', ended);
    });
    await log.close();
    const deadlineMs = performance.now() + READY_TIMEOUT_MS;
    while (!(await this.#options.ready().catch(() => false))) {
      if (this.pid === undefined)
        throw new Error(`${this.#options.name} ended: ${await this.#tail()}`);
      if (performance.now() > deadlineMs) {
        throw new Error(`${this.#options.name} is not ready: ${await this.#tail()}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** At once, as a crash. */
  kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    return this.#exit;
  }

  /** By SIGTERM; killed when it takes longer than 10 s. */
  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await this.#exit;
    clearTimeout(timer);
  }

  /** SIGSTOP: connections stay open and nothing answers. */
  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  async #tail(): Promise<string> {
    const text = await readFile(this.#options.logFile, 'utf8').catch(() => '');
    return `\n${text.split('\n').slice(-15).join('\n')}`;
  }
}
