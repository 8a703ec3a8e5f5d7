// What a program that reads the API server shows of its objects and its watches on /metrics.
import { ADDRESS_ASSIGNED } from '../api/conditions.ts';
import type { ClusterView } from '../api/cluster.ts';
import type { ReflectorState } from '../kube/reflector.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** Read when somebody asks for the metrics: it looks at every Service. */
export function countObjects(
  { assigner, source }: Metrics,
  store: ClusterView,
  watches: readonly ReflectorState[],
): void {
  assigner.poolAddresses.reset(); // a Pool that went has no series
  for (const [pool, { status }] of store.pools) {
    const { capacity = 0, allocatable = 0 } = status ?? {};
    assigner.poolAddresses.set({ pool, state: 'capacity' }, capacity);
    assigner.poolAddresses.set({ pool, state: 'free' }, allocatable);
    assigner.poolAddresses.set({ pool, state: 'used' }, capacity - allocatable);
  }
  const services = { assigned: 0, pending: 0 };
  for (const { status } of store.services.values()) {
    const condition = status?.conditions?.find(({ type }) => type === ADDRESS_ASSIGNED);
    services[condition?.status === 'True' ? 'assigned' : 'pending'] += 1;
  }
  for (const [state, count] of Object.entries(services)) assigner.services.set({ state }, count);
  countWatches(source, watches);
}

export function countEvents(source: Metrics['source'], dropped: number): void {
  source.eventsDroppedTotal.reset();
  source.eventsDroppedTotal.inc(dropped);
}

export function countWatches(source: Metrics['source'], watches: readonly ReflectorState[]): void {
  source.synced.set(watches.every(({ synced }) => synced) ? 1 : 0);
  source.watchRestartsTotal.reset();
  for (const { resource, objects, restarts } of watches) {
    source.objects.set({ kind: resource }, objects);
    for (const [reason, count] of restarts) {
      source.watchRestartsTotal.inc({ resource, reason }, count);
    }
  }
}
