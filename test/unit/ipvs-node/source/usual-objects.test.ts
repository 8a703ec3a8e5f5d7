import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterStore, type ClusterObject } from '../../../../src/api/cluster.ts';
import { desiredNode } from '../../../../src/ipvs-node/desired/all-services.ts';
import { Projections } from '../../../../src/ipvs-node/source/project.ts';
import { UsualObjects } from '../../../../src/ipvs-node/source/usual-objects.ts';
import { parseObject } from '../../../../src/api/parse.ts';
import { pool } from '../objects.ts';

const META = {
  name: 'web',
  namespace: 'default',
  uid: 'u1',
  resourceVersion: '7',
  generation: 1,
  creationTimestamp: '2026-01-01T00:00:00Z',
  labels: { app: 'web', 'kubernetes.io/service-name': 'web' },
  managedFields: [{ manager: 'x', operation: 'Update', fieldsV1: { 'f:spec': {} } }],
};
const SPEC = {
  type: 'LoadBalancer',
  selector: { app: 'web' },
  sessionAffinity: 'None',
  clusterIP: '10.96.0.9',
  clusterIPs: ['10.96.0.9'],
  ipFamilies: ['IPv4'],
  externalTrafficPolicy: 'Cluster',
  ipFamilyPolicy: 'SingleStack',
  ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
};
const INGRESS = [{ ip: '192.0.2.10', ipMode: 'Proxy', ports: [{ port: 80, protocol: 'TCP' }] }];
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: META,
  spec: SPEC,
  status: { loadBalancer: { ingress: INGRESS }, conditions: [] },
};
const READY = { ready: true, serving: true, terminating: false };
const ENDPOINT = {
  addresses: ['10.0.0.1'],
  conditions: READY,
  nodeName: 'w1',
  zone: 'a',
  targetRef: { kind: 'Pod', name: 'p', namespace: 'default', uid: 'u' },
};
const SLICE = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  addressType: 'IPv4',
  metadata: { ...META, name: 'web-1' },
  endpoints: [ENDPOINT, { addresses: ['10.0.0.2'] }],
  ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
};
const IP = {
  apiVersion: 'vipvs.io/v1alpha1',
  kind: 'IP',
  metadata: { name: '192.0.2.10', uid: 'u' },
  spec: {
    address: '192.0.2.10',
    poolName: 'public',
    retain: true,
    claims: [{ namespace: 'default', name: 'web', ports: [{ port: 80, protocol: 'TCP' }] }],
  },
};

type Raw = Readonly<Record<string, unknown>>;

function general(raw: Raw): ClusterObject {
  const parsed = parseObject(raw, { unknownFields: 'drop' });
  if (parsed.kind !== 'object') throw new Error(`cannot be read: ${JSON.stringify(parsed)}`);
  return parsed.object;
}

/** What a node makes of these objects. */
function desired(objects: readonly (ClusterObject | undefined)[]): unknown {
  const store = new ClusterStore();
  store.set(pool());
  for (const object of objects) if (object !== undefined) store.set(object);
  // it has to know what kube-proxy would take
  const node = { name: 'w1', bindInterface: 'eth0', hasKubeProxy: true };
  return desiredNode(store, node);
}

const ordinary: readonly { name: string; service?: Raw; slice?: Raw; ip?: Raw }[] = [
  { name: 'as the API server has them' },
  {
    name: 'a Service with policy Local and an unnamed port',
    service: {
      ...SERVICE,
      spec: {
        ...SPEC,
        externalTrafficPolicy: 'Local',
        ports: [{ protocol: 'TCP', port: 80, targetPort: 'http' }],
      },
    },
    slice: { ...SLICE, ports: [{ name: '', protocol: 'TCP', port: 8080 }] },
  },
  {
    name: 'a Service without ipMode, for an API server that has none',
    service: { ...SERVICE, status: { loadBalancer: { ingress: [{ ip: '192.0.2.10' }] } } },
  },
  {
    name: 'a slice of another family',
    slice: { ...SLICE, addressType: 'IPv6', endpoints: [{ addresses: ['2001:db8::1'] }] },
  },
  {
    name: 'a Service with annotations that the assigner or others read',
    service: {
      ...SERVICE,
      metadata: { ...META, annotations: { 'vipvs.io/pool': 'public', 'example.com/x': 'y' } },
    },
    slice: { ...SLICE, metadata: { ...SLICE.metadata, annotations: { 'example.com/x': 'y' } } },
  },
  { name: 'an IP that another Service holds', ip: { ...IP, spec: { ...IP.spec, claims: [] } } },
];

for (const { name, service = SERVICE, slice = SLICE, ip = IP } of ordinary) {
  test(`the short cut gives what the general way does: ${name}`, () => {
    const quick = new UsualObjects();
    const short = [quick.service(service), quick.slice(slice), quick.ip(ip)];
    assert.ok(short.every((object) => object !== undefined));
    assert.deepEqual(desired(short), desired([service, slice, ip].map(general)));
  });
}

test('equal ports, node names and pool names are there once', () => {
  const quick = new UsualObjects();
  assert.equal(quick.service(SERVICE)?.spec.ports, quick.service(SERVICE)?.spec.ports);
  assert.equal(quick.slice(SLICE)?.ports, quick.slice(SLICE)?.ports);
});

const withSpec = (fields: object): Raw => ({ ...SERVICE, spec: { ...SPEC, ...fields } });
const withPort = (fields: object): Raw => withSpec({ ports: [{ ...SPEC.ports[0], ...fields }] });
const withEndpoint = (fields: object): Raw => ({
  ...SLICE,
  endpoints: [{ ...ENDPOINT, ...fields }],
});
const withMeta = (raw: Raw, fields: object): Raw => ({ ...raw, metadata: { ...META, ...fields } });
const withIp = (fields: object): Raw => ({ ...IP, spec: { ...IP.spec, ...fields } });

