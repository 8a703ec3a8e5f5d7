// What must change on the Services themselves, so that vipvs gives each exactly the address that it has: as merge patches,
// one per Service. Pure. `required`: without it the address changes, or vipvs does not serve the Service. `safety`: the
// status shows the address, which is enough as long as the old controller does not clear it on its way out.
import { ANNOTATIONS, REQUEST_KEYS } from '../api/annotations.ts';
import { LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { namespacesAgree } from '../api/request.ts';
import { objectNameOf, type IpAddress } from '../net/address.ts';
import type { Holding, Keeper } from './holdings.ts';
import { keyOfName, type Note, type ServiceName, type ServiceWish } from './model.ts';
import { nameText, Notes } from './notes.ts';
import type { ServiceFacts } from './services.ts';
import { variableHint } from './variables.ts';

/** A JSON merge patch (RFC 7386): null removes. */
export interface PatchBody {
  readonly metadata?: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec?: {
    readonly type?: 'LoadBalancer';
    readonly loadBalancerClass?: string;
    readonly loadBalancerIP?: null;
    readonly externalIPs?: null;
  };
}

export interface ServicePatch {
  readonly service: ServiceName;
  readonly need: 'required' | 'safety';
  readonly body: PatchBody;
  /** Why, each a sentence's part. */
  readonly why: readonly string[];
}

export interface PatchContext {
  readonly holdings: readonly Holding[];
  readonly keepers: readonly Keeper[];
  readonly wishes: readonly ServiceWish[];
  /** The Pool that has the address. */
  readonly poolOf: (address: IpAddress) => string | undefined;
  /** What the Pool of the source is called here; undefined where it was not imported. */
  readonly poolNamed: (name: string) => string | undefined;
  /** The Pool that a wish's draft became. */
  readonly poolOfWish: (wish: ServiceWish) => string | undefined;
}

export function patchesOf(context: PatchContext, notes: Note[]): readonly ServicePatch[] {
  noteDefaultClass(context, notes);
  const sharing = sharingOf(context);
  const lost = lostIn(context);
  return context.keepers.flatMap((keeper) => {
    const patch = new PatchDraft(keeper.name);
    if (keeper.facts !== undefined) {
      const known = { ...keeper, facts: keeper.facts };
      addWishes(known, context, patch);
      addPool(known, context, patch, notes);
      if (!known.addresses.some((ip) => lost.has(`${known.facts.key} ${ip}`))) {
        addAddresses(known, patch);
      }
      addSharing(known, sharing, patch);
      noteClass(known, notes);
    } else noteAbsent(keeper, notes);
    return patch.result();
  });
}

type KnownKeeper = Keeper & { readonly facts: ServiceFacts };

class PatchDraft {
  readonly annotations: Record<string, string> = {};
  spec: NonNullable<PatchBody['spec']> = {};
  readonly #service: ServiceName;
  readonly #why: string[] = [];
  #isRequired = false;

  constructor(service: ServiceName) {
    this.#service = service;
  }

  because(why: string, need: ServicePatch['need'] = 'required'): void {
    if (!this.#why.includes(why)) this.#why.push(why);
    if (need === 'required') this.#isRequired = true;
  }

  result(): readonly ServicePatch[] {
    if (this.#why.length === 0) return [];
    const entries = Object.entries(this.annotations).sort(([a], [b]) => (a < b ? -1 : 1));
    const annotations = Object.fromEntries(entries);
    return [
      {
        service: this.#service,
        need: this.#isRequired ? 'required' : 'safety',
        body: {
          ...(entries.length === 0 ? {} : { metadata: { annotations } }),
          ...(Object.keys(this.spec).length === 0 ? {} : { spec: this.spec }),
        },
        why: this.#why,
      },
    ];
  }
}

function addWishes(keeper: KnownKeeper, context: PatchContext, patch: PatchDraft): void {
  const { facts, addresses } = keeper;
  for (const wish of context.wishes) {
    if (keyOfName(wish.service) !== facts.key) continue;
    if (wish.makeLoadBalancer === true && facts.service.spec.type !== 'LoadBalancer') {
      patch.spec = { ...patch.spec, type: 'LoadBalancer', loadBalancerClass: LOAD_BALANCER_CLASS };
      patch.because(wish.why);
    }
    if (wish.makeLoadBalancer === true && facts.externalIPs.some((ip) => addresses.includes(ip))) {
      patch.spec = { ...patch.spec, externalIPs: null };
      patch.because('spec.externalIPs would let kube-proxy take the packets first');
    }
    for (const [key, value] of Object.entries(wish.annotations ?? {})) {
      patch.annotations[key] = value;
      patch.because(wish.why);
    }
    const pool = poolsOf(keeper, context) ?? context.poolOfWish(wish);
    if (wish.pool !== undefined && pool !== undefined && facts.request.pool === undefined) {
      patch.annotations[ANNOTATIONS.pool] = pool;
      patch.because(wish.why);
    }
  }
}

/** Those that have its addresses, as a Service asks for them; undefined where it has none. */
function poolsOf({ addresses }: KnownKeeper, { poolOf }: PatchContext): string | undefined {
  const pools = addresses.map(poolOf).filter((pool) => pool !== undefined);
  return pools.length === 0 ? undefined : [...new Set(pools)].join(',');
}

/** The Pools that the Service asks for must be those that have its addresses; all keys must say the same. */
function addPool(
  keeper: KnownKeeper,
  context: PatchContext,
  patch: PatchDraft,
  notes: Note[],
): void {
  const { facts } = keeper;
  const asked = facts.request.pool;
  if (asked === undefined) return;
  const called = context.poolNamed(asked);
  const pool = poolsOf(keeper, context) ?? called;
  if (pool === undefined) {
    const message = `asks for Pool ${nameText(asked)}, which is not among the imported ones${variableHint(asked)}`;
    Notes.ofService(notes, facts).add('ambiguous', message);
    return;
  }
  if (pool === asked) return;
  setPresent(facts, REQUEST_KEYS.pool, pool, patch);
  const why = pool === called ? 'which is called' : 'but its address is in Pool';
  patch.because(`asks for Pool ${nameText(asked)}, ${why} ${pool}`);
}

function setPresent(
  facts: ServiceFacts,
  keys: readonly string[],
  value: string,
  patch: PatchDraft,
): void {
  for (const key of keys.filter((each) => facts.annotations[each] !== undefined)) {
    patch.annotations[key] = value;
  }
}

function addAddresses({ facts, addresses, isShown }: KnownKeeper, patch: PatchDraft): void {
  if (addresses.length === 0) return;
  const value = addresses.join(',');
  const { request } = facts;
  const { loadBalancerIP } = facts.service.spec;
  const isAsked =
    REQUEST_KEYS.addresses.some((key) => facts.annotations[key] !== undefined) ||
    (loadBalancerIP !== undefined && loadBalancerIP !== '');
  if (isAsked) {
    const fits =
      request.problems.length === 0 && request.addresses.every((ip) => addresses.includes(ip));
    if (fits) return;
    setPresent(facts, REQUEST_KEYS.addresses, value, patch);
    if (loadBalancerIP !== undefined && loadBalancerIP !== '') {
      patch.spec = { ...patch.spec, loadBalancerIP: null };
      patch.annotations[ANNOTATIONS.addresses] = value;
    }
    patch.because(`asks for something else than ${value}, which it has`);
  }
  if (isAsked) return;
  patch.annotations[ANNOTATIONS.addresses] = value;
  if (isShown) patch.because('keeps the address even if its status is cleared', 'safety');
  else patch.because('asks for the address that it has');
}

/** `namespace/name address`: another Service has a port of it there, and no annotation helps. */
function lostIn({ holdings }: PatchContext): ReadonlySet<string> {
  return new Set(
    holdings.flatMap(({ address, losers }) =>
      losers.map((loser) => `${keyOfName(loser)} ${address}`),
    ),
  );
}

interface Sharing {
  readonly address: IpAddress;
  readonly services: readonly ServiceName[];
  /** The same Services; undefined for one that is not in the input. */
  readonly partners: readonly (ServiceFacts | undefined)[];
}

/** The addresses that several Services have. */
function sharingOf({ holdings, keepers }: PatchContext): ReadonlyMap<IpAddress, Sharing> {
  const facts = new Map(keepers.map((keeper) => [keyOfName(keeper.name), keeper.facts]));
  const shared = holdings.filter(({ services }) => services.length > 1);
  return new Map(
    shared.map(({ address, services }) => {
      const partners = services.map((name) => facts.get(keyOfName(name)));
      return [address, { address, services, partners }];
    }),
  );
}

/** Services on one address must have one sharing key, and agree across namespaces. */
function addSharing(
  { facts, addresses }: KnownKeeper,
  sharing: ReadonlyMap<IpAddress, Sharing>,
  patch: PatchDraft,
): void {
  const [holding] = addresses.flatMap((address) => sharing.get(address) ?? []);
  // it may have lost the address to one of them
  if (holding?.services.some((each) => keyOfName(each) === facts.key) !== true) return;
  const { partners } = holding;
  const keys = new Set(partners.map((partner) => partner?.request.sharingKey));
  const isAgreed = keys.size === 1 && !keys.has(undefined);
  if (!isAgreed) {
    const value = `imported-${objectNameOf(holding.address)}`;
    setPresent(facts, REQUEST_KEYS.sharingKey, value, patch);
    patch.annotations[ANNOTATIONS.sharingKey] = value;
    patch.because(`shares ${holding.address}, which needs one sharing key on all of its Services`);
  }
  const others = holding.services.filter(({ namespace }) => namespace !== facts.name.namespace);
  const isMutual = partners.every(
    (partner) => partner === undefined || namespacesAgree(sideOf(facts), sideOf(partner)),
  );
  if (others.length > 0 && !isMutual) {
    const names = [
      ...new Set([...facts.request.sharingNamespaces, ...others.map(({ namespace }) => namespace)]),
    ].sort();
    setPresent(facts, REQUEST_KEYS.sharingNamespaces, names.join(','), patch);
    patch.annotations[ANNOTATIONS.sharingNamespaces] = names.join(',');
    patch.because('shares its address with Services of other namespaces');
  }
}

function sideOf({ name, request }: ServiceFacts) {
  return { namespace: name.namespace, sharingNamespaces: request.sharingNamespaces };
}

/** The class of a Service can't be changed while it is of type LoadBalancer. */
function noteClass({ facts, addresses }: KnownKeeper, notes: Note[]): void {
  const { type, loadBalancerClass } = facts.service.spec;
  if (type !== 'LoadBalancer' || loadBalancerClass === undefined) return;
  if (loadBalancerClass === LOAD_BALANCER_CLASS) return;
  const ask =
    addresses.length === 0
      ? ''
      : ` and annotation ${ANNOTATIONS.addresses}: ${addresses.join(',')}`;
  const message = `${nameText(loadBalancerClass)} can't be changed: run the assigner for this class, or delete the Service and create it again with class ${LOAD_BALANCER_CLASS}${ask}`;
  Notes.ofService(notes, facts).add('no-equivalent', message, 'spec.loadBalancerClass');
}

function noteDefaultClass({ keepers }: PatchContext, notes: Note[]): void {
  const without = keepers.filter(({ facts }) => {
    const { type, loadBalancerClass } = facts?.service.spec ?? {};
    return type === 'LoadBalancer' && loadBalancerClass === undefined;
  });
  if (without.length === 0) return;
  const message = `${without.length} without a loadBalancerClass: vipvs serves those only with --default-class`;
  notes.push({ kind: 'ambiguous', object: 'Services', message });
}

function noteAbsent({ name, addresses }: Keeper, notes: Note[]): void {
  const message = `is not in the input: ${addresses.join(', ')} is reserved for it; read the Services, too, to learn what must change on it`;
  notes.push({ kind: 'ambiguous', object: `Service ${keyOfName(name)}`, message });
}

/** The Service as it is after the patch, as far as vipvs reads it. */
export function patched(
  facts: ServiceFacts,
  patch: ServicePatch | undefined,
): ServiceFacts['service'] {
  const { service } = facts;
  if (patch === undefined) return service;
  const { loadBalancerIP, ...spec } = service.spec;
  const annotations = { ...facts.annotations, ...patch.body.metadata?.annotations };
  const keepsIp = loadBalancerIP !== undefined && patch.body.spec?.loadBalancerIP === undefined;
  const { type, loadBalancerClass } = patch.body.spec ?? {};
  return {
    ...service,
    metadata: { ...service.metadata, annotations },
    spec: {
      ...spec,
      ...(keepsIp ? { loadBalancerIP } : {}),
      ...(type === undefined ? {} : { type }),
      ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    },
  };
}
