// The host's end of the agent bench: boots a guest, gives it orders, and keeps the time. All times are the host's own, so
// that no two clocks are ever compared; what the way between guest and host takes is measured and taken off.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { bundle } from '../lab/bundle.ts';
import { reportSchema, type Order, type Report, type Usage } from './agent-protocol.ts';
import { quantile } from './table.ts';

const ROOT = `${import.meta.dirname}/../..`;
const PROGRAM = `${ROOT}/test/lab/build/agent.mjs`;
const PINGS = 20;

interface Holding {
  readonly virtualServers: number;
  readonly realServersEach: number;
}

export class BenchGuest {
  readonly #child: ChildProcess;
  readonly #died: Promise<never>;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (report: Report) => void>();
  #onChange: (() => void) | undefined;
  #lastId = 0;

  /** `directory`: what the guest sees as the host does, beside the repository. */
  static async boot(directory: string, limitSeconds: number): Promise<BenchGuest> {
    await bundle(`${import.meta.dirname}/agent.guest.ts`, PROGRAM);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const lab = ['-n', '-m', '3072M', '-t', `${limitSeconds}`, '-w', directory, '--'];
    const child = spawn(`${ROOT}/test/lab/run`, [...lab, 'node', PROGRAM, `${port}`], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const died = once(child, 'exit').then((): never => {
      throw new Error('the guest ended');
    });
    died.catch(() => undefined); // whoever waits then is told
    const socket = await Promise.race([connected, died]);
    server.close();
    const guest = new BenchGuest(child, died, socket);
    await guest.nextChange(); // its greeting
    return guest;
  }

  private constructor(child: ChildProcess, died: Promise<never>, socket: Socket) {
    this.#child = child;
    this.#died = died;
    this.#socket = socket.setNoDelay(true);
    createInterface({ input: socket }).on('line', (line) => {
      const report = reportSchema.parse(JSON.parse(line));
      if (report.id === 0) this.#onChange?.();
      this.#waiting.get(report.id)?.(report);
      this.#waiting.delete(report.id);
    });
  }

  async run(command: readonly string[]): Promise<string> {
    return (await this.#give({ do: 'run', command: [...command] })).text ?? '';
  }

  /** Resolves when the process is there. */
  async start(command: readonly string[]): Promise<void> {
    await this.#give({ do: 'start', command: [...command] });
  }

  async untilProgrammed(want: Holding & { readonly samples: readonly string[] }): Promise<void> {
    await this.#give({ do: 'await', ...want, samples: [...want.samples] });
  }

  async check(want: Holding): Promise<void> {
    await this.#give({ do: 'check', ...want });
  }

  async usage(): Promise<Usage> {
    const { usage } = await this.#give({ do: 'usage' });
    if (usage === undefined) throw new Error('the guest told no usage');
    return usage;
  }

  async observe(): Promise<void> {
    await this.#give({ do: 'observe' });
  }

  /** What the program has printed as errors. */
  async stop(): Promise<string> {
    return (await this.#give({ do: 'stop' })).text ?? '';
  }

  /** When the next change of IPVS is heard of. */
  async nextChange(): Promise<number> {
    const heard = new Promise<number>((resolve) => {
      this.#onChange = () => resolve(performance.now());
    });
    const atMs = await Promise.race([heard, this.#died]);
    this.#onChange = undefined;
    return atMs;
  }

  /** How long word from the guest is under way. */
  async wayMs(): Promise<number> {
    const times: number[] = [];
    for (let i = 0; i < PINGS; i += 1) {
      const startMs = performance.now();
      await this.#give({ do: 'ping' });
      times.push((performance.now() - startMs) / 2);
    }
    return quantile(times, 0.5);
  }

  /** Not in an orderly way: taking 10,000 addresses off an interface takes the guest a minute. */
  async end(): Promise<void> {
    const ended = this.#child.exitCode !== null ? Promise.resolve() : once(this.#child, 'exit');
    this.#socket.destroy();
    this.#child.kill('SIGTERM');
    await ended;
  }

  async #give(order: Order): Promise<Report> {
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<Report>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.write(`${JSON.stringify({ id, order })}\n`);
    const report = await Promise.race([answer, this.#died]);
    if (report.error !== undefined) throw new Error(`the guest: ${report.error}`);
    return report;
  }
}
