// The agent and the table of fields: it keeps what the table says that it reads, by either way, and decides by nothing else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterStore, type ClusterObject } from '../../../../src/api/cluster.ts';
import { DesiredIndex, desiredNode } from '../../../../src/ipvs-node/desired/all-services.ts';
import type { NodeView } from '../../../../src/ipvs-node/desired/service.ts';
import { Projections } from '../../../../src/ipvs-node/source/project.ts';
import { UsualObjects } from '../../../../src/ipvs-node/source/usual-objects.ts';
import { parseObject } from '../../../../src/api/parse.ts';
import { FULL, isReadAt, pathsOf, pathsRead, TABLES, watched } from '../../api/field-samples.ts';
import { pool } from '../objects.ts';

/** Ways to look at a kind; `watch` counts because the raw object is still whole. */
const WAYS = {
  Service: (use: Projections, raw: unknown) => use.service(raw),
  EndpointSlice: (use: Projections, raw: unknown) => use.slice(raw),
  IP: (use: Projections, raw: unknown) => use.ip(raw),
  Node: (use: Projections, raw: unknown) => use.node(raw),
};
type NodeKind = keyof typeof WAYS;
const KINDS = Object.keys(WAYS) as readonly NodeKind[];

for (const kind of KINDS) {
  test(`the agent keeps of a ${kind} what it reads`, () => {
    const kept = WAYS[kind](new Projections(), FULL[kind]);
    assert.ok(kept);
    assert.deepEqual(pathsOf(kind, kept), pathsRead(kind, 'node'));
  });
}

const SERVICE_META = { ...FULL.Service.metadata, labels: {} };
/** As nearly all are. */
const USUAL = {
  Service: {
    ...FULL.Service,
    metadata: { ...SERVICE_META, annotations: { 'vipvs.io/pool': 'a' } },
    spec: {
      type: 'LoadBalancer',
      ports: FULL.Service.spec.ports,
      selector: { app: 'x' },
      clusterIPs: ['10.96.0.9'],
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      externalTrafficPolicy: 'Cluster',
      sessionAffinity: 'None',
    },
    status: { loadBalancer: { ingress: [{ ip: '192.0.2.10', ipMode: 'Proxy', ports: [] }] } },
  },
  EndpointSlice: {
    ...FULL.EndpointSlice,
    metadata: { ...FULL.EndpointSlice.metadata, annotations: { 'vipvs.io/pool': 'a' } },
    endpoints: [{ addresses: ['10.0.0.1'], conditions: { ready: true }, nodeName: 'n1' }],
  },
  IP: FULL.IP,
};
type UsualKind = keyof typeof USUAL;
const USUAL_KINDS = Object.keys(USUAL) as readonly UsualKind[];
const SHORT_CUTS: Readonly<Record<UsualKind, (raw: unknown) => ClusterObject | undefined>> = {
  Service: (raw) => new UsualObjects().service(raw),
  EndpointSlice: (raw) => new UsualObjects().slice(raw),
  IP: (raw) => new UsualObjects().ip(raw),
};

for (const kind of USUAL_KINDS) {
  test(`the short cut for a ${kind} looks at what the agent reads, and keeps nothing else`, () => {
    const looked = new Set<string>();
    const raw = watched(USUAL[kind], TABLES[kind], (path) => looked.add(path));
    const quick = SHORT_CUTS[kind](raw);
    assert.ok(quick);
    assert.ok(looked.size > 0);
    const foreign = [...looked].filter((path) => !isReadAt(TABLES[kind], path, 'node'));
    assert.deepEqual(foreign, []);
    const kept = pathsOf(kind, quick);
    assert.deepEqual(
      kept,
      kept.filter((path) => isReadAt(TABLES[kind], path, 'node')),
    );
  });
}

function parsed(raw: unknown): ClusterObject {
  const result = parseObject(raw, { unknownFields: 'drop' });
  if (result.kind !== 'object') throw new Error(`cannot be read: ${JSON.stringify(result)}`);
  return result.object;
}

const NODE: NodeView = { name: 'n1', bindInterface: 'eth0', hasKubeProxy: true };

function desired(objects: readonly ClusterObject[], node = NODE): unknown {
  const store = new ClusterStore();
  for (const object of objects) store.set(object);
  return desiredNode(store, node);
}

