// `vipvs node` as a whole, on an API server's rules in memory and a fake kernel.
import type { TestContext } from 'node:test';
import type { ClusterObject } from '../../src/api/cluster.ts';
import { directorSchema, type Director } from '../../src/api/director.ts';
import type { KubeProxy } from '../../src/ipvs-node/model/kube-proxy.ts';
import { NodeProgram } from '../../src/ipvs-node/program.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { objectAt, type JsonObject } from '../../src/kube/json.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';
import { node, pool } from '../unit/ipvs-node/objects.ts';
import { until } from './clocks.ts';
import { MemoryApi, PATHS } from './memory-api.ts';

export const DIRECTORS = '/apis/vipvs.io/v1alpha1/directors';
export const LEASE = '/apis/coordination.k8s.io/v1/namespaces/vipvs-system/leases/vipvs-announcer';
export const RULES = `-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1
`;
export const VIP = 'ip address add 192.0.2.10/32 dev eth0\n';

export class Lab {
  readonly api = new MemoryApi();
  readonly #context: TestContext;
  away = false;
  kubeProxy: KubeProxy | undefined;

  constructor(context: TestContext) {
    this.#context = context;
    this.api.fault = () => {
      if (this.away) throw new ApiError('away', { code: 'network', status: 0 });
    };
    this.put(node('n1', '10.0.0.11'), node('n2', '10.0.0.12'), pool());
  }

  put(...objects: readonly ClusterObject[]): void {
    for (const object of objects) {
      // JSON as it would come over the wire
      const json = JSON.parse(JSON.stringify(object)) as JsonObject;
      this.api.put(`${PATHS[object.kind]}/${object.metadata.name}`, json);
    }
  }

  /** Events as `Normal Announced default/web: text (n1)`. */
  events(): readonly string[] {
    return [...this.api.objects].flatMap(([path, event]) => {
      if (!path.includes('/events/')) return [];
      const { namespace, name } = objectAt(event, 'regarding') ?? {};
      const { type, reason, note, reportingInstance } = event;
      const about = [namespace, name].map(String).join('/');
      return [
        `${[type, reason, about].map(String).join(' ')}: ${String(note)} (${String(reportingInstance)})`,
      ];
    });
  }

  director(name: string): NonNullable<Director['status']> {
    const object = this.api.objects.get(`${DIRECTORS}/${name}`);
    return object === undefined ? {} : (directorSchema.parse(object).status ?? {});
  }

  /** A Director without an agent. */
  readyOnPaper(name: string, message: string): void {
    this.api.put(`${DIRECTORS}/${name}`, {
      apiVersion: 'vipvs.io/v1alpha1',
      kind: 'Director',
      metadata: { name },
      status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Running', message }] },
    });
  }

  /** What the kernel holds when the Lease is let go for the first time from now on. */
  dumpAtRelease(kernel: FakeKernel): () => string | undefined {
    let dump: string | undefined;
    this.api.fault = (when) => {
      const holder = objectAt(this.api.objects.get(LEASE), 'spec')?.['holderIdentity'];
      if (when === 'after' && holder === '') dump ??= kernel.dump();
    };
    return () => dump;
  }

  start(name: string, kernel = new FakeKernel(), bindInterface = 'eth0') {
    const program = new NodeProgram(
      {
        node: { name },
        bindInterface: bindInterface === '' ? undefined : bindInterface,
        namespace: 'vipvs-system',
        versions: { vipvs: '1', kernel: '6' },
        leaseTimes: { leaseMs: 1000, renewDeadlineMs: 500, retryMs: 50 },
      },
      {
        client: this.api,
        kernel,
        interfaceOf: (addresses) => (addresses.includes('10.0.0.11') ? 'eth1' : undefined),
        probeKubeProxy: () => Promise.resolve(this.kubeProxy),
        clock: systemClock,
        random: Math.random,
        log: silentLog,
      },
    );
    const end = new AbortController();
    const ended = program.run(end.signal);
    const stop = (): Promise<void> => {
      end.abort();
      return ended;
    };
    this.#context.after(stop);
    return { program, kernel, stop };
  }
}

export const untilKernel = (kernel: FakeKernel, want: string): Promise<void> =>
  until(`the kernel holds ${want}`, () => kernel.dump() === want);
