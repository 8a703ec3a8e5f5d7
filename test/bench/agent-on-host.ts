// What an agent's start takes where nothing is emulated: the whole program on a real API server, with a kernel in memory, in
// a process of its own. Node's own start and the loading of the program are not in it (0.1 s as the bundle).
//   node test/bench/agent-on-host.ts KUBECONFIG NODE        one line of JSON: HostStart
import { execFileSync } from 'node:child_process';
import { NodeProgram } from '../../src/ipvs-node/program.ts';
import { loadKubeAccess } from '../../src/kube/config.ts';
import { HttpApiClient } from '../../src/kube/transport.ts';
import { systemClock, systemRandom } from '../../src/runtime/clock.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { preferLittleMemory } from '../../src/runtime/memory.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';
import { NAMESPACE } from '../cluster/assigner-world.ts';
import { quantile } from './table.ts';

const TURNS = 5;
const POLL_MS = 5;

/** NaN: not measured, for kube-proxy. */
export interface HostStart {
  /** From the first list until it is ready. */
  readonly hostSeconds: number;
  readonly hostCpuSeconds: number;
}

/** Medians of some starts. */
export function startOnHost(kubeconfig: string, node: string): HostStart {
  const command = [import.meta.filename, kubeconfig, node];
  const starts = Array.from({ length: TURNS }, () => {
    return JSON.parse(execFileSync(process.execPath, command, { encoding: 'utf8' })) as HostStart;
  });
  const median = (figure: keyof HostStart): number => {
    return quantile(
      starts.map((each) => each[figure]),
      0.5,
    );
  };
  return { hostSeconds: median('hostSeconds'), hostCpuSeconds: median('hostCpuSeconds') };
}

async function start(kubeconfig: string, node: string): Promise<HostStart> {
  preferLittleMemory();
  const access = await loadKubeAccess({ kubeconfig, env: {} });
  const common = { clock: systemClock, log: silentLog };
  const client = new HttpApiClient({ ...common, access, userAgent: 'vipvs/bench' });
  const kernel = new FakeKernel();
  const program = new NodeProgram(
    {
      node: { name: node },
      bindInterface: 'eth0',
      namespace: NAMESPACE,
      versions: { vipvs: 'bench', kernel: 'memory' },
    },
    {
      ...common,
      client,
      kernel,
      random: systemRandom,
      interfaceOf: () => undefined,
      probeKubeProxy: () => Promise.resolve(undefined),
    },
  );
  const stop = new AbortController();
  const startMs = performance.now();
  const before = process.cpuUsage();
  const ended = program.run(stop.signal);
  while (program.notReady().length > 0) await systemClock.sleep(POLL_MS, stop.signal);
  const hostSeconds = (performance.now() - startMs) / 1000;
  const { user, system } = process.cpuUsage(before);
  stop.abort();
  await ended;
  await client.close();
  return { hostSeconds, hostCpuSeconds: (user + system) / 1e6 };
}

if (import.meta.main) {
  const [kubeconfig = '', node = ''] = process.argv.slice(2);
  process.stdout.write(`${JSON.stringify(await start(kubeconfig, node))}\n`);
}
