// Takes one verb out of a role of deploy/ while a test runs, as an administrator does who has forgotten it.
import { NAMESPACE } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';

/** One verb on one resource, as its role grants it. */
export interface GrantedVerb {
  readonly kind: 'clusterrole' | 'role';
  /** `vipvs-assigner` */
  readonly role: string;
  readonly group: string;
  readonly resource: string;
  readonly verb: string;
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** `patch on ips.vipvs.io/status`, as the programs name it. */
export function nameOf({ group, resource, verb }: GrantedVerb): string {
  const [plural = '', sub] = resource.split('/');
  const name = group === '' ? plural : `${plural}.${group}`;
  return `${verb} on ${name}${sub === undefined ? '' : `/${sub}`}`;
}

/** The role has its verb back when `work` has ended, however that ends. */
export async function without(
  plane: ControlPlane,
  missing: GrantedVerb,
  work: () => Promise<void>,
): Promise<void> {
  const { kind, role: name, group, resource, verb } = missing;
  const scope = kind === 'role' ? ['-n', NAMESPACE] : [];
  const text = await plane.kubectl(['get', kind, ...scope, name, '-o', 'json']);
  const { rules: whole } = JSON.parse(text) as { readonly rules: readonly Rule[] };
  const less = whole.flatMap((rule): readonly Rule[] => {
    if (!rule.apiGroups.includes(group) || !rule.resources.includes(resource)) return [rule];
    const others = rule.resources.filter((each) => each !== resource);
    return [
      ...(others.length === 0 ? [] : [{ ...rule, resources: others }]),
      { ...rule, resources: [resource], verbs: rule.verbs.filter((each) => each !== verb) },
    ].filter(({ verbs }) => verbs.length > 0);
  });
  if (JSON.stringify(less) === JSON.stringify(whole)) {
    throw new Error(`${name} does not grant ${nameOf(missing)}`);
  }
  const set = (rules: readonly Rule[]): Promise<string> => {
    const patch = JSON.stringify({ rules });
    return plane.kubectl(['patch', kind, ...scope, name, '--type=merge', '-p', patch]);
  };
  await set(less);
  try {
    await work();
  } finally {
    await set(whole);
  }
}