/** A copy with the other's value at the path; a list that is not there is taken whole. */
function planted(into: object, from: object, [name = '', ...rest]: readonly string[]): object {
  const key = name.replace('[]', '');
  const here: unknown = Reflect.get(into, key);
  const there: unknown = Reflect.get(from, key);
  const first = (list: unknown): unknown => (Array.isArray(list) ? list[0] : list);
  const [a, b] = [first(here), first(there)];
  if (rest.length === 0 || typeof a !== 'object' || a === null) return { ...into, [key]: there };
  const child = planted(a, b as object, rest);
  return { ...into, [key]: Array.isArray(here) ? [child] : child };
}

/** One row changed in an object that is usual otherwise. */
const changed = USUAL_KINDS.flatMap((kind) =>
  pathsRead(kind, 'node').map((path) => {
    const at = path.replace(/\{.*/, '').split('.');
    return { kind, path, raw: planted(USUAL[kind], FULL[kind], at) };
  }),
);

for (const { kind, path, raw } of changed) {
  test(`the short cut overlooks no ${path} of a ${kind}`, () => {
    const looked = new Set<string>();
    const quick = SHORT_CUTS[kind](watched(raw, TABLES[kind], (at) => looked.add(at)));
    if (quick === undefined) return;
    // clusterIPs, which it demands, says the same
    assert.ok(looked.has(path) || path === 'spec.clusterIP');
    const others = [
      pool(),
      ...USUAL_KINDS.filter((each) => each !== kind).map((each) => parsed(USUAL[each])),
    ];
    assert.deepEqual(desired([quick, ...others]), desired([parsed(raw), ...others]));
  });
}

const usual = USUAL_KINDS.map((kind) => ({ kind, raw: USUAL[kind] }));
const { spec: SPEC, status: STATUS } = USUAL.Service;
const [INGRESS] = STATUS.loadBalancer.ingress;
/** What one changed row does not lead to. */
const SPECIAL = [
  {
    ...USUAL.Service,
    spec: { ...SPEC, sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: {} } },
  },
  {
    ...USUAL.Service,
    status: {
      loadBalancer: {
        ingress: [{ ...INGRESS, ports: [{ port: 80, protocol: 'TCP', error: 'taken' }] }],
      },
    },
  },
  { ...USUAL.EndpointSlice, ports: [{ name: 'http', protocol: 'TCP' }] },
  { ...USUAL.EndpointSlice, endpoints: [{ addresses: ['10.0.0.1'], nodeName: 'n2' }] },
  {
    ...USUAL.IP,
    spec: {
      ...USUAL.IP.spec,
      claims: ['web', 'same'].map((name) => ({ namespace: 'default', name, ports: [] })),
    },
  },
];

test('the agent decides by nothing that it does not keep', () => {
  const foreign = new Set<string>();
  const looked = new Set<string>();
  const of = (object: ClusterObject): ClusterObject => {
    const { kind } = object;
    if (kind === 'Pool') return object;
    return watched(object, TABLES[kind], (path) => {
      const at = `${kind} ${path}`;
      if (looked.has(at)) return;
      looked.add(at);
      if (!isReadAt(TABLES[kind], path, 'node')) foreign.add(at);
    });
  };
  const same = { ...USUAL.Service, metadata: { ...SERVICE_META, name: 'same' } };
  const nodes = ['n1', 'n2'].map((name) => ({ ...FULL.Node, metadata: { name } }));
  for (const raw of [...changed.map((each) => each.raw), ...SPECIAL]) {
    const object = parsed(raw);
    const others = usual.filter(({ kind }) => kind !== object.kind);
    const all = [object, ...[...others.map((each) => each.raw), same, ...nodes].map(parsed)].map(
      of,
    );
    for (const forwarding of ['nat', 'dr', 'tunnel', 'cluster-ip']) {
      for (const kubeProxy of [{}, { kubeProxyMode: 'ipvs' as const }, { hasKubeProxy: false }]) {
        desired([pool({ defaults: { forwarding } }), ...all], { ...NODE, ...kubeProxy });
      }
    }
    const index = new DesiredIndex(new ClusterStore(), NODE);
    for (const each of all) index.touchedBy(undefined, each);
  }
  assert.deepEqual([...foreign], []);
  const unread = KINDS.flatMap((kind) =>
    pathsRead(kind, 'node').map((path) => `${kind} ${path}`),
  ).filter((path) => !looked.has(path));
  // the schema demands it; for the Director's owner
  assert.deepEqual(unread, ['IP spec.retain', 'Node metadata.uid']);
});
