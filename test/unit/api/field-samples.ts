// An object of each kind with every field of its table, and what the tests ask about tables: which paths they have, which
// of them an object has, and which of them somebody looked at.
import {
  ENDPOINT_SLICE_FIELDS,
  IP_FIELDS,
  NAMESPACE_FIELDS,
  NODE_FIELDS,
  SERVICE_CIDR_FIELDS,
  SERVICE_FIELDS,
  type FieldRow,
  type Fields,
  type Reader,
} from '../../../src/api/fields.ts';

type Json = Readonly<Record<string, unknown>>;

const TIME = '2026-01-01T00:00:00Z';
const metadata = (name: string, labels: Json, annotations: Json): Json => ({
  name,
  namespace: 'default',
  uid: 'u1',
  resourceVersion: '7',
  generation: 1,
  creationTimestamp: TIME,
  deletionTimestamp: TIME,
  labels: { 'example.com/other': 'x', ...labels },
  annotations: { 'example.com/other': 'x', ...annotations },
  finalizers: ['example.com/f'],
});
const PORTS = [{ port: 80, protocol: 'TCP' }];
const CLAIMS = [{ namespace: 'default', name: 'web', uid: 'u2', sharingKey: 'k', ports: PORTS }];

export const FULL = {
  Service: {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: metadata(
      'web',
      { 'service.kubernetes.io/service-proxy-name': 'p' },
      { 'vipvs.io/pool': 'a', 'vipvs.io/scheduler': 'wlc' },
    ),
    spec: {
      type: 'LoadBalancer',
      loadBalancerClass: 'vipvs.io/vipvs',
      loadBalancerIP: '192.0.2.10',
      loadBalancerSourceRanges: ['198.51.100.0/24'],
      externalIPs: ['203.0.113.1'],
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
      selector: { app: 'x' },
      clusterIP: '10.96.0.9',
      clusterIPs: ['10.96.0.9'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'PreferDualStack',
      externalTrafficPolicy: 'Local',
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 90 } },
    },
    status: {
      loadBalancer: {
        ingress: [
          {
            ip: '192.0.2.10',
            hostname: 'lb.example',
            ipMode: 'VIP',
            ports: [{ port: 81, protocol: 'TCP', error: 'example.com/Taken' }],
          },
        ],
      },
      conditions: [
        {
          type: 'vipvs.io/AddressAssigned',
          status: 'True',
          observedGeneration: 1,
          lastTransitionTime: TIME,
          reason: 'Assigned',
          message: 'm',
        },
      ],
    },
  },
  EndpointSlice: {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: metadata(
      'web-1',
      { 'kubernetes.io/service-name': 'web' },
      { 'vipvs.io/weight': '5', 'vipvs.io/pool': 'a' },
    ),
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.0.0.1'],
        conditions: { ready: false, serving: true, terminating: true },
        nodeName: 'n1',
      },
    ],
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  },
  Node: {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: metadata('n1', {}, { 'vipvs.io/pool': 'a' }),
    spec: { podCIDRs: ['10.244.1.0/24'] },
    status: {
      addresses: [{ type: 'InternalIP', address: '192.0.2.201' }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  },
  ServiceCIDR: {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: metadata('kubernetes', {}, { 'vipvs.io/pool': 'a' }),
    spec: { cidrs: ['10.96.0.0/12'] },
  },
  Namespace: {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: metadata('default', {}, { 'vipvs.io/pool': 'a' }),
  },
  IP: {
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'IP',
    metadata: metadata(
      '192.0.2.10',
      {},
      { 'vipvs.io/last-service': 'default/web', 'vipvs.io/held-until': TIME },
    ),
    spec: {
      address: '192.0.2.10',
      poolName: 'a',
      reservedFor: { namespace: 'default', service: 'web' },
      retain: true,
      holdSeconds: 5,
      claims: CLAIMS,
    },
    status: { phase: 'Active', services: CLAIMS, reason: 'r', heldUntil: TIME },
  },
} as const;

export type FieldKind = keyof typeof FULL;

export const TABLES: Readonly<Record<FieldKind, Fields>> = {
  Service: SERVICE_FIELDS,
  EndpointSlice: ENDPOINT_SLICE_FIELDS,
  Node: NODE_FIELDS,
  ServiceCIDR: SERVICE_CIDR_FIELDS,
  Namespace: NAMESPACE_FIELDS,
  IP: IP_FIELDS,
};

/** `spec.ports[].port`, `metadata.labels` */
export function* rowsIn(fields: Fields, prefix = ''): Generator<readonly [string, FieldRow]> {
  for (const [name, row] of Object.entries(fields)) {
    const path = `${prefix}${name}${'isList' in row && row.isList ? '[]' : ''}`;
    if ('fields' in row) yield* rowsIn(row.fields, `${path}.`);
    else yield [path, row];
  }
}

/** The rows that the reader reads, those of maps with a key that it reads: `metadata.labels{app}`. */
export function pathsRead(kind: FieldKind, ...readers: readonly Reader[]): readonly string[] {
  const full = new Set(pathsOf(kind, FULL[kind]));
  return [...full].filter((path) => readers.some((reader) => isReadAt(TABLES[kind], path, reader)));
}

export function isReadAt(fields: Fields, path: string, reader: Reader): boolean {
  const [, at = path, key = ''] = /^(.*)\{(.*)\}$/.exec(path) ?? [];
  const row = new Map(rowsIn(fields)).get(at);
  if (row === undefined) throw new Error(`no row for ${path}`);
  return 'readers' in row
    ? row.readers.includes(reader)
    : ('keys' in row && row.keys[reader]?.(key)) === true;
}

/** The paths that the object has; throws at one without a row. */
export function pathsOf(kind: FieldKind, object: object): readonly string[] {
  const seen = new Set<string>();
  visit(object, TABLES[kind], (path) => seen.add(path));
  return [...seen].sort();
}

function visit(value: unknown, fields: Fields, found: (path: string) => void, prefix = ''): void {
  for (const [name, child] of Object.entries(value as object)) {
    if (child === undefined || (prefix === '' && TYPE.has(name))) continue;
    const row = fields[name];
    if (row === undefined) throw new Error(`${prefix}${name} has no row`);
    const isList = 'isList' in row && row.isList;
    const path = `${prefix}${name}${isList ? '[]' : ''}`;
    if ('keys' in row) for (const key of Object.keys(child as object)) found(`${path}{${key}}`);
    else if ('readers' in row) found(path);
    else {
      for (const each of isList ? (child as readonly unknown[]) : [child]) {
        visit(each, row.fields, found, `${path}.`);
      }
    }
  }
}

const TYPE = new Set(['apiVersion', 'kind']);

type Looked = (path: string) => void;

/** The object as it is, but for that every field that somebody looks at is told. Copying it whole is no look. */
export function watched<T extends object>(
  object: T,
  fields: Fields,
  looked: Looked,
  prefix = '',
): T {
  return intercepted(object, (name, child, isCopied) => {
    const row = fields[name];
    const path = `${prefix}${name}`;
    if (row === undefined) return child;
    if ('keys' in row) return isObject(child) ? watchedMap(child, path, looked) : child;
    if ('readers' in row) {
      if (!isCopied) looked(row.isList ? `${path}[]` : path);
      return child;
    }
    const each = (part: unknown): unknown =>
      isObject(part)
        ? watched(part, row.fields, looked, `${path}${row.isList ? '[]' : ''}.`)
        : part;
    return Array.isArray(child) ? child.map(each) : each(child);
  });
}

function watchedMap(map: object, path: string, looked: Looked): object {
  return intercepted(map, (key, child, isCopied) => {
    if (!isCopied) looked(`${path}{${key}}`);
    return child;
  });
}

function intercepted<T extends object>(
  object: T,
  get: (name: string, child: unknown, isCopied: boolean) => unknown,
): T {
  // a spread asks for a property's descriptor, then for its value
  let copied: string | symbol | undefined;
  return new Proxy(object, {
    getOwnPropertyDescriptor: (target, name) => {
      copied = name;
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    get: (target, name): unknown => {
      const child: unknown = Reflect.get(target, name);
      const isCopied = copied === name;
      copied = undefined;
      return typeof name === 'string' ? get(name, child, isCopied) : child;
    },
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
