// HPE kube-loadbalancer (hpcloud/kubernetes-service-loadbalancer): one ConfigMap per Service with the label
// app=loadbalancer, the records ip-manager-configmap and daemon-configmap, and the range and backend in the environment
// and the arguments of its workload. Pure.
// Fact: the records are keyed `<namespace>-<name>` of the user's ConfigMap, which can't be taken apart again; so they
// only add what the user ConfigMaps do not say.
import { tryParseIp, type IpAddress } from '../net/address.ts';
import { Fields } from './fields.ts';
import { childOf, isObject, walk, type JsonObject } from './json.ts';
import { attempt, guarded, type Notes } from './notes.ts';
import {
  labelOf,
  type AddressUse,
  type Converted,
  type Note,
  type PoolDraft,
  type PoolSpecDraft,
  type ServiceWish,
  type SourceObject,
} from './model.ts';
import { canBeVip, poolAddresses } from './pool-spec.ts';
import { readAddress } from './ranges.ts';

const RECORDS = 'ip-manager-configmap';
const DAEMON = 'daemon-configmap';
const POOL_NAME = 'kube-loadbalancer';
const SYSTEM = 'kube-loadbalancer';
const START = 'VIP_ALLOCATION_START';
const END = 'VIP_ALLOCATION_END';
const BACKENDS = new Map<string, PoolSpecDraft['driver']>([
  ['f5', 'f5'],
  ['openstack-lbaasv2', 'octavia'],
]);

export function isKubeLoadbalancer(object: SourceObject): boolean {
  if (isWorkload(object)) return textsIn(object.raw).includes(START);
  if (object.group !== '' || object.kind !== 'ConfigMap') return false;
  const data = childOf(object.raw, 'data');
  if (isUserConfig(object)) return 'target-service-name' in data;
  if (object.name === RECORDS) return Object.keys(data).every((key) => tryParseIp(key));
  return object.name === DAEMON && Object.keys(data).some((key) => key.endsWith('.bind-ip'));
}

function isWorkload({ kind }: SourceObject): boolean {
  return ['Deployment', 'DaemonSet', 'ReplicationController', 'ReplicaSet', 'Pod'].includes(kind);
}

function isUserConfig({ raw }: SourceObject): boolean {
  const metadata = childOf(raw, 'metadata');
  const labels = childOf(metadata, 'labels');
  return labels['app'] === 'loadbalancer';
}

export function convertKubeLoadbalancer(objects: readonly SourceObject[]): Converted {
  const notes: Note[] = [];
  const uses: AddressUse[] = [];
  const ranges: Range[] = [];
  let driver: PoolSpecDraft['driver'];
  for (const object of objects.filter((each) => !isRecord(each))) {
    guarded(notes, object, (about) => {
      if (isWorkload(object)) {
        const found = readWorkload(object, about);
        const { range: text } = found;
        if (text !== undefined) ranges.push({ text, origin: labelOf(object), where: object.where });
        driver ??= found.driver;
      } else uses.push(...readUserConfig(object, about));
    });
  }
  // after the user ConfigMaps, whatever the order of the objects was
  for (const object of objects.filter(isRecord)) {
    guarded(notes, object, (about) => uses.push(...readRecords(object, uses, about)));
  }
  const wishes = uses.flatMap(({ service }): readonly ServiceWish[] => {
    const why = 'kube-loadbalancer serves any type, vipvs type LoadBalancer';
    return service === undefined ? [] : [{ service, makeLoadBalancer: true, why }];
  });
  return { pools: poolsOf(ranges, uses, driver, notes), uses, wishes, notes };
}

function isRecord(object: SourceObject): boolean {
  return !isWorkload(object) && !isUserConfig(object);
}

function readUserConfig(object: SourceObject, notes: Notes): readonly AddressUse[] {
  const raw = childOf(object.raw, 'data');
  const data = new Fields(raw, 'data', notes);
  const namespace = data.text('namespace') ?? object.namespace;
  const name = data.required('target-service-name');
  const bound = data.text('bind-ip');
  const status = data.text('status') ?? '';
  for (const key of ['host', 'path', 'SSL', 'ssl-port']) {
    data.unsupported(
      key,
      'vipvs balances connections, not requests: put an ingress controller behind the VIP',
    );
  }
  const all = 'every port of the Service is served';
  for (const key of ['bind-port', 'target-port-name', 'target-port']) data.unsupported(key, all);
  data.end();
  if (bound === undefined || bound === '') {
    const why = status === '' ? 'has no bind-ip' : `has no bind-ip (${status})`;
    notes.add(
      'ambiguous',
      `${why}: Service ${namespace ?? '?'}/${name} had no address to keep`,
      'data.bind-ip',
    );
    return [];
  }
  const address = readAddress(bound, 'data.bind-ip');
  const use = { system: SYSTEM, address, origin: labelOf(object), where: object.where } as const;
  if (namespace !== undefined) return [{ ...use, service: { namespace, name } }];
  notes.add('error', `has no namespace in the file: ${address} is kept out of use, for nobody`);
  return [{ ...use, retain: true }];
}

