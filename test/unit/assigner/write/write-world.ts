// The actor on an API server's rules in memory, and short ways to decide something.
import assert from 'node:assert/strict';
import { WriteProblems } from '../../../../src/assigner/write/problems.ts';
import { WriteQueue } from '../../../../src/assigner/write/queue.ts';
import { ClusterStore } from '../../../../src/api/cluster.ts';
import type { Action, Decision } from '../../../../src/assigner/decide/decision.ts';
import { projectIp, projectService } from '../../../../src/assigner/project.ts';
import { objectAt, textAt, type JsonObject } from '../../../../src/kube/json.ts';
import { silentLog } from '../../../../src/runtime/log.ts';
import { VirtualClock } from '../../../api/clocks.ts';
import { MemoryApi } from '../../../api/memory-api.ts';
import { ip } from '../objects.ts';

export const IPS = '/apis/vipvs.io/v1alpha1/ips';
export const SERVICES = '/api/v1/namespaces/default/services';

export class World {
  readonly api = new MemoryApi();
  readonly clock = new VirtualClock();
  readonly store = new ClusterStore();
  readonly stop = new AbortController();
  readonly done: Decision[] = [];
  readonly failed: Decision[] = [];
  readonly problems = new WriteProblems(this.clock, silentLog);
  mayWrite = true;
  readonly actor = new WriteQueue({
    client: this.api,
    store: this.store,
    mayWrite: () => this.mayWrite,
    onWritten: () => undefined,
    onDone: (decision) => void this.done.push(decision),
    onFailed: (decision) => void this.failed.push(decision),
    onPoolStatus: () => undefined,
    problems: this.problems,
    clock: this.clock,
    random: () => 1,
    signal: this.stop.signal,
  });

  /** A Service that the API server has and the store shows. */
  addService(name: string): void {
    this.api.put(`${SERVICES}/${name}`, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace: 'default' },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    });
    const service = projectService(this.api.objects.get(`${SERVICES}/${name}`));
    if (service !== undefined) this.store.set(service);
  }

  /** An IP that the Service holds: the API server has it and, unless it is `unseen`, the store shows it. */
  addIp(address: string, holder: string, isSeen = true): void {
    const service = this.api.objects.get(`${SERVICES}/${holder}`);
    const uid = textAt(objectAt(service, 'metadata'), 'uid') ?? 'gone';
    const ports = [{ port: 80, protocol: 'TCP' }];
    this.api.put(`${IPS}/${address}`, {
      apiVersion: 'vipvs.io/v1alpha1',
      kind: 'IP',
      metadata: { name: address },
      spec: {
        address,
        poolName: 'public',
        claims: [{ namespace: 'default', name: holder, uid, ports }],
      },
    });
    if (isSeen) this.store.set(projectIp(this.ipOf(address)));
  }

  /** Takes the only holder off the IP that the store shows: it goes. */
  release(address: string): Decision {
    const seen = this.store.ips.get(address);
    assert.ok(seen !== undefined);
    return decide({ do: 'ip.delete', ip: { ...seen, spec: { ...seen.spec, claims: [] } } });
  }

  ipOf(address: string): JsonObject | undefined {
    return this.api.objects.get(`${IPS}/${address}`);
  }

  async settle(ms = 0): Promise<void> {
    await this.clock.advance(ms);
    await this.clock.advance(0);
    await this.clock.advance(0);
  }
}

export const create = (address: string): Action => ({ do: 'ip.create', ip: ip(address, 'public') });
export const status = (name: string, address: string): Action => ({
  do: 'service.status',
  service: `default/${name}`,
  status: { loadBalancer: { ingress: [{ ip: address }] } },
});
export const decide = (...actions: readonly Action[]): Decision => ({
  actions,
  events: [],
  waits: [],
});
