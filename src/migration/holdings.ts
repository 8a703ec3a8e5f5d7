// Who has which address: what Services show, what source objects record, what Services ask for; in this order. Pure.
import { LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { compareIp, familyOf, type Family, type IpAddress } from '../net/address.ts';
import { specialUseOf } from '../net/special.ts';
import {
  compareText,
  keyOfName,
  type AddressUse,
  type Note,
  type Origin,
  type ServiceName,
  type ServiceWish,
} from './model.ts';
import type { ServiceFacts } from './services.ts';

export interface Holding {
  readonly address: IpAddress;
  /** In order of namespace/name. */
  readonly services: readonly ServiceName[];
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
  const keepers: Keeper[] = [];
  const spare: AddressUse[] = [];
  for (const facts of sources.services) {
    const own = byService.get(facts.key) ?? [];
    byService.delete(facts.key);
    if (!isInScope(facts, own, sources, notes)) continue;
    const all = addressesOf(facts, own, notes);
    const addresses = onePerFamily(facts.name, all, notes);
    for (const address of all.filter((each) => !addresses.includes(each))) {
      spare.push({ system: 'services', address, origin: `Service ${facts.key}`, retain: true });
    }
    const isShown = addresses.every((address) => facts.shown.includes(address));
    keepers.push({ name: facts.name, facts, addresses, isShown });
  }
  for (const uses of byService.values()) {
    const [first] = uses;
    if (first?.service === undefined) continue;
    const all = uses.map(({ address }) => address);
    const addresses = onePerFamily(first.service, all, notes);
    keepers.push({ name: first.service, facts: undefined, addresses, isShown: false });
  }
  keepers.sort((a, b) => compareText(keyOfName(a.name), keyOfName(b.name)));
  return { keepers, holdings: holdingsOf(keepers, [...others, ...spare], sources.uses) };
}

function isUsable(use: AddressUse, notes: Note[]): boolean {
  const special = specialUseOf(use.address);
  if (special === undefined) return true;
  const message = `${use.address} is ${special}; no VIP can have it, so it is left out`;
  notes.push({ kind: 'error', object: use.origin, message });
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
  if (type !== 'LoadBalancer') return isWished || own.length > 0;
  if (isKnownClass(loadBalancerClass) || facts.shown.some(isImported)) return true;
  const message = `${String(loadBalancerClass)} is the class of another load balancer: the Service is left alone`;
  const field = 'spec.loadBalancerClass';
  notes.push({ kind: 'ambiguous', object: `Service ${facts.key}`, field, message });
  return false;
}

function addressesOf(
  facts: ServiceFacts,
  own: readonly AddressUse[],
  notes: Note[],
): readonly IpAddress[] {
  const { shown, request, key } = facts;
  const usable = shown.filter((address) =>
    isUsable({ system: 'services', address, origin: `Service ${key}` }, notes),
  );
  const recorded = [...new Set(own.map(({ address }) => address))];
  if (usable.length === 0) return recorded.length > 0 ? recorded : request.addresses;
  for (const use of own) {
    if (usable.includes(use.address)) continue;
    const message = `${use.origin} gives it ${use.address}, its status shows ${usable.join(', ')}: what it shows is kept`;
    notes.push({ kind: 'ambiguous', object: `Service ${key}`, message });
  }
  return usable;
}

function onePerFamily(
  name: ServiceName,
  all: readonly IpAddress[],
  notes: Note[],
): readonly IpAddress[] {
  const families = new Map<Family, IpAddress>();
  for (const address of all) {
    const first = families.get(familyOf(address));
    if (first === undefined) families.set(familyOf(address), address);
    else if (first !== address) {
      const message = `has ${first} and ${address}; a Service has one address of each family: ${first} is kept, ${address} is reserved (give it to a second Service with the same selector)`;
      notes.push({ kind: 'error', object: `Service ${keyOfName(name)}`, message });
    }
  }
  return [...families.values()];
}

interface Draft {
  readonly services: ServiceName[];
  forNamespace: string | undefined;
  retain: boolean;
}

function holdingsOf(
  keepers: readonly Keeper[],
  others: readonly AddressUse[],
  uses: readonly AddressUse[],
): readonly Holding[] {
  const drafts = new Map<IpAddress, Draft>();
  const draftOf = (address: IpAddress): Draft => {
    const found = drafts.get(address) ?? { services: [], forNamespace: undefined, retain: false };
    drafts.set(address, found);
    return found;
  };
  for (const { name, addresses } of keepers) {
    for (const address of addresses) draftOf(address).services.push(name);
  }
  for (const use of others) {
    const draft = draftOf(use.address);
    draft.retain ||= use.retain === true;
    draft.forNamespace ??= use.forNamespace;
  }
  const systems = new Map(uses.map(({ address, system }) => [address, system]));
  return [...drafts]
    .map(([address, draft]) => ({ address, ...draft, system: systems.get(address) ?? 'services' }))
    .sort((a, b) => compareIp(a.address, b.address));
}
