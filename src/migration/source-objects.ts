// Raw objects -> source objects: what has a kind and a name. Pure.
import { isObject, type JsonObject } from './json.ts';
import type { SourceObject } from './model.ts';

/** Undefined for something that is not a Kubernetes object. */
export function sourceObject(raw: JsonObject, where: string): SourceObject | undefined {
  const { apiVersion, kind, metadata } = raw;
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || !isObject(metadata)) {
    return undefined;
  }
  const { name, namespace } = metadata;
  if (typeof name !== 'string') return undefined;
  const slash = apiVersion.indexOf('/');
  return {
    group: slash < 0 ? '' : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    kind,
    name,
    namespace: typeof namespace === 'string' ? namespace : undefined,
    raw,
    where,
  };
}
