// The agent of one node: keeps the kernel as the Services want it. What changed is marked in the agenda, which says what a
// round has to do; the rounds do it; what the kernel should hold is decided by the pure desired/ and plan/.
// Invariants: nothing is written before the source has synced and the kernel was read; one round runs at a time; stop
// leaves the kernel as it is.
import type { ClusterObject, ClusterView } from '../../api/cluster.ts';
import type { ResolvedPools } from '../../api/pools.ts';
import type { IpAddress } from '../../net/address.ts';
import { messageOf } from '../../runtime/errors.ts';
import { COALESCE_MS, Loop, type RoundResult } from '../../runtime/loop.ts';
import { DesiredIndex } from '../desired/all-services.ts';
import type { NodeView } from '../desired/service.ts';
import type { HeldGroups } from '../model/held-groups.ts';
import type { KernelChange } from '../model/kernel.ts';
import type { NodeState, Observed, ObservedHost } from '../model/state.ts';
import { DEFAULT_LIMITS } from '../plan/plan.ts';
import { Agenda } from './agenda.ts';
import type { AgentOptions, AgentPorts } from './agent-ports.ts';
import { Rounds } from './rounds.ts';

export class Agent {
  readonly #ports: AgentPorts;
  readonly #index: DesiredIndex;
  readonly #agenda: Agenda;
  readonly #rounds: Rounds;
  readonly #loop: Loop;
  /** Their part of the wanted state is to be computed anew. */
  #dirtyServices = new Set<string>();
  #onMoved: (() => void)[] = [];
  #isSynced = false;
  #hasSynced = false;

  constructor(view: ClusterView, ports: AgentPorts, options: AgentOptions) {
    this.#ports = ports;
    this.#index = new DesiredIndex(view, options.node);
    this.#agenda = new Agenda(ports.random);
    this.#rounds = new Rounds(view, {
      ...ports,
      index: this.#index,
      agenda: this.#agenda,
      limits: options.limits ?? DEFAULT_LIMITS,
      refresh: (host) => this.#refresh(host),
      wake: () => this.#loop.mark(),
    });
    this.#loop = new Loop({
      clock: ports.clock,
      random: ports.random,
      round: () => this.#round(),
      onFailure: (error, delayMs) => {
        this.#agenda.wantFull();
        ports.log.error({ err: error, reason: messageOf(error), delayMs }, 'round failed');
      },
    });
    ports.kernel.onChange((change) => this.#onKernelChange(change));
  }

  /** The first full round has gone through: the kernel holds what the Services want. */
  get isReady(): boolean {
    return this.#rounds.isReady;
  }

  get desired(): NodeState {
    return this.#index.state;
  }

  /** What the kernel holds, as far as is known. */
  get observed(): Observed {
    return this.#rounds.mirror;
  }

  /** Addresses that only others have put on this host; undefined before it was read. */
  get hostAddresses(): ReadonlySet<IpAddress> | undefined {
    return this.#rounds.mirror.hostAddresses;
  }

  get pools(): ResolvedPools {
    return this.#index.pools;
  }

  /** What could not be reached and concerns no single Service. */
  get nodeProblems(): readonly string[] {
    const faults = [...this.#rounds.retries.faults].filter(({ services }) => services.length === 0);
    return faults.flatMap(({ problem }) => problem?.message ?? []);
  }

  /** Virtual servers of somebody else inside our Pools, one line each. */
  get foreignServers(): readonly string[] {
    return this.#rounds.foreignServers;
  }

  /** An object of the view changed; undefined stands for absent. The view holds the new one already. */
  changed(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    const touched = this.#index.touchedBy(before, after);
    if (touched.size === 0) return;
    for (const service of touched) this.#dirtyServices.add(service);
    if (this.#isSynced) this.#loop.mark();
  }

  /** Whether the view is whole. While it is not, the kernel is kept as it was wanted last. */
  setSynced(isSynced: boolean): void {
    if (isSynced && !this.#hasSynced) {
      this.#hasSynced = true;
      this.#dirtyServices = new Set(this.#index.reset());
    }
    this.#isSynced = isSynced;
    if (isSynced) this.#loop.mark();
  }

  /** Which VIPs are bound here. Answers when the kernel was told; what is withdrawn waits for nothing else. */
  setHeld(held: HeldGroups): Promise<void> {
    const changed = this.#index.setHeld(held);
    this.#agenda.mark(changed);
    this.#rounds.reports.touch(changed.services);
    if ([...changed.addresses].some((address) => !held.isHeldHere(address)))
      this.#agenda.withdraw();
    if (!this.#hasSynced) return Promise.resolve();
    this.#loop.mark();
    return new Promise((resolve) => this.#onMoved.push(resolve));
  }

  /** Whether kube-proxy runs on this node, and how. */
  setKubeProxy(kubeProxy: Pick<NodeView, 'hasKubeProxy' | 'kubeProxyMode'>): void {
    for (const service of this.#index.setKubeProxy(kubeProxy)) this.#dirtyServices.add(service);
    if (this.#isSynced) this.#loop.mark();
  }

  /** Reads the kernel anew and repairs what differs. */
  audit(): void {
    this.#agenda.wantFull();
    this.#loop.mark();
  }

  /** Waits for the running round; the kernel stays as it is. */
  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#rounds.settle();
  }

  #onKernelChange(change: KernelChange): void {
    this.#agenda.hostEdited();
    if (change.kind === 'address.removed') {
      this.#rounds.addressTaken(change.address, change.interface);
      this.#agenda.markAddress(change.address);
    } else if (change.kind === 'address.freed') {
      if (!this.#index.isRefusedFor(change.address)) return;
      this.#agenda.wantFull();
    } else {
      this.#rounds.reports.setLink(change.interface, change.up);
      // IPv6 addresses went with the link, and the neighbours have forgotten the others
      if (change.up) {
        for (const each of this.desired.addresses.values()) {
          if (each.interface === change.interface) this.#agenda.announce(each.address);
        }
        this.#agenda.wantFull();
      }
    }
    this.#loop.mark();
  }

  async #round(): Promise<RoundResult> {
    if (!this.#hasSynced) return {};
    const moved = this.#onMoved;
    await this.#rounds.run();
    this.#onMoved = this.#onMoved.filter((each) => !moved.includes(each));
    for (const resolve of moved) resolve();
    // whatever was not dealt with must not become a busy loop
    const earliestMs = this.#ports.clock.nowMs() + COALESCE_MS;
    return { wakeAtMs: Math.max(this.#agenda.wakeAtMs(), earliestMs) };
  }

  /** Without a whole view, what is wanted stays as it was. */
  #refresh(host: ObservedHost | undefined): void {
    if (!this.#isSynced) return;
    const services = this.#dirtyServices;
    const { hostAddresses } = this.#rounds.mirror;
    if (host?.addresses !== undefined && hostAddresses !== undefined) {
      const touched = this.#index.setHostAddresses(hostAddresses);
      for (const service of touched) services.add(service);
    }
    if (services.size === 0) return;
    this.#dirtyServices = new Set();
    const changed = this.#index.update(services);
    this.#agenda.mark(changed);
    this.#rounds.reports.touch(changed.services);
  }
}
