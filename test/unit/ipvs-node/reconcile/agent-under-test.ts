// An agent on a fake kernel and a clock that only the test moves.
import {
  keyOf,
  type ClusterObject,
  type ClusterStore,
  type Kind,
} from '../../../../src/api/cluster.ts';
import { Agent } from '../../../../src/ipvs-node/reconcile/agent.ts';
import type { Announced, RoundSummary } from '../../../../src/ipvs-node/reconcile/agent-ports.ts';
import type { NodeView } from '../../../../src/ipvs-node/desired/service.ts';
import type { ServiceReport } from '../../../../src/ipvs-node/reconcile/service-reports.ts';
import { silentLog, type Log } from '../../../../src/runtime/log.ts';
import { FakeKernel, type FakeOptions } from '../../../contract/fake-kernel.ts';
import { FakeClock } from '../../runtime/fake-clock.ts';
import { NODE, pool, service, slice, storeOf } from '../objects.ts';

/** One Service with two real servers. */
export const WEB = [pool(), service(), slice(['10.0.0.1', '10.0.0.2'])];
/** What the kernel holds for WEB. */
export const SERVED = `-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1
-a -t 192.0.2.10:80 -r 10.0.0.2:8080 -m -w 1
ip address add 192.0.2.10/32 dev eth0
`;
export const OK = { isProgrammed: true, problems: [] };
export const lines = (under: AgentUnderTest): readonly string[] =>
  under.kernel.dump().trim().split('\n');

export interface AgentUnderTestOptions extends FakeOptions {
  readonly objects?: readonly ClusterObject[];
  readonly node?: NodeView;
  /** The kernel that an earlier agent left. */
  readonly kernel?: FakeKernel;
  readonly log?: Log;
}

export class AgentUnderTest {
  readonly store: ClusterStore;
  readonly kernel: FakeKernel;
  readonly clock = new FakeClock();
  readonly agent: Agent;
  /** The last report of each Service. */
  readonly reports = new Map<string, ServiceReport>();
  reportCount = 0;
  readonly rounds: RoundSummary[] = [];
  /** Each as text: address, interface, Services. */
  readonly announced: string[] = [];
  /** What was told of virtual servers of somebody else. */
  readonly foreign: (readonly string[])[] = [];

  constructor(options: AgentUnderTestOptions = {}) {
    this.store = storeOf(...(options.objects ?? []));
    this.kernel = options.kernel ?? new FakeKernel(options);
    const ports = {
      kernel: this.kernel,
      clock: this.clock,
      random: () => 0.5,
      log: options.log ?? silentLog,
      report: (service: string, report: ServiceReport | undefined): void => {
        this.reportCount++;
        if (report === undefined) this.reports.delete(service);
        else this.reports.set(service, report);
      },
      onRound: (round: RoundSummary): void => void this.rounds.push(round),
      onForeign: (servers: readonly string[]): void => void this.foreign.push(servers),
      onAnnounced: ({ address, interface: link, services }: Announced): void =>
        void this.announced.push([address, link, [...services].sort().join()].join(' ')),
    };
    this.agent = new Agent(this.store, ports, { node: options.node ?? NODE });
  }

  /** Started, synced, and through its first round. */
  static async started(options: AgentUnderTestOptions = {}): Promise<AgentUnderTest> {
    const under = new AgentUnderTest(options);
    under.agent.setSynced(true);
    await under.clock.advance(1);
    return under;
  }

  set(...objects: readonly ClusterObject[]): void {
    for (const object of objects) {
      const before = this.store.get(object.kind, keyOf(object));
      this.store.set(object);
      this.agent.changed(before, object);
    }
  }

  delete(kind: Kind, key: string): void {
    const before = this.store.get(kind, key);
    this.store.delete(kind, key);
    this.agent.changed(before, undefined);
  }

  async advance(deltaMs: number): Promise<void> {
    await this.clock.advance(deltaMs);
  }

  /** Operations since the last call, without their values. */
  takeOps(): readonly string[] {
    return this.kernel.log.splice(0).map(({ op }) => op);
  }

  problems(service: string): readonly string[] | undefined {
    return this.reports
      .get(service)
      ?.problems.map(({ reason, message }) => `${reason}: ${message}`);
  }
}
