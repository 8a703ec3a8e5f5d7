// The assigner as users run it: its own process, from the bundle; and what the kernel says it uses.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Usage {
  /** User and system time since the start. */
  readonly cpuSeconds: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
}

/** sysconf(_SC_CLK_TCK): 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

const QUIET_MS = 10_000;
const QUIET_CPU_SECONDS = 0.05;

export class AssignerProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exit = once(child, 'exit');
  }

  static async start(bundle: string, kubeconfig: string): Promise<AssignerProcess> {
    const args = ['assigner', '--kubeconfig', kubeconfig, '--default-class', '--log-level', 'warn'];
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', process.execPath, bundle, ...args, '--listen', 'off'],
      { stdio: ['ignore', 'inherit', 'inherit'] },
    );
    await once(child, 'spawn');
    return new AssignerProcess(child);
  }

  async usage(): Promise<Usage> {
    const { pid } = this.#child;
    // proc(5): utime and stime are fields 14 and 15; the name before them may hold blanks
    const stat = await readFile(`/proc/${pid ?? 0}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const status = await readFile(`/proc/${pid ?? 0}/status`, 'utf8');
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN);
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      rssMb: kilobytes('VmRSS') / 1024,
      peakRssMb: kilobytes('VmHWM') / 1024,
    };
  }

  /** Resolves when it has done next to nothing for ten seconds. */
  async untilQuiet(): Promise<void> {
    for (let last = Number.NEGATIVE_INFINITY; ;) {
      const { cpuSeconds } = await this.usage();
      if (cpuSeconds - last < QUIET_CPU_SECONDS) return;
      last = cpuSeconds;
      await sleep(QUIET_MS);
    }
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exit;
  }
}
