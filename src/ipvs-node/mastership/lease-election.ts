// Which director announces the VIPs, by one Lease for the cluster: all VIPs are one group, meant for the Ready director
// with the lowest name. What to do is decided by lease-step.ts; here it is carried out on src/kube/lease.ts and the clock.
// Invariant: what was said to the agent last stays true after the end, so that the next process of this node has the
// Lease and the VIPs at once; a handover that has begun is finished.
import { isDirectorReady, type Director } from '../../api/director.ts';
import { explainWriting, isApiError } from '../../kube/errors.ts';
import { Lease, type LeaseTimes } from '../../kube/lease.ts';
import { isAborted } from '../../kube/ports.ts';
import type { ApiClient } from '../../kube/transport.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { ALL_HELD, NONE_HELD } from '../model/held-groups.ts';
import type { Election, Hold } from './election.ts';
import {
  dueAtMs,
  FIRST_LEASE_STATE,
  leaseStep,
  type LeaseEvent,
  type LeaseRules,
  type LeaseSaying,
  type LeaseState,
} from './lease-step.ts';

export interface LeaseElectionOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly nodeName: string;
  readonly times?: LeaseTimes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

const ANNOUNCER_LEASE = 'vipvs-announcer';
/** By default longer than an agent takes to restart: that must not move the VIPs. */
const LEASE_MS = 30_000;

/** The other times of a Lease that others wait for so long. */
export function announcerLease(leaseMs: number): LeaseTimes {
  const renewDeadlineMs = Math.round((leaseMs * 2) / 3);
  // a kubelet renews its Lease every 10 of 40 s; a renewal is a quarter of what an idle agent costs (docs/limits.md)
  const renewMs = Math.round(leaseMs / 5);
  return { leaseMs, renewDeadlineMs, retryMs: Math.round(leaseMs / 15), renewMs };
}

export class LeaseElection implements Election {
  readonly #options: LeaseElectionOptions;
  readonly #times: LeaseTimes;
  readonly #rules: LeaseRules;
  #state = FIRST_LEASE_STATE;
  #run: { readonly signal: AbortSignal; readonly hold: Hold } | undefined;
  /** Ends what the Lease is asked for at the moment. */
  #turn = new AbortController();
  #cancelDue: () => void = () => undefined;
  /** The agent could not be told: that is a bug, and ends the run. */
  #onFailure: (error: unknown) => void = () => undefined;
  #problem: string | undefined;

  constructor(options: LeaseElectionOptions) {
    this.#options = options;
    this.#times = options.times ?? announcerLease(LEASE_MS);
    const { leaseMs, retryMs } = this.#times;
    this.#rules = { name: options.nodeName, leaseMs, retryMs };
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  ready(): void {
    this.#step({ kind: 'ready' });
  }

  seen(director: string, object: Director | undefined): void {
    if (object === undefined) {
      this.#step({ kind: 'gone', director });
      return;
    }
    const { observedAt, announcing, conditions } = object.status ?? {};
    this.#step({
      kind: 'seen',
      director,
      word: JSON.stringify([observedAt, announcing, conditions]),
      isReady: isDirectorReady(object),
      announces: announcing,
    });
  }

  async run(signal: AbortSignal, hold: Hold): Promise<void> {
    this.#run = { signal, hold };
    const failure = new Promise<never>((_, reject) => (this.#onFailure = reject));
    try {
      await Promise.race([this.#turns(signal), failure]);
    } finally {
      this.#cancelDue();
    }
  }

  async #turns(signal: AbortSignal): Promise<void> {
    let lease = this.#newLease();
    while (!isAborted(signal) || isHandingOver(this.#state)) {
      this.#turn = new AbortController();
      const ends = [this.#turn.signal];
      if (!isHandingOver(this.#state)) ends.push(signal);
      const turn = AbortSignal.any(ends);
      if (this.#state.phase === 'follows') await this.#follow(lease, signal, turn);
      else if (this.#state.phase === 'releases') {
        await lease.release(AbortSignal.timeout(this.#times.retryMs));
        lease = this.#newLease();
        this.#step({ kind: 'released' });
      } else if ((await lease.keep(turn)) === 'lost') {
        lease = this.#newLease();
        this.#step({ kind: 'lost' });
      }
    }
  }

  async #follow(lease: Lease, signal: AbortSignal, turn: AbortSignal): Promise<void> {
    const event = await this.#look(lease, signal);
    if (isAborted(signal)) return;
    if (event !== undefined) this.#step(event);
    if (this.#state.phase === 'follows') await this.#options.clock.sleep(this.#times.retryMs, turn);
  }

  /** undefined: nobody knows. */
  async #look(lease: Lease, signal: AbortSignal): Promise<LeaseEvent | undefined> {
    const askedAtMs = this.#options.clock.nowMs();
    const found = { isFree: false };
    try {
      const leads = await lease.attempt(signal, () => {
        found.isFree = true;
        return this.#step({ kind: 'free' }).some(({ say }) => say === 'take');
      });
      this.#problem = undefined;
      if (leads) return { kind: 'won', askedAtMs };
      return found.isFree ? { kind: 'left' } : { kind: 'other', holder: lease.holder };
    } catch (error) {
      if (isAborted(signal)) return undefined;
      if (!isApiError(error)) throw error;
      const reason = explainWriting(error);
      if (this.#problem !== reason) {
        this.#options.log.warn({ lease: ANNOUNCER_LEASE, code: error.code, reason }, 'no election');
      }
      this.#problem = reason;
      return undefined;
    }
  }

  #step(event: LeaseEvent): readonly LeaseSaying[] {
    // after our own end only what was begun goes on
    if (this.#run !== undefined && isAborted(this.#run.signal) && !isHandingOver(this.#state)) {
      return [];
    }
    const { clock, log } = this.#options;
    const wasHandingOver = isHandingOver(this.#state);
    const { state, says } = leaseStep(this.#state, event, clock.nowMs(), this.#rules);
    this.#state = state;
    if (isHandingOver(state) && !wasHandingOver) {
      log.info({ lease: ANNOUNCER_LEASE, to: state.handedTo }, 'handing over');
    }
    for (const saying of says) {
      if (saying.say === 'hold') void this.#tell(saying.holds, saying.saying);
      else if (saying.say !== 'take') this.#turn.abort();
    }
    this.#cancelDue();
    const dueMs = dueAtMs(this.#state, this.#rules);
    if (Number.isFinite(dueMs)) {
      this.#cancelDue = clock.timer(dueMs - clock.nowMs(), () => this.#step({ kind: 'due' }));
    }
    return says;
  }

  async #tell(holds: boolean, saying: number): Promise<void> {
    this.#options.log.info({ announces: holds }, holds ? 'announcing' : 'not announcing');
    try {
      await this.#run?.hold(holds ? ALL_HELD : NONE_HELD);
      this.#step({ kind: 'told', saying });
    } catch (error) {
      this.#onFailure(error);
    }
  }

  /** The node's name is the identity: an agent that comes back has what it had. */
  #newLease(): Lease {
    const { client, namespace, nodeName, clock, random, log } = this.#options;
    return new Lease({
      client,
      clock,
      random,
      log,
      namespace,
      name: ANNOUNCER_LEASE,
      identity: nodeName,
      times: this.#times,
    });
  }
}

/** The Lease is on its way to another director. */
function isHandingOver({ phase }: LeaseState): boolean {
  return phase === 'withdraws' || phase === 'releases';
}
