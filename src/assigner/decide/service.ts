// Decides for one Service: which addresses it keeps, gets and gives back, and what it is told. Pure.
// Invariants: an address that a Service has is never taken away for somebody else's sake or for a mistake, and new
// addresses are only ever free ones. The actions of a decision may be cut off anywhere: taken addresses are written
// first and given back ones last, so the next decision finds the rest to do.
import { ALLOW_RENUMBER } from '../../api/annotations.ts';
import { cutText } from '../../api/bounded-text.ts';
import { namespacedName, type Service } from '../../api/kubernetes.ts';
import {
  CONDITION_MESSAGE_MAX,
  LABEL_NAME_MAX,
  SERVICE_PORTS_MAX,
  UID_MAX,
} from '../../api/limits.ts';
import { serviceRef } from '../../api/problem.ts';
import type { Reason } from '../../api/reasons.ts';
import { describeSources } from '../../api/request.ts';
import { familyOf, quoted, tryParseIp, type Family } from '../../net/address.ts';
import type { WaitKey } from '../holders/waiting.ts';
import { claimFor, type Note } from './claim.ts';
import {
  NOTHING,
  type Action,
  type AssignerView,
  type Decision,
  type EventNote,
} from './decision.ts';
import { grant, grantAgain, type Attempt } from './grant.ts';
import { whyNotShared } from './not-shared.ts';
import type { Pick } from './pick.ts';
import { releaseAll } from './release.ts';
import type { Refusal, ServiceCase } from './case-parts.ts';
import { serviceCaseOf } from './service-case.ts';
import { assignedStatus, conditionOf, type ServedAddress } from './service-status.ts';

interface Settlement {
  readonly picks: readonly Pick[];
  /** The first one's reason is the condition's. */
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
  const refused = view.refusedWrites?.get(key);
  if (refused !== undefined) return tellRefused(service, key, refused, view);
  const serviceCase = serviceCaseOf(service, key, view);
  const { held, unknown } = serviceCase;
  if (unknown.length > 0 && held.length === 0) return { ...NOTHING, waits: ['pools-settled'] };
  return writeDown(serviceCase, settle(serviceCase));
}

/** The API server refuses what has to be written for it: nothing is changed but what it is told. */
function tellRefused(
  service: Service,
  key: string,
  text: string,
  { timestamp }: AssignerView,
): Decision {
  const unknown = service.status?.loadBalancer?.ingress ?? [];
  const message = cutText(text, CONDITION_MESSAGE_MAX);
  const outcome = { addresses: [], unknown, reason: 'WriteRefused', message } as const;
  const status = assignedStatus(service, [], outcome, timestamp);
  if (status === undefined) return NOTHING;
  return {
    actions: [{ do: 'service.status', service: key, status }],
    events: tellings(service, outcome.reason, message),
    waits: [],
    tellsRefusal: true,
  };
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
  const open = withoutUnknown(serviceCase);
  const attempt = isSatisfied(open) ? grantAgain(open) : grant(open);
  if (attempt.ok) return granted(attempt);
  if (isHalf(serviceCase)) {
    const settlement = refused(attempt.refusals);
    const given = serviceCase.held.map(({ address }) => `ip:${address}` as const);
    return { ...settlement, waits: [...settlement.waits, ...given] };
  }
  const text = `the request can't be granted: ${textOf(attempt.refusals)}`;
  const waits = attempt.refusals.flatMap((refusal) => refusal.waits);
  return keep(serviceCase, [{ reason: 'RequestNotGranted', text }], waits);
}

/** A family of which the status shows an address that nobody knows gets no other beside it. */
function withoutUnknown(serviceCase: ServiceCase): ServiceCase {
  const { unknown, wanted, held } = serviceCase;
  if (unknown.length === 0) return serviceCase;
  const closed = new Set(
    unknown.flatMap(({ ip }) => {
      const address = ip === undefined ? undefined : tryParseIp(ip);
      return address === undefined ? [] : [familyOf(address)];
    }),
  );
  const families = wanted.families.filter(
    (family) => !closed.has(family) || held.some((each) => each.family === family),
  );
  return { ...serviceCase, wanted: { ...wanted, families } };
}

