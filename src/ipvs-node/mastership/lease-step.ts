// One director's part in the election by a Lease, as a step from state to state: what happened and when goes in, what is
// to be said to the agent and to the Lease comes out. lease-election.ts carries it out. Pure.
// Invariants: nothing is said before the Lease was seen. A director that can't read the Lease goes on as it is (with the
// API server away the data plane stays), and withdraws as soon as it sees that another one holds it. The Lease is
// released only after the kernel was told, or did not answer for WITHDRAW_TIMEOUT_MS. Late and doubled events do no harm.

export interface LeaseRules {
  /** Of this director. */
  readonly name: string;
  /** The silence after which others take the Lease. */
  readonly leaseMs: number;
  /** Between two looks at the Lease. */
  readonly retryMs: number;
}

export interface LeaseState {
  /** `withdraws`: the Lease is kept until the kernel was told. */
  readonly phase: 'follows' | 'leads' | 'withdraws' | 'releases';
  /** Since when it is in this phase. */
  readonly sinceMs: number;
  /** Since when this director's kernel holds what the Services want; undefined: not yet. */
  readonly readySinceMs: number | undefined;
  /** What the agent was told last; undefined: nothing yet. */
  readonly holds: boolean | undefined;
  /** Counts what was said to the agent. */
  readonly saying: number;
  /** The kernel was told the last of it. */
  readonly isTold: boolean;
  readonly peers: ReadonlyMap<string, Peer>;
  /** Words that are not newer than the look which won the Lease say nothing: their directors let it lie. */
  readonly askedAtMs: number;
  /** Somebody else could have taken the Lease since we or another director had it. */
  readonly wasFree: boolean;
  /** Since when we leave the free Lease to directors that come first. */
  readonly leftSinceMs: number | undefined;
  /** The director that held the Lease when we looked last. */
  readonly holder: string;
  /** For whom the Lease was released, until it took it. */
  readonly handedTo: string | undefined;
  /** Directors that were given the Lease and did not take it, and until when they are not asked again. */
  readonly declinedUntilMs: ReadonlyMap<string, number>;
}

/** Another director, by its last word. */
interface Peer {
  readonly word: string;
  readonly isReady: boolean;
  readonly spokeAtMs: number;
}

export type LeaseEvent =
  | { readonly kind: 'ready' }
  /** A director's object was read; the same word twice is one word. */
  | {
      readonly kind: 'seen';
      readonly director: string;
      readonly word: string;
      readonly isReady: boolean;
      readonly announces: boolean | undefined;
    }
  | { readonly kind: 'gone'; readonly director: string }
  /** A look found that nobody holds the Lease: `take` answers that we want it. */
  | { readonly kind: 'free' }
  /** What the look came to. `left`: the Lease was free, and we have not got it. */
  | { readonly kind: 'won'; readonly askedAtMs: number }
  | { readonly kind: 'left' }
  | { readonly kind: 'other'; readonly holder: string }
  /** It could not be renewed in time, or another one has it. */
  | { readonly kind: 'lost' }
  /** The kernel was told what was said with this number. */
  | { readonly kind: 'told'; readonly saying: number }
  | { readonly kind: 'released' }
  /** The time of dueAtMs has come. */
  | { readonly kind: 'due' };

export type LeaseSaying =
  /** To the agent. */
  | { readonly say: 'hold'; readonly holds: boolean; readonly saying: number }
  /** To the Lease: look now rather than at the next turn; take it; give it back. */
  | { readonly say: 'look' | 'take' | 'release' };

export interface LeaseStep {
  readonly state: LeaseState;
  readonly says: readonly LeaseSaying[];
}

/** Looks for which a free Lease is left to directors that come first. */
const LOOKS_LEFT_TO_OTHERS = 3;
const DECLINED_MS = 300_000;
/** A kernel that does not answer does not hold up the next director. */
const WITHDRAW_TIMEOUT_MS = 5000;
const NEVER = Number.POSITIVE_INFINITY;

