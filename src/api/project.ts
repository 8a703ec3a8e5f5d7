// The API server's objects as ours: what a program keeps of them, it decides itself.
import type { ClusterObject, Kind } from './cluster.ts';
import { directorSchema, type Director } from './director.ts';
import { formatIssue } from './parse-issues.ts';
import { parseObject } from './parse.ts';

/** The object, if it can be read. Throws with what is wrong with it. */
export function projectObject<K extends Kind>(
  kind: K,
  raw: unknown,
): Extract<ClusterObject, { kind: K }> {
  // the API server has refused or pruned what its CRD does not know: what is left is from a newer CRD
  const parsed = parseObject(raw, { unknownFields: 'drop' });
  if (parsed.kind === 'issues') throw new Error(parsed.issues.map(formatIssue).join('; '));
  if (parsed.kind === 'ignored' || !isKind(kind, parsed.object)) {
    throw new Error(`not a ${kind} of a version that this program knows`);
  }
  return parsed.object;
}

/** Throws with what is wrong with it. */
export function projectDirector(raw: unknown): Director {
  const { metadata, ...director } = directorSchema.parse(raw);
  const { name, uid } = metadata;
  return { ...director, metadata: uid === undefined ? { name } : { name, uid } };
}

function isKind<K extends Kind>(
  kind: K,
  object: ClusterObject,
): object is Extract<ClusterObject, { kind: K }> {
  return object.kind === kind;
}
