// Decides for one Service: which addresses it keeps, gets and gives back, and what it is told. Pure.
// Invariants: an address that a Service has is never taken away for somebody else's sake or for a mistake, and new
// addresses are only ever free ones. The actions of a decision may be cut off anywhere: taken addresses are written
// first and given back ones last, so the next decision finds the rest to do.
import { ALLOW_RENUMBER } from '../../api/annotations.ts';
import type { IP, IpService } from '../../api/ip.ts';
import { namespacedName, type Service } from '../../api/kubernetes.ts';
import { serviceRef } from '../../api/problem.ts';
import type { Reason } from '../../api/reasons.ts';
import { describeSources } from '../../api/request.ts';
import { familyOf, type Family } from '../../net/address.ts';
import { NOTHING, type Action, type AssignerView, type Decision } from './decision.ts';
import { grant, grantFromPool, type Attempt, type Pick } from './grant.ts';
import { serviceCaseOf } from './holdings.ts';
import { claimKey, claimOf, newIp, sameClaim, withClaim } from '../holders/ip-object.ts';
import { withStatus } from './published-status.ts';
import {
  allowsRenumber,
  type Held,
  formatPort,
  samePort,
  type ServiceCase,
  type Ports,
  type Refusal,
} from './service-case.ts';
import { releaseAll } from './release.ts';
import { assignedStatus, conditionOf, type ServedAddress } from './service-status.ts';
import type { WaitKey } from '../holders/waiting.ts';

/** What the user is told beside the addresses. The first one's reason is the condition's. */
interface Note {
  readonly reason: Reason;
  readonly text: string;
}

interface Settlement {
  readonly picks: readonly Pick[];
  readonly notes: readonly Note[];
  readonly waits: readonly WaitKey[];
}

/** Decides for a Service that is ours; claims of a namesake that is gone are released before (release.ts). */
export function decideService(
  service: Service,
  view: AssignerView,
  key = namespacedName(service.metadata),
): Decision {
  // until its finalizers are gone it keeps what it has; nothing new is worth giving
  if (service.metadata.deletionTimestamp !== undefined) return NOTHING;
  const serviceCase = serviceCaseOf(service, key, view);
  return writeDown(serviceCase, settle(serviceCase));
}

function settle(serviceCase: ServiceCase): Settlement {
  const problems = requestProblems(serviceCase);
  if (serviceCase.held.length === 0) {
    if (problems.length > 0) return { picks: [], notes: problems, waits: [] };
    const attempt = grant(serviceCase);
    return attempt.ok ? granted(attempt) : refused(attempt.refusals);
  }
  if (problems.length > 0) {
    const text = problems.map((problem) => problem.text).join('; ');
    return keep(
      serviceCase,
      [{ reason: 'RequestNotGranted', text: `the request is refused: ${text}` }],
      [],
    );
  }
  const attempt = reattempt(serviceCase);
  if (attempt.ok) return granted(attempt);
  const text = `the request can't be granted: ${textOf(attempt.refusals)}`;
  const waits = attempt.refusals.flatMap((refusal) => refusal.waits);
  return keep(serviceCase, [{ reason: 'RequestNotGranted', text }], waits);
}

function granted(attempt: Attempt & { readonly ok: true }): Settlement {
  const { picks, missing } = attempt;
  if (missing.length === 0) return { picks, notes: [], waits: [] };
  return {
    picks,
    notes: [{ reason: 'AssignedOneFamily', text: `no second address: ${textOf(missing)}` }],
    waits: missing.flatMap((refusal) => refusal.waits),
  };
}

function refused(refusals: readonly Refusal[]): Settlement {
  const [first] = refusals;
  const text = first === undefined ? 'there is no Pool' : textOf(refusals);
  const isOneReason = refusals.every((refusal) => refusal.reason === first?.reason);
  const nearest = NEAR_REASONS.find((near) => refusals.some(({ reason }) => reason === near));
  const reason = nearest ?? (first !== undefined && isOneReason ? first.reason : 'NoPool');
  return { picks: [], notes: [{ reason, text }], waits: refusals.flatMap(({ waits }) => waits) };
}

/** A Pool that would have given, had it had one, says more than all that never would. */
const NEAR_REASONS: readonly Reason[] = ['PoolExhausted', 'LimitReached'];

function keep(
  serviceCase: ServiceCase,
  notes: readonly Note[],
  waits: readonly WaitKey[],
): Settlement {
  return { picks: serviceCase.held, notes, waits };
}

/** More Pools than this are counted, not named: a condition's message has at most 32768 characters. */
const POOLS_SHOWN = 40;

/** Each Pool once, with all that it says: one is asked twice where it keeps an address for the Service. */
function textOf(refusals: readonly Refusal[]): string {
  const texts = [...Map.groupBy(refusals, ({ pool }) => pool)].flatMap(([pool, said]) => {
    const messages = [...new Set(said.map(({ message }) => message))];
    return pool === undefined ? messages : [`Pool ${pool}: ${messages.join(', ')}`];
  });
  const more = texts.length - POOLS_SHOWN;
  return [...texts.slice(0, POOLS_SHOWN), ...(more > 0 ? [`and ${more} more Pools`] : [])].join(
    '; ',
  );
}

