// Which director announces the VIPs, by one Lease for the cluster: all VIPs are one group, meant for the Ready director
// with the lowest name.
// Invariants: before the Lease was seen nothing is said; a director that can't read it goes on as it is (with the API
// server away the data plane stays), and withdraws as soon as it sees that another one holds it.
import { isDirectorReady, type Director } from '../../api/director.ts';
import { explainWriting, isApiError } from '../../kube/errors.ts';
import { Lease, type LeaseTimes } from '../../kube/lease.ts';
import { isAborted } from '../../kube/ports.ts';
import type { ApiClient } from '../../kube/transport.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import { ALL_HELD, NONE_HELD } from '../model/held-groups.ts';
import type { Election, Hold } from './election.ts';

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
  return { leaseMs, renewDeadlineMs, retryMs: Math.round(leaseMs / 15) };
}

/** Tries that a free Lease is left to directors that come first. */
const TRIES_LEFT_TO_OTHERS = 3;
/** One that was given the Lease and did not take it is not asked again for so long. */
const DECLINED_MS = 300_000;
/** The kernel must be told before the Lease goes; one that does not answer does not hold up the next director. */
const WITHDRAW_TIMEOUT_MS = 5000;

export class LeaseElection implements Election {
  readonly #options: LeaseElectionOptions;
  readonly #times: LeaseTimes;
  /** Ready directors whose names come before ours. */
  readonly #before = new Set<string>();
  readonly #declinedUntilMs = new Map<string, number>();
  #announces: boolean | undefined;
  #isReady = false;
  /** Since when the Lease is free and we wait for one of #before. */
  #leftSinceMs: number | undefined;
  #handedTo: string | undefined;
  /** One of #before that became ready, or spoke, while we were asking for the Lease. */
  #newcomer: string | undefined;
  #handover = new AbortController();
  #wake = new AbortController();
  #problem: string | undefined;

  constructor(options: LeaseElectionOptions) {
    this.#options = options;
    this.#times = options.times ?? announcerLease(LEASE_MS);
  }

  get problem(): string | undefined {
    return this.#problem;
  }

  ready(): void {
    this.#isReady = true;
    this.#wake.abort();
  }

  seen(name: string, director: Director | undefined): void {
    if (name >= this.#options.nodeName) {
      if (director?.status?.announcing === false) this.#wake.abort();
      return;
    }
    if (director === undefined || !isDirectorReady(director)) {
      this.#before.delete(name);
      return;
    }
    this.#before.add(name);
    const isDeclined = (this.#declinedUntilMs.get(name) ?? 0) > this.#options.clock.nowMs();
    if (isDeclined) return;
    // it was just written: its agent lives
    this.#newcomer = name;
    if (this.#announces === true) this.#handOver(name);
  }

  #handOver(name: string): void {
    this.#handedTo = name;
    this.#handover.abort();
  }

  async run(signal: AbortSignal, hold: Hold): Promise<void> {
    let lease = this.#newLease();
    while (!isAborted(signal)) {
      this.#wake = new AbortController();
      const leads = await this.#attempt(lease, signal);
      if (isAborted(signal)) return;
      if (leads !== true) {
        if (leads === false) await this.#say(false, hold);
        await this.#sleep(signal);
        continue;
      }
      await this.#lead(lease, signal, hold);
      lease = this.#newLease();
    }
  }

  /** undefined: nobody knows. */
  async #attempt(lease: Lease, signal: AbortSignal): Promise<boolean | undefined> {
    this.#newcomer = undefined;
    try {
      const leads = await lease.attempt(signal, () => this.#mayTake());
      this.#problem = undefined;
      if (lease.holder === this.#handedTo) this.#handedTo = undefined;
      return leads;
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

  /** The Lease is free. A director without a kernel behind it takes nothing, and one that comes before us goes first. */
  #mayTake(): boolean {
    if (!this.#isReady) return false;
    if (this.#before.size === 0) return true;
    const nowMs = this.#options.clock.nowMs();
    this.#leftSinceMs ??= nowMs;
    return nowMs - this.#leftSinceMs >= TRIES_LEFT_TO_OTHERS * this.#times.retryMs;
  }

  async #lead(lease: Lease, signal: AbortSignal, hold: Hold): Promise<void> {
    const { clock, log } = this.#options;
    this.#leftSinceMs = undefined;
    if (this.#handedTo !== undefined) {
      this.#declinedUntilMs.set(this.#handedTo, clock.nowMs() + DECLINED_MS);
      this.#handedTo = undefined;
    }
    this.#handover = new AbortController();
    if (this.#newcomer !== undefined) this.#handOver(this.#newcomer);
    else await this.#say(true, hold);
    const end = await lease.keep(AbortSignal.any([signal, this.#handover.signal]));
    // at our own end the Lease stays: the next process of this node has it at once, and no packet is lost
    if (end === 'lost' || isAborted(signal)) return;
    log.info({ lease: ANNOUNCER_LEASE, to: this.#handedTo }, 'handing over');
    await Promise.race([this.#say(false, hold), clock.sleep(WITHDRAW_TIMEOUT_MS, signal)]);
    await lease.release(AbortSignal.timeout(this.#times.retryMs));
  }

  async #say(announces: boolean, hold: Hold): Promise<void> {
    if (this.#announces === announces) return;
    this.#announces = announces;
    this.#options.log.info({ announces }, announces ? 'announcing' : 'not announcing');
    await hold(announces ? ALL_HELD : NONE_HELD);
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    const inner = AbortSignal.any([signal, this.#wake.signal]);
    await this.#options.clock.sleep(this.#times.retryMs, inner);
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
