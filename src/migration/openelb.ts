// OpenELB: Eip (network.kubesphere.io/v1alpha2), with who has what in its status, and annotations on Services. Pure.
// Facts (openelb.io, IP address assignment): automatic choice looks at Eips that name the namespace, the lowest priority
// value first, then at the default Eip; all others only by annotation, which asks for no namespace.
import { Fields } from './fields.ts';
import { childOf } from './json.ts';
import { attempt, guarded, nameText, Notes, shortText } from './notes.ts';
import { cautious, poolAddresses } from './pool-spec.ts';
import { interfaceProblem } from './interfaces.ts';
import {
  labelOf,
  type AddressUse,
  type Converted,
  type Note,
  type PoolDraft,
  type ServiceWish,
  type SourceObject,
} from './model.ts';
import { readAddress } from './ranges.ts';
import type { ServiceFacts } from './services.ts';
import type { SystemContext } from './system.ts';
import { variableHint } from './variables.ts';

const GROUP = 'network.kubesphere.io';
const DEFAULT_KEY = 'eip.openelb.kubesphere.io/is-default-eip';
/** Porter is what OpenELB was called at first. */
const ADDRESS_KEYS = ['eip.openelb.kubesphere.io/v1alpha1', 'eip.porter.kubesphere.io/v1alpha1'];
const POOL_KEYS = ['eip.openelb.kubesphere.io/v1alpha2', 'eip.porter.kubesphere.io/v1alpha2'];
const PRIORITY_MAX = 999_999;

export function isOpenelb(object: SourceObject): boolean {
  return object.group === GROUP;
}

export function convertOpenelb(
  objects: readonly SourceObject[],
  context: SystemContext,
): Converted {
  const notes: Note[] = [];
  const pools: PoolDraft[] = [];
  const uses: AddressUse[] = [];
  for (const object of objects) {
    guarded(notes, object, (about) => {
      if (object.kind === 'Eip') {
        const pool = readEip(object, about);
        if (pool !== undefined) pools.push(pool);
        uses.push(...readUsed(object, about));
      } else if (object.kind === 'BgpConf' || object.kind === 'BgpPeer') {
        about.add(
          'no-equivalent',
          'vipvs does not speak BGP: let a BGP daemon on the directors announce the VIPs',
        );
      } else {
        about.add('no-equivalent', 'a kind that the import does not know; it is left out');
      }
    });
  }
  uses.push(...context.services.flatMap((facts) => askedOf(facts, notes)));
  const wishes = context.services.flatMap((facts) => wishOf(facts, pools, notes) ?? []);
  return { pools, uses, wishes, notes };
}

function readEip(object: SourceObject, notes: Notes): PoolDraft | undefined {
  const spec = Fields.specOf(object, notes);
  const address = spec.text('address');
  const disabled = spec.flag('disable') === true;
  const priority = spec.integer('priority') ?? 0;
  const namespaces = spec.texts('namespaces');
  const labels = spec.map('namespaceSelector');
  const bindInterface = readInterface(spec.text('interface'), notes);
  if ((spec.text('protocol') ?? 'bgp') === 'bgp') {
    const text =
      'bgp: vipvs does not speak BGP; let a BGP daemon on the directors announce the VIPs';
    notes.add('no-equivalent', text, 'spec.protocol');
  }
  spec.ignore('usingKnownIPs');
  spec.end();
  const entries = address === undefined ? [] : [{ text: address.trim(), field: 'spec.address' }];
  const addresses = poolAddresses(entries, 'spec.address', notes);
  if (addresses === undefined) return undefined;
  const isFor = namespaces.length > 0 || Object.keys(labels).length > 0;
  const autoAssign = isFor || annotationOf(object, DEFAULT_KEY) === 'true';
  const allocation = {
    // there 0 comes first, in a Pool last
    priority: Math.min(Math.max(priority, 0), PRIORITY_MAX) + 1,
    ...(namespaces.length === 0 ? {} : { namespaces }),
    ...(Object.keys(labels).length === 0 ? {} : { namespaceSelectors: [{ matchLabels: labels }] }),
  };
  const draft = {
    addresses,
    ...(autoAssign ? {} : { autoAssign }),
    ...(disabled ? { disabled } : {}),
    ...(isFor ? { serviceAllocation: allocation } : {}),
    ...(bindInterface === undefined ? {} : { bindInterface }),
  };
  return {
    system: 'openelb',
    name: object.name,
    origin: labelOf(object),
    where: object.where,
    ...(isFor ? { isOpen: true as const } : {}),
    spec: cautious(draft, notes.damages > 0, notes),
  };
}

