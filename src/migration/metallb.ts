// MetalLB: IPAddressPool and L2Advertisement (metallb.io), the older AddressPool, and the ConfigMap `config` of
// releases before 0.13. Our Pool is made after IPAddressPool, so addresses and serviceAllocation go over one to one. Pure.
// Facts: https://metallb.io/apis/ ; pool names stay, because metallb.io/address-pool on Services is read as it is.
import { selectorMatches } from '../api/selector.ts';
import type { LabelSelector } from '../api/pool.ts';
import { childOf, Fields, guarded, isObject, Notes, SourceError } from './fields.ts';
import { interfaceProblem } from './interfaces.ts';
import {
  labelOf,
  type Converted,
  type Note,
  type PoolDraft,
  type PoolSpecDraft,
  type SourceObject,
} from './model.ts';
import type { SystemContext } from './system.ts';

const GROUP = 'metallb.io';
const BGP_ADVICE =
  'vipvs does not speak BGP: let a BGP daemon on the directors announce the VIPs, which are addresses of an interface there';

/** Kinds that only show what MetalLB is doing. */
const STATE_KINDS = ['ServiceL2Status', 'ServiceBGPStatus', 'ConfigurationState'];
const BGP_KINDS = ['BGPAdvertisement', 'BGPPeer', 'BFDProfile', 'Community'];

export function isMetallb(object: SourceObject): boolean {
  return object.group === GROUP || isLegacyConfig(object);
}

function isLegacyConfig({ group, kind, raw }: SourceObject): boolean {
  const data = childOf(raw, 'data');
  const text = data['config'];
  return (
    group === '' &&
    kind === 'ConfigMap' &&
    typeof text === 'string' &&
    /^["']?(address-pools|peers)["']?:/m.test(text)
  );
}

interface Advertisement {
  readonly object: SourceObject;
  readonly pools: readonly string[];
  readonly selectors: readonly LabelSelector[];
  readonly interfaces: readonly string[];
}

export function convertMetallb(
  objects: readonly SourceObject[],
  context: SystemContext,
): Converted {
  const notes: Note[] = [];
  const pools: { readonly object: SourceObject; readonly draft: PoolDraft }[] = [];
  const advertisements: Advertisement[] = [];
  let hasOtherAnnouncer = false;
  for (const object of objects) {
    guarded(notes, object, (about) => {
      if (object.kind === 'ConfigMap') {
        pools.push(...readConfig(object, about, context).map((draft) => ({ object, draft })));
        hasOtherAnnouncer = true;
      } else if (object.kind === 'IPAddressPool' || object.kind === 'AddressPool') {
        pools.push({ object, draft: readPool(object, about) });
        hasOtherAnnouncer ||= object.kind === 'AddressPool';
      } else if (object.kind === 'L2Advertisement') {
        advertisements.push(readAdvertisement(object, about));
      } else if (BGP_KINDS.includes(object.kind)) {
        hasOtherAnnouncer = true;
        about.add('no-equivalent', BGP_ADVICE);
      } else if (!STATE_KINDS.includes(object.kind)) {
        about.add('no-equivalent', 'a kind that the import does not know; it is left out');
      }
    });
  }
  const drafts = pools.map(({ object, draft }) => {
    if (object.kind !== 'IPAddressPool') return draft;
    return announced(draft, object, advertisements, hasOtherAnnouncer, Notes.of(notes, object));
  });
  return { pools: drafts, uses: [], wishes: [], notes };
}

function readPool(object: SourceObject, notes: Notes): PoolDraft {
  const spec = Fields.specOf(object, notes);
  const addresses = spec.texts('addresses');
  if (addresses.length === 0) throw new SourceError('is empty', 'spec.addresses');
  const autoAssign = spec.flag('autoAssign');
  const avoidBuggyIPs = spec.flag('avoidBuggyIPs');
  const allocation = readAllocation(spec.object('serviceAllocation'), notes);
  if (object.kind === 'AddressPool') {
    readProtocol(spec.text('protocol'), 'spec.protocol', notes);
    spec.unsupported('bgpAdvertisements', BGP_ADVICE);
  }
  spec.end();
  return {
    system: 'metallb',
    name: object.name,
    origin: labelOf(object),
    spec: {
      addresses,
      ...(autoAssign === false ? { autoAssign } : {}),
      ...(avoidBuggyIPs === true ? { avoidBuggyIPs } : {}),
      ...(allocation === undefined ? {} : { serviceAllocation: allocation }),
    },
  };
}

const PRIORITY_MAX = 1_000_000;

/** An empty list says the same as none in MetalLB; in a Pool it would allow nobody. */
function readAllocation(
  fields: Fields | undefined,
  notes: Notes,
): PoolSpecDraft['serviceAllocation'] {
  if (fields === undefined) return undefined;
  const priority = fields.integer('priority');
  const namespaces = fields.texts('namespaces');
  const namespaceSelectors = fields.selectors('namespaceSelectors');
  const serviceSelectors = fields.selectors('serviceSelectors');
  fields.end();
  const isAllowed = priority !== undefined && priority >= 0 && priority <= PRIORITY_MAX;
  if (priority !== undefined && !isAllowed) {
    const text = `${priority} is left out; allowed are 0 to ${PRIORITY_MAX}, the lowest above 0 is tried first`;
    notes.add('no-equivalent', text, fields.pathOf('priority'));
  }
  return {
    ...(isAllowed ? { priority } : {}),
    ...(namespaces.length === 0 ? {} : { namespaces }),
    ...(namespaceSelectors.length === 0 ? {} : { namespaceSelectors }),
    ...(serviceSelectors.length === 0 ? {} : { serviceSelectors }),
  };
}

function readProtocol(protocol: string | undefined, field: string, notes: Notes): void {
  if (protocol === 'bgp') notes.add('no-equivalent', BGP_ADVICE, field);
}

function readAdvertisement(object: SourceObject, notes: Notes): Advertisement {
  const spec = Fields.specOf(object, notes);
  const pools = spec.texts('ipAddressPools');
  const selectors = spec.selectors('ipAddressPoolSelectors');
  const interfaces = spec.texts('interfaces');
  const where = 'label the nodes that may hold VIPs as directors instead (vipvs.io/director)';
  spec.unsupported('nodeSelectors', where);
  spec.unsupported('preferredNodeSelectors', where);
  spec.unsupported('serviceSelectors', 'every Service with an address of the Pool is announced');
  spec.end();
  return { object, pools, selectors, interfaces };
}

/** The draft with the interface that its advertisements name, if they name one. */
function announced(
  draft: PoolDraft,
  object: SourceObject,
  all: readonly Advertisement[],
  hasOtherAnnouncer: boolean,
  notes: Notes,
): PoolDraft {
  const mine = all.filter((each) => advertises(each, object));
  if (mine.length === 0) {
    if (!hasOtherAnnouncer) {
      notes.add(
        'ambiguous',
        'no L2Advertisement covers it, so MetalLB announces none of it; vipvs does',
      );
    }
    return draft;
  }
  const interfaces = [...new Set(mine.flatMap((each) => each.interfaces))].sort();
  const [name] = interfaces;
  if (name === undefined) return draft;
  const names = mine.map((each) => labelOf(each.object)).join(', ');
  if (interfaces.length > 1 || mine.some((each) => each.interfaces.length === 0)) {
    const isAll = mine.some((each) => each.interfaces.length === 0);
    const which = isAll
      ? `${interfaces.join(', ')} and, without a name, all`
      : interfaces.join(', ');
    const text = `${names} announce on ${which}; a Pool has one interface: set spec.bindInterface, or --bind-iface of the agent decides`;
    notes.add('ambiguous', text);
    return draft;
  }
  const problem = interfaceProblem(name);
  if (problem !== undefined) {
    notes.add('no-equivalent', `${names}: interface ${problem}`);
    return draft;
  }
  return { ...draft, spec: { ...draft.spec, bindInterface: name } };
}

/** Without pools and selectors an advertisement is for all. */
function advertises({ pools, selectors }: Advertisement, pool: SourceObject): boolean {
  if (pools.length === 0 && selectors.length === 0) return true;
  const metadata = childOf(pool.raw, 'metadata');
  const labels = textMap(childOf(metadata, 'labels'));
  return (
    pools.includes(pool.name) || selectors.some((selector) => selectorMatches(selector, labels))
  );
}

function textMap(value: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, String(item)]));
}

