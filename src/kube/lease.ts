// One leader among replicas, by a coordination.k8s.io/v1 Lease. It is for quiet, not for safety: two leaders for a
// moment must do no harm, because every write is conditional. Rules: client-go tools/leaderelection.
// Invariants: another's lease counts as expired only after its record has not changed for its duration on OUR monotonic
// clock (its timestamps are never compared with ours); our own time is counted from before the request that renewed
// it was sent; once lost it is never taken again (the process ends).
import { createObject, readObject, updateObject } from './apply.ts';
import { explainWriting, isApiError } from './errors.ts';
import { numberAt, objectAt, textAt } from './json.ts';
import { isAborted, type Clock, type Log, type Random } from './ports.ts';
import { apiVersionOf, LEASES } from './resource.ts';
import type { ApiClient } from './transport.ts';

export interface LeaseTimes {
  /** How long others wait after the last change before they take over. Whole seconds. */
  readonly leaseMs: number;
  /** How long the leader tries to renew before it gives up. */
  readonly renewDeadlineMs: number;
  /** Between tries; a follower's have up to RETRY_JITTER on top. */
  readonly retryMs: number;
  /** From a renewal to the next one; default retryMs, which is the pause after one that failed in any case. */
  readonly renewMs?: number;
}

/** kube-controller-manager's defaults. */
const LEASE_TIMES: LeaseTimes = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2000 };
/** client-go leaderelection.JitterFactor */
const RETRY_JITTER = 1.2;
/** Looks at a Lease that are further apart than so many tries had an outage between them. */
const LOOKS_APART = 3;

export interface LeaseOptions {
  readonly client: ApiClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique per process, also after a restart: the Pod's name and something random. */
  readonly identity: string;
  readonly times?: LeaseTimes;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Why we no longer lead. `stopped`: our own signal. */
export type LeaseEnd = 'stopped' | 'lost';

interface Holding {
  /** Monotonic, from before the request. */
  readonly renewedAtMs: number;
  readonly resourceVersion: string;
  readonly spec: LeaseSpec;
}

interface LeaseSpec {
  readonly holderIdentity: string;
  readonly leaseDurationSeconds: number;
  readonly acquireTime: string;
  readonly renewTime: string;
  readonly leaseTransitions: number;
}

/** Another's record, and for how long we have seen it unchanged. */
interface Observed {
  readonly record: string;
  readonly silentMs: number;
  readonly lookedAtMs: number;
}

export class Lease {
  readonly #options: LeaseOptions;
  readonly #times: LeaseTimes;
  #holding: Holding | undefined;
  #observed: Observed | undefined;
  #holder = '';
  #problem: string | undefined;

  /** Throws when the times do not fit each other. */
  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#times = checkedTimes(options.times ?? LEASE_TIMES);
  }

  /** Who led when we last looked; `''` nobody. */
  get holder(): string {
    return this.#holder;
  }

