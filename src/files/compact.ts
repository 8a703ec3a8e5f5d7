// The same object in less memory: 10,000 Services with 5 endpoints each must fit in a small process.
// What is left out means nothing: conditions that are the default, and the annotation in which kubectl keeps a copy
// of the whole manifest. Invariant: nothing that is kept refers to the text it was read from.
import type { ClusterObject } from '../api/cluster.ts';
import type { Endpoint, EndpointSlice, ObjectMeta, Service } from '../api/kubernetes.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Equal values as one value; kept for the life of a source. */
export class Compactor {
  readonly #texts = new Map<string, string>();
  readonly #conditions = new Map<string, Endpoint['conditions']>();
  readonly #servicePorts = new Map<string, Service['spec']['ports']>();
  readonly #slicePorts = new Map<string, EndpointSlice['ports']>();

  /**
   * A copy by way of JSON: the strings of a parsed text are slices that would keep all of it alive, and an object
   * that grew key by key takes twice the room of one made at once.
   */
  compact(object: ClusterObject): ClusterObject {
    // JSON.parse can't know that it gives back the type of what was put in
    const copy = JSON.parse(JSON.stringify(this.#slim(object))) as ClusterObject;
    if (copy.kind === 'EndpointSlice') return this.#shareSlice(copy);
    return copy.kind === 'Service' ? this.#shareService(copy) : copy;
  }

  #slim(object: ClusterObject): ClusterObject {
    const metadata = withoutLastApplied(object.metadata);
    if (object.kind !== 'EndpointSlice') return { ...object, metadata };
    return { ...object, metadata, endpoints: object.endpoints.map(withoutDefaults) };
  }

  #shareService(service: Service): Service {
    const { type, loadBalancerClass, ports } = service.spec;
    return {
      ...service,
      spec: {
        ...service.spec,
        ...(type === undefined ? {} : { type: this.#sharedText(type) }),
        ...(loadBalancerClass === undefined
          ? {}
          : { loadBalancerClass: this.#sharedText(loadBalancerClass) }),
        ...(ports === undefined ? {} : { ports: shared(this.#servicePorts, ports) }),
      },
    };
  }

  #shareSlice(slice: EndpointSlice): EndpointSlice {
    const endpoints = slice.endpoints.map(({ addresses, conditions, nodeName }): Endpoint => {
      const common = conditions === undefined ? undefined : shared(this.#conditions, conditions);
      const name = nodeName === undefined ? undefined : this.#sharedText(nodeName);
      if (common === undefined)
        return name === undefined ? { addresses } : { addresses, nodeName: name };
      if (name === undefined) return { addresses, conditions: common };
      return { addresses, conditions: common, nodeName: name };
    });
    // literals: one string each for all slices
    const ports = shared(this.#slicePorts, slice.ports);
    return { ...slice, apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', endpoints, ports };
  }

  #sharedText(text: string): string {
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }
}

/** The value that was there first of those that read the same. */
function shared<T>(known: Map<string, T>, value: T): T {
  const key = JSON.stringify(value);
  const first = known.get(key);
  if (first !== undefined) return first;
  known.set(key, value);
  return value;
}

function withoutLastApplied(metadata: ObjectMeta): ObjectMeta {
  const { annotations, ...rest } = metadata;
  if (annotations === undefined) return metadata;
  const others = Object.entries(annotations).filter(([key]) => key !== LAST_APPLIED);
  return others.length === 0 ? rest : { ...rest, annotations: Object.fromEntries(others) };
}

/** EndpointConditions: absent means ready and serving, and not terminating. */
function withoutDefaults(endpoint: Endpoint): Endpoint {
  const { conditions, ...rest } = endpoint;
  if (conditions === undefined) return endpoint;
  const { ready, serving, terminating } = conditions;
  if (ready === false || serving === false || terminating === true) return endpoint;
  return rest;
}
