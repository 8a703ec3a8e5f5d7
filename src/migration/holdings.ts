// Who has which address: what Services show, what source objects record, what Services ask for; in this order. Pure.
import { SERVICE_TYPES } from '../api/manifest-rules.ts';
import { oneOfText } from '../api/parse-issues.ts';
import { variableHint } from './variables.ts';
import { LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { compareIp, familyOf, type Family, type IpAddress } from '../net/address.ts';
import { specialUseOf } from '../net/special.ts';
import { whoCanHave } from './contenders.ts';
import {
  compareText,
  keyOfName,
  type AddressUse,
  type Note,
  type Origin,
  type ServiceName,
  type ServiceWish,
} from './model.ts';
import { NodeAddressFinder, type IsKnown, type NodeAddresses } from './node-addresses.ts';
import { nameText, Notes } from './notes.ts';
import type { ServiceFacts } from './services.ts';
import { noteAbout } from './settle.ts';

export interface Holding {
  readonly address: IpAddress;
  /** In order of namespace/name: those that can have it together. */
  readonly services: readonly ServiceName[];
  /** Have it as well, with a port that one of the others has. */
  readonly losers: readonly ServiceName[];
  /** Who else says so: `Service a/x`, `Eip public: status.used`. */
  readonly origins: readonly string[];
  /** A Service that can't be named has it. */
  readonly isUnnamed: boolean;
  /** Of an address without a Service. */
  readonly forNamespace: string | undefined;
  readonly retain: boolean;
  readonly system: Origin;
}

/** A Service and the addresses that it keeps, at most one of each family. */
export interface Keeper {
  readonly name: ServiceName;
  /** Undefined: it is not in the input. */
  readonly facts: ServiceFacts | undefined;
  readonly addresses: readonly IpAddress[];
  /** Its status shows all of them: vipvs takes them over as they are. */
  readonly isShown: boolean;
}

export interface Holdings {
  /** In order of address. */
  readonly holdings: readonly Holding[];
  /** In order of namespace/name. */
  readonly keepers: readonly Keeper[];
}

/** Classes of the systems that are read here; Services of any other class are somebody else's. */
const CLASSES: readonly string[] = [
  LOAD_BALANCER_CLASS,
  'metallb',
  'metallb.io/metallb',
  'metallb.universe.tf/metallb',
  'kube-vip.io/kube-vip-class',
  'purelb.io/purelb',
  'purelb.io/purelbv2',
  'io.cilium/bgp-control-plane',
  'io.cilium/l2-announcer',
];

export function isKnownClass(name: string | undefined): boolean {
  return name === undefined || CLASSES.includes(name);
}

export interface HoldingSources {
  readonly services: readonly ServiceFacts[];
  readonly uses: readonly AddressUse[];
  readonly wishes: readonly ServiceWish[];
  /** Whether one of the imported Pools has the address. */
  readonly isImported: (address: IpAddress) => boolean;
  readonly nodes: NodeAddresses;
}

export function findHoldings(sources: HoldingSources, notes: Note[]): Holdings {
  const byService = new Map<string, readonly AddressUse[]>();
  const others: AddressUse[] = [];
  for (const use of sources.uses.filter((each) => isUsable(each, notes))) {
    if (use.service === undefined) others.push(use);
    else {
      const key = keyOfName(use.service);
      byService.set(key, [...(byService.get(key) ?? []), use]);
    }
  }
  const isRecorded: IsKnown = (address, { key }) =>
    byService.get(key)?.some((use) => use.address === address) === true;
  const isKnown: IsKnown = (address, facts) =>
    sources.isImported(address) || isRecorded(address, facts);
  const finder = new NodeAddressFinder(sources.nodes, sources.services, isKnown);
  const keepers: Keeper[] = [];
  const spare: AddressUse[] = [];
  for (const facts of sources.services) {
    const own = byService.get(facts.key) ?? [];
    if (!isInScope(facts, own, sources, notes)) {
      if (!hasType(facts)) spare.push(...spareOf(facts, facts.asked));
      continue;
    }
    const all = addressesOf(facts, own, finder.vipsOf(facts, notes), notes);
    const addresses = onePerFamily(facts.name, facts.where, all, notes);
    const lost = [...all, ...facts.asked.filter(() => facts.shown.length === 0)];
    spare.push(
      ...spareOf(
        facts,
        lost.filter((each) => !addresses.includes(each)),
      ),
    );
    const isShown = addresses.every((address) => facts.shown.includes(address));
    keepers.push({ name: facts.name, facts, addresses, isShown });
  }
  for (const { key } of sources.services) byService.delete(key);
  for (const uses of byService.values()) {
    const [first] = uses;
    if (first?.service === undefined) continue;
    const all = uses.map(({ address }) => address);
    const addresses = onePerFamily(first.service, first.where, all, notes);
    keepers.push({ name: first.service, facts: undefined, addresses, isShown: false });
  }
  keepers.sort((a, b) => compareText(keyOfName(a.name), keyOfName(b.name)));
  const holdings = holdingsOf(keepers, [...others, ...spare], sources.uses, notes);
  return { keepers, holdings };
}

/** Addresses that the Service can't have, and nobody else is to get. */
function spareOf(
  { key, where }: ServiceFacts,
  addresses: readonly IpAddress[],
): readonly AddressUse[] {
  const origin = `Service ${key}`;
  return addresses.map((address) => {
    return { system: 'services', address, origin, where, retain: true };
  });
}

function isUsable(use: AddressUse, notes: Note[]): boolean {
  const special = specialUseOf(use.address);
  if (special === undefined) return true;
  const message = `${use.address} is ${special}; no VIP can have it, so it is left out`;
  notes.push(noteAbout(use, 'error', message));
  return false;
}

function isInScope(
  facts: ServiceFacts,
  own: readonly AddressUse[],
  { wishes, isImported }: HoldingSources,
  notes: Note[],
): boolean {
  const { type, loadBalancerClass } = facts.service.spec;
  const isWished = wishes.some(({ service }) => keyOfName(service) === facts.key);
  const about = Notes.ofService(notes, facts);
  if (type !== 'LoadBalancer') {
    if (isWished || own.length > 0) return true;
    if (facts.asked.length > 0 || (type !== undefined && !hasType(facts))) noteType(facts, about);
    return false;
  }
  if (isKnownClass(loadBalancerClass) || facts.shown.some(isImported)) return true;
  const name = nameText(String(loadBalancerClass));
  const message = `${name} is the class of another load balancer: the Service is left alone`;
  about.add('ambiguous', message, 'spec.loadBalancerClass');
  return false;
}

/** Any other text may be a misspelt LoadBalancer: no API server has taken it. */
function hasType({ service }: ServiceFacts): boolean {
  return SERVICE_TYPES.some((type) => type === service.spec.type);
}

function noteType(facts: ServiceFacts, notes: Notes): void {
  const { asked, service } = facts;
  const { type } = service.spec;
  if (type === undefined) {
    const text = `asks for ${asked.join(', ')} and has no type here (a kustomize patch without its base?): kept out of use, but not for it`;
    notes.add('error', text, 'spec.type');
  } else if (!hasType(facts)) {
    const kept =
      asked.length === 0
        ? 'what it has is not known and is not kept'
        : `${asked.join(', ')} kept out of use, but not for it`;
    const text = `${oneOfText(SERVICE_TYPES, type)}${variableHint(type)}; ${kept}`;
    notes.add('error', text, 'spec.type');
  } else {
    const text = `asks for ${asked.join(', ')}, but it is of type ${nameText(type)} and gets none`;
    notes.add('ambiguous', text, 'spec.type');
  }
}

function addressesOf(
  facts: ServiceFacts,
  own: readonly AddressUse[],
  vips: readonly IpAddress[],
  notes: Note[],
): readonly IpAddress[] {
  const { request, key, where } = facts;
  const origin = `Service ${key}`;
  const usable = vips.filter((address) =>
    isUsable({ system: 'services', address, origin, where }, notes),
  );
  const recorded = [...new Set(own.map(({ address }) => address))];
  if (usable.length === 0) return recorded.length > 0 ? recorded : request.addresses;
  for (const use of own) {
    if (usable.includes(use.address)) continue;
    const message = `${use.origin} gives it ${use.address}, its status shows ${usable.join(', ')}: what it shows is kept`;
    notes.push(noteAbout({ origin, where }, 'ambiguous', message));
  }
  return usable;
}

function onePerFamily(
  name: ServiceName,
  where: string,
  all: readonly IpAddress[],
  notes: Note[],
): readonly IpAddress[] {
  const families = new Map<Family, IpAddress>();
  for (const address of all) {
    const first = families.get(familyOf(address));
    if (first === undefined) families.set(familyOf(address), address);
    else if (first !== address) {
      const message = `has ${first} and ${address}; a Service has one address of each family: ${first} is kept, ${address} is reserved (give it to a second Service with the same selector)`;
      new Notes(notes, `Service ${keyOfName(name)}`, where).add('error', message);
    }
  }
  return [...families.values()];
}

interface Draft {
  readonly keepers: Keeper[];
  readonly origins: Set<string>;
  forNamespace: string | undefined;
  retain: boolean;
  isUnnamed: boolean;
}

function holdingsOf(
  keepers: readonly Keeper[],
  others: readonly AddressUse[],
  uses: readonly AddressUse[],
  notes: Note[],
): readonly Holding[] {
  const drafts = new Map<IpAddress, Draft>();
  const draftOf = (address: IpAddress): Draft => {
    const fresh = { forNamespace: undefined, retain: false, isUnnamed: false };
    const found = drafts.get(address) ?? { keepers: [], origins: new Set(), ...fresh };
    drafts.set(address, found);
    return found;
  };
  for (const keeper of keepers) {
    for (const address of keeper.addresses) draftOf(address).keepers.push(keeper);
  }
  for (const use of others) {
    const draft = draftOf(use.address);
    draft.retain ||= use.retain === true;
    draft.isUnnamed ||= use.isUnnamed === true;
    draft.forNamespace ??= use.forNamespace;
    draft.origins.add(use.origin);
  }
  const systems = new Map(uses.map(({ address, system }) => [address, system]));
  return [...drafts]
    .map(([address, { keepers: having, origins, ...draft }]): Holding => {
      const { services, losers } = whoCanHave(address, having, notes);
      const system = systems.get(address) ?? 'services';
      return { address, services, losers, origins: [...origins].sort(), ...draft, system };
    })
    .sort((a, b) => compareIp(a.address, b.address));
}