export const FIRST_LEASE_STATE: LeaseState = {
  phase: 'follows',
  sinceMs: 0,
  readySinceMs: undefined,
  holds: undefined,
  saying: 0,
  isTold: false,
  peers: new Map(),
  askedAtMs: NEVER,
  wasFree: false,
  leftSinceMs: undefined,
  holder: '',
  handedTo: undefined,
  declinedUntilMs: new Map(),
};

export function leaseStep(
  state: LeaseState,
  event: LeaseEvent,
  nowMs: number,
  rules: LeaseRules,
): LeaseStep {
  switch (event.kind) {
    case 'ready':
      return ready(state, nowMs);
    case 'seen':
      return seen(state, event, nowMs, rules);
    case 'gone': {
      const peers = new Map(state.peers);
      peers.delete(event.director);
      return quiet({ ...state, peers });
    }
    case 'free':
    case 'won':
    case 'left':
    case 'other':
      return state.phase === 'follows' ? looked(state, event, nowMs, rules) : quiet(state);
    case 'lost':
      return state.phase === 'leads' || state.phase === 'withdraws'
        ? follows(state, nowMs)
        : quiet(state);
    case 'told':
      return event.saying === state.saying
        ? releasedWhenTold({ ...state, isTold: true }, nowMs)
        : quiet(state);
    case 'released':
      return state.phase === 'releases' ? follows(state, nowMs) : quiet(state);
    case 'due':
      return whenDue(state, nowMs, rules);
  }
}

/** When the next `due` is wanted; a later one does no harm, Infinity: none. */
export function dueAtMs(state: LeaseState, rules: LeaseRules): number {
  if (state.phase === 'withdraws') return state.sinceMs + WITHDRAW_TIMEOUT_MS;
  if (state.phase !== 'leads') return NEVER;
  return Math.min(
    ...[...state.peers].map(([name, peer]) => handoverAtMs(state, name, peer, rules)),
  );
}

function quiet(state: LeaseState): LeaseStep {
  return { state, says: [] };
}

function follows(state: LeaseState, nowMs: number): LeaseStep {
  return quiet({ ...state, phase: 'follows', sinceMs: nowMs });
}

function ready(state: LeaseState, nowMs: number): LeaseStep {
  if (state.readySinceMs !== undefined) return quiet(state);
  return lookingAgain({ ...state, readySinceMs: nowMs });
}

function lookingAgain(state: LeaseState): LeaseStep {
  return { state, says: state.phase === 'follows' ? [{ say: 'look' }] : [] };
}

function seen(
  state: LeaseState,
  { director, word, isReady, announces }: Extract<LeaseEvent, { kind: 'seen' }>,
  nowMs: number,
  rules: LeaseRules,
): LeaseStep {
  if (state.peers.get(director)?.word === word) return quiet(state);
  const peers = new Map(state.peers).set(director, { word, isReady, spokeAtMs: nowMs });
  const next = { ...state, peers };
  if (state.phase === 'leads') return handedOver(next, nowMs, rules);
  const isWithdrawn = director === state.holder && announces === false;
  return isWithdrawn ? lookingAgain(next) : quiet(next);
}

function looked(
  state: LeaseState,
  event: Extract<LeaseEvent, { kind: 'free' | 'won' | 'left' | 'other' }>,
  nowMs: number,
  rules: LeaseRules,
): LeaseStep {
  switch (event.kind) {
    case 'free':
      return found({ ...state, wasFree: true }, nowMs, rules);
    case 'won':
      return won(state, event.askedAtMs, nowMs, rules);
    case 'left':
      return said({ ...state, holder: '' }, false);
    case 'other': {
      const { holder } = event;
      const handedTo = state.handedTo === holder ? undefined : state.handedTo;
      return said({ ...state, holder, handedTo, wasFree: false, leftSinceMs: undefined }, false);
    }
  }
}