/** What is wrong with the request itself. */
function requestProblems(serviceCase: ServiceCase): readonly Note[] {
  const { request, wanted, ports } = serviceCase;
  const notes: Note[] = request.problems.map(({ reason, message }) => ({ reason, text: message }));
  if (ports.length === 0) notes.push({ reason: 'NoPorts', text: 'the Service has no ports' });
  const seen = new Set<Family>();
  for (const address of request.addresses) {
    const family = familyOf(address);
    if (seen.has(family) || (wanted.mode === 'one' && seen.size > 0)) {
      const allowed = wanted.mode === 'one' ? 'one address' : 'one address of each family';
      notes.push({
        reason: 'InvalidAnnotation',
        text: `${address} is one too many; allowed: ${allowed}`,
      });
    } else if (!wanted.families.includes(family)) {
      const text = `${address} is IPv${family}, which spec.ipFamilies and spec.ipFamilyPolicy leave out`;
      notes.push({ reason: 'InvalidAnnotation', text });
    }
    seen.add(family);
  }
  return notes;
}

/** The same question for a Service that has addresses: what it has is worth more than what a rule says. */
function reattempt(serviceCase: ServiceCase): Attempt {
  const { wanted, held } = serviceCase;
  if (!isSatisfied(serviceCase)) return grant(serviceCase);
  const fitting = held.filter((each) => wanted.families.includes(each.family));
  const kept = wanted.mode === 'one' ? fitting.slice(0, 1) : fitting;
  // a change of family leaves nothing that fits: then a new one comes first, from the same Pool
  const basis = kept.length > 0 ? kept : held;
  const pool = basis.every((each) => each.pool !== undefined) ? basis[0]?.pool : undefined;
  if (pool !== undefined) return grantFromPool(serviceCase, pool, kept, false);
  return mayRenumber(basis, serviceCase)
    ? grant(serviceCase)
    : { ok: true, picks: basis, missing: [] };
}

/** Whether what is asked for is what the Service has: the addresses, and all of them of one Pool. */
function isSatisfied({ request, held }: ServiceCase): boolean {
  const asked = request.addresses.map((address) => held.find((each) => each.address === address));
  const [first] = asked;
  const pool = request.pool ?? first?.poolName;
  return (
    asked.every((each) => each !== undefined) &&
    (pool === undefined || held.every((each) => each.poolName === pool))
  );
}

/** Each Pool that holds an address of the Service no more lets it go, and is there and right. */
function mayRenumber(held: readonly Held[], { view }: ServiceCase): boolean {
  return held.every(({ pool, poolName }) => {
    if (pool !== undefined) return true;
    const old = view.holders.pools.get(poolName);
    return old !== undefined && allowsRenumber(old);
  });
}

function writeDown(serviceCase: ServiceCase, settlement: Settlement): Decision {
  const { service, key, ports, view } = serviceCase;
  const grants: Action[] = [];
  const served: ServedAddress[] = [];
  const notes = [...settlement.notes];
  const waits = [...settlement.waits];
  for (const pick of settlement.picks) {
    const written = claimFor(serviceCase, pick);
    if (written.action !== undefined) grants.push(written.action);
    served.push({ address: pick.address, refused: written.refused });
    notes.push(...written.notes);
    waits.push(...written.waits);
    if (pick.pool === undefined) notes.unshift(outsideNote(serviceCase, pick));
  }
  const [first] = notes;
  const outcome = {
    addresses: served,
    reason: first?.reason ?? 'Assigned',
    message: messageOf(serviceCase, settlement.picks, notes),
  };
  const programmed =
    view.programming === undefined ? undefined : { failure: view.programming.failureOf(key) };
  const told = programmed === undefined ? outcome : { ...outcome, programmed };
  const status = assignedStatus(service, ports, told, view.timestamp);
  const kept = new Set(settlement.picks.map((pick) => pick.address));
  const given = view.holders.addressesOf(key).filter((address) => !kept.has(address));
  const old = conditionOf(service);
  const isTold = old?.reason === outcome.reason && old.message === outcome.message;
  const isGood = outcome.reason === 'Assigned' || outcome.reason === 'AssignedOneFamily';
  return {
    actions: [
      ...grants,
      ...(status === undefined ? [] : [{ do: 'service.status' as const, service: key, status }]),
      ...releaseAll(key, given, view),
    ],
    events: isTold
      ? []
      : [
          {
            regarding: serviceRef(service),
            type: isGood ? ('Normal' as const) : ('Warning' as const),
            reason: outcome.reason,
            note: outcome.message,
          },
        ],
    waits,
  };
}

