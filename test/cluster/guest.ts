// A guest of the lab beside a control plane: two directors d1 and d2, a client, a router and three backends
// (test/lab/topology.ts), moved from the host. The guest asks for jobs, because only it can open connections.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { bundle } from '../lab/bundle.ts';
import type { ControlPlane } from './control-plane.ts';
import { answerSchema, type Answer, type DirectorName, type Job } from './guest-protocol.ts';

const ROOT = join(import.meta.dirname, '../..');
const BUILD = join(ROOT, 'test/lab/build');
/** The host's loopback, as the guest sees it. */
const HOST = '10.0.2.2';
const BOOT_TIMEOUT_MS = 120_000;
const READY_URL = 'http://127.0.0.1:9472/readyz';

export type Outcome = Omit<Answer, 'id'>;

export class Guest {
  readonly #plane: ControlPlane;
  readonly #server: Server;
  readonly #waiting = new Map<number, (answer: Outcome) => void>();
  readonly #jobs: { readonly id: number; readonly job: Job }[] = [];
  #asking: ServerResponse | undefined;
  #child: ChildProcess | undefined;
  #output = '';
  #lastId = 0;

  /** Boots it; `limitSeconds`: the guest ends then, whatever happens. */
  static async boot(plane: ControlPlane, limitSeconds = 880): Promise<Guest> {
    const guest = new Guest(plane);
    try {
      await guest.#boot(limitSeconds);
    } catch (error) {
      await guest.stop();
      throw error;
    }
    return guest;
  }

  private constructor(plane: ControlPlane) {
    this.#plane = plane;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  async run(node: string, command: readonly string[], input?: string): Promise<Outcome> {
    const extra = input === undefined ? {} : { input };
    return this.#do({ do: 'run', node, command: [...command], ...extra });
  }

  /** Its output. Throws when it fails. */
  async output(node: string, command: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(node, command);
    if (code !== 0) throw new Error(`${node}: ${command.join(' ')}: exit ${code}\n${stderr}`);
    return stdout;
  }

  async start(node: string, command: readonly string[]): Promise<GuestProcess> {
    const { stdout } = await this.#do({ do: 'start', node, command: [...command] });
    const id = Number(stdout);
    return {
      read: () => this.#do({ do: 'read', process: id }),
      stop: (signal = 'SIGTERM') => this.#do({ do: 'stop', process: id, signal }),
    };
  }

  /** The agent of a director, with its own kubeconfig; resolves when it is ready. */
  async startAgent(
    director: DirectorName,
    user: string,
    flags: readonly string[] = [],
  ): Promise<GuestProcess> {
    const kubeconfig = await this.#plane.kubeconfig(user, HOST);
    const agent = await this.start(director, [
      ...['node', join(ROOT, 'dist/vipvs.js'), 'node', '--kubeconfig', kubeconfig],
      ...['--node-name', director, '--bind-iface', 'eth0', '--run-dir', `/run/vipvs-${director}`],
      ...flags,
    ]);
    try {
      await patiently(
        `the agent of ${director} is ready`,
        async () => {
          const { code, stderr } = await agent.read();
          if (code !== -1) throw new Error(`the agent ended:\n${stderr}`);
          return (await this.httpGet(director, READY_URL)) !== undefined;
        },
        START_PATIENCE_MS,
      );
    } catch (error) {
      const why = await this.run(director, ['curl', '-s', '-m', '5', READY_URL]);
      const text = `${String(error)}\n${why.stdout}${(await agent.read()).stderr}`;
      throw new Error(text, { cause: error });
    }
    return agent;
  }

  /**
   * The body; undefined: no answer, or one that says no. By busybox, which is static (with -T it crashes): curl takes
   * the guest's one processor for longer than what it asks.
   */
  async httpGet(node: string, url: string): Promise<string | undefined> {
    const command = ['busybox', 'wget', '-q', '-O', '-', url];
    const { code, stdout } = await this.run(node, command);
    return code === 0 ? stdout : undefined;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode === null) {
      const ended = once(child, 'exit');
      const killer = setTimeout(() => child.kill('SIGTERM'), 5000);
      void this.#do({ do: 'end' });
      await ended;
      clearTimeout(killer);
    }
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #boot(limitSeconds: number): Promise<void> {
    const hands = join(BUILD, 'guest-hands.mjs');
    await bundle(join(import.meta.dirname, 'guest-hands.ts'), hands);
    const bundler = spawn(process.execPath, ['scripts/bundle.ts'], { cwd: ROOT, stdio: 'inherit' });
    await once(bundler, 'exit');
    if (bundler.exitCode !== 0) throw new Error('scripts/bundle.ts failed');
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const child = spawn(
      join(ROOT, 'test/lab/run'),
      [
        ...['-n', '-m', '2048M', '-t', `${limitSeconds}`, '-w', this.#plane.directory, '--'],
        ...['node', hands, `http://${HOST}:${port}`],
      ],
      { cwd: ROOT },
    );
    this.#child = child;
    child.stdout.setEncoding('utf8').on('data', (part: string) => (this.#output += part));
    child.stderr.setEncoding('utf8').on('data', (part: string) => (this.#output += part));
    child.on('exit', () => {
      for (const [id, done] of this.#waiting) {
        this.#waiting.delete(id);
        done({ code: 125, stdout: '', stderr: `the guest ended:\n${this.#output}` });
      }
    });
    const slow = setTimeout(() => child.kill('SIGTERM'), BOOT_TIMEOUT_MS);
    const { code: up, stderr } = await this.run('d1', ['true']);
    clearTimeout(slow);
    if (up !== 0) throw new Error(`the guest does not come up: ${stderr}\n${this.#output}`);
  }

  #do(job: Job): Promise<Outcome> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.#jobs.push({ id, job });
    const done = new Promise<Outcome>((resolve) => this.#waiting.set(id, resolve));
    this.#hand();
    return done;
  }

  #hand(): void {
    if (this.#asking === undefined) return;
    const next = this.#jobs.shift();
    if (next === undefined) return;
    this.#asking.end(JSON.stringify(next));
    this.#asking = undefined;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    if (request.url === '/next') {
      this.#asking = response;
      this.#hand();
      return;
    }
    const { id, ...outcome } = answerSchema.parse(JSON.parse(body));
    response.end();
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(outcome);
  }
}

/** Waits until a condition holds, asking the guest's one processor only now and then; by default for two minutes. */
export async function patiently(
  what: string,
  condition: () => Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`did not happen in time: ${what}`);
    await wait(POLL_MS);
  }
}
const PATIENCE_MS = 120_000;
/** Two agents that start side by side take the guest's one processor for 30 s, and more on a busy machine. */
export const START_PATIENCE_MS = 300_000;
const POLL_MS = 500;

export interface GuestProcess {
  /** What it printed so far; its exit code, or -1 while it runs. */
  read(): Promise<Outcome>;
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<Outcome>;
}