/** A director without a kernel behind it takes nothing, and one that comes before us goes first. */
function found(state: LeaseState, nowMs: number, { name, retryMs }: LeaseRules): LeaseStep {
  if (state.readySinceMs === undefined) return quiet(state);
  const isLast = ![...state.peers].some(([other, { isReady }]) => isReady && other < name);
  if (isLast) return { state, says: [{ say: 'take' }] };
  const { leftSinceMs = nowMs } = state;
  const isLong = nowMs - leftSinceMs >= LOOKS_LEFT_TO_OTHERS * retryMs;
  return { state: { ...state, leftSinceMs }, says: isLong ? [{ say: 'take' }] : [] };
}

function won(state: LeaseState, askedAtMs: number, nowMs: number, rules: LeaseRules): LeaseStep {
  const declinedUntilMs = new Map(state.declinedUntilMs);
  // a release that failed is tried again soon
  const declinedMs = state.wasFree ? DECLINED_MS : rules.leaseMs;
  if (state.handedTo !== undefined) declinedUntilMs.set(state.handedTo, nowMs + declinedMs);
  const leads: LeaseState = {
    ...state,
    phase: 'leads',
    sinceMs: nowMs,
    askedAtMs,
    declinedUntilMs,
    wasFree: false,
    leftSinceMs: undefined,
    handedTo: undefined,
    holder: rules.name,
  };
  const handed = handedOver(leads, nowMs, rules);
  return handed.state.phase === 'leads' ? said(leads, true) : handed;
}

function said(state: LeaseState, holds: boolean): LeaseStep {
  if (state.holds === holds) return quiet(state);
  const saying = state.saying + 1;
  return {
    state: { ...state, holds, saying, isTold: false },
    says: [{ say: 'hold', holds, saying }],
  };
}

/** Withdraws first: the next director takes the VIPs as soon as the Lease is free. */
function handedOver(state: LeaseState, nowMs: number, rules: LeaseRules): LeaseStep {
  const due = [...state.peers].filter(
    ([name, peer]) => handoverAtMs(state, name, peer, rules) <= nowMs,
  );
  const [handedTo] = due.map(([name]) => name).sort();
  if (handedTo === undefined) return quiet(state);
  const withdrawn = said({ ...state, phase: 'withdraws', sinceMs: nowMs, handedTo }, false);
  const { state: next, says } = releasedWhenTold(withdrawn.state, nowMs);
  return { state: next, says: [...withdrawn.says, ...says] };
}

/**
 * When the Lease is for that director: at once when it comes first, is Ready and has spoken since we are. An agent that
 * comes back goes on with what it had, and moves nothing, for the time of a Lease; one whose kernel has not followed by
 * then gives way to whoever is Ready.
 */
function handoverAtMs(
  state: LeaseState,
  director: string,
  { isReady, spokeAtMs }: Peer,
  rules: LeaseRules,
): number {
  const { readySinceMs = NEVER, askedAtMs, isTold, sinceMs } = state;
  const isDeclined = spokeAtMs < (state.declinedUntilMs.get(director) ?? 0);
  if (!isReady || isDeclined || spokeAtMs <= askedAtMs) return NEVER;
  const isBefore = director < rules.name;
  if (isBefore && spokeAtMs >= readySinceMs) return spokeAtMs;
  return isBefore || !isTold ? sinceMs + rules.leaseMs : NEVER;
}

function releasedWhenTold(state: LeaseState, nowMs: number): LeaseStep {
  if (state.phase !== 'withdraws' || !state.isTold) return quiet(state);
  return released(state, nowMs);
}

function released(state: LeaseState, nowMs: number): LeaseStep {
  return { state: { ...state, phase: 'releases', sinceMs: nowMs }, says: [{ say: 'release' }] };
}

function whenDue(state: LeaseState, nowMs: number, rules: LeaseRules): LeaseStep {
  if (state.phase === 'leads') return handedOver(state, nowMs, rules);
  const isLate = state.phase === 'withdraws' && nowMs >= dueAtMs(state, rules);
  return isLate ? released(state, nowMs) : quiet(state);
}
