// kube-vip's cloud provider: one ConfigMap (kube-system/kubevip) with cidr-, range-, interface- and allow-share- keys,
// for all namespaces (-global) or one. Pure.
// Facts (kube-vip-cloud-provider, pkg/provider/loadBalancer.go): cidr-<namespace>, cidr-global, range-<namespace>,
// range-global are asked in this order, the first that is there is the only one used; skip-end-ips-in-cidr leaves out
// the first and the last IPv4 address of each CIDR shorter than /31.
import { ipFromBigInt } from '../net/address.ts';
import { rangeSize } from '../net/range.ts';
import { Fields, type Entry } from './fields.ts';
import { childOf } from './json.ts';
import { guarded, type Notes } from './notes.ts';
import { poolAddresses } from './pool-spec.ts';
import { interfaceProblem } from './interfaces.ts';
import { labelOf, type Converted, type Note, type PoolDraft, type SourceObject } from './model.ts';
import { readRange } from './ranges.ts';
import { variableHint } from './variables.ts';

const KEY = /^(cidr|range)-(.+)$/;
const GLOBAL = 'global';
/** plndr: what kube-vip's cloud provider was called before. */
const NAMES = ['kubevip', 'plndr'];
const DHCP = ['0.0.0.0', '0.0.0.0/32', '::', '::/128'];
const LIKE_ADDRESSES = /\d\.\d|:.*:|\$|\{\{/;

export function isKubeVip({ group, kind, name, raw }: SourceObject): boolean {
  if (group !== '' || kind !== 'ConfigMap') return false;
  const data = Object.entries(childOf(raw, 'data'));
  return (
    NAMES.includes(name) ||
    // other programs have a range-x, too
    data.some(([key, value]) => KEY.test(key) && LIKE_ADDRESSES.test(String(value)))
  );
}

export function convertKubeVip(objects: readonly SourceObject[]): Converted {
  const notes: Note[] = [];
  const pools: PoolDraft[] = [];
  for (const object of objects) {
    guarded(notes, object, (about) => pools.push(...readConfig(object, about)));
  }
  return { pools, uses: [], wishes: [], notes };
}

/** What the cloud provider finds for a namespace, or for the others. */
interface Source {
  readonly key: string;
  readonly addresses: readonly string[];
  readonly filterIPs: readonly string[];
}

function readConfig(object: SourceObject, notes: Notes): readonly PoolDraft[] {
  const raw = childOf(object.raw, 'data');
  const data = new Fields(raw, 'data', notes);
  const skipEnds = isTrue(data.text('skip-end-ips-in-cidr'));
  if (data.text('search-order') === 'desc') {
    notes.add(
      'no-equivalent',
      'vipvs hands out the lowest free address first',
      'data.search-order',
    );
  }
  for (const key of Object.keys(raw)
    .filter((each) => each.startsWith('allow-share-'))
    .sort()) {
    if (!isTrue(data.text(key))) continue;
    const advice =
      'Services share an address only if they ask for it: give them one vipvs.io/sharing-key';
    notes.add('no-equivalent', advice, `data.${key}`);
  }
  const namespaces = [
    ...new Set(Object.keys(raw).flatMap((key) => KEY.exec(key)?.[2] ?? [])),
  ].sort();
  const sources = new Map<string, Source>();
  for (const namespace of namespaces) {
    const source = readSource(data, namespace, skipEnds, notes);
    if (source !== undefined) sources.set(namespace, source);
  }
  const others = namespaces.filter((name) => name !== GLOBAL && hasOwn(data, name));
  const drafts = draftsOf(sources).map(({ namespaces: served, source }) => {
    const isGlobal = served.includes(GLOBAL);
    const bindInterface = readInterface(data, served, notes);
    return {
      system: 'kube-vip' as const,
      name: isGlobal ? 'kube-vip-global' : `kube-vip-${String(served[0])}`,
      origin: `${labelOf(object)}, ${source.key}`,
      where: object.where,
      spec: {
        addresses: source.addresses,
        ...(source.filterIPs.length === 0 ? {} : { filterIPs: source.filterIPs }),
        ...(isGlobal && others.length > 0 ? { ignoreNamespaces: others } : {}),
        ...(isGlobal ? {} : { serviceAllocation: { namespaces: served } }),
        ...(bindInterface === undefined ? {} : { bindInterface }),
      },
    };
  });
  data.ignore(...namespaces.map((namespace) => `interface-${namespace}`), `interface-${GLOBAL}`);
  data.ignore(...Object.keys(raw).filter((key) => key.startsWith('allow-share-')));
  data.end();
  if (namespaces.length === 0) notes.add('ambiguous', 'no addresses in it: no Pool is made');
  return drafts;
}

function isTrue(text: string | undefined): boolean {
  // strconv.ParseBool
  return ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text ?? '');
}

/** Whether the namespace has addresses of its own, even if they can't be read; cidr-global comes before range-<ns>. */
function hasOwn(data: Fields, namespace: string): boolean {
  return data.has(`cidr-${namespace}`) || !data.has(`cidr-${GLOBAL}`);
}

function readSource(
  data: Fields,
  namespace: string,
  skipEnds: boolean,
  notes: Notes,
): Source | undefined {
  const cidr = `cidr-${namespace}`;
  const range = `range-${namespace}`;
  const first = [cidr, `cidr-${GLOBAL}`].find((key) => data.has(key)) ?? range;
  const texts = new Map([cidr, range].map((key) => [key, data.text(key)]));
  if (data.has(range) && first !== range) {
    const text = `${first} comes before it, so kube-vip never reads it; it is left out`;
    notes.add('ambiguous', text, data.pathOf(range));
  }
  const field = data.pathOf(first);
  const text = texts.get(first);
  // cidr-global serves the namespace: it has no Pool of its own
  if (text === undefined) return undefined;
  const entries = readItems(text, { field, isCidr: first === cidr }, notes);
  if (entries.length === 0) return undefined;
  const addresses = poolAddresses(entries, field, notes);
  if (addresses === undefined) return undefined;
  const ends = addresses
    .map((item) => readRange(item, field))
    .filter((each) => skipEnds && first === cidr && each.family === 4 && rangeSize(each) > 2n);
  const filterIPs = ends.flatMap((each) => [
    ipFromBigInt(4, each.first),
    ipFromBigInt(4, each.last),
  ]);
  return { key: first, addresses, filterIPs };
}

/** The items of a comma-separated value, without those that are no addresses of their own. */
function readItems(
  text: string,
  { field, isCidr }: { readonly field: string; readonly isCidr: boolean },
  notes: Notes,
): readonly Entry[] {
  const items = text.split(',').map((item) => item.trim());
  return items.flatMap((item): readonly Entry[] => {
    if (item === '') return [];
    if (DHCP.includes(item)) {
      const advice = 'addresses from DHCP: give the Pool a range of your own';
      notes.add('no-equivalent', advice, field);
      return [];
    }
    if (!isCidr || item.includes('/') || variableHint(item) !== '') return [{ text: item, field }];
    notes.add('error', `${JSON.stringify(item)} must be a CIDR; it is left out`, field);
    return [];
  });
}

interface Served {
  readonly namespaces: readonly string[];
  readonly source: Source;
}

/** Namespaces with the same addresses share one Pool: kube-vip keeps track of them together. */
function draftsOf(sources: ReadonlyMap<string, Source>): readonly Served[] {
  const served: { namespaces: string[]; source: Source }[] = [];
  for (const [namespace, source] of sources) {
    const same = served.find(
      (each) =>
        namespace !== GLOBAL &&
        !each.namespaces.includes(GLOBAL) &&
        each.source.addresses.join() === source.addresses.join(),
    );
    if (same === undefined) served.push({ namespaces: [namespace], source });
    else same.namespaces.push(namespace);
  }
  return served;
}

function readInterface(
  data: Fields,
  namespaces: readonly string[],
  notes: Notes,
): string | undefined {
  const found = namespaces.map((namespace) => {
    const own = `interface-${namespace}`;
    return data.text(data.has(own) ? own : `interface-${GLOBAL}`);
  });
  const [name] = found;
  if (name === undefined) return undefined;
  if (found.some((each) => each !== name)) {
    const text = `${namespaces.join(', ')} share addresses and have different interfaces; a Pool has one: set spec.bindInterface`;
    notes.add('ambiguous', text);
    return undefined;
  }
  const problem = interfaceProblem(name);
  if (problem === undefined) return name;
  notes.add('no-equivalent', `interface ${problem}`, `data.interface-${String(namespaces[0])}`);
  return undefined;
}
