// A control plane with our CRDs and the programs' own users and RBAC, for their tests, benches and the demo.
import { randomUUID } from 'node:crypto';
import type { AssignerConfig } from '../../src/assigner/decide/decision.ts';
import { AssignerProgram, CALL_CONNECTIONS, type Election } from '../../src/assigner/program.ts';
import { LOAD_BALANCER_CLASS } from '../../src/api/conditions.ts';
import type { LeaseTimes } from '../../src/kube/lease.ts';
import { systemClock, type Clock } from '../../src/runtime/clock.ts';
import { createLog } from '../../src/runtime/log.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { until } from '../api/clocks.ts';
import {
  serviceAccount,
  startControlPlane,
  type ControlPlane,
  type ControlPlaneOptions,
} from './control-plane.ts';
import { clientOf } from './gadgets.ts';
import { HookedClient } from './hooked-client.ts';

const DEPLOY = `${import.meta.dirname}/../../deploy`;
export const NAMESPACE = 'vipvs-system';
/** Quick, so that a test of a lost Lease need not wait 15 s. */
const QUICK_LEASE: LeaseTimes = { leaseMs: 3000, renewDeadlineMs: 2000, retryMs: 300 };
/** Outlives an API server that is away for a while. */
export const LONG_LEASE: LeaseTimes = { leaseMs: 90_000, renewDeadlineMs: 80_000, retryMs: 300 };

/** Without CRDs. */
export async function startBareWorld(
  options: Pick<ControlPlaneOptions, 'audit' | 'users'> = {},
): Promise<ControlPlane> {
  const plane = await startControlPlane({
    ...options,
    users: [
      ...(options.users ?? []),
      serviceAccount('assigner', NAMESPACE, 'vipvs-assigner'),
      serviceAccount('node', NAMESPACE, 'vipvs-node'),
    ],
  });
  await plane.kubectl(['apply', '-f', `${DEPLOY}/base/namespace.yaml`]);
  const rbac = ['assigner', 'node'].flatMap((name) => ['-f', `${DEPLOY}/base/${name}-rbac.yaml`]);
  await plane.kubectl(['apply', '-n', NAMESPACE, ...rbac]);
  return plane;
}

export async function installCrds(plane: ControlPlane): Promise<void> {
  await plane.kubectl(['apply', '-k', `${DEPLOY}/crds`]);
  await plane.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
  await until('the API server takes Pools', async () => {
    const { code } = await plane.tryKubectl(['get', 'pools,ips,directors']);
    return code === 0;
  });
}

export async function startWorld(
  options: Pick<ControlPlaneOptions, 'users'> = {},
): Promise<ControlPlane> {
  const plane = await startBareWorld(options);
  await installCrds(plane);
  return plane;
}

export interface AssignerStart {
  readonly config?: Partial<AssignerConfig>;
  readonly leaseTimes?: LeaseTimes;
  readonly election?: Election;
  readonly clock?: Clock;
}

export interface RunningAssigner {
  readonly program: AssignerProgram;
  readonly client: HookedClient;
  /** JSON, one record a line. */
  readonly log: readonly string[];
  /** Resolves with how it ended. */
  stop(): Promise<'stopped' | 'lost'>;
  readonly ended: Promise<'stopped' | 'lost'>;
}

/** The program in this process, with its own token. */
export async function startAssigner(
  plane: ControlPlane,
  start: AssignerStart = {},
): Promise<RunningAssigner> {
  const http = await clientOf(plane, 'assigner', CALL_CONNECTIONS);
  const client = new HookedClient(http);
  const log: string[] = [];
  const { election, leaseTimes = QUICK_LEASE, clock = systemClock } = start;
  const program = new AssignerProgram(
    {
      config: {
        loadBalancerClass: LOAD_BALANCER_CLASS,
        handleUnset: true,
        holdSeconds: 0,
        ...start.config,
      },
      namespace: NAMESPACE,
      identity: randomUUID(),
      leaseTimes,
    },
    {
      client,
      clock,
      random: Math.random,
      metrics: createMetrics(),
      releaseMemory: () => undefined,
      log: createLog({ level: 'debug', format: 'json', write: (line) => log.push(line) }),
      ...(election === undefined ? {} : { election }),
    },
  );
  const end = new AbortController();
  const ended = program.run(end.signal).finally(() => http.close());
  return {
    program,
    client,
    log,
    ended,
    stop: () => {
      end.abort();
      return ended;
    },
  };
}

export const pool = (name: string, ...addresses: readonly string[]): string =>
  JSON.stringify({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'Pool',
    metadata: { name },
    spec: { addresses },
  });

export const service = (name: string, extra: object = {}, annotations: object = {}): string =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, annotations },
    spec: {
      type: 'LoadBalancer',
      ports: [{ port: 80 }],
      allocateLoadBalancerNodePorts: false,
      ...extra,
    },
  });
