// What standalone mode shows of itself on /metrics, out of what its parts tell.
import type { ClusterStore } from '../../api/cluster.ts';
import { ADDRESS_ASSIGNED } from '../../api/conditions.ts';
import type { RoundSummary } from '../reconcile/agent-ports.ts';
import { DRIFT_KINDS } from '../reconcile/drift.ts';
import type { NodeState, Observed } from '../model/state.ts';
import type { Metrics } from '../../runtime/metrics.ts';

const KINDS_COUNTED = {
  Pool: 'pools',
  IP: 'ips',
  Service: 'services',
  EndpointSlice: 'endpointSlices',
  Namespace: 'namespaces',
  Node: 'nodes',
} as const;

export function countObjects(metrics: Metrics, store: ClusterStore): void {
  for (const [kind, map] of Object.entries(KINDS_COUNTED)) {
    metrics.source.objects.set({ kind }, store[map].size);
  }
  metrics.assigner.leader.set(1);
  const services = { assigned: 0, pending: 0 };
  for (const { status } of store.services.values()) {
    const condition = status?.conditions?.find(({ type }) => type === ADDRESS_ASSIGNED);
    if (condition !== undefined) services[condition.status === 'True' ? 'assigned' : 'pending']++;
  }
  metrics.assigner.services.set({ state: 'assigned' }, services.assigned);
  metrics.assigner.services.set({ state: 'pending' }, services.pending);
  metrics.assigner.poolAddresses.reset(); // a Pool that went has no series
  for (const [pool, { status }] of store.pools) {
    const { capacity = 0, allocatable = 0 } = status ?? {};
    metrics.assigner.poolAddresses.set({ pool, state: 'capacity' }, capacity);
    metrics.assigner.poolAddresses.set({ pool, state: 'free' }, allocatable);
    metrics.assigner.poolAddresses.set({ pool, state: 'used' }, capacity - allocatable);
  }
}

export function countRound(metrics: Metrics, round: RoundSummary, wallMs: number): void {
  const labels = { component: 'ipvs-node', kind: round.kind };
  metrics.rounds.durationSeconds.observe(labels, round.durationMs / 1000);
  metrics.rounds.total.inc({ ...labels, outcome: round.failures === 0 ? 'ok' : 'failed' });
  if (round.failures === 0) {
    metrics.rounds.lastSuccessTimestampSeconds.set({ component: 'ipvs-node' }, wallMs / 1000);
  }
  // zeros, too: a rate begins with the first value of a series that is there
  for (const kind of DRIFT_KINDS) {
    metrics.kernel.driftTotal.inc({ kind }, round.drift.get(kind) ?? 0);
  }
  for (const [key, count] of round.counts) {
    const [op = '', result = ''] = key.split(' ');
    metrics.kernel.opsTotal.inc({ op, result }, count);
  }
}

/** Read when somebody asks for the metrics: it looks at every virtual server. */
export function countKernel(metrics: Metrics, desired: NodeState, observed: Observed): void {
  metrics.kernel.virtualServers.set(desired.virtualServers.size);
  let active = 0;
  let draining = 0;
  for (const { realServers } of observed.virtualServers?.values() ?? []) {
    for (const { weight } of realServers.values()) {
      if (weight === 0) draining++;
      else active++;
    }
  }
  metrics.kernel.realServers.set({ state: 'active' }, active);
  metrics.kernel.realServers.set({ state: 'draining' }, draining);
}
