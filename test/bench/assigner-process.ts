// The assigner as users run it: its own process, from the bundle; and what the kernel says it uses.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';

export interface Usage {
  /** User and system time since the start. */
  readonly cpuSeconds: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
}

export class AssignerProcess {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#exit = once(child, 'exit');
  }

  /** `launcher`: bin/vipvs, which sets what users run with. */
  static async start(launcher: string, kubeconfig: string): Promise<AssignerProcess> {
    const args = ['assigner', '--kubeconfig', kubeconfig, '--default-class', '--log-level', 'warn'];
    const child = spawn(
      'setpriv',
      ['--pdeathsig', 'KILL', '--', launcher, ...args, '--listen', 'off'],
      // in a checkout the launcher takes the bundle only in the lab
      { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, VIPVS_LAB: '1' } },
    );
    await once(child, 'spawn');
    return new AssignerProcess(child);
  }

  async usage(): Promise<Usage> {
    const { pid } = this.#child;
    // proc(5): the first field of a thread's schedstat is its time on a CPU in nanoseconds; stat counts in steps of 10 ms
    let cpuNs = 0;
    for (const thread of await readdir(`/proc/${pid ?? 0}/task`)) {
      const text = await readFile(`/proc/${pid ?? 0}/task/${thread}/schedstat`, 'utf8');
      cpuNs += Number(text.split(' ')[0]);
    }
    const status = await readFile(`/proc/${pid ?? 0}/status`, 'utf8');
    const kilobytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN);
    return {
      cpuSeconds: cpuNs / 1e9,
      rssMb: kilobytes('VmRSS') / 1024,
      peakRssMb: kilobytes('VmHWM') / 1024,
    };
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exit;
  }
}
