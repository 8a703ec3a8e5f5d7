// What the agent does next, and when: marks of what may differ from the kernel and the times at which each kind of work
// is due go in, the next round with its keys and the next wake-up come out. Pure: the clock comes in as a number.
// Invariants: what is marked is in a later round; an audit reads every key; what was read of the host while it was edited
// is read again.
import type { IpAddress } from '../../net/address.ts';
import type { VirtualServerKey } from '../../net/ipvs.ts';
import type { Random } from '../../runtime/clock.ts';
import type { Changed } from '../desired/counted-state.ts';
import { DirtyScope } from './dirty-scope.ts';
import type { Target } from './retries.ts';

/** ipvs.md 2.5: nothing tells when IPVS is changed, so a little of it is read every second. */
export const CANARY_MS = 1000;
/** Virtual servers that one canary looks at; each look costs 15 to 40 us. */
const CANARY_KEYS = 2;
/** And all of it every minute: a few virtual servers in a round, then the host's part beside the rounds. */
export const AUDIT_MS = 60_000;
/** Virtual servers in one round: 1 ms, in an emulated guest 10. */
const SERVERS_AT_ONCE = 32;
/** An audit of very many takes larger steps rather than longer than 20 seconds. */
const MOST_STEPS = 400;
/** Rounds with changes have none of the audit, but not for ever. */
const MOST_IDLE_MS = 500;
/** Readings of the host's part in a row that were of no use, until a full round takes it. */
const MOST_MISSES = 5;
/** Between two readings of the host's part in one audit. */
const HOST_RETRY_MS = 3000;

const NEVER = Number.POSITIVE_INFINITY;
const AT_ONCE = Number.NEGATIVE_INFINITY;

/** When each kind of work is due; `host` is the part of an audit beside the virtual servers. */
type DueTimes = Record<'full' | 'audit' | 'host' | 'drains' | 'canary' | 'retries', number>;

/** What only the rest of the agent knows. */
export interface Facts {
  /** Virtual servers with real servers that drain. */
  readonly draining: Iterable<VirtualServerKey>;
  /** What failed, and is to be tried again by now. */
  readonly retries: readonly Target[];
  readonly vipOf: (key: VirtualServerKey) => IpAddress | undefined;
  /** What an audit has to read; asked for where one begins. */
  readonly audited: () => Iterable<VirtualServerKey>;
}

export type Round =
  /** Everything, against a fresh dump. */
  | { readonly kind: 'full' }
  | {
      readonly kind: 'incremental';
      /** What may differ. */
      readonly scope: DirtyScope;
      /** Read first, and then compared, too. */
      readonly audited: readonly VirtualServerKey[];
      /** The host's part is to be read beside the rounds. */
      readonly readsHost: boolean;
      /** A few virtual servers are to be looked at. */
      readonly looksAtCanary: boolean;
    };

type Keys = Pick<ReadonlyMap<VirtualServerKey, unknown>, 'keys' | 'has'>;