function messageOf(
  serviceCase: ServiceCase,
  picks: readonly Pick[],
  notes: readonly Note[],
): string {
  const texts = notes.map((note) => note.text);
  const sources = describeSources(serviceCase.request);
  if (picks.length === 0)
    return [...texts, ...(sources === '' ? [] : [`request ${sources}`])].join('; ');
  const pools = [...new Set(picks.flatMap(({ pool }) => (pool === undefined ? [] : [pool.name])))];
  const from = pools.length === 0 ? '' : ` from Pool ${pools.join(', ')}`;
  const how = sources === '' ? '' : `, request ${sources}`;
  const addresses = picks.map((pick) => pick.address).join(', ');
  return [`${addresses}${from}${how}`, ...texts].join('; ');
}

interface WrittenClaim {
  readonly action: Action | undefined;
  readonly refused: Ports;
  readonly notes: readonly Note[];
  readonly waits: readonly WaitKey[];
}

/** The Service's claim on the address, beside those of others. */
function claimFor(serviceCase: ServiceCase, pick: Pick): WrittenClaim {
  const { key, view, request, service } = serviceCase;
  const { address } = pick;
  const record = view.holders.record(address);
  const others = record?.claims.filter((claim) => claimKey(claim) !== key) ?? [];
  const mine = record === undefined ? undefined : claimOf(record.claims, key);
  const taken = takenPorts(serviceCase, mine, others);
  const sharingKey = sharingKeyOf(serviceCase, mine, others);
  const { uid, name } = service.metadata;
  const claim: IpService = {
    namespace: serviceCase.namespace,
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(sharingKey === undefined ? {} : { sharingKey }),
    ports:
      taken.size === 0
        ? serviceCase.ports
        : serviceCase.ports.filter((port) => !taken.has(formatPort(port))),
  };
  const notes: Note[] = [];
  for (const [port, holder] of taken) {
    notes.push({
      reason: 'PortConflict',
      text: `port ${port} on ${address} belongs to Service ${holder}`,
    });
  }
  if (others.length > 0 && request.problems.length === 0 && sharingKey !== request.sharingKey) {
    const text = `the sharing key can't change while ${address} is shared with ${others.map(claimKey).join(', ')}`;
    notes.push({ reason: 'RequestNotGranted', text });
  }
  return {
    action: claimAction(pick, record?.ip, mine, claim, view),
    refused:
      taken.size === 0 ? NO_PORTS : serviceCase.ports.filter((port) => taken.has(formatPort(port))),
    notes,
    waits: notes.length === 0 ? [] : [`ip:${address}`],
  };
}

function claimAction(
  pick: Pick,
  ip: IP | undefined,
  mine: IpService | undefined,
  claim: IpService,
  view: AssignerView,
): Action | undefined {
  const { address, poolName } = pick;
  if (ip === undefined) {
    return { do: 'ip.create', ip: withStatus(newIp(address, poolName, claim), address, view) };
  }
  if (ip.spec.poolName === poolName && sameClaim(mine, claim)) return undefined;
  return { do: 'ip.update', ip: withStatus(withClaim(ip, poolName, claim), address, view) };
}

const NO_PORTS: Ports = [];
const NONE_TAKEN: ReadonlyMap<string, string> = new Map();

/** Ports of the Service that another holder has; who has one keeps it, and of two that have it the first by name. */
function takenPorts(
  serviceCase: ServiceCase,
  mine: IpService | undefined,
  others: readonly IpService[],
): ReadonlyMap<string, string> {
  if (others.length === 0) return NONE_TAKEN;
  const taken = new Map<string, string>();
  for (const port of serviceCase.ports) {
    const isMine = mine?.ports.some((other) => samePort(other, port)) === true;
    const holder = others.find(
      (claim) =>
        claim.ports.some((other) => samePort(other, port)) &&
        (!isMine || claimKey(claim) < serviceCase.key),
    );
    if (holder !== undefined) taken.set(formatPort(port), claimKey(holder));
  }
  return taken;
}

/** While others stand on the address its sharing key stays; alone, the Service may change it. */
function sharingKeyOf(
  { request }: ServiceCase,
  mine: IpService | undefined,
  others: readonly IpService[],
): string | undefined {
  if (mine !== undefined && (others.length > 0 || request.problems.length > 0))
    return mine.sharingKey;
  return request.sharingKey;
}

function outsideNote(serviceCase: ServiceCase, { address, poolName }: Pick): Note {
  const { holders } = serviceCase.view;
  const { pools } = holders;
  const entry = pools.get(poolName);
  const exclusion = pools.exclusion(address);
  let why = `Pool ${poolName} does not hold ${address} any more`;
  if (entry === undefined) why = `Pool ${poolName} does not exist`;
  else if (entry.failure !== undefined) why = `Pool ${poolName} failed: ${entry.failure.message}`;
  else if (exclusion !== undefined)
    why = `Pool ${exclusion.pool} leaves ${address} out: ${exclusion.why}`;
  const hint =
    entry?.space === undefined
      ? ''
      : `; annotate the Pool with ${ALLOW_RENUMBER}=true to let it go`;
  return { reason: 'AddressOutsidePool', text: `${why}; the address is kept${hint}` };
}
