// The agent as a program beside a Kubernetes API server: watches, an agent on the kernel, an election that says which
// VIPs are bound here, and one Director object that says what was reached.
// Invariants: the kernel is not touched before every cache has listed once and the election has spoken; with the API
// server away everything stays as it is; its end leaves the kernel forwarding.
import { isDirectorReady, type Director, type DirectorStatus } from '../api/director.ts';
import type { FailedService } from '../api/director.ts';
import type { ClusterObject, ClusterView, Kind } from '../api/cluster.ts';
import { EventRecorder } from '../kube/events.ts';
import type { LeaseTimes } from '../kube/lease.ts';
import type { Service } from '../api/kubernetes.ts';
import type { Problem } from '../api/problem.ts';
import { projectDirector } from '../api/project.ts';
import { DIRECTORS, IPS, POOLS } from '../kube/own-kinds.ts';
import { whyStale } from '../kube/freshness.ts';
import { isAborted } from '../kube/ports.ts';
import {
  Reflector,
  type ReflectorOptions,
  type ReflectorSink,
  type ReflectorState,
} from '../kube/reflector.ts';
import { ENDPOINT_SLICES, NODES, SERVICES, type Resource } from '../kube/resource.ts';
import type { ApiClient } from '../kube/transport.ts';
import { tryParseIp } from '../net/address.ts';
import { aborted, taskFailure } from '../runtime/abort.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import type { Log } from '../runtime/log.ts';
import { Agent } from './reconcile/agent.ts';
import type { RoundSummary } from './reconcile/agent-ports.ts';
import type { Election } from './mastership/election.ts';
import { LeaseElection } from './mastership/lease-election.ts';
import { purgeProblem } from './desired/kube-proxy-claims.ts';
import type { NodeView } from './desired/service.ts';
import { directorStatus, failureOf } from './report/director-status.ts';
import { DirectorWriter } from './report/director-writer.ts';
import { NONE_HELD, type HeldGroups } from './model/held-groups.ts';
import type { Kernel } from './model/kernel.ts';
import { KubeProxyWatch } from './host/kube-proxy-watch.ts';
import { NodeObjects } from './source/node-objects.ts';
import {
  ENDPOINT_SLICE_LIST,
  Projections,
  SERVICE_LIST,
  SLICE_SELECTOR,
} from './source/project.ts';
import { ServiceEvents } from './report/service-events.ts';
import type { ServiceReport } from './reconcile/service-reports.ts';
import type { NodeState, Observed } from './model/state.ts';
import type { KubeProxy } from './model/kube-proxy.ts';

export interface NodeOptions {
  /** Without the interface: that is the one with an address of the node. */
  readonly node: Omit<NodeView, 'bindInterface' | 'held' | 'hasKubeProxy' | 'kubeProxyMode'>;
  readonly bindInterface: string | undefined;
  /** Of the Lease. */
  readonly namespace: string;
  readonly versions: DirectorStatus['versions'];
  readonly leaseTimes?: LeaseTimes;
}

export interface NodePorts {
  readonly client: ApiClient;
  readonly kernel: Kernel;
  /** The interface of this host that has one of the addresses. */
  readonly interfaceOf: (addresses: readonly string[]) => string | undefined;
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
const INTERFACE_RETRY_MS = 1000;

export class NodeProgram {
  readonly #options: NodeOptions;
  readonly #ports: NodePorts;
  readonly #objects = new NodeObjects((before, after) => this.#agent?.changed(before, after));
  readonly #directors = new Map<string, Director>();
  readonly #reflectors: readonly Pick<Reflector<unknown>, 'run' | 'state'>[];
  readonly #events: EventRecorder;
  readonly #serviceEvents: ServiceEvents;
  readonly #election: Election;
  readonly #writer: DirectorWriter;
  readonly #kubeProxy: KubeProxyWatch;
  readonly #failing = new Map<string, FailedService>();
  #onSynced: (() => void) | undefined;
  #agent: Agent | undefined;
  #held = NONE_HELD;
  #isStopped = false;
  #startProblem: string | undefined = 'the caches are not filled yet';

