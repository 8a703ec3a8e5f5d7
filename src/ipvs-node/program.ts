// The agent as a program beside a Kubernetes API server, made of parts: watches, kube-proxy's watch, an election that says
// which VIPs are bound here, the agent on the kernel, Events, and one Director object that says what was reached.
// Invariants: with the API server away everything stays as it is; its end leaves the kernel forwarding.
import { isDirectorReady, type Director, type DirectorStatus } from '../api/director.ts';
import type { ClusterView } from '../api/cluster.ts';
import type { Service } from '../api/kubernetes.ts';
import type { Problem } from '../api/problem.ts';
import type { Reason } from '../api/reasons.ts';
import { EventRecorder, type ObjectReference } from '../kube/events.ts';
import type { LeaseTimes } from '../kube/lease.ts';
import { isAborted } from '../kube/ports.ts';
import { DIRECTORS } from '../kube/own-kinds.ts';
import type { ReflectorState } from '../kube/reflector.ts';
import { apiVersionOf } from '../kube/resource.ts';
import type { ApiClient } from '../kube/transport.ts';
import { tryParseIp } from '../net/address.ts';
import { aborted } from '../runtime/abort.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { problemsOf, runParts, type Part } from '../runtime/part.ts';
import { AgentPart, type AgentPartPorts } from './agent-part.ts';
import { purgeProblem } from './desired/kube-proxy-claims.ts';
import { KubeProxyWatch } from './host/kube-proxy-watch.ts';
import type { Election } from './mastership/election.ts';
import { LeaseElection } from './mastership/lease-election.ts';
import { NONE_HELD, type HeldGroups } from './model/held-groups.ts';
import type { Kernel } from './model/kernel.ts';
import type { KubeProxy } from './model/kube-proxy.ts';
import type { NodeState, Observed } from './model/state.ts';
import type { Announced, RoundSummary } from './reconcile/agent-ports.ts';
import { DirectorReport } from './report/director-report.ts';
import { ServiceEvents } from './report/service-events.ts';
import { ClusterWatch } from './source/cluster-watch.ts';

export interface NodeOptions extends Pick<AgentPartPorts, 'node' | 'bindInterface'> {
  /** Of the Lease. */
  readonly namespace: string;
  readonly versions: DirectorStatus['versions'];
  readonly leaseTimes?: LeaseTimes;
}

export interface NodePorts extends Pick<AgentPartPorts, 'interfaceOf'> {
  readonly client: ApiClient;
  readonly kernel: Kernel;
  /** What kube-proxy of this node says of itself; undefined: none answers. */
  readonly probeKubeProxy: () => Promise<KubeProxy | undefined>;
  /** Default: a Lease. */
  readonly election?: Election;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onRound?: (round: RoundSummary) => void;
  /** Gives back what reading all objects took; called once, a while after the start. */
  readonly releaseMemory?: () => void;
}

/** Announcements of the first addresses are repeated for some seconds. */
const RELEASE_AFTER_MS = 5000;

export class NodeProgram {
  readonly #options: NodeOptions;
  readonly #ports: NodePorts;
  readonly #cluster: ClusterWatch;
  readonly #kubeProxy: KubeProxyWatch;
  readonly #election: Election;
  readonly #agent: AgentPart;
  readonly #events: EventRecorder;
  readonly #director: DirectorReport;
  /** In the order in which they end. */
  readonly #parts: readonly Part[];
  #held = NONE_HELD;

