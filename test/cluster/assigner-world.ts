// A control plane with our CRDs and the assigner's own user and RBAC, for the assigner's tests and bench.
import { randomUUID } from 'node:crypto';
import { AssignerProgram } from '../../src/assigner/main.ts';
import { LOAD_BALANCER_CLASS } from '../../src/api/conditions.ts';
import type { LeaseTimes } from '../../src/kube/lease.ts';
import type { HttpApiClient } from '../../src/kube/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { createMetrics } from '../../src/runtime/metrics.ts';
import { until } from '../api/clocks.ts';
import { serviceAccount, startControlPlane, type ControlPlane } from './control-plane.ts';
import { clientOf } from './gadgets.ts';

const DEPLOY = `${import.meta.dirname}/../../deploy`;
export const NAMESPACE = 'vipvs-system';
/** Quick, so that a test of a lost Lease need not wait 15 s. */
const LEASE_TIMES: LeaseTimes = { leaseMs: 3000, renewDeadlineMs: 2000, retryMs: 300 };

export async function startWorld(): Promise<ControlPlane> {
  const plane = await startControlPlane({
    users: [serviceAccount('assigner', NAMESPACE, 'vipvs-assigner')],
  });
  await plane.kubectl(['apply', '-f', `${DEPLOY}/crds`, '-f', `${DEPLOY}/base/namespace.yaml`]);
  await plane.kubectl(['apply', '-n', NAMESPACE, '-f', `${DEPLOY}/base/assigner-rbac.yaml`]);
  await plane.kubectl(['wait', '--for=condition=Established', '-f', `${DEPLOY}/crds`]);
  await until('the API server takes Pools', async () => {
    const { code } = await plane.tryKubectl(['get', 'pools,ips']);
    return code === 0;
  });
  return plane;
}

export interface RunningAssigner {
  readonly program: AssignerProgram;
  readonly client: HttpApiClient;
  /** Resolves with how it ended. */
  stop(): Promise<'stopped' | 'lost'>;
  readonly ended: Promise<'stopped' | 'lost'>;
}

export async function startAssigner(plane: ControlPlane): Promise<RunningAssigner> {
  const client = await clientOf(plane, 'assigner');
  const program = new AssignerProgram(
    {
      config: { loadBalancerClass: LOAD_BALANCER_CLASS, handleUnset: true, holdSeconds: 0 },
      namespace: NAMESPACE,
      identity: randomUUID(),
      leaseTimes: LEASE_TIMES,
    },
    { client, clock: systemClock, random: Math.random, log: silentLog, metrics: createMetrics() },
  );
  const end = new AbortController();
  const ended = program.run(end.signal).finally(() => client.close());
  return {
    program,
    client,
    ended,
    stop: () => {
      end.abort();
      return ended;
    },
  };
}

export const pool = (name: string, ...addresses: readonly string[]): string =>
  JSON.stringify({
    ...{ apiVersion: 'vipvs.io/v1alpha1', kind: 'Pool', metadata: { name } },
    spec: { addresses },
  });

export const service = (name: string, extra: object = {}, annotations: object = {}): string =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name, annotations } },
    spec: {
      type: 'LoadBalancer',
      ports: [{ port: 80 }],
      allocateLoadBalancerNodePorts: false,
      ...extra,
    },
  });