const unusual: readonly { kind: 'service' | 'slice' | 'ip'; name: string; raw: unknown }[] = [
  { kind: 'service', name: 'no object', raw: undefined },
  {
    kind: 'service',
    name: 'an annotation that we read',
    raw: withMeta(SERVICE, { annotations: { 'vipvs.io/scheduler': 'wlc' } }),
  },
  {
    kind: 'slice',
    name: 'an annotation that we read',
    raw: withMeta(SLICE, { annotations: { 'vipvs.io/weight': '2' } }),
  },
  { kind: 'service', name: 'no namespace', raw: withMeta(SERVICE, { namespace: undefined }) },
  { kind: 'service', name: 'no uid', raw: withMeta(SERVICE, { uid: 7 }) },
  { kind: 'service', name: 'source ranges', raw: withSpec({ loadBalancerSourceRanges: [] }) },
  { kind: 'service', name: 'no spec', raw: { ...SERVICE, spec: null } },
  { kind: 'service', name: 'another type', raw: withSpec({ type: 'ClusterIP' }) },
  { kind: 'service', name: 'affinity', raw: withSpec({ sessionAffinity: 'ClientIP' }) },
  { kind: 'service', name: 'a policy of tomorrow', raw: withSpec({ externalTrafficPolicy: 'x' }) },
  { kind: 'service', name: 'no clusterIPs', raw: withSpec({ clusterIPs: undefined }) },
  { kind: 'service', name: 'no ports', raw: withSpec({ ports: undefined }) },
  { kind: 'service', name: 'a port that is none', raw: withSpec({ ports: [null] }) },
  { kind: 'service', name: 'port 0', raw: withPort({ port: 0 }) },
  { kind: 'service', name: 'a protocol of tomorrow', raw: withPort({ protocol: 'QUIC' }) },
  { kind: 'service', name: 'no targetPort', raw: withPort({ targetPort: undefined }) },
  {
    kind: 'service',
    name: 'a port twice',
    raw: withSpec({ ports: [SPEC.ports[0], SPEC.ports[0]] }),
  },
  { kind: 'service', name: 'no ingress', raw: { ...SERVICE, status: {} } },
  {
    kind: 'service',
    name: 'an ingress by name',
    raw: { ...SERVICE, status: { loadBalancer: { ingress: [{ hostname: 'x' }] } } },
  },
  {
    kind: 'service',
    name: 'a refused port',
    raw: {
      ...SERVICE,
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.10', ports: [{ error: 'taken' }] }] } },
    },
  },
  { kind: 'service', name: 'external IPs', raw: withSpec({ externalIPs: ['192.0.2.10'] }) },
  {
    kind: 'service',
    name: 'ipMode VIP',
    raw: {
      ...SERVICE,
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.10', ipMode: 'VIP' }] } },
    },
  },
  {
    kind: 'service',
    name: 'a proxy of its own',
    raw: withMeta(SERVICE, { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }),
  },
  { kind: 'slice', name: 'no object', raw: 7 },
  { kind: 'slice', name: 'no Service', raw: withMeta(SLICE, { labels: {} }) },
  { kind: 'slice', name: 'no metadata', raw: { ...SLICE, metadata: undefined } },
  { kind: 'slice', name: 'names', raw: { ...SLICE, addressType: 'FQDN' } },
  { kind: 'slice', name: 'no endpoints', raw: { ...SLICE, endpoints: null } },
  { kind: 'slice', name: 'no ports', raw: { ...SLICE, ports: null } },
  { kind: 'slice', name: 'all ports', raw: { ...SLICE, ports: [{ name: '', protocol: 'TCP' }] } },
  {
    kind: 'slice',
    name: 'a port unnamed',
    raw: { ...SLICE, ports: [{ port: 1, protocol: 'TCP' }] },
  },
  { kind: 'slice', name: 'not ready', raw: withEndpoint({ conditions: { ready: false } }) },
  { kind: 'slice', name: 'not serving', raw: withEndpoint({ conditions: { serving: false } }) },
  { kind: 'slice', name: 'leaving', raw: withEndpoint({ conditions: { terminating: true } }) },
  { kind: 'slice', name: 'no addresses', raw: withEndpoint({ addresses: [7] }) },
  { kind: 'slice', name: 'an endpoint that is none', raw: { ...SLICE, endpoints: [null] } },
  { kind: 'ip', name: 'no object', raw: null },
  { kind: 'ip', name: 'another name', raw: { ...IP, metadata: { name: '192.0.2.11' } } },
  {
    kind: 'ip',
    name: 'IPv6',
    raw: { ...IP, metadata: { name: '::1' }, spec: { ...IP.spec, address: '::1' } },
  },
  { kind: 'ip', name: 'no pool', raw: withIp({ poolName: undefined }) },
  { kind: 'ip', name: 'no claims', raw: withIp({ claims: undefined }) },
  { kind: 'ip', name: 'a claim that is none', raw: withIp({ claims: [{ name: 'web' }] }) },
  { kind: 'ip', name: 'retain unclear', raw: withIp({ retain: 'yes' }) },
];

for (const { kind, name, raw } of unusual) {
  test(`the short cut leaves to the general way: ${kind}, ${name}`, () => {
    assert.equal(new UsualObjects()[kind](raw), undefined);
  });
}

test('what neither way can read says why', () => {
  const projections = new Projections();
  assert.throws(() => projections.slice({ ...SLICE, addressType: 'IPX' }), /addressType/);
  assert.throws(() => projections.service(withPort({ port: 0 })), /port/);
  assert.throws(() => projections.ip(withIp({ poolName: 7 })), /poolName/);
});
