// PureLB: ServiceGroup (purelb.io/v1 and v2) and LBNodeAgent. Pure.
// Facts (purelb pkg/apis/purelb/v2/types.go): a Service without annotation gets the group that serves its namespace, else
// the group named `default`; `namespaces` is a preference unless enforceNamespaces is set; of several groups for a
// namespace the one with namespaceDefault counts, and without one the `default` group does.
import { rangeHas } from '../net/range.ts';
import { ipFromBigInt } from '../net/address.ts';
import { Fields, type Entry } from './fields.ts';
import { attempt, guarded, Notes, SourceError } from './notes.ts';
import { cautious, poolAddresses } from './pool-spec.ts';
import { literalInterface } from './interfaces.ts';
import { labelOf, type Converted, type Note, type PoolDraft, type SourceObject } from './model.ts';
import { readRange } from './ranges.ts';

const GROUP = 'purelb.io';
const DEFAULT_GROUP = 'default';

export function isPurelb(object: SourceObject): boolean {
  return object.group === GROUP;
}

interface Group {
  readonly object: SourceObject;
  readonly kind: 'local' | 'remote';
  readonly addresses: readonly string[];
  readonly namespaces: readonly string[];
  readonly isEnforced: boolean;
  readonly isMarked: boolean;
  readonly isDamaged: boolean;
}

export function convertPurelb(objects: readonly SourceObject[]): Converted {
  const notes: Note[] = [];
  const groups: Group[] = [];
  const interfaces: (string | undefined)[] = [];
  for (const object of objects) {
    guarded(notes, object, (about) => {
      if (object.kind === 'ServiceGroup') {
        const group = readGroup(object, about);
        if (group !== undefined) groups.push(group);
      } else if (object.kind === 'LBNodeAgent') {
        interfaces.push(readNodeAgent(object, about));
      } else {
        about.add('no-equivalent', 'a kind that the import does not know; it is left out');
      }
    });
  }
  const distinct = new Set(interfaces);
  const [bindInterface] = distinct.size === 1 ? distinct : [undefined];
  const pools = groups.map((group) =>
    draftOf(group, groups, bindInterface, Notes.of(notes, group.object)),
  );
  return { pools, uses: [], wishes: [], notes };
}

function readGroup(object: SourceObject, notes: Notes): Group | undefined {
  const spec = Fields.specOf(object, notes);
  const namespaces = spec.texts('namespaces');
  const isEnforced = spec.flag('enforceNamespaces') === true;
  const isMarked = spec.flag('namespaceDefault') === true;
  const elsewhere =
    'its addresses come from elsewhere: make a Pool of those that are meant for this cluster';
  for (const key of ['external', 'netbox', 'epic']) spec.unsupported(key, elsewhere);
  const local = spec.object('local');
  const remote = spec.object('remote');
  spec.end();
  const source = local ?? remote;
  if (source === undefined) {
    if (['external', 'netbox', 'epic'].some((key) => spec.has(key))) return undefined;
    throw new SourceError('has neither local nor remote', 'spec');
  }
  const addresses = readAddresses(source, notes);
  if (addresses === undefined) return undefined;
  const kind = local === undefined ? 'remote' : 'local';
  if (kind === 'remote') {
    const text =
      'PureLB announces it by routing only; vipvs binds VIPs to an interface: set spec.bindInterface to the dummy interface that your routing daemon reads';
    notes.add('no-equivalent', text, 'spec.remote');
  }
  const isDamaged = notes.damages > 0;
  return { object, kind, addresses, namespaces, isEnforced, isMarked, isDamaged };
}

function readAddresses(source: Fields, notes: Notes): readonly string[] | undefined {
  const single = ['v4pool', 'v6pool'].flatMap((key) => source.object(key) ?? []);
  const several = ['v4pools', 'v6pools'].flatMap((key) => source.objects(key));
  const entries = [...(source.has('pool') ? [source] : []), ...single, ...several].flatMap(
    (fields) => attempt(notes, 'it', () => readPool(fields, source, notes)) ?? [],
  );
  source.unsupported('skipIPv6DAD', 'vipvs binds VIPs without duplicate address detection');
  source.unsupported('multiPool', 'a Service has one address of each family');
  source.unsupported('balancePools', 'vipvs fills the ranges in the order in which they stand');
  source.end();
  const isEmpty = !source.has('pool') && single.length === 0 && several.length === 0;
  if (isEmpty) throw new SourceError('has no pool', source.pathOf('v4pool'));
  return entries.length === 0 ? undefined : poolAddresses(entries, source.pathOf('v4pool'), notes);
}