  /** Why the Lease can't be read or written at the moment. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** For how many ms from now nobody else can take over; 0 when we do not lead. */
  heldForMs(): number {
    if (this.#holding === undefined) return 0;
    const untilMs = this.#holding.renewedAtMs + this.#times.leaseMs;
    return Math.max(0, untilMs - this.#options.clock.nowMs());
  }

  /**
   * Ask before each write: an event loop that stood still may have outlived the lease. The margin, 5 s by default, is
   * the time a write may take.
   */
  mayWrite(): boolean {
    return this.heldForMs() > this.#times.leaseMs - this.#times.renewDeadlineMs;
  }

  /**
   * One look at the Lease, and one try to take it where it is ours (an earlier process of this identity had it), or free
   * and `mayTake`. Answers whether we lead; `holder` then tells who does. Rejects with ApiError. To be called every
   * retryMs: while nobody could read the Lease its holder could not renew it either, so that time does not count.
   */
  attempt(signal: AbortSignal, mayTake: () => boolean): Promise<boolean> {
    return this.#tryAcquire(signal, mayTake, LOOKS_APART * this.#times.retryMs);
  }

  /** Resolves true when we lead, false when the signal was aborted first. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    const { clock, random, log } = this.#options;
    while (!isAborted(signal)) {
      try {
        if (await this.#tryAcquire(signal, () => true, Number.POSITIVE_INFINITY)) {
          log.info({ lease: this.#options.name, identity: this.#options.identity }, 'leading');
          return true;
        }
      } catch (err) {
        if (isAborted(signal)) return false;
        if (!isApiError(err)) throw err;
        this.#problem = explainWriting(err);
        log.warn(
          { lease: this.#options.name, code: err.code, reason: this.#problem, err },
          'cannot read or take the lease',
        );
      }
      await clock.sleep(this.#times.retryMs * (1 + random() * RETRY_JITTER), signal);
    }
    return false;
  }

  /** Renews until the signal is aborted (`stopped`) or the lease is lost; then all work must stop and the process end. */
  async keep(signal: AbortSignal): Promise<LeaseEnd> {
    const { clock, log } = this.#options;
    while (!isAborted(signal)) {
      await clock.sleep(this.#times.renewMs ?? this.#times.retryMs, signal);
      if (isAborted(signal)) break;
      const why = await this.#renew(signal);
      if (why === undefined) continue;
      if (isAborted(signal)) break;
      this.#holding = undefined;
      log.error({ lease: this.#options.name, holder: this.#holder }, `lost the lease: ${why}`);
      return 'lost';
    }
    return 'stopped';
  }

  /** Gives the lease back, after all work has stopped, so that the next need not wait. Failing to is no harm. */
  async release(signal: AbortSignal): Promise<void> {
    const holding = this.#takeHolding();
    if (holding === undefined) return;
    // client-go release(): an empty holder, a duration of one second
    const spec = { ...holding.spec, holderIdentity: '', leaseDurationSeconds: 1 };
    const give = (version: string): ReturnType<typeof updateObject> =>
      this.#write(version, { ...spec, renewTime: this.#microTime() }, signal);
    const { log, name } = this.#options;
    try {
      let { outcome } = await give(holding.resourceVersion);
      if (outcome === 'conflict') {
        // a renewal whose answer we did not wait for
        const other = await this.#reread(holding, signal, this.#times.retryMs);
        const version = this.#takeHolding()?.resourceVersion;
        if (other === undefined && version !== undefined) ({ outcome } = await give(version));
      }
      if (outcome === 'updated') log.info({ lease: name }, 'released the lease');
      else log.warn({ lease: name, outcome }, 'cannot release the lease');
    } catch (err) {
      log.warn({ lease: name, err }, 'cannot release the lease');
    }
  }

  /** From here on nothing is written. */
  #takeHolding(): Holding | undefined {
    const holding = this.#holding;
    this.#holding = undefined;
    return holding;
  }

  /** `gapMaxMs`: of the time between two looks at most so much counts as the holder's silence. */
  async #tryAcquire(
    signal: AbortSignal,
    mayTake: () => boolean,
    gapMaxMs: number,
  ): Promise<boolean> {
    const { client, clock, identity, namespace, name } = this.#options;
    const sentAtMs = clock.nowMs();
    const timeoutMs = this.#times.renewDeadlineMs;
    const current = await readObject(client, LEASES, { namespace, name }, signal, {
      timeoutMs,
    });
    this.#problem = undefined;
    if (current === undefined) {
      this.#holder = '';
      return mayTake() && (await this.#create(sentAtMs, signal));
    }
    const spec = objectAt(current, 'spec');
    const holder = textAt(spec, 'holderIdentity') ?? '';
    this.#holder = holder;
    if (holder !== identity) {
      if (holder !== '' && !this.#expired(spec, gapMaxMs)) return false;
      if (!mayTake()) return false;
    }
    const resourceVersion = textAt(objectAt(current, 'metadata'), 'resourceVersion');
    if (resourceVersion === undefined) return false;
    const changes = holder === identity ? 0 : 1;
    const mine = this.#spec((numberAt(spec, 'leaseTransitions') ?? 0) + changes);
    return (await this.#take(sentAtMs, resourceVersion, mine, signal)) === 'updated';
  }

  async #create(sentAtMs: number, signal: AbortSignal): Promise<boolean> {
    const { client, namespace, name } = this.#options;
    const spec = this.#spec(0);
    const body = { apiVersion: apiVersionOf(LEASES), kind: LEASES.kind, spec };
    const result = await createObject(
      client,
      LEASES,
      { ...body, metadata: { namespace, name } },
      signal,
    );
    if (result.outcome === 'exists') return false;
    this.#held(sentAtMs, result.object, spec);
    return true;
  }

  /** True when the record has not changed for its own duration since we first saw it as it is. */
  #expired(spec: unknown, gapMaxMs: number): boolean {
    const nowMs = this.#options.clock.nowMs();
    const record = JSON.stringify(spec);
    const last = this.#observed?.record === record ? this.#observed : undefined;
    const gapMs = last === undefined ? 0 : Math.min(nowMs - last.lookedAtMs, gapMaxMs);
    const silentMs = (last?.silentMs ?? 0) + gapMs;
    this.#observed = { record, silentMs, lookedAtMs: nowMs };
    const durationMs = (numberAt(spec, 'leaseDurationSeconds') ?? 0) * 1000;
    return silentMs > (durationMs > 0 ? durationMs : this.#times.leaseMs);
  }

  /** Undefined: renewed. A text: why it is lost. Tries until the deadline. */
  async #renew(signal: AbortSignal): Promise<string | undefined> {
    const { clock, log } = this.#options;
    for (;;) {
      const holding = this.#holding;
      if (holding === undefined) return 'released';
      const sentAtMs = clock.nowMs();
      const leftMs = holding.renewedAtMs + this.#times.renewDeadlineMs - sentAtMs;
      if (leftMs <= 0) return `not renewed for ${this.#times.renewDeadlineMs} ms`;
      try {
        const spec = { ...holding.spec, renewTime: this.#microTime() };
        const done = await this.#take(sentAtMs, holding.resourceVersion, spec, signal, leftMs);
        if (done === 'updated') return undefined;
        const other = await this.#reread(holding, signal, leftMs);
        if (other !== undefined) return other;
        continue;
      } catch (err) {
        if (isAborted(signal)) return 'stopped';
        if (!isApiError(err)) throw err;
        this.#problem = explainWriting(err);
        log.warn(
          { lease: this.#options.name, code: err.code, leftMs, reason: this.#problem, err },
          'cannot renew the lease',
        );
      }
      await clock.sleep(Math.min(this.#times.retryMs, leftMs), signal);
      if (isAborted(signal)) return 'stopped';
    }
  }

  /** Somebody wrote the Lease since: ours still (a lost answer, an annotation), or another's? */
  async #reread(
    holding: Holding,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<string | undefined> {
    const { client, namespace, name, identity } = this.#options;
    const current = await readObject(client, LEASES, { namespace, name }, signal, {
      timeoutMs,
    });
    if (current === undefined) return 'the Lease object was deleted';
    this.#holder = textAt(objectAt(current, 'spec'), 'holderIdentity') ?? '';
    if (this.#holder !== identity) return `${JSON.stringify(this.#holder)} holds it`;
    const resourceVersion = textAt(objectAt(current, 'metadata'), 'resourceVersion');
    if (resourceVersion === undefined) return 'the Lease object has no resourceVersion';
    this.#holding = { ...holding, resourceVersion };
    return undefined;
  }

  async #take(
    sentAtMs: number,
    resourceVersion: string,
    spec: LeaseSpec,
    signal: AbortSignal,
    timeoutMs: number = this.#times.renewDeadlineMs,
  ): Promise<'updated' | 'conflict' | 'gone'> {
    const result = await this.#write(resourceVersion, spec, signal, timeoutMs);
    if (result.outcome === 'updated') this.#held(sentAtMs, result.object, spec);
    return result.outcome;
  }

  #write(
    resourceVersion: string,
    spec: LeaseSpec,
    signal: AbortSignal,
    timeoutMs: number = this.#times.retryMs,
  ): ReturnType<typeof updateObject> {
    const { client, namespace, name } = this.#options;
    const body = {
      apiVersion: apiVersionOf(LEASES),
      kind: LEASES.kind,
      metadata: { namespace, name, resourceVersion },
      spec,
    };
    return updateObject(client, LEASES, body, signal, { timeoutMs });
  }

  #held(renewedAtMs: number, object: unknown, spec: LeaseSpec): void {
    const resourceVersion = textAt(objectAt(object, 'metadata'), 'resourceVersion') ?? '';
    this.#holding = { renewedAtMs, resourceVersion, spec };
    this.#problem = undefined;
    this.#holder = spec.holderIdentity;
  }

  #spec(leaseTransitions: number): LeaseSpec {
    const now = this.#microTime();
    return {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: this.#times.leaseMs / 1000,
      acquireTime: now,
      renewTime: now,
      leaseTransitions,
    };
  }

  #microTime(): string {
    return microTime(this.#options.clock.wallMs());
  }
}

/** meta/v1 MicroTime */
export function microTime(wallMs: number): string {
  return new Date(wallMs).toISOString().replace('Z', '000Z');
}

function checkedTimes(times: LeaseTimes): LeaseTimes {
  const { leaseMs, renewDeadlineMs, retryMs, renewMs = retryMs } = times;
  const text = `lease ${leaseMs} ms, renew deadline ${renewDeadlineMs} ms, retry ${retryMs} ms`;
  if (leaseMs < 1000 || leaseMs % 1000 !== 0 || retryMs <= 0) {
    throw new Error(`${text}: the lease must be whole seconds, the retry above 0`);
  }
  if (leaseMs <= renewDeadlineMs || renewDeadlineMs <= retryMs * RETRY_JITTER) {
    throw new Error(`${text}: wanted lease > renew deadline > retry x ${RETRY_JITTER}`);
  }
  if (renewMs < retryMs || renewMs > renewDeadlineMs / 2) {
    throw new Error(`${text}: renewing every ${renewMs} ms leaves no time for tries`);
  }
  return times;
}
