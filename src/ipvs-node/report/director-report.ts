// This node's Director object as a part of the program: gathers what fails, and writes what was reached. Its last word is
// that the agent was stopped.
import type { DirectorStatus, FailedService } from '../../api/director.ts';
import type { Condition } from '../../api/kubernetes.ts';
import { aborted } from '../../runtime/abort.ts';
import type { Part } from '../../runtime/part.ts';
import type { NodeState, Observed } from '../model/state.ts';
import type { ServiceReport } from '../reconcile/service-reports.ts';
import { directorStatus, failureOf, uncheckedOf, type DirectorFacts } from './director-status.ts';
import { DirectorWriter, type DirectorWriterPorts } from './director-writer.ts';

/** What the agent knows, and can be read of. */
export interface AgentFacts extends Pick<
  DirectorFacts,
  'desired' | 'observed' | 'nodeProblems' | 'foreignServers'
> {
  readonly isReady: boolean;
}

export interface DirectorReportPorts extends Omit<DirectorWriterPorts, 'status'> {
  /** undefined before its start. */
  readonly agent: () => AgentFacts | undefined;
  readonly held: () => DirectorFacts['held'];
  readonly purgeProblem: () => string | undefined;
  readonly versions: DirectorStatus['versions'];
}

export class DirectorReport implements Part {
  readonly #ports: DirectorReportPorts;
  readonly #writer: DirectorWriter;
  readonly #failing = new Map<string, FailedService>();
  readonly #unchecked = new Map<string, FailedService>();
  #isStopped = false;

  constructor(name: string, ports: DirectorReportPorts) {
    this.#ports = ports;
    this.#writer = new DirectorWriter(name, {
      ...ports,
      status: (shown, now) => this.#status(shown, now),
    });
  }

  get problem(): string | undefined {
    return this.#writer.problem;
  }

  /** Nothing of it is left to be written. */
  get isIdle(): boolean {
    return this.#writer.isIdle;
  }

  async run(signal: AbortSignal): Promise<void> {
    await aborted(signal);
    this.#isStopped = true;
    await this.#writer.stop();
  }

  /** Something in it may have changed. */
  mark(): void {
    this.#writer.mark();
  }

  /** Somebody deleted it. */
  deleted(): void {
    this.#writer.deleted();
  }

  /** A Service's state on this node changed. */
  told(service: string, report: ServiceReport | undefined): void {
    note(this.#failing, service, failureOf(service, report));
    note(this.#unchecked, service, uncheckedOf(service, report));
    this.mark();
  }

  #status(shown: readonly Condition[], now: string): DirectorStatus {
    const { held, purgeProblem, versions } = this.#ports;
    const agent = this.#ports.agent();
    const facts: DirectorFacts = {
      phase: this.#isStopped ? 'stopped' : agent?.isReady === true ? 'running' : 'starting',
      held: held(),
      failing: this.#failing,
      unchecked: this.#unchecked,
      desired: agent?.desired ?? NOTHING_DESIRED,
      observed: agent?.observed ?? NOTHING_OBSERVED,
      nodeProblems: agent?.nodeProblems ?? [],
      foreignServers: agent?.foreignServers ?? [],
      purgeProblem: purgeProblem(),
      versions,
    };
    return directorStatus(facts, shown, now);
  }
}

function note(
  services: Map<string, FailedService>,
  service: string,
  entry: FailedService | undefined,
): void {
  if (entry === undefined) services.delete(service);
  else services.set(service, entry);
}

const NOTHING_DESIRED: Pick<NodeState, 'virtualServers' | 'addresses'> = {
  virtualServers: new Map(),
  addresses: new Map(),
};
const NOTHING_OBSERVED: Pick<Observed, 'virtualServers' | 'addresses' | 'owned'> = {
  owned: { virtualServers: new Set(), addresses: new Set() },
  virtualServers: undefined,
  addresses: undefined,
};
