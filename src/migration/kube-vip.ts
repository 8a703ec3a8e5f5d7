// kube-vip's cloud provider: one ConfigMap (kube-system/kubevip) with cidr-, range-, interface- and allow-share- keys,
// for all namespaces (-global) or one. Pure.
// Facts (kube-vip-cloud-provider, pkg/provider/loadBalancer.go): cidr-<namespace>, cidr-global, range-<namespace>,
// range-global are asked in this order, the first that is there is the only one used; skip-end-ips-in-cidr leaves out
// the first and the last IPv4 address of each CIDR shorter than /31.
import { ipFromBigInt } from '../net/address.ts';
import { rangeSize } from '../net/range.ts';
import { childOf, Fields, guarded, SourceError, type Notes } from './fields.ts';
import { interfaceProblem } from './interfaces.ts';
import { labelOf, type Converted, type Note, type PoolDraft, type SourceObject } from './model.ts';
import { readRange } from './ranges.ts';

const KEY = /^(cidr|range)-(.+)$/;
const GLOBAL = 'global';
const DHCP = '0.0.0.0/32';

export function isKubeVip({ group, kind, name, raw }: SourceObject): boolean {
  if (group !== '' || kind !== 'ConfigMap') return false;
  const data = childOf(raw, 'data');
  return name === 'kubevip' || Object.keys(data).some((key) => KEY.test(key));
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
  const drafts = draftsOf(sources).map(({ namespaces: served, source }) => {
    const others = [...sources.keys()].filter((name) => name !== GLOBAL);
    const isGlobal = served.includes(GLOBAL);
    const bindInterface = readInterface(data, served, notes);
    return {
      system: 'kube-vip' as const,
      name: isGlobal ? 'kube-vip-global' : `kube-vip-${String(served[0])}`,
      origin: `${labelOf(object)}, ${source.key}`,
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
  if (drafts.length === 0) notes.add('ambiguous', 'no addresses in it: no Pool is made');
  return drafts;
}

function isTrue(text: string | undefined): boolean {
  // strconv.ParseBool
  return ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text ?? '');
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
  const text = texts.get(first);
  // cidr-global serves the namespace: it has no Pool of its own
  if (text === undefined) return undefined;
  if (text.trim() === DHCP) {
    notes.add(
      'no-equivalent',
      'addresses from DHCP: give the Pool a range of your own',
      data.pathOf(first),
    );
    return undefined;
  }
  const items = text.split(',').map((item) => item.trim());
  const ranges = items.map((item) => readRange(item, data.pathOf(first)));
  if (first === cidr && items.some((item) => !item.includes('/'))) {
    throw new SourceError('must be CIDRs separated by commas', data.pathOf(first));
  }
  const ends = ranges.filter(
    (each) => skipEnds && first === cidr && each.family === 4 && rangeSize(each) > 2n,
  );
  const filterIPs = ends.flatMap((each) => [
    ipFromBigInt(4, each.first),
    ipFromBigInt(4, each.last),
  ]);
  return { key: first, addresses: items, filterIPs };
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