/** Both families or none, and the first one's claim was written, but never shown: it is not in use. */
function isHalf({ service, wanted }: ServiceCase): boolean {
  const isShown = (service.status?.loadBalancer?.ingress ?? []).length > 0;
  return wanted.mode === 'all' && !isShown && conditionOf(service)?.status !== 'True';
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

/** More Pools than this are counted, not named. */
const POOLS_SHOWN = 40;

/** Each Pool once, with all that it says of either family. */
function textOf(refusals: readonly Refusal[]): string {
  const texts = [...Map.groupBy(refusals, ({ pool }) => pool)].flatMap(([pool, said]) => {
    const messages = [...new Set(said.map(({ message }) => message))];
    return pool === undefined ? messages : [`Pool ${pool}: ${messages.join(', ')}`];
  });
  const more = texts.length - POOLS_SHOWN;
  const shown = texts.slice(0, POOLS_SHOWN);
  return (more > 0 ? [...shown, `and ${more} more Pools`] : shown).join('; ');
}

/** What is wrong with the request itself. */
function requestProblems(serviceCase: ServiceCase): readonly Note[] {
  const { request, wanted, ports } = serviceCase;
  const notes: Note[] = request.problems.map(({ reason, message }) => ({ reason, text: message }));
  if (ports.length === 0) notes.push({ reason: 'NoPorts', text: 'the Service has no ports' });
  notes.push(...claimProblems(serviceCase));
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

/** What the API server would refuse in an IP object that names this Service. */
function claimProblems({ ports, service }: ServiceCase): readonly Note[] {
  const notes: Note[] = [];
  if (ports.length > SERVICE_PORTS_MAX) {
    const text = `the Service has ${ports.length} ports; allowed: at most ${SERVICE_PORTS_MAX}`;
    notes.push({ reason: 'TooManyPorts', text });
  }
  const { name, uid = '' } = service.metadata;
  if (name.length > LABEL_NAME_MAX) {
    const text = `metadata.name has ${name.length} characters; allowed: at most ${LABEL_NAME_MAX}`;
    notes.push({ reason: 'InvalidObject', text });
  }
  if (uid.length > UID_MAX) {
    const text = `metadata.uid has ${uid.length} characters; allowed: at most ${UID_MAX}`;
    notes.push({ reason: 'InvalidObject', text });
  }
  return notes;
}

/** Whether what is asked for is what the Service has: the addresses, and the Pools. */
function isSatisfied({ request, pools, held }: ServiceCase): boolean {
  return (
    request.addresses.every((address) => held.some((each) => each.address === address)) &&
    (pools.length === 0 || held.every((each) => pools.includes(each.poolName)))
  );
}

function writeDown(serviceCase: ServiceCase, settlement: Settlement): Decision {
  const { service, key, ports, unknown, view } = serviceCase;
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
    const doubt = doubtNote(serviceCase, pick);
    if (doubt !== undefined) notes.unshift(doubt);
    const { text, waits: others } = whyNotShared(serviceCase, pick.address);
    if (text !== undefined) notes.push({ reason: 'SharingRefused', text });
    waits.push(...others);
  }
  if (unknown.length > 0) waits.push('pools-settled');
  const [first] = notes;
  const reason = first?.reason ?? 'Assigned';
  const message = cutText(messageOf(serviceCase, settlement.picks, notes), CONDITION_MESSAGE_MAX);
  const outcome = { addresses: served, unknown, reason, message };
  const programmed =
    view.programming === undefined
      ? undefined
      : { shortcoming: view.programming.shortcomingOf(key) };
  const told = programmed === undefined ? outcome : { ...outcome, programmed };
  const status = assignedStatus(service, ports, told, view.timestamp);
  const kept = new Set(settlement.picks.map((pick) => pick.address));
  const given = view.holders.addressesOf(key).filter((address) => !kept.has(address));
  const actions = [...grants];
  if (status !== undefined) actions.push({ do: 'service.status', service: key, status });
  actions.push(...releaseAll(key, given, view));
  const events = [...givenUp(serviceCase), ...tellings(service, reason, message)];
  return { actions, events, waits, subject: key };
}

/** The Event for what the Service was not told before. */
function tellings(service: Service, reason: Reason, note: string): readonly EventNote[] {
  const old = conditionOf(service);
  if (old?.reason === reason && old.message === note) return [];
  const isGood = reason === 'Assigned' || reason === 'AssignedOneFamily';
  return [{ regarding: serviceRef(service), type: isGood ? 'Normal' : 'Warning', reason, note }];
}

/** Names what leaves the status though nobody could say whose it is. */
function givenUp({ service, givenUp: entries }: ServiceCase): readonly EventNote[] {
  return entries.map(({ ip, hostname }) => {
    const note = `${quoted(ip ?? hostname ?? '')} is taken out of the status: no Pool holds it, and the Service has no claim on it`;
    return { regarding: serviceRef(service), type: 'Warning', reason: 'AddressGivenUp', note };
  });
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

/** What is doubtful about an address that is kept nevertheless. */
function doubtNote(serviceCase: ServiceCase, pick: Pick): Note | undefined {
  if (pick.pool === undefined) return outsideNote(serviceCase, pick);
  const owner = serviceCase.view.holders.clusterIpOwner(pick.address);
  if (owner === undefined) return undefined;
  const text = `${pick.address} is the ClusterIP of Service ${owner}, too; it is kept`;
  return { reason: 'AddressOfCluster', text };
}

function outsideNote({ view }: ServiceCase, { address, poolName }: Pick): Note {
  const { pools } = view.holders;
  const entry = pools.get(poolName);
  const exclusion = pools.exclusion(address);
  let why = `Pool ${poolName} does not hold ${address} any more`;
  if (entry === undefined) why = `Pool ${poolName} does not exist`;
  else if (entry.failure !== undefined) why = `Pool ${poolName} failed: ${entry.failure.message}`;
  else if (exclusion !== undefined)
    why = `Pool ${exclusion.pool} leaves ${address} out: ${exclusion.why}`;
  const mayBeLetGo = entry?.space !== undefined && pools.blocked(address) === undefined;
  const hint = mayBeLetGo ? `; annotate the Pool with ${ALLOW_RENUMBER}=true to let it go` : '';
  return { reason: 'AddressOutsidePool', text: `${why}; the address is kept${hint}` };
}
