// What an API server refuses and the schemas here take, since its objects have passed it. A manifest in a directory has
// nobody before us.
import { quoted } from '../net/address.ts';
import type { ClusterObject } from './cluster.ts';
import { SERVICE_PORTS_MAX } from './limits.ts';
import { oneOfText, type Issue } from './parse-issues.ts';

export const SERVICE_TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'];

export function manifestIssues(object: ClusterObject): readonly Issue[] {
  if (object.kind === 'EndpointSlice') return portNameIssues(object.ports, ['ports'], true);
  if (object.kind !== 'Service') return [];
  const { type = 'ClusterIP', ports = [] } = object.spec;
  if (ports.length > SERVICE_PORTS_MAX) {
    const message = `must have at most ${SERVICE_PORTS_MAX} items, is a list of ${ports.length}`;
    return [{ path: ['spec', 'ports'], message }];
  }
  const found = portNameIssues(ports, ['spec', 'ports'], false);
  if (SERVICE_TYPES.includes(type)) return found;
  return [{ path: ['spec', 'type'], message: oneOfText(SERVICE_TYPES, type) }, ...found];
}

/** Ports and endpoints find each other by the names of ports: of several, each has its own (in a slice one may have none). */
function portNameIssues(
  ports: readonly { readonly name?: string | null | undefined }[],
  path: readonly PropertyKey[],
  allowsOneEmpty: boolean,
): readonly Issue[] {
  if (ports.length < 2) return [];
  const seen = new Set<string>();
  const found: Issue[] = [];
  for (const [i, { name }] of ports.entries()) {
    const text = name ?? '';
    const isNew = !seen.has(text);
    seen.add(text);
    if (isNew && (text !== '' || allowsOneEmpty)) continue;
    const message =
      text === ''
        ? 'is required where there are several ports: endpoints are found by it'
        : `${quoted(text)} is the name of another port, too; of several ports each needs its own`;
    found.push({ path: [...path, i, 'name'], message });
  }
  return found;
}

/** A field of this name is dropped or means the parent of all objects, depending on who reads it: nothing real is called so. */
const PROTO = '__proto__';

/** `value`: at most files/read-document DEPTH_MAX deep, or as deep as a CRD lets it be. */
export function nameIssues(value: unknown, path: readonly PropertyKey[] = []): readonly Issue[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item, i) => nameIssues(item, [...path, i]));
  return Object.entries(value).flatMap(([name, field]) =>
    name === PROTO
      ? [{ path: [...path, name], message: 'no field and no label can have this name' }]
      : nameIssues(field, [...path, name]),
  );
}