function readRecords(
  object: SourceObject,
  known: readonly AddressUse[],
  notes: Notes,
): readonly AddressUse[] {
  const data = childOf(object.raw, 'data');
  const isKnown = (address: IpAddress): boolean => known.some((use) => use.address === address);
  const { where } = object;
  if (object.name === DAEMON)
    return readGroups(data, object, notes).filter((use) => !isKnown(use.address));
  return Object.keys(data)
    .sort()
    .flatMap((key): readonly AddressUse[] => {
      const address = attempt(notes, 'it', () => readAddress(key, `data[${key}]`));
      if (address === undefined || isKnown(address)) return [];
      const text = `${key} belongs to ConfigMap ${String(data[key])}, which is not in the input: the address is kept out of use`;
      notes.add('ambiguous', text, `data[${key}]`);
      return [{ system: SYSTEM, address, origin: labelOf(object), where, retain: true }];
    });
}

/** `<group>.bind-ip`, `<group>.namespace`, `<group>.target-service-name` */
function readGroups(data: JsonObject, object: SourceObject, notes: Notes): AddressUse[] {
  const suffix = '.bind-ip';
  return Object.keys(data)
    .filter((key) => key.endsWith(suffix))
    .sort()
    .flatMap((key): AddressUse[] => {
      const group = key.slice(0, -suffix.length);
      const address = attempt(notes, 'it', () => readAddress(String(data[key]), `data[${key}]`));
      if (address === undefined) return [];
      const namespace = data[`${group}.namespace`];
      const name = data[`${group}.target-service-name`];
      const isNamed = typeof namespace === 'string' && typeof name === 'string';
      const use = {
        system: SYSTEM,
        address,
        origin: labelOf(object),
        where: object.where,
      } as const;
      return isNamed
        ? [{ ...use, service: { namespace, name } }]
        : [{ ...use, retain: true as const }];
    });
}

interface Range {
  readonly text: string;
  readonly origin: string;
  readonly where: string;
}

interface Workload {
  readonly range: string | undefined;
  readonly driver: PoolSpecDraft['driver'];
}

function readWorkload(object: SourceObject, notes: Notes): Workload {
  const env = envOf(object.raw);
  const start = env.get(START);
  const end = env.get(END);
  const [backend = ''] = textsIn(object.raw).flatMap(
    (text) => /^--backend=(.+)$/.exec(text)?.[1] ?? [],
  );
  const driver = BACKENDS.get(backend);
  if (driver !== undefined) {
    notes.add(
      'ambiguous',
      `--backend=${backend}: the Pool has driver ${driver}, which needs its own program and credentials`,
    );
  }
  if (start === undefined || end === undefined) return { range: undefined, driver };
  const entry = { text: `${start}-${end}`, field: START };
  return { range: poolAddresses([entry], START, notes)?.[0], driver };
}

/** The variables of all containers, wherever they stand in the object. */
function envOf(value: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  walk(value, (each) => {
    if (!isObject(each)) return;
    const { name, value: text } = each;
    if (typeof name === 'string' && typeof text === 'string') found.set(name, text);
  });
  return found;
}

function textsIn(value: unknown): readonly string[] {
  const found: string[] = [];
  walk(value, (each) => {
    if (typeof each === 'string') found.push(each);
  });
  return found;
}

function poolsOf(
  ranges: readonly Range[],
  uses: readonly AddressUse[],
  driver: PoolSpecDraft['driver'],
  notes: Note[],
): readonly PoolDraft[] {
  const [first] = ranges;
  const common = { system: SYSTEM, name: POOL_NAME } as const;
  const extra = driver === undefined ? {} : { driver };
  if (first !== undefined) {
    const addresses = [...new Set(ranges.map(({ text }) => text))];
    const { origin, where } = first;
    return [{ ...common, origin, where, spec: { addresses, autoAssign: false, ...extra } }];
  }
  const usable = uses.filter(({ address }) => canBeVip(address));
  const addresses = [...new Set(usable.map(({ address }) => address))];
  const [use] = usable;
  if (use === undefined) return [];
  const message = `the range of kube-loadbalancer stands in ${START} and ${END} of its workload, which is not in the input: the Pool has the addresses in use only`;
  const { origin, where } = use;
  notes.push({ kind: 'ambiguous', object: origin, message, where });
  return [{ ...common, origin, where, spec: { addresses, autoAssign: false, ...extra } }];
}