/** The YAML inside the ConfigMap of MetalLB up to 0.12. */
function readConfig(
  object: SourceObject,
  notes: Notes,
  context: SystemContext,
): readonly PoolDraft[] {
  const data = new Fields(childOf(object.raw, 'data'), 'data', notes);
  const parsed = context.parseYaml(data.required('config'));
  if (parsed instanceof Error) throw new SourceError(parsed.message, 'data.config');
  if (!isObject(parsed)) throw new SourceError('must be an object', 'data.config');
  data.end();
  const config = new Fields(parsed, 'data.config', notes);
  config.unsupported('peers', BGP_ADVICE);
  config.unsupported('bgp-communities', BGP_ADVICE);
  config.unsupported('bfd-profiles', BGP_ADVICE);
  const drafts = config.objects('address-pools').map((pool): PoolDraft => {
    const name = pool.required('name');
    const addresses = pool.texts('addresses');
    if (addresses.length === 0) throw new SourceError('is empty', pool.pathOf('addresses'));
    readProtocol(pool.text('protocol'), pool.pathOf('protocol'), notes);
    const autoAssign = pool.flag('auto-assign');
    const avoidBuggyIPs = pool.flag('avoid-buggy-ips');
    pool.unsupported('bgp-advertisements', BGP_ADVICE);
    pool.end();
    return {
      system: 'metallb',
      name,
      origin: `${labelOf(object)}, pool ${name}`,
      spec: {
        addresses,
        ...(autoAssign === false ? { autoAssign } : {}),
        ...(avoidBuggyIPs === true ? { avoidBuggyIPs } : {}),
      },
    };
  });
  config.end();
  return drafts;
}
