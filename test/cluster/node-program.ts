// `vipvs node` in the process of the test: its own token and RBAC on a real API server, a kernel in memory.
import { NodeProgram } from '../../src/ipvs-node/program.ts';
import type { LeaseTimes } from '../../src/kube/lease.ts';
import { systemClock, type Clock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';
import { NAMESPACE } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import { clientOf } from './gadgets.ts';
import { HookedClient } from './hooked-client.ts';

export interface RunningNode {
  readonly program: NodeProgram;
  readonly kernel: FakeKernel;
  readonly client: HookedClient;
  /** JSON, one record a line. */
  readonly log: readonly string[];
  stop(): Promise<void>;
}

export interface NodeStart {
  readonly name?: string;
  readonly leaseTimes: LeaseTimes;
  readonly clock?: Clock;
}

export async function startNode(plane: ControlPlane, start: NodeStart): Promise<RunningNode> {
  const http = await clientOf(plane, 'node');
  const client = new HookedClient(http);
  const kernel = new FakeKernel();
  const log: string[] = [];
  const { name = 'n1', leaseTimes, clock = systemClock } = start;
  const program = new NodeProgram(
    {
      node: { name },
      bindInterface: 'eth0',
      namespace: NAMESPACE,
      versions: { vipvs: '1', kernel: '6' },
      leaseTimes,
    },
    {
      client,
      kernel,
      clock,
      random: Math.random,
      interfaceOf: () => undefined,
      probeKubeProxy: () => Promise.resolve(undefined),
      log: createLog({ level: 'debug', format: 'json', write: (line) => log.push(line) }),
    },
  );
  const end = new AbortController();
  const ended = program.run(end.signal).finally(() => http.close());
  const stop = (): Promise<void> => {
    end.abort();
    return ended;
  };
  return { program, kernel, client, log, stop };
}
