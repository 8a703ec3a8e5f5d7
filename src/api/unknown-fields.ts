// Fields that nothing knows, in objects as they were written: parsing drops them, and with a misspelt field its meaning.
import { KUBERNETES_FIELDS } from './kubernetes-fields.ts';
import type { ClusterObject } from './cluster.ts';
import { ipStatusSchema } from './ip.ts';
import { schemaFields, type Fields, type Issue } from './parse-issues.ts';
import { poolStatusSchema } from './pool.ts';
import { closest } from './suggest.ts';

/** So many are named of one object. */
const NAMED_MAX = 50;

/** Kubernetes' types, each with the types of its fields. */
const TYPES = new Map<string, Map<string, Fields | undefined>>();
for (const type of Object.keys(KUBERNETES_FIELDS)) TYPES.set(type, new Map());
for (const [type, fields] of Object.entries(KUBERNETES_FIELDS)) {
  for (const text of fields.split(' ')) {
    const [name, inner] = [text.replace(/:.*/, ''), text.replace(/.*:/, '')];
    // a field without a type is no name of one either
    TYPES.get(type)?.set(name, TYPES.get(inner));
  }
}

/** Our own specs are strict: the parser has refused what it does not know there. */
function ownFields(status: Fields | undefined): Fields {
  return new Map([
    ['apiVersion', undefined],
    ['kind', undefined],
    ['metadata', TYPES.get('V1ObjectMeta')],
    ['spec', undefined],
    ['status', status],
  ]);
}

const FIELDS: Readonly<Record<ClusterObject['kind'], Fields | undefined>> = {
  Service: TYPES.get('V1Service'),
  EndpointSlice: TYPES.get('V1EndpointSlice'),
  Node: TYPES.get('V1Node'),
  Namespace: TYPES.get('V1Namespace'),
  ServiceCIDR: TYPES.get('V1ServiceCIDR'),
  Pool: ownFields(schemaFields(poolStatusSchema)),
  IP: ownFields(schemaFields(ipStatusSchema)),
};

export function unknownFields(kind: ClusterObject['kind'], raw: unknown): readonly Issue[] {
  const found: Issue[] = [];
  collect(raw, FIELDS[kind], [], found);
  return found;
}

/** `path`: where the value stands; it is changed on the way and is as before at the end. */
function collect(
  value: unknown,
  fields: Fields | undefined,
  path: PropertyKey[],
  found: Issue[],
): void {
  if (fields === undefined || typeof value !== 'object' || value === null) return;
  const isList = Array.isArray(value);
  for (const [name, inner] of isList ? value.entries() : Object.entries(value)) {
    if (found.length >= NAMED_MAX) return;
    path.push(name);
    if (typeof name === 'number') collect(inner, fields, path, found);
    else if (fields.has(name)) collect(inner, fields.get(name), path, found);
    else found.push({ path: [...path], message: unknownText(name, fields) });
    path.pop();
  }
}

function unknownText(name: string, fields: Fields): string {
  const meant = closest(name, [...fields.keys()]);
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return `unknown field, which has no effect${hint}`;
}