function readInterface(name: string | undefined, notes: Notes): string | undefined {
  if (name === undefined || name === '') return undefined;
  if (name.startsWith('can_reach:')) {
    const text = `${name}: chosen by each node; set spec.bindInterface, or --bind-iface of the agent decides`;
    notes.add('ambiguous', text, 'spec.interface');
    return undefined;
  }
  const problem = interfaceProblem(name);
  if (problem === undefined) return name;
  notes.add('no-equivalent', problem, 'spec.interface');
  return undefined;
}

function annotationOf(object: SourceObject, key: string): unknown {
  const metadata = childOf(object.raw, 'metadata');
  const annotations = childOf(metadata, 'annotations');
  return annotations[key];
}

/** status.used: address -> `namespace/name`, several separated by semicolons. */
function readUsed(object: SourceObject, notes: Notes): readonly AddressUse[] {
  const status = childOf(object.raw, 'status');
  const used = childOf(status, 'used');
  return Object.entries(used).flatMap(([text, holders]): readonly AddressUse[] => {
    const address = attempt(notes, 'it', () => readAddress(text, 'status.used'));
    if (address === undefined) return [];
    const origin = `${labelOf(object)}: status.used`;
    return String(holders)
      .split(';')
      .filter((holder) => holder.trim() !== '')
      .flatMap((holder): readonly AddressUse[] => {
        const [namespace = '', name = ''] = holder.trim().split('/');
        const use = { system: 'openelb' as const, address, origin, where: object.where };
        if (namespace !== '' && name !== '') return [{ ...use, service: { namespace, name } }];
        const text = `${shortText(holder)} must be namespace/name: ${address} is kept out of use`;
        notes.add('error', text, 'status.used');
        return [{ ...use, retain: true }];
      });
  });
}

/** The Eip that the Service asks for by annotation. */
function wishOf(
  facts: ServiceFacts,
  pools: readonly PoolDraft[],
  all: Note[],
): ServiceWish | undefined {
  const asked = askedUnder(facts, POOL_KEYS);
  if (asked === undefined) return undefined;
  const pool = pools.find((draft) => draft.name === asked.text);
  if (pool !== undefined) {
    return { service: facts.name, pool, why: `${asked.key} is not read` };
  }
  const message = `asks for Eip ${nameText(asked.text)}, which is not among the imported ones${variableHint(asked.text)}`;
  Notes.ofService(all, facts).add('ambiguous', message, `metadata.annotations[${asked.key}]`);
  return undefined;
}

/** The address that the Service asks for by annotation; what it shows counts more. */
function askedOf(facts: ServiceFacts, all: Note[]): readonly AddressUse[] {
  const asked = askedUnder(facts, ADDRESS_KEYS);
  if (asked === undefined || facts.shown.length > 0) return [];
  const field = `metadata.annotations[${asked.key}]`;
  const notes = Notes.ofService(all, facts);
  const address = attempt(notes, 'it', () => readAddress(asked.text, field));
  if (address === undefined) return [];
  const { name, where } = facts;
  return [{ system: 'openelb', address, service: name, origin: `annotation ${asked.key}`, where }];
}

function askedUnder(
  { annotations }: ServiceFacts,
  keys: readonly string[],
): { readonly key: string; readonly text: string } | undefined {
  const key = keys.find((each) => annotations[each] !== undefined);
  const text = key === undefined ? '' : (annotations[key] ?? '').trim();
  return key === undefined || text === '' ? undefined : { key, text };
}
