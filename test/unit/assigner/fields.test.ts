// The assigner and the table of fields: it keeps what the table says that it reads, and decides by nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterObject } from '../../../src/api/cluster.ts';
import { parseObject } from '../../../src/api/parse.ts';
import {
  projectIp,
  projectNamespace,
  projectNode,
  projectService,
  projectServiceCidr,
} from '../../../src/assigner/project.ts';
import { simulate } from '../../../src/assigner/simulate.ts';
import {
  FULL,
  isReadAt,
  pathsOf,
  pathsRead,
  rowsIn,
  TABLES,
  watched,
} from '../api/field-samples.ts';
import { CONFIG, NOW_MS, pool, service } from './objects.ts';

const PROJECTED = {
  Service: [
    projectService(FULL.Service),
    // where both are there, one of them is enough
    projectService(without(FULL.Service, ['spec', 'clusterIPs'])),
  ],
  IP: [projectIp(FULL.IP)],
  Node: [projectNode(FULL.Node)],
  Namespace: [projectNamespace(FULL.Namespace)],
  ServiceCIDR: [projectServiceCidr(FULL.ServiceCIDR)],
};
type AssignerKind = keyof typeof PROJECTED;
const KINDS = Object.keys(PROJECTED) as readonly AssignerKind[];

for (const kind of KINDS) {
  test(`the assigner keeps of a ${kind} what it reads`, () => {
    const kept = PROJECTED[kind].flatMap((object) => pathsOf(kind, object ?? {}));
    assert.deepEqual([...new Set(kept)].sort(), pathsRead(kind, 'assigner'));
  });
}

function without(object: object, [name = '', ...rest]: readonly string[]): object {
  const key = name.replace('[]', '');
  const { [key]: child, ...others } = object as Readonly<Record<string, unknown>>;
  if (rest.length === 0 || child === undefined) return others;
  const [first] = [child].flat() as readonly object[];
  const left = without(first ?? {}, rest);
  return { ...others, [key]: Array.isArray(child) ? [left] : left };
}

const living = without(FULL.Service, ['metadata', 'deletionTimestamp']);
const BASES: Readonly<Record<AssignerKind, readonly object[]>> = {
  Service: [FULL.Service, living, { ...living, status: {} }],
  IP: [
    FULL.IP,
    without(FULL.IP, ['spec', 'claims']),
    { ...FULL.IP, spec: { ...FULL.IP.spec, claims: [] } },
  ],
  Node: [FULL.Node],
  Namespace: [FULL.Namespace],
  ServiceCIDR: [FULL.ServiceCIDR],
};

/** The object, and without each of its fields that it can do without. */
function* variants(kind: AssignerKind): Generator<ClusterObject> {
  for (const base of BASES[kind]) {
    const less = [...rowsIn(TABLES[kind])].map(([path]) => without(base, path.split('.')));
    for (const raw of [base, ...less]) {
      const parsed = parseObject(raw);
      if (parsed.kind === 'object') yield parsed.object;
    }
  }
}

test('the assigner decides by nothing that it does not keep', () => {
  const foreign = new Set<string>();
  const looked = new Set<string>();
  const of = (object: ClusterObject): ClusterObject => {
    const { kind } = object;
    if (kind === 'Pool') return object;
    return watched(object, TABLES[kind], (path) => {
      const at = `${kind} ${path}`;
      if (looked.has(at)) return;
      looked.add(at);
      if (!isReadAt(TABLES[kind], path, 'assigner')) foreign.add(at);
    });
  };
  const selectors = [{ matchLabels: { 'example.com/other': 'x' } }];
  const serviceAllocation = { namespaceSelectors: selectors, serviceSelectors: selectors };
  const pools = [
    pool('a', ['192.0.2.0/24'], { serviceAllocation }),
    pool('b', ['2001:db8::/120'], { perNamespaceLimit: 1 }),
  ];
  const all = KINDS.flatMap((kind) => [...variants(kind)]);
  const whole = [living, FULL.IP, FULL.Node, FULL.Namespace, FULL.ServiceCIDR].map((raw) =>
    parseObject(raw),
  );
  const base = whole.flatMap((parsed) => (parsed.kind === 'object' ? parsed.object : []));
  const other = service('default/other', { shows: ['192.0.2.10'] });
  for (const object of all) {
    const others = base.filter((each) => each.kind !== object.kind);
    for (const objects of [[object, ...others, other], [object]]) {
      simulate([...pools, ...objects.map(of)], CONFIG, NOW_MS);
    }
  }
  assert.deepEqual([...foreign], []);
  // metadata tells versions apart, status goes back whole, ports of claims count where two share
  const unread = KINDS.flatMap((kind) =>
    pathsRead(kind, 'assigner').map((path) => `${kind} ${path}`),
  ).filter((path) => !looked.has(path) && / spec\.(?!claims)/.test(path));
  assert.deepEqual(unread, []);
});