/** `source` is the group's own part, which has one pool beside its other fields in v1 of the first releases. */
function readPool(fields: Fields, source: Fields, notes: Notes): Entry {
  const subnet = fields.text('subnet');
  const aggregation = fields.text('aggregation') ?? '';
  const pool = fields.text('pool');
  if (fields !== source) fields.end();
  const field = fields.pathOf('pool');
  if (pool === undefined || pool === '') throw new SourceError('is missing', field);
  const range = readRange(pool, field);
  if (subnet !== undefined) {
    const outer = readRange(subnet, fields.pathOf('subnet'));
    const isInside = [range.first, range.last].every((value) =>
      rangeHas(outer, ipFromBigInt(range.family, value)),
    );
    if (!isInside) throw new SourceError(`is not inside ${subnet}`, field);
  }
  if (!['', 'default', '/32', '/128'].includes(aggregation)) {
    const text = `${aggregation}: VIPs are bound as /32 and /128; let the routing daemon aggregate`;
    notes.add('no-equivalent', text, fields.pathOf('aggregation'));
  }
  return { text: pool, field };
}

function draftOf(
  group: Group,
  all: readonly Group[],
  bindInterface: string | undefined,
  notes: Notes,
): PoolDraft {
  const { object, addresses, namespaces } = group;
  const served = namespaces.filter((namespace) => isDefaultFor(group, namespace, all));
  const isDefault = object.name === DEFAULT_GROUP && namespaces.length === 0;
  const autoAssign = isDefault || served.length > 0;
  const elsewhere = isDefault ? ownNamespaces(all) : [];
  if (namespaces.length > 0 && !group.isEnforced) {
    const text = `Services of other namespaces may ask for the group; serviceAllocation.namespaces of a Pool lets in only those named${served.length > 0 ? '' : ', and no group is marked as namespaceDefault for them'}`;
    notes.add('ambiguous', text, 'spec.namespaces');
  }
  if (group.isEnforced) {
    const text = `namespaces ${namespaces.join(', ')} may ask for other Pools, too, where those have no serviceAllocation`;
    notes.add('no-equivalent', text, 'spec.enforceNamespaces');
  }
  const spec = {
    addresses,
    ...(autoAssign ? {} : { autoAssign }),
    ...(elsewhere.length === 0 ? {} : { ignoreNamespaces: elsewhere }),
    ...(namespaces.length === 0 ? {} : { serviceAllocation: { namespaces } }),
    ...(group.kind === 'local' && bindInterface !== undefined ? { bindInterface } : {}),
  };
  return {
    system: 'purelb',
    name: object.name,
    origin: labelOf(object),
    where: object.where,
    ...(namespaces.length > 0 && !group.isEnforced ? { isOpen: true as const } : {}),
    spec: cautious(spec, group.isDamaged, notes),
  };
}

/** Whether a Service of the namespace without annotation gets this group. */
function isDefaultFor(group: Group, namespace: string, all: readonly Group[]): boolean {
  const candidates = all.filter((each) => each.namespaces.includes(namespace));
  if (candidates.length === 1) return true;
  const marked = candidates.filter((each) => each.isMarked);
  return marked.length === 1 && marked[0] === group;
}

/** Namespaces whose Services go to a group of their own. */
function ownNamespaces(all: readonly Group[]): readonly string[] {
  const names = all.flatMap((group) =>
    group.namespaces.filter((namespace) => isDefaultFor(group, namespace, all)),
  );
  return [...new Set(names)].sort();
}

/** The interface that the agents bind local addresses to; undefined where they choose it themselves. */
function readNodeAgent(object: SourceObject, notes: Notes): string | undefined {
  const spec = Fields.specOf(object, notes);
  const where = 'label the nodes that may hold VIPs as directors instead (vipvs.io/director)';
  spec.unsupported('nodeSelector', where);
  const local = spec.object('local');
  spec.end();
  if (local === undefined) return undefined;
  const text = local.text('localint') ?? local.text('localInterface') ?? 'default';
  const extra = 'not needed: vipvs has its own timing for it';
  local.unsupported('garpConfig', extra);
  local.ignore('sendgarp');
  local.unsupported(
    'addressConfig',
    'not needed: VIPs are marked as ours by their protocol number',
  );
  local.unsupported('interfaces', 'a Pool has one interface: spec.bindInterface');
  local.ignore('extlbint', 'dummyInterface');
  local.ignore('localint', 'localInterface');
  local.end();
  if (text === 'default') return undefined;
  const name = literalInterface(text);
  if (name === undefined) {
    notes.add(
      'ambiguous',
      `${text} may match several interfaces; set spec.bindInterface of the Pools`,
      'spec.local.localint',
    );
  }
  return name;
}
