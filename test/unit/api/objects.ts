// Objects for the tests of src/api, short to write.
import { serviceSchema, type Service } from '../../../src/api/kubernetes.ts';
import { API_VERSION, poolSchema, type Pool } from '../../../src/api/pool.ts';

export function poolOfSpec(name: string, spec: object, metadata: object = {}): Pool {
  return poolSchema.parse({
    apiVersion: API_VERSION,
    kind: 'Pool',
    metadata: { name, ...metadata },
    spec,
  });
}

export function serviceWith(annotations: Record<string, string>, spec: object = {}): Service {
  return serviceNamed({ name: 'web', namespace: 'shop', annotations }, spec);
}

export function serviceNamed(metadata: object, spec: object = {}): Service {
  return serviceSchema.parse({ apiVersion: 'v1', kind: 'Service', metadata, spec });
}