  constructor(options: NodeOptions, ports: NodePorts) {
    this.#options = options;
    this.#ports = ports;
    const { client, clock, random, log } = ports;
    const common = { client, clock, random, log };
    const { name } = options.node;
    this.#cluster = new ClusterWatch({
      ...common,
      onChange: (before, after) => this.#agent.changed(before, after),
      onDirector: (each, before, after) => this.#onDirector(each, before, after),
      onDoubt: (message) => this.#listDoubted(message),
    });
    this.#kubeProxy = new KubeProxyWatch({
      clock,
      log,
      probe: ports.probeKubeProxy,
      onChange: (kubeProxy) => this.#onKubeProxy(kubeProxy),
    });
    this.#election = ports.election ?? this.#leaseElection();
    this.#events = new EventRecorder({
      ...common,
      isBusy: () => !this.#director.isIdle,
      controller: 'vipvs.io/node',
      instance: name,
    });
    const serviceEvents = new ServiceEvents(clock, (service, problem) =>
      this.#recordEvent(service, problem),
    );
    this.#director = new DirectorReport(name, {
      ...common,
      agent: () => this.#agent.agent,
      held: () => this.#held,
      purgeProblem: () => this.#purgeProblem(),
      versions: options.versions,
      conditions: () => this.#cluster.directors.get(name)?.status?.conditions ?? [],
      node: () => this.#cluster.store.nodes.get(name),
    });
    this.#agent = this.#makeAgent(serviceEvents);
    this.#parts = [
      this.#cluster,
      this.#mastership(),
      this.#kubeProxy,
      this.#agent,
      serviceEvents,
      this.#events,
      this.#director,
    ];
  }

  get store(): ClusterView {
    return this.#cluster.store;
  }

  /** What the kernel should hold, and what it holds; undefined before the start. */
  get state(): { readonly desired: NodeState; readonly observed: Observed } | undefined {
    return this.#agent.agent;
  }

  /** The VIPs that this director answers for. */
  get held(): HeldGroups {
    return this.#held;
  }

  /** What the caches are made of, for metrics and tests. */
  sources(): readonly ReflectorState[] {
    return this.#cluster.sources();
  }

  get eventsDropped(): number {
    return this.#events.dropped;
  }

  /** Why it is not ready; empty: the kernel holds what the Services want, and what it reads and writes is fresh. */
  notReady(): readonly string[] {
    return problemsOf(this.#parts);
  }

  /** Runs until the signal is aborted. */
  run(signal: AbortSignal): Promise<void> {
    return runParts(this.#parts, signal);
  }

  /** Reads the kernel anew and repairs what differs. */
  audit(): void {
    this.#agent.agent?.audit();
  }

  #leaseElection(): LeaseElection {
    const { client, clock, random, log } = this.#ports;
    const { node, namespace, leaseTimes } = this.#options;
    const times = leaseTimes === undefined ? {} : { times: leaseTimes };
    const nodeName = node.name;
    return new LeaseElection({ client, clock, random, log, namespace, nodeName, ...times });
  }

  /** It speaks to an agent that is prepared: one that can't start must not keep the Lease. */
  #mastership(): Part {
    const election = this.#election;
    return {
      run: async (signal) => {
        await Promise.race([this.#agent.prepared, aborted(signal)]);
        if (isAborted(signal)) return;
        this.#director.mark();
        await election.run(signal, (held) => this.#hold(held));
      },
      get problem() {
        return election.problem;
      },
    };
  }

  async #hold(held: HeldGroups): Promise<void> {
    this.#held = held;
    this.#director.mark();
    await this.#agent.setHeld(held);
    this.#director.mark();
  }

  #makeAgent(serviceEvents: ServiceEvents): AgentPart {
    const { node, bindInterface } = this.#options;
    const { kernel, clock, random, log, interfaceOf, onRound } = this.#ports;
    return new AgentPart({
      node,
      bindInterface,
      interfaceOf,
      store: () => this.#cluster.store,
      synced: this.#cluster.synced,
      kubeProxyAsked: this.#kubeProxy.asked,
      kubeProxy: () => this.#kubeProxy.kubeProxy,
      kernel,
      clock,
      random,
      log,
      report: (service, report) => {
        this.#director.told(service, report);
        serviceEvents.told(service, report);
      },
      onRound: (round) => {
        this.#director.mark();
        onRound?.(round);
      },
      onReady: () => this.#onReady(),
      onForeign: () => this.#director.mark(),
      onAnnounced: (announced) => this.#recordAnnounced(announced),
    });
  }

  #onReady(): void {
    const { clock, log, releaseMemory } = this.#ports;
    log.info({}, 'ready: the kernel holds what the Services want');
    this.#election.ready();
    this.#director.mark();
    clock.timer(RELEASE_AFTER_MS, () => releaseMemory?.());
  }

  #onKubeProxy(kubeProxy: KubeProxy | undefined): void {
    this.#agent.setKubeProxy(kubeProxy);
    const problem = this.#purgeProblem();
    if (problem !== undefined) this.#ports.log.warn({ problem }, 'kube-proxy');
    this.#director.mark();
  }

  #purgeProblem(): string | undefined {
    const { agent } = this.#agent;
    return agent && purgeProblem(this.#kubeProxy.kubeProxy, agent.pools);
  }

  #recordEvent(service: string, { reason, message }: Problem): void {
    const object = this.#cluster.store.services.get(service);
    // all directors have the same troubles; the one that answers for the Service's first VIP tells
    if (object === undefined || !this.#answersFor(object)) return;
    const about = aboutOf(object);
    this.#events.record({ about, type: 'Warning', reason, action: 'Program', note: message });
  }

  /** It concerns no single object; the Director is where an operator looks for this agent. */
  #listDoubted(note: string): void {
    const { name } = this.#options.node;
    const uid = this.#cluster.directors.get(name)?.metadata.uid;
    const about = { apiVersion: apiVersionOf(DIRECTORS), kind: DIRECTORS.kind, name, uid };
    this.#events.record({ about, type: 'Warning', reason: 'ListDoubted', action: 'List', note });
  }

  /** Also said when the VIP came from another director; the Service shows its address already, so nobody waits for it. */
  #recordAnnounced({ address, interface: link, services }: Announced): void {
    const reason: Reason = 'Announced';
    const note = `director ${this.#options.node.name} announces ${address} on ${link}`;
    for (const service of services) {
      const object = this.#cluster.store.services.get(service);
      if (object === undefined) continue;
      const about = aboutOf(object);
      this.#events.record({
        about,
        type: 'Normal',
        reason,
        action: 'Announce',
        note,
        isUnhurried: true,
      });
    }
  }

  #answersFor({ status }: Service): boolean {
    const shown = status?.loadBalancer?.ingress ?? [];
    const [vip] = shown.flatMap(({ ip = '' }) => tryParseIp(ip) ?? []);
    return vip === undefined ? this.#held.groups.size > 0 : this.#held.isHeldHere(vip);
  }

  #onDirector(name: string, before: Director | undefined, after: Director | undefined): void {
    if (name === this.#options.node.name) {
      if (after === undefined) this.#director.deleted();
      return;
    }
    this.#election.seen(name, after);
    if (before === undefined || after === undefined) return;
    const ready = isDirectorReady(after);
    if (isDirectorReady(before) !== ready) {
      this.#ports.log.info({ director: name, ready }, 'other director');
    }
  }
}

function aboutOf({ metadata }: Service): ObjectReference {
  const { uid, namespace = 'default', name } = metadata;
  return { apiVersion: 'v1', kind: 'Service', namespace, name, uid };
}
