// Objects of files -> the same under the namespace and the name that they have in the cluster. A namespace that is not in
// the file comes from the Kustomization that lists it, or from the one object of that name in the cluster; else the
// object stays without, and nothing is kept for "default", where it never was. Pure.
import type { Kustomizations, Placement } from './kustomize.ts';
import { isInwinstack } from './inwinstack.ts';
import type { Note, SourceObject } from './model.ts';
import { nameText, Notes } from './notes.ts';
import { isService } from './services.ts';

/** Of the kinds that belong to a namespace, those for which it matters which one. */
function isPlaced(object: SourceObject): boolean {
  const { group, kind } = object;
  return (
    isService(object) ||
    (group === '' && kind === 'ConfigMap') ||
    (isInwinstack(object) && kind === 'IP')
  );
}

/** `cluster`: what is there, empty where it was not read. */
export function placed(
  object: SourceObject,
  kustomizations: Kustomizations,
  cluster: readonly SourceObject[],
  all: Note[],
): SourceObject {
  if (object.file === undefined || !isPlaced(object)) return object;
  const ways = kustomizations.placementsOf(object.file);
  const notes = isService(object) ? Notes.of(all, object) : undefined;
  const [way, ...others] = ways;
  if (way !== undefined && others.length === 0) return along(object, way, cluster, notes);
  const namespaces = ways.map((each) => nameText(each.namespace ?? each.fallback ?? '?'));
  const text = `${ways.length} Kustomizations apply it, in namespaces ${namespaces.join(', ')}: which of them are in use can't be told; render them (kustomize build), or read the cluster (--from-cluster)`;
  notes?.add('error', text, 'metadata.namespace');
  return { ...object, namespace: undefined };
}

function along(
  object: SourceObject,
  way: Placement,
  cluster: readonly SourceObject[],
  notes: Notes | undefined,
): SourceObject {
  const name = `${way.prefix}${object.name}${way.suffix}`;
  if (name !== object.name) {
    const text = `the Kustomization ${way.via} calls it ${nameText(name)}`;
    notes?.add('ambiguous', text, 'metadata.name');
  }
  const renamed = { ...object, name };
  const namespace = way.namespace ?? object.namespace ?? way.fallback;
  if (namespace !== undefined) {
    if (namespace === object.namespace) return renamed;
    const given = object.namespace === undefined ? 'not in the file' : object.namespace;
    const text = `${given}; ${nameText(namespace)} is taken from ${way.via}`;
    notes?.add('ambiguous', text, 'metadata.namespace');
    return { ...renamed, namespace };
  }
  const [same, ...more] = cluster.filter(
    (each) => each.group === object.group && each.kind === object.kind && each.name === name,
  );
  if (same?.namespace === undefined || more.length > 0) return renamed;
  const text = `not in the file; taken for ${same.namespace}/${name} of the cluster`;
  notes?.add('ambiguous', text, 'metadata.namespace');
  return { ...renamed, namespace: same.namespace };
}
