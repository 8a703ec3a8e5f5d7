// The ordinary object by a short cut: 30,000 objects of the usual form are most of what an agent reads at its start, and
// validating, copying and compacting each of them in general takes twenty times as long. Whatever is not of that form is
// answered with undefined, and takes the general way, which says what is wrong with it.
// Invariant: what comes out is what the general way makes of the same object (a test compares them). Strings of
// JSON.parse are their own, so nothing that is kept refers to the text that was read.
import { ENDPOINT_SLICE_FIELDS, SERVICE_FIELDS } from '../../api/fields.ts';
import type { IP } from '../../api/ip.ts';
import { keysRead } from '../../api/keep-fields.ts';
import {
  SERVICE_NAME_LABEL,
  SERVICE_PROXY_LABEL,
  type Endpoint,
  type EndpointSlice,
  type LoadBalancerIngress,
  type ObjectMeta,
  type Service,
  type ServicePort,
} from '../../api/kubernetes.ts';
import { API_VERSION } from '../../api/pool.ts';
import { arrayAt, isObject, numberAt, objectAt, textAt, type JsonObject } from '../../kube/json.ts';
import { PROTOCOLS, type Protocol } from '../../net/ipvs.ts';

type SlicePort = EndpointSlice['ports'][number];
type ClaimName = NonNullable<IP['spec']['claims']>[number];

const isOnService = keysRead(SERVICE_FIELDS, 'annotations', 'node');
const isOnSlice = keysRead(ENDPOINT_SLICE_FIELDS, 'annotations', 'node');

/** Fields whose presence makes a Service unusual. */
const RARE_SPEC_FIELDS = [
  'loadBalancerSourceRanges',
  'loadBalancerClass',
  'sessionAffinityConfig',
  'externalIPs',
];
const NO_PORTS: readonly never[] = [];
const PORT_MAX = 65_535;
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

export class UsualObjects {
  readonly #texts = new Map<string, string>();
  readonly #servicePorts = new Map<string, readonly ServicePort[]>();
  readonly #slicePorts = new Map<string, readonly SlicePort[]>();