  constructor(options: NodeOptions, ports: NodePorts) {
    this.#options = options;
    this.#ports = ports;
    const { client, clock, random, log } = ports;
    const projections = new Projections();
    this.#objects.awaitServices();
    this.#reflectors = [
      this.#reflect(NODES, (raw) => projections.node(raw)),
      this.#reflect(POOLS, (raw) => projections.pool(raw)),
      this.#reflect(IPS, (raw) => projections.ip(raw)),
      this.#reflect(SERVICES, (raw) => projections.service(raw), { protobuf: SERVICE_LIST }),
      this.#reflect(ENDPOINT_SLICES, (raw) => projections.slice(raw), {
        query: { labelSelector: SLICE_SELECTOR },
        protobuf: ENDPOINT_SLICE_LIST,
      }),
      this.#watch(DIRECTORS, projectDirector, {
        onSync: (directors) => {
          for (const director of directors.values()) this.#setDirector(director);
          this.#onListed();
        },
        onUpsert: (_name, director) => this.#setDirector(director),
        onDelete: (name) => this.#deleteDirector(name),
      }),
    ];
    const common = { client, clock, random, log };
    const nodeName = options.node.name;
    this.#events = new EventRecorder({
      ...common,
      controller: 'vipvs.io/node',
      instance: nodeName,
    });
    this.#serviceEvents = new ServiceEvents(clock, (service, problem) =>
      this.#recordEvent(service, problem),
    );
    const { namespace, leaseTimes } = options;
    const times = leaseTimes === undefined ? {} : { times: leaseTimes };
    this.#election =
      ports.election ?? new LeaseElection({ ...common, namespace, nodeName, ...times });
    this.#kubeProxy = new KubeProxyWatch({
      clock,
      log,
      probe: ports.probeKubeProxy,
      onChange: (kubeProxy) => this.#onKubeProxy(kubeProxy),
    });
    this.#writer = new DirectorWriter(nodeName, {
      ...common,
      status: (shown, now) => this.#status(shown, now),
      conditions: () => this.#directors.get(nodeName)?.status?.conditions ?? [],
      node: () => this.#objects.store.nodes.get(nodeName),
    });
  }

  get store(): ClusterView {
    return this.#objects.store;
  }

  /** What the kernel should hold, and what it holds; undefined before the start. */
  get state(): { readonly desired: NodeState; readonly observed: Observed } | undefined {
    return this.#agent;
  }

  /** The VIPs that this director answers for. */
  get held(): HeldGroups {
    return this.#held;
  }

  /** What the caches are made of, for metrics and tests. */
  sources(): readonly ReflectorState[] {
    return this.#reflectors.map((each) => each.state());
  }

  /** Why it is not ready; empty: the kernel holds what the Services want, and what it reads and writes is fresh. */
  notReady(): readonly string[] {
    const others = [
      this.#startProblem,
      this.#agent?.isReady === false ? 'the first full round is not done yet' : undefined,
      ...[this.#election.problem, this.#writer.problem, this.#events.problem],
    ].filter((each) => each !== undefined);
    return [...new Set([...this.sources().flatMap(whyStale), ...others])];
  }

  /** Runs until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const inner = AbortSignal.any([signal, stop.signal]);
    const synced = new Promise<void>((resolve) => (this.#onSynced = resolve));
    const background = [
      ...this.#reflectors.map((reflector) => reflector.run(inner)),
      this.#events.run(inner),
    ];
    try {
      await Promise.race([this.#work(synced, inner), ...background.map(taskFailure)]);
    } finally {
      stop.abort();
      await Promise.all(background);
      await this.#agent?.stop();
      this.#serviceEvents.stop();
      this.#isStopped = true;
      await this.#writer.stop();
    }
  }

  /** Reads the kernel anew and repairs what differs. */
  audit(): void {
    this.#agent?.audit();
  }

  async #work(synced: Promise<void>, signal: AbortSignal): Promise<void> {
    await Promise.race([synced, aborted(signal)]);
    const bindInterface = await this.#findInterface(signal);
    if (bindInterface === undefined) return;
    await this.#kubeProxy.look(signal);
    const watching = this.#kubeProxy.run(signal);
    this.#startProblem = 'the election of the announcer has not spoken yet';
    this.#writer.mark();
    await this.#election.run(signal, async (held) => {
      this.#held = held;
      this.#writer.mark();
      if (this.#agent === undefined) this.#start(bindInterface, held);
      else await this.#agent.setHeld(held);
      this.#writer.mark();
    });
    // a question that is on its way need not be waited for
    await Promise.race([watching, aborted(signal)]);
  }

  #onKubeProxy(kubeProxy: KubeProxy | undefined): void {
    this.#agent?.setKubeProxy(viewOf(kubeProxy));
    const problem = this.#purgeProblem();
    if (problem !== undefined) this.#ports.log.warn({ problem }, 'kube-proxy');
    this.#writer.mark();
  }

  #purgeProblem(): string | undefined {
    return this.#agent && purgeProblem(this.#kubeProxy.kubeProxy, this.#agent.pools);
  }

  /** undefined: the signal came first. */
  async #findInterface(signal: AbortSignal): Promise<string | undefined> {
    const { bindInterface, node } = this.#options;
    if (bindInterface !== undefined) return isAborted(signal) ? undefined : bindInterface;
    while (!isAborted(signal)) {
      const known = this.#objects.store.nodes.get(node.name)?.status?.addresses ?? [];
      const addresses = known.map(({ address }) => address);
      const found = this.#ports.interfaceOf(addresses);
      if (found !== undefined) return found;
      const problem =
        `no interface of this host has an address of node ${node.name} ` +
        `(${addresses.join(', ') || 'it has none'}): name one with --bind-iface`;
      if (this.#startProblem !== problem) this.#ports.log.error({ problem }, 'can not start yet');
      this.#startProblem = problem;
      await this.#ports.clock.sleep(INTERFACE_RETRY_MS, signal);
    }
    return undefined;
  }

  #start(bindInterface: string, held: HeldGroups): void {
    const { kernel, clock, random, log, onRound } = this.#ports;
    this.#startProblem = undefined;
    log.info({ bindInterface, groups: [...held.groups] }, 'starting on the kernel');
    this.#agent = new Agent(
      this.#objects.store,
      {
        kernel,
        clock,
        random,
        log,
        report: (service, report) => this.#onReport(service, report),
        onRound: (round) => {
          this.#writer.mark();
          onRound?.(round);
        },
        onReady: () => {
          log.info({}, 'ready: the kernel holds what the Services want');
          this.#election.ready();
          this.#writer.mark();
          this.#ports.clock.timer(RELEASE_AFTER_MS, () => this.#ports.releaseMemory?.());
        },
      },
      {
        node: {
          ...this.#options.node,
          ...viewOf(this.#kubeProxy.kubeProxy),
          bindInterface,
          held,
        },
      },
    );
    this.#agent.setSynced(true);
  }

  #onReport(service: string, report: ServiceReport | undefined): void {
    const failure = failureOf(service, report);
    if (failure === undefined) this.#failing.delete(service);
    else this.#failing.set(service, failure);
    this.#writer.mark();
    this.#serviceEvents.told(service, report);
  }

  #recordEvent(service: string, { reason, message }: Problem): void {
    const object = this.#objects.store.services.get(service);
    // all directors have the same troubles; the one that answers for the Service's first VIP tells
    if (object === undefined || !this.#answersFor(object)) return;
    const { metadata } = object;
    const { uid, namespace = 'default', name } = metadata;
    const about = { apiVersion: 'v1', kind: 'Service', namespace, name, uid };
    this.#events.record({ about, type: 'Warning', reason, action: 'Program', note: message });
  }

  #answersFor({ status }: Service): boolean {
    const shown = status?.loadBalancer?.ingress ?? [];
    const [vip] = shown.flatMap(({ ip = '' }) => tryParseIp(ip) ?? []);
    return vip === undefined ? this.#held.groups.size > 0 : this.#held.isHeldHere(vip);
  }

  #status(shown: Parameters<typeof directorStatus>[1], now: string): DirectorStatus {
    const agent = this.#agent;
    const phase = this.#isStopped ? 'stopped' : agent?.isReady === true ? 'running' : 'starting';
    const facts: Parameters<typeof directorStatus>[0] = {
      phase,
      held: this.#held,
      failing: this.#failing,
      desired: agent?.desired ?? NOTHING_DESIRED,
      observed: agent?.observed ?? NOTHING_OBSERVED,
      nodeProblems: agent?.nodeProblems ?? [],
      purgeProblem: this.#purgeProblem(),
      versions: this.#options.versions,
    };
    return directorStatus(facts, shown, now);
  }

  #setDirector(director: Director): void {
    const { name } = director.metadata;
    const known = this.#directors.get(name);
    this.#directors.set(name, director);
    if (name === this.#options.node.name) return;
    this.#election.seen(name, director);
    if (known !== undefined && isDirectorReady(known) !== isDirectorReady(director)) {
      this.#ports.log.info({ director: name, ready: isDirectorReady(director) }, 'other director');
    }
  }

  #deleteDirector(name: string): void {
    this.#directors.delete(name);
    if (name === this.#options.node.name) this.#writer.deleted();
    else this.#election.seen(name, undefined);
  }

  #reflect(
    resource: Resource,
    project: (raw: unknown) => ClusterObject | undefined,
    reading: Reading = {},
  ): Reflector<ClusterObject> {
    // every resource here is of a kind of ours
    const kind = resource.kind as Kind;
    return this.#watch(
      resource,
      project,
      {
        onSync: (objects) => {
          for (const object of objects.values()) this.#objects.set(object);
          if (kind === 'Service') this.#objects.servicesListed();
          this.#onListed();
        },
        onUpsert: (_key, object) => this.#objects.set(object),
        onDelete: (key) => this.#objects.delete(kind, key),
      },
      reading,
    );
  }

  #watch<T>(
    resource: Resource,
    project: (raw: unknown) => T | undefined,
    sink: ReflectorSink<T>,
    reading: Reading = {},
  ): Reflector<T> {
    const { client, clock, random, log } = this.#ports;
    return new Reflector<T>({ client, clock, random, log, resource, project, sink, ...reading });
  }

  #onListed(): void {
    // the reflector marks itself synced after its sink was told
    queueMicrotask(() => {
      if (this.#reflectors.every((each) => each.state().synced)) this.#onSynced?.();
    });
  }
}

type Reading = Pick<ReflectorOptions<unknown>, 'query' | 'protobuf'>;

const NOTHING_DESIRED: Pick<NodeState, 'virtualServers' | 'addresses'> = {
  virtualServers: new Map(),
  addresses: new Map(),
};
const NOTHING_OBSERVED: Pick<Observed, 'virtualServers' | 'addresses'> = {
  virtualServers: undefined,
  addresses: undefined,
};

function viewOf(
  kubeProxy: KubeProxy | undefined,
): Pick<NodeView, 'hasKubeProxy' | 'kubeProxyMode'> {
  return { hasKubeProxy: kubeProxy !== undefined, kubeProxyMode: kubeProxy?.mode };
}
