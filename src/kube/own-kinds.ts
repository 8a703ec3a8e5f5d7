// Our own kinds at the API server, and how its objects are read into those of src/api. What every program shares; which
// of the fields it keeps, each program decides.
import type { ClusterObject, Kind } from '../api/cluster.ts';
import { directorSchema, type Director } from '../api/director.ts';
import { formatIssue } from '../api/parse-issues.ts';
import { parseObject } from '../api/parse.ts';
import { API_VERSION, GROUP } from '../api/pool.ts';
import type { Resource } from './resource.ts';

const VERSION = API_VERSION.slice(GROUP.length + 1);
export const POOLS: Resource = kindOf('pools', 'Pool');
export const IPS: Resource = kindOf('ips', 'IP');
export const DIRECTORS: Resource = kindOf('directors', 'Director');

function kindOf(plural: string, kind: string): Resource {
  return { group: GROUP, version: VERSION, plural, kind, namespaced: false };
}

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
  return { ...director, metadata: { name: metadata.name } };
}

function isKind<K extends Kind>(
  kind: K,
  object: ClusterObject,
): object is Extract<ClusterObject, { kind: K }> {
  return object.kind === kind;
}
