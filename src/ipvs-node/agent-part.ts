// The agent as a part of the program: it is made once all that it starts with is known, and stopped with the kernel as it
// is.
// Invariant: the kernel is not touched before every cache has listed once, kube-proxy was asked, and the election has
// spoken.
import type { ClusterObject, ClusterView } from '../api/cluster.ts';
import { isAborted } from '../kube/ports.ts';
import { aborted } from '../runtime/abort.ts';
import type { Part } from '../runtime/part.ts';
import type { NodeView } from './desired/service.ts';
import type { HeldGroups } from './model/held-groups.ts';
import type { KubeProxy } from './model/kube-proxy.ts';
import { Agent } from './reconcile/agent.ts';
import type { AgentPorts } from './reconcile/agent-ports.ts';

export interface AgentPartPorts extends AgentPorts {
  /** Of the node itself; the rest is found out. */
  readonly node: Omit<NodeView, 'bindInterface' | 'held' | 'hasKubeProxy' | 'kubeProxyMode'>;
  /** undefined: the one with an address of the node. */
  readonly bindInterface: string | undefined;
  /** The interface of this host that has one of the addresses. */
  readonly interfaceOf: (addresses: readonly string[]) => string | undefined;
  readonly store: () => ClusterView;
  readonly synced: Promise<unknown>;
  /** The kube-proxy of this node was asked once. */
  readonly kubeProxyAsked: Promise<unknown>;
  readonly kubeProxy: () => KubeProxy | undefined;
}

const INTERFACE_RETRY_MS = 1000;

export class AgentPart implements Part {
  readonly #ports: AgentPartPorts;
  readonly #prepared = Promise.withResolvers<undefined>();
  readonly #ready = Promise.withResolvers<undefined>();
  #bindInterface: string | undefined;
  #agent: Agent | undefined;
  #startProblem: string | undefined = 'the caches are not filled yet';

  constructor(ports: AgentPartPorts) {
    this.#ports = ports;
  }

  /** undefined before the start. */
  get agent(): Agent | undefined {
    return this.#agent;
  }

  /** All is known but what the election says. */
  get prepared(): Promise<unknown> {
    return this.#prepared.promise;
  }

  get problem(): string | undefined {
    if (this.#startProblem !== undefined) return this.#startProblem;
    return this.#agent?.isReady === true ? undefined : 'the first full round is not done yet';
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.race([this.#prepare(signal), aborted(signal)]);
    await aborted(signal);
    await this.#agent?.stop();
  }

  changed(before: ClusterObject | undefined, after: ClusterObject | undefined): void {
    this.#agent?.changed(before, after);
  }

  setKubeProxy(kubeProxy: KubeProxy | undefined): void {
    this.#agent?.setKubeProxy(viewOf(kubeProxy));
  }

  /** What the election says: at first it starts the agent. Answers when the kernel was told. */
  async setHeld(held: HeldGroups): Promise<void> {
    const agent = this.#agent ?? this.#start(held);
    // an earlier life may have left VIPs bound: they are known, and gone, only after the first whole round
    await Promise.all([agent.setHeld(held), this.#ready.promise]);
  }

  async #prepare(signal: AbortSignal): Promise<void> {
    await this.#ports.synced;
    this.#bindInterface = this.#ports.bindInterface ?? (await this.#findInterface(signal));
    if (this.#bindInterface === undefined) return;
    await this.#ports.kubeProxyAsked;
    this.#startProblem = 'the election of the announcer has not spoken yet';
    this.#prepared.resolve(undefined);
  }

  /** undefined: the signal came first. */
  async #findInterface(signal: AbortSignal): Promise<string | undefined> {
    const { node, clock, log, interfaceOf, store } = this.#ports;
    while (!isAborted(signal)) {
      const known = store().nodes.get(node.name)?.status?.addresses ?? [];
      const addresses = known.map(({ address }) => address);
      const found = interfaceOf(addresses);
      if (found !== undefined) return found;
      const problem =
        `no interface of this host has an address of node ${node.name} ` +
        `(${addresses.join(', ') || 'it has none'}): name one with --bind-iface`;
      if (this.#startProblem !== problem) log.error({ problem }, 'can not start yet');
      this.#startProblem = problem;
      await clock.sleep(INTERFACE_RETRY_MS, signal);
    }
    return undefined;
  }

  #start(held: HeldGroups): Agent {
    const { node, kubeProxy, store, log } = this.#ports;
    const bindInterface = this.#bindInterface;
    if (bindInterface === undefined) throw new Error('bug: the election spoke before its time');
    this.#startProblem = undefined;
    log.info({ bindInterface, groups: [...held.groups] }, 'starting on the kernel');
    const view = { ...node, ...viewOf(kubeProxy()), bindInterface, held };
    const onReady = (): void => {
      this.#ready.resolve(undefined);
      this.#ports.onReady?.();
    };
    const agent = new Agent(store(), { ...this.#ports, onReady }, { node: view });
    this.#agent = agent;
    agent.setSynced(true);
    return agent;
  }
}

function viewOf(
  kubeProxy: KubeProxy | undefined,
): Pick<NodeView, 'hasKubeProxy' | 'kubeProxyMode'> {
  return { hasKubeProxy: kubeProxy !== undefined, kubeProxyMode: kubeProxy?.mode };
}