  service(raw: unknown): Service | undefined {
    const metadata = this.#plainMeta(raw);
    const spec = objectAt(raw, 'spec');
    if (metadata === undefined || spec === undefined) return undefined;
    if (RARE_SPEC_FIELDS.some((field) => spec[field] !== undefined)) return undefined;
    const ports = portsOf(spec['ports'], this.#servicePorts, servicePort);
    const clusterIPs = textsOf(spec['clusterIPs']);
    const policy = spec['externalTrafficPolicy'];
    const ingress = readAll(
      objectAt(objectAt(raw, 'status'), 'loadBalancer')?.['ingress'],
      ingressOf,
    );
    if (ports === undefined || clusterIPs === undefined || ingress === undefined) return undefined;
    if (spec['sessionAffinity'] !== 'None' || spec['type'] !== 'LoadBalancer') return undefined;
    if (policy !== 'Cluster' && policy !== 'Local') return undefined;
    return {
      apiVersion: 'v1',
      kind: 'Service',
      metadata,
      spec: { type: 'LoadBalancer', ports, clusterIPs, externalTrafficPolicy: policy },
      status: { loadBalancer: { ingress } },
    };
  }

  slice(raw: unknown): EndpointSlice | undefined {
    const metadata = objectAt(raw, 'metadata');
    const [name, namespace] = [textAt(metadata, 'name'), textAt(metadata, 'namespace')];
    const service = textAt(objectAt(metadata, 'labels'), SERVICE_NAME_LABEL);
    if (isAnnotated(metadata, isOnSlice) || !isObject(raw)) return undefined;
    if (name === undefined || namespace === undefined || service === undefined) return undefined;
    const { addressType } = raw;
    if (addressType !== 'IPv4' && addressType !== 'IPv6') return undefined;
    const ports = portsOf(raw['ports'], this.#slicePorts, slicePort);
    const endpoints = readAll(raw['endpoints'], (each) => this.#endpoint(each));
    if (ports === undefined || endpoints === undefined) return undefined;
    return {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name,
        namespace: this.#shared(namespace),
        labels: { [SERVICE_NAME_LABEL]: service },
      },
      addressType,
      endpoints,
      ports,
    };
  }

  ip(raw: unknown): IP | undefined {
    const name = textAt(objectAt(raw, 'metadata'), 'name');
    const spec = objectAt(raw, 'spec');
    const poolName = textAt(spec, 'poolName');
    if (name === undefined || spec?.['address'] !== name || !IPV4.test(name)) return undefined;
    const claims = readAll(spec['claims'], (each) => this.#claimName(each));
    const retain = spec['retain'] ?? false;
    if (poolName === undefined || claims === undefined || typeof retain !== 'boolean') {
      return undefined;
    }
    return {
      apiVersion: API_VERSION,
      kind: 'IP',
      metadata: { name },
      spec: { address: name, poolName: this.#shared(poolName), retain, claims },
    };
  }

  /** undefined: with an annotation that we read; another proxy's; or without what every object has. */
  #plainMeta(raw: unknown): ObjectMeta | undefined {
    const meta = objectAt(raw, 'metadata');
    if (meta === undefined || isAnnotated(meta, isOnService)) return undefined;
    if (textAt(objectAt(meta, 'labels'), SERVICE_PROXY_LABEL) !== undefined) return undefined;
    const { name, namespace, uid, creationTimestamp } = meta;
    if (typeof name !== 'string' || typeof namespace !== 'string') return undefined;
    if (typeof uid !== 'string' || typeof creationTimestamp !== 'string') return undefined;
    return { name, namespace: this.#shared(namespace), uid, creationTimestamp };
  }

  #claimName(raw: unknown): ClaimName | undefined {
    const [namespace, name] = [textAt(raw, 'namespace'), textAt(raw, 'name')];
    if (namespace === undefined || name === undefined) return undefined;
    return { namespace: this.#shared(namespace), name, ports: NO_PORTS };
  }

  /** One that serves: the others have conditions, which are rare. */
  #endpoint(raw: unknown): Endpoint | undefined {
    const conditions = objectAt(raw, 'conditions') ?? NO_CONDITIONS;
    const { ready, serving, terminating } = conditions;
    const addresses = textsOf(isObject(raw) ? raw['addresses'] : undefined);
    if (addresses === undefined || ready === false || serving === false || terminating === true) {
      return undefined;
    }
    const nodeName = textAt(raw, 'nodeName');
    if (nodeName === undefined) return { addresses };
    return { addresses, nodeName: this.#shared(nodeName) };
  }

  #shared(text: string): string {
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }
}

const NO_CONDITIONS: JsonObject = {};

function isAnnotated(metadata: unknown, isRead: (key: string) => boolean): boolean {
  for (const key in objectAt(metadata, 'annotations')) if (isRead(key)) return true;
  return false;
}

function textsOf(raw: unknown): readonly string[] | undefined {
  if (!Array.isArray(raw)) return undefined;
  const all: readonly unknown[] = raw;
  return all.every((each) => typeof each === 'string') ? all : undefined;
}

/** The ports of an object, the same value for all objects with the same ports. */
function portsOf<T>(
  raw: unknown,
  known: Map<string, readonly T[]>,
  read: (raw: unknown) => T | undefined,
): readonly T[] | undefined {
  if (!Array.isArray(raw)) return undefined;
  const key = raw.map(portKey).join();
  const found = known.get(key);
  if (found !== undefined) return found;
  const ports = readAll(raw, read);
  if (ports === undefined) return undefined;
  const numbers = new Set(
    raw.map((each) => `${numberAt(each, 'port')}/${textAt(each, 'protocol')}`),
  );
  if (numbers.size < ports.length) return undefined;
  known.set(key, ports);
  return ports;
}

function portKey(raw: unknown): string {
  if (!isObject(raw)) return '';
  const { name, protocol, port, targetPort } = raw;
  return [typeof targetPort, name, protocol, port, targetPort].join('/');
}

function servicePort(raw: unknown): ServicePort | undefined {
  const [port, protocol, name] = [portNumber(raw), protocolOf(raw), textAt(raw, 'name')];
  const targetPort = numberAt(raw, 'targetPort') ?? textAt(raw, 'targetPort');
  if (port === undefined || protocol === undefined || targetPort === undefined) return undefined;
  return { ...(name === undefined ? {} : { name }), protocol, port, targetPort };
}

function slicePort(raw: unknown): SlicePort | undefined {
  const [port, protocol, name] = [portNumber(raw), protocolOf(raw), textAt(raw, 'name')];
  if (port === undefined || protocol === undefined || name === undefined) return undefined;
  return { name, protocol, port };
}

function portNumber(raw: unknown): number | undefined {
  const port = numberAt(raw, 'port') ?? 0;
  return Number.isInteger(port) && port > 0 && port <= PORT_MAX ? port : undefined;
}

function protocolOf(raw: unknown): Protocol | undefined {
  const text = textAt(raw, 'protocol');
  return PROTOCOLS.find((protocol) => protocol === text);
}

/** Of the ports only those with an error count, which are rare. */
function ingressOf(raw: unknown): LoadBalancerIngress | undefined {
  const [ip, mode] = [textAt(raw, 'ip'), textAt(raw, 'ipMode')];
  const hasErrors = arrayAt(raw, 'ports').some((port) => textAt(port, 'error') !== undefined);
  if (ip === undefined || hasErrors) return undefined;
  if (mode === undefined) return { ip };
  return mode === 'Proxy' ? { ip, ipMode: 'Proxy' } : undefined;
}

/** undefined: not a list, or something in it can't be read. map() makes an array of just the length; push() leaves room. */
function readAll<T>(raw: unknown, read: (raw: unknown) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(raw)) return undefined;
  const all = raw.map(read);
  return all.every((each) => each !== undefined) ? all : undefined;
}
