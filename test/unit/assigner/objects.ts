// Objects for the assigner's tests: parsed by the real schemas, with everything that a test does not name left out.
import { ipSchema, type IP } from '../../../src/api/ip.ts';
import {
  namespaceSchema,
  nodeSchema,
  serviceSchema,
  type Namespace,
  type Node,
  type Service,
} from '../../../src/api/kubernetes.ts';
import { API_VERSION, poolSchema, type Pool } from '../../../src/api/pool.ts';
import type { ClusterObject } from '../../../src/api/cluster.ts';
import type { AssignerConfig } from '../../../src/assigner/decide/decision.ts';
import { objectNameOf, parseIp } from '../../../src/net/address.ts';
import { simulate } from '../../../src/assigner/simulate.ts';

export const CONFIG: AssignerConfig = {
  loadBalancerClass: 'vipvs.io/vipvs',
  handleUnset: true,
  holdSeconds: 0,
};

export const NOW_MS = 1_767_268_800_000; // 2026-01-01T12:00:00Z

type Fields = Readonly<Record<string, unknown>>;

export function pool(
  name: string,
  addresses: readonly string[],
  spec: Fields = {},
  metadata: Fields = {},
): Pool {
  return poolSchema.parse({
    apiVersion: API_VERSION,
    kind: 'Pool',
    metadata: { name, ...metadata },
    spec: { addresses, ...spec },
  });
}

export interface ServiceFields {
  readonly metadata?: Fields;
  readonly annotations?: Fields;
  readonly spec?: Fields;
  /** TCP */
  readonly ports?: readonly number[];
  /** Addresses that the status shows. */
  readonly shows?: readonly string[];
  readonly conditions?: readonly Fields[];
}

/** `namespace/name`, or a name in namespace default. */
export function service(key: string, fields: ServiceFields = {}): Service {
  const [namespace, name] = key.includes('/') ? key.split('/') : ['default', key];
  const { metadata, annotations, spec, ports = [80], shows, conditions } = fields;
  const ingress = shows?.map((ip) => ({ ip }));
  return serviceSchema.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      ...(annotations === undefined ? {} : { annotations }),
      ...metadata,
    },
    spec: { type: 'LoadBalancer', ports: ports.map((port) => ({ port })), ...spec },
    ...(ingress === undefined && conditions === undefined
      ? {}
      : {
          status: {
            ...(ingress === undefined ? {} : { loadBalancer: { ingress } }),
            ...(conditions === undefined ? {} : { conditions }),
          },
        }),
  });
}

export function ip(address: string, poolName: string, spec: Fields = {}, rest: Fields = {}): IP {
  return ipSchema.parse({
    apiVersion: API_VERSION,
    kind: 'IP',
    metadata: { name: objectNameOf(parseIp(address)) },
    spec: { address, poolName, ...spec },
    ...rest,
  });
}

/** A claim of `namespace/name`, or of a name in namespace default. */
export function claim(key: string, ports: readonly number[] = [80], fields: Fields = {}): Fields {
  const [namespace, name] = key.includes('/') ? key.split('/') : ['default', key];
  return { namespace, name, ports: ports.map((port) => ({ port, protocol: 'TCP' })), ...fields };
}

export function namespace(name: string, labels: Fields = {}): Namespace {
  return namespaceSchema.parse({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
}

export function node(name: string, addresses: readonly string[]): Node {
  const status = { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) };
  return nodeSchema.parse({ apiVersion: 'v1', kind: 'Node', metadata: { name }, status });
}

export interface Shown {
  readonly addresses: readonly string[];
  readonly reason: string;
  readonly message: string;
}

/** What a Service's status says, in short. */
export function shown(service: Service | undefined): Shown {
  const condition = service?.status?.conditions?.find(
    (each) => each.type === 'vipvs.io/AddressAssigned',
  );
  return {
    addresses: (service?.status?.loadBalancer?.ingress ?? []).map((entry) => entry.ip ?? ''),
    reason: condition?.reason ?? '',
    message: condition?.message ?? '',
  };
}

/** One line per object as it ends: what most rows of the tables compare. */
export function linesOf(objects: Iterable<ClusterObject>): string[] {
  const lines: string[] = [];
  for (const object of objects) {
    if (object.kind === 'Service') {
      const { addresses, reason, message } = shown(object);
      const where = addresses.length === 0 ? '-' : addresses.join(',');
      lines.push(
        `${object.metadata.namespace ?? ''}/${object.metadata.name} ${where} ${reason}: ${message}`,
      );
    } else if (object.kind === 'IP') {
      const holders = (object.spec.claims ?? []).map(
        (each) => `${each.namespace}/${each.name}[${each.ports.map((p) => p.port).join(',')}]`,
      );
      const reason = object.status?.reason === undefined ? '' : ` (${object.status.reason})`;
      lines.push(
        `IP ${object.spec.address} ${object.status?.phase ?? '?'} ${holders.join(' ')}${reason}`.trim(),
      );
    } else if (object.kind === 'Pool') {
      const { phase, capacity, allocatable, reason } = object.status ?? {};
      const numbers = capacity === undefined ? '' : ` ${allocatable ?? 0}/${capacity}`;
      lines.push(
        `Pool ${object.metadata.name} ${phase ?? '?'}${numbers}${reason === undefined ? '' : ` (${reason})`}`,
      );
    }
  }
  return lines;
}

/** The lines after the assigner ran. */
export function run(
  objects: Iterable<ClusterObject>,
  config: AssignerConfig = CONFIG,
  nowMs?: number,
): string[] {
  return linesOf(simulate(objects, config, nowMs).objects);
}