export class Agenda {
  readonly #random: Random;
  readonly #due: DueTimes = {
    full: AT_ONCE,
    audit: NEVER,
    host: NEVER,
    drains: NEVER,
    canary: NEVER,
    retries: NEVER,
  };
  readonly #walk = new AuditWalk();
  #dirty = new DirtyScope();
  #mustWithdraw = false;
  /** Grows with every edit of the host's part, and with every audit. */
  #hostEdits = 0;
  #hostMisses = 0;
  #canaryTurn: Iterator<VirtualServerKey> | undefined;

  constructor(random: Random) {
    this.#random = random;
  }

  /** How often the host's part was edited until now. */
  get hostEdits(): number {
    return this.#hostEdits;
  }

  // ---- what asks for work

  mark(changed: Omit<Changed, 'services'>): void {
    this.#dirty.add(changed);
  }

  markAddress(address: IpAddress): void {
    this.#dirty.addresses.add(address);
  }

  /** A VIP that is bound already has to be announced again: the link came up, or nobody heard. */
  announce(address: IpAddress): void {
    this.#dirty.announcements.add(address);
  }

  /** Before all else the addresses go that are marked and not wanted here any more. */
  withdraw(): void {
    this.#mustWithdraw = true;
  }

  wantFull(atMs = AT_ONCE): void {
    this.#due.full = Math.min(this.#due.full, atMs);
  }

  /** We edited the host's part, or were told of an edit: what is being read is not what is there. */
  hostEdited(): void {
    this.#hostEdits++;
  }

  // ---- what to do

  /** The addresses to look at before all else; they stay marked. undefined: nothing is withdrawn. */
  takeWithdrawal(isWanted: (address: IpAddress) => boolean): DirtyScope | undefined {
    if (!this.#mustWithdraw) return undefined;
    this.#mustWithdraw = false;
    const scope = new DirtyScope();
    for (const address of this.#dirty.addresses) {
      if (!isWanted(address)) scope.addresses.add(address);
    }
    return scope;
  }

  next(nowMs: number, facts: Facts): Round {
    this.#addDue(nowMs, facts);
    if (nowMs >= this.#due.full) return { kind: 'full' };
    const scope = this.#dirty;
    this.#dirty = new DirtyScope();
    // a busy agent's audit takes longer than a minute: it is ended first
    if (nowMs >= this.#due.audit && !this.#walk.hasKeys) this.#beginAudit(nowMs, facts.audited());
    const readsHost = nowMs >= this.#due.host && !this.#walk.hasKeys;
    if (readsHost) this.#due.host = NEVER;
    const audited = this.#walk.step(nowMs, !scope.isEmpty);
    const looksAtCanary = nowMs >= this.#due.canary;
    if (looksAtCanary) this.#due.canary = nowMs + CANARY_MS;
    return { kind: 'incremental', scope, audited, readsHost, looksAtCanary };
  }

  /** Marks the drains and the retries whose time has come. */
  #addDue(nowMs: number, { draining, retries, vipOf }: Facts): void {
    if (nowMs >= this.#due.drains) {
      for (const key of draining) this.#dirty.virtualServers.add(key);
    }
    for (const target of retries) {
      if (target.kind === 'virtual server') {
        this.#dirty.virtualServers.add(target.key);
        const vip = vipOf(target.key);
        // it is bound only when one of its virtual servers can be ours
        if (vip !== undefined) this.markAddress(vip);
      } else if (target.kind === 'address') this.markAddress(target.address);
      else if (target.kind === 'announcement') this.announce(target.address);
      else if (target.kind === 'sysctls') this.#dirty.sysctls = true;
      else this.wantFull(nowMs);
    }
  }

  #beginAudit(nowMs: number, keys: Iterable<VirtualServerKey>): void {
    // one minute, give or take six seconds: many directors must not read all at once
    this.#due.audit = nowMs + AUDIT_MS * (0.9 + 0.2 * this.#random());
    this.#due.host = nowMs;
    this.#walk.begin(keys);
    this.hostEdited();
  }

  /** The next virtual servers to look at: wanted and seen; one that could not be made yet is no sign of a flush. */
  canaryKeys(wanted: Keys, seen: Keys | undefined): readonly VirtualServerKey[] {
    const keys: VirtualServerKey[] = [];
    for (let turns = 0; turns < 2; turns++) {
      this.#canaryTurn ??= wanted.keys();
      for (let each = this.#canaryTurn.next(); each.done !== true; each = this.#canaryTurn.next()) {
        if (seen?.has(each.value) === true && !keys.includes(each.value)) keys.push(each.value);
        if (keys.length === CANARY_KEYS) return keys;
      }
      this.#canaryTurn = undefined;
    }
    return keys;
  }

  /** When the next round is due, unless something is marked before. */
  wakeAtMs(): number {
    return this.#walk.hasKeys ? AT_ONCE : Math.min(...Object.values(this.#due));
  }

  // ---- what became of it

  /** All was read at once. Answers what was marked, which is settled with it, but for the announcements. */
  readAll(nowMs: number): DirtyScope {
    const scope = this.#dirty;
    this.#dirty = new DirtyScope();
    this.#due.full = NEVER;
    this.#due.canary = nowMs + CANARY_MS;
    this.#beginAudit(nowMs, []);
    this.#due.host = NEVER;
    this.#hostMisses = 0;
    return scope;
  }

  /** The round was not run to its end: what it was for is marked again. */
  putBack(scope: DirtyScope): void {
    this.#dirty.add(scope);
    for (const address of scope.announcements) this.announce(address);
  }

  /** Whether a reading of the host's part counts; `edits`: as many there had been when it began. */
  acceptHost(edits: number, isWhole: boolean, nowMs: number): boolean {
    const counts = isWhole && edits === this.#hostEdits;
    this.#hostMisses = counts ? 0 : this.#hostMisses + 1;
    if (!counts) this.#due.host = nowMs + HOST_RETRY_MS;
    if (this.#hostMisses >= MOST_MISSES) this.wantFull(nowMs);
    return counts;
  }

  /** Drains were looked at, all of them or some; undefined: none of those goes on. */
  drainsGoOn(areAll: boolean, wakeAtMs: number | undefined): void {
    this.#due.drains = Math.min(areAll ? NEVER : this.#due.drains, wakeAtMs ?? NEVER);
  }

  /** The counts of a drain could not be read. */
  postponeDrains(untilMs: number): void {
    this.#due.drains = Math.max(this.#due.drains, untilMs);
  }

  /** When the first of what failed is tried again; infinite: nothing failed. */
  retryAt(dueMs: number): void {
    this.#due.retries = dueMs;
  }
}

/** An audit's way through the virtual servers. */
class AuditWalk {
  #keys: readonly VirtualServerKey[] = [];
  #next = 0;
  #lastStepMs = AT_ONCE;

  get hasKeys(): boolean {
    return this.#next < this.#keys.length;
  }

  begin(keys: Iterable<VirtualServerKey>): void {
    this.#keys = [...new Set(keys)];
    this.#next = 0;
  }

  /** `isBusy`: the round has other work. */
  step(nowMs: number, isBusy: boolean): readonly VirtualServerKey[] {
    if (!this.hasKeys || (isBusy && nowMs < this.#lastStepMs + MOST_IDLE_MS)) return [];
    this.#lastStepMs = nowMs;
    const size = Math.max(SERVERS_AT_ONCE, Math.ceil(this.#keys.length / MOST_STEPS));
    const keys = this.#keys.slice(this.#next, this.#next + size);
    this.#next += size;
    if (this.#next >= this.#keys.length) this.#keys = [];
    return keys;
  }
}
