// MetalLB: IPAddressPool and L2Advertisement (metallb.io), the older AddressPool, and the ConfigMap of releases before
// 0.13 (metallb-config.ts), which counts only where there is no pool object: as in MetalLB itself. Our Pool is made after IPAddressPool, so addresses and serviceAllocation go over one to one. Pure.
// Facts: https://metallb.io/apis/ ; pool names stay, because metallb.io/address-pool on Services is read as it is.
import { selectorMatches } from '../api/selector.ts';
import type { LabelSelector } from '../api/pool.ts';
import { Fields } from './fields.ts';
import { childOf } from './json.ts';
import { BGP_ADVICE, configKeyOf, noteProtocol, readConfig } from './metallb-config.ts';
import { guarded, Notes } from './notes.ts';
import { cautious, poolAddresses } from './pool-spec.ts';
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
const CONFIG_KEY = 'config';

/** Kinds that only show what MetalLB is doing, and its operator's, which says how it is deployed. */
const STATE_KINDS = ['ServiceL2Status', 'ServiceBGPStatus', 'ConfigurationState', 'MetalLB'];
const POOL_KINDS = ['IPAddressPool', 'AddressPool'];
const BGP_KINDS = ['BGPAdvertisement', 'BGPPeer', 'BFDProfile', 'Community'];

export function isMetallb(object: SourceObject): boolean {
  return object.group === GROUP || configKeyOf(object, CONFIG_KEY) !== undefined;
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
  const newer = objects.find(({ kind }) => POOL_KINDS.includes(kind));
  let hasOtherAnnouncer = false;
  for (const object of objects) {
    guarded(notes, object, (about) => {
      if (object.kind === 'ConfigMap') {
        if (newer !== undefined) {
          noteSuperseded(newer, about);
          return;
        }
        const drafts = readConfig(object, CONFIG_KEY, 'metallb', about, context);
        pools.push(...drafts.map((draft) => ({ object, draft })));
        hasOtherAnnouncer = true;
      } else if (POOL_KINDS.includes(object.kind)) {
        const draft = readPool(object, about);
        if (draft !== undefined) pools.push({ object, draft });
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

/** As MetalLB from 0.13 on: it reads no ConfigMap, whatever stands in it. */
function noteSuperseded(newer: SourceObject, notes: Notes): void {
  const text = `MetalLB 0.13 and later does not read it, and ${labelOf(newer)} is here: it is left out; remove it`;
  notes.add('ambiguous', text);
}

function readPool(object: SourceObject, notes: Notes): PoolDraft | undefined {
  const spec = Fields.specOf(object, notes);
  const entries = spec.entries('addresses');
  const autoAssign = spec.flag('autoAssign');
  const avoidBuggyIPs = spec.flag('avoidBuggyIPs');
  const allocation = readAllocation(spec.object('serviceAllocation'), notes);
  const isOlder = object.kind === 'AddressPool';
  if (isOlder) {
    noteProtocol(spec.text('protocol'), 'spec.protocol', notes);
    spec.unsupported('bgpAdvertisements', BGP_ADVICE);
  }
  spec.end();
  const addresses = poolAddresses(entries, 'spec.addresses', notes);
  if (addresses === undefined) return undefined;
  const draft = {
    addresses,
    ...(autoAssign === false ? { autoAssign } : {}),
    ...(avoidBuggyIPs === true ? { avoidBuggyIPs } : {}),
    ...(allocation === undefined ? {} : { serviceAllocation: allocation }),
  };
  return {
    system: 'metallb',
    name: object.name,
    origin: labelOf(object),
    where: object.where,
    spec: cautious(draft, notes.damages > 0, notes),
    ...(isOlder ? { isOlder } : {}),
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
