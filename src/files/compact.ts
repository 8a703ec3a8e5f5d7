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
    const { type, loadBalancerClass } = service.spec;
    return {
      ...service,
      spec: {
        ...service.spec,
        ...(type === undefined ? {} : { type: this.#sharedText(type) }),
        ...(loadBalancerClass === undefined
          ? {}
          : { loadBalancerClass: this.#sharedText(loadBalancerClass) }),
      },
    };
  }

  #shareSlice(slice: EndpointSlice): EndpointSlice {
    const endpoints = slice.endpoints.map(({ addresses, conditions, nodeName }): Endpoint => {
      const shared = conditions === undefined ? undefined : this.#sharedConditions(conditions);
      const name = nodeName === undefined ? undefined : this.#sharedText(nodeName);
      if (shared === undefined)
        return name === undefined ? { addresses } : { addresses, nodeName: name };
      if (name === undefined) return { addresses, conditions: shared };
      return { addresses, conditions: shared, nodeName: name };
    });
    // literals: one string each for all slices
    return { ...slice, apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', endpoints };
  }

  #sharedText(text: string): string {
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }

  #sharedConditions(conditions: Endpoint['conditions']): Endpoint['conditions'] {
    const key = JSON.stringify(conditions);
    const known = this.#conditions.get(key);
    if (known === undefined) this.#conditions.set(key, conditions);
    return known ?? conditions;
  }
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
