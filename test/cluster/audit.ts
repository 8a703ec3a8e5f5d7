// What a program asked of the API server, by its audit log, and what its shipped RBAC grants: the two must be the same.
import { readFile } from 'node:fs/promises';
import { arrayAt, numberAt, objectAt, textAt } from '../../src/kube/json.ts';
import type { ControlPlane } from './control-plane.ts';

/** `patch services/status`, `get leases.coordination.k8s.io in vipvs-system named vipvs-assigner` */
export type Right = string;

function right(verb: string, group: string, resource: string, where: string): Right {
  const [plural = '', sub] = resource.split('/');
  const name = group === '' ? plural : `${plural}.${group}`;
  return `${verb} ${name}${sub === undefined ? '' : `/${sub}`}${where}`;
}

/** The rights of a ClusterRole, or of a Role of a namespace, each verb and resource for itself. */
export async function granted(
  plane: ControlPlane,
  name: string,
  namespace?: string,
): Promise<readonly Right[]> {
  const kind = namespace === undefined ? ['clusterrole'] : ['role', '-n', namespace];
  const role: unknown = JSON.parse(await plane.kubectl(['get', ...kind, name, '-o', 'json']));
  const scope = namespace === undefined ? '' : ` in ${namespace}`;
  return arrayAt(role, 'rules').flatMap((rule) => {
    const names = arrayAt(rule, 'resourceNames').map((each) => ` named ${String(each)}`);
    return arrayAt(rule, 'apiGroups').flatMap((group) =>
      arrayAt(rule, 'resources').flatMap((resource) =>
        arrayAt(rule, 'verbs').flatMap((verb) =>
          (names.length === 0 ? [''] : names).map((named) =>
            right(String(verb), String(group), String(resource), scope + named),
          ),
        ),
      ),
    );
  });
}

export interface Asked {
  readonly rights: ReadonlySet<Right>;
  /** Requests that were refused for want of a right. */
  readonly refused: readonly string[];
}

/**
 * What the user asked. Rights in `namespace` are its Role's, all others its ClusterRole's; of the Role's, all but create,
 * which can't be, are granted by name.
 */
export async function asked(
  plane: ControlPlane,
  user: string,
  namespace: string,
  groupsOfRole: readonly string[],
): Promise<Asked> {
  const rights = new Set<Right>();
  const refused: string[] = [];
  for (const line of (await readFile(plane.auditLog, 'utf8')).split('\n')) {
    if (line === '') continue;
    const event: unknown = JSON.parse(line);
    if (textAt(objectAt(event, 'user'), 'username') !== user) continue;
    const ref = objectAt(event, 'objectRef');
    const verb = textAt(event, 'verb') ?? '';
    const group = textAt(ref, 'apiGroup') ?? '';
    const sub = textAt(ref, 'subresource');
    const resource = `${textAt(ref, 'resource') ?? ''}${sub === undefined ? '' : `/${sub}`}`;
    const isOfRole = textAt(ref, 'namespace') === namespace && groupsOfRole.includes(group);
    const named = verb === 'create' ? '' : ` named ${textAt(ref, 'name') ?? ''}`;
    const text = right(verb, group, resource, isOfRole ? ` in ${namespace}${named}` : '');
    rights.add(text);
    if (numberAt(objectAt(event, 'responseStatus'), 'code') === 403) refused.push(text);
  }
  return { rights, refused };
}
