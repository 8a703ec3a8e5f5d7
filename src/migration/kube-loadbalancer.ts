// HPE kube-loadbalancer (hpcloud/kubernetes-service-loadbalancer): one ConfigMap per Service with the label
// app=loadbalancer, the records ip-manager-configmap and daemon-configmap, and the range and backend in the environment
// and the arguments of its workload. Pure.
// Fact: the records are keyed `<namespace>-<name>` of the user's ConfigMap, which can't be taken apart again; so they
// only add what the user ConfigMaps do not say.
import { tryParseIp, type IpAddress } from '../net/address.ts';
import { childOf, Fields, guarded, isObject, type Notes } from './fields.ts';
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
import { readAddress, readRange } from './ranges.ts';

const RECORDS = 'ip-manager-configmap';
const DAEMON = 'daemon-configmap';
const POOL_NAME = 'kube-loadbalancer';
const SYSTEM = 'kube-loadbalancer';
const START = 'VIP_ALLOCATION_START';
const END = 'VIP_ALLOCATION_END';
const BACKENDS: Readonly<Record<string, PoolSpecDraft['driver']>> = {
  f5: 'f5',
  'openstack-lbaasv2': 'octavia',
};

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
  const ranges: { readonly text: string; readonly origin: string }[] = [];
  let driver: PoolSpecDraft['driver'];
  for (const object of objects.filter((each) => !isRecord(each))) {
    guarded(notes, object, (about) => {
      if (isWorkload(object)) {
        const found = readWorkload(object, about);
        if (found.range !== undefined) ranges.push({ text: found.range, origin: labelOf(object) });
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
  const namespace = data.text('namespace') ?? object.namespace ?? 'default';
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
      `${why}: Service ${namespace}/${name} had no address to keep`,
      'data.bind-ip',
    );
    return [];
  }
  const address = readAddress(bound, 'data.bind-ip');
  return [{ system: SYSTEM, address, service: { namespace, name }, origin: labelOf(object) }];
}

function readRecords(
  object: SourceObject,
  known: readonly AddressUse[],
  notes: Notes,
): readonly AddressUse[] {
  const data = childOf(object.raw, 'data');
  const isKnown = (address: IpAddress): boolean => known.some((use) => use.address === address);
  if (object.name === DAEMON)
    return readGroups(data, object).filter((use) => !isKnown(use.address));
  return Object.keys(data)
    .sort()
    .flatMap((key): readonly AddressUse[] => {
      const address = readAddress(key, `data[${key}]`);
      if (isKnown(address)) return [];
      const text = `${key} belongs to ConfigMap ${String(data[key])}, which is not in the input: the address is kept out of use`;
      notes.add('ambiguous', text, `data[${key}]`);
      return [{ system: SYSTEM, address, origin: labelOf(object), retain: true }];
    });
}

/** `<group>.bind-ip`, `<group>.namespace`, `<group>.target-service-name` */
function readGroups(data: Readonly<Record<string, unknown>>, object: SourceObject): AddressUse[] {
  const suffix = '.bind-ip';
  return Object.keys(data)
    .filter((key) => key.endsWith(suffix))
    .sort()
    .flatMap((key): AddressUse[] => {
      const group = key.slice(0, -suffix.length);
      const address = readAddress(String(data[key]), `data[${key}]`);
      const namespace = data[`${group}.namespace`];
      const name = data[`${group}.target-service-name`];
      const isNamed = typeof namespace === 'string' && typeof name === 'string';
      const origin = labelOf(object);
      return isNamed
        ? [{ system: SYSTEM, address, service: { namespace, name }, origin }]
        : [{ system: SYSTEM, address, origin, retain: true as const }];
    });
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
  const driver = BACKENDS[backend];
  if (driver !== undefined) {
    notes.add(
      'ambiguous',
      `--backend=${backend}: the Pool has driver ${driver}, which needs its own program and credentials`,
    );
  }
  if (start === undefined || end === undefined) return { range: undefined, driver };
  const range = `${start}-${end}`;
  readRange(range, START);
  return { range, driver };
}

/** The variables of all containers, wherever they stand in the object. */
function envOf(value: unknown): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (each: unknown): void => {
    if (Array.isArray(each)) each.forEach(visit);
    if (!isObject(each)) return;
    const { name, value: text } = each;
    if (typeof name === 'string' && typeof text === 'string') found.set(name, text);
    Object.values(each).forEach(visit);
  };
  visit(value);
  return found;
}

function textsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  if (Array.isArray(value)) return value.flatMap(textsIn);
  return isObject(value) ? Object.values(value).flatMap(textsIn) : [];
}

function poolsOf(
  ranges: readonly { readonly text: string; readonly origin: string }[],
  uses: readonly AddressUse[],
  driver: PoolSpecDraft['driver'],
  notes: Note[],
): readonly PoolDraft[] {
  const [first] = ranges;
  const common = { system: SYSTEM, name: POOL_NAME } as const;
  const extra = driver === undefined ? {} : { driver };
  if (first !== undefined) {
    const addresses = [...new Set(ranges.map(({ text }) => text))];
    return [{ ...common, origin: first.origin, spec: { addresses, autoAssign: false, ...extra } }];
  }
  const addresses = [...new Set(uses.map(({ address }) => address))];
  const [use] = uses;
  if (use === undefined) return [];
  const message = `the range of kube-loadbalancer stands in ${START} and ${END} of its workload, which is not in the input: the Pool has the addresses in use only`;
  notes.push({ kind: 'ambiguous', object: use.origin, message });
  return [{ ...common, origin: use.origin, spec: { addresses, autoAssign: false, ...extra } }];
}
