import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterObject } from '../../../src/api/cluster.ts';
import { formatReport, reportData } from '../../../src/migration/report.ts';
import { verify } from '../../../src/migration/verify.ts';
import { migrateText, serviceText } from './read-objects.ts';

const GIVEN = `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: p, namespace: m}
spec: {addresses: [192.0.2.0/28], colour: blue}
---
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: {name: a, namespace: m}
---
apiVersion: v1
kind: Secret
metadata: {name: s}
${serviceText('a/x', { ips: ['192.0.2.1'] })}${serviceText('a/y', { ips: ['192.0.2.2'], annotations: { 'metallb.io/address-pool': "it's" } })}`;

/** An assigner that leaves everything as it is. */
const idle = (objects: readonly ClusterObject[]): readonly ClusterObject[] => objects;
/** One that takes every status away, or gives another address. */
const thief = (objects: readonly ClusterObject[]): readonly ClusterObject[] =>
  objects.map((object) => {
    if (object.kind !== 'Service') return object;
    const isX = object.metadata.name === 'x';
    const conditions = [
      { type: 't', status: 'False' as const, reason: 'r', message: 'Pool p: no' },
    ];
    return {
      ...object,
      status: {
        loadBalancer: { ingress: isX ? [{ ip: '192.0.2.9' }, { hostname: 'h' }] : [] },
        ...(isX ? { conditions } : {}),
      },
    };
  });

test('the report, when all is well but for the status', () => {
  const migration = migrateText(GIVEN);
  const verification = verify(migration, [], idle);
  assert.equal(
    formatReport({ migration, verification }),
    `Read: metallb (2 objects), 2 Services. Made: 1 Pool, 2 IPs.

Left aside, of no use here: v1 Secret (1)

Without equivalent:
  t:1: IPAddressPool m/p: spec.colour: "blue": a field that the import does not know; it is left out

Ambiguous: check these:
  Services: 2 without a loadBalancerClass: vipvs serves those only with --default-class

Converted:
  IPAddressPool m/p: Pool p

Services to change, after the old controller has stopped and before the assigner starts:
  # a/y: asks for Pool "it's", but its address is in Pool p; keeps the address even if its status is cleared
  kubectl patch service -n a y --type merge -p '{"metadata":{"annotations":{"metallb.io/address-pool":"p","vipvs.io/addresses":"192.0.2.2"}}}'

Services to change, too, if the old controller clears status.loadBalancer when it stops:
  # a/x: keeps the address even if its status is cleared
  kubectl patch service -n a x --type merge -p '{"metadata":{"annotations":{"vipvs.io/addresses":"192.0.2.1"}}}'

Verified by simulation, after the changes above: 0 of 2 addresses in use stay the same (2 Services), and these do not:
  Service a/x loses 192.0.2.1: once its status is cleared: it gets none (it is not of our class)
  Service a/y loses 192.0.2.2: once its status is cleared: it gets none (it is not of our class)
`,
  );
});

test('the report, when an address moves', () => {
  const migration = migrateText(GIVEN);
  assert.deepEqual(verify(migration, [], thief), {
    services: 2,
    kept: 0,
    lost: [
      { service: 'a/x', address: '192.0.2.1', why: 'it gets 192.0.2.9 (Pool p: no)' },
      { service: 'a/y', address: '192.0.2.2', why: 'it gets none (it is not of our class)' },
    ],
    unknown: 0,
  });
});

test('Services of another class are simulated as they are', () => {
  const given = `${GIVEN}---\napiVersion: v1\nkind: Service\nmetadata: {name: n, namespace: z}\nspec: {type: LoadBalancer, loadBalancerClass: cloud/x}\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.5}]}}\n`;
  const seen: string[] = [];
  const spy = (objects: readonly ClusterObject[]): readonly ClusterObject[] => {
    for (const object of objects) {
      if (object.kind === 'Service') seen.push(object.spec.loadBalancerClass ?? '-');
    }
    return objects;
  };
  verify(migrateText(given.replace('192.0.2.5', '203.0.113.5')), [], spy);
  assert.deepEqual(seen, ['-', '-', 'cloud/x', '-', '-', 'cloud/x']);
  assert.equal(verify(migrateText(given), [], idle).services, 3);
});

test('nothing to import', () => {
  const migration = migrateText('');
  const report = { migration, verification: verify(migration, [], idle) };
  assert.equal(
    formatReport(report),
    'Read: no object of another load balancer, 0 Services. Made: 0 Pools, 0 IPs.\n\nVerified by simulation, after the changes above: 0 of 0 addresses in use stay the same (0 Services).\n',
  );
  assert.deepEqual(reportData(report), {
    found: {},
    ignored: {},
    services: 0,
    pools: 0,
    ips: 0,
    notes: [],
    patches: [],
    finalizers: [],
    verification: { services: 0, kept: 0, lost: [], unknown: 0 },
  });
});

test('a quote in a value does not end the shell word', () => {
  const given = GIVEN.replaceAll('loadBalancerIPs', 'x').replace("it's", "it's");
  const migration = migrateText(
    `${given}${serviceText('b/z', { ips: ['192.0.2.3', '2001:db8::1'], annotations: { 'lbipam.cilium.io/sharing-cross-namespace': "it's" } })}${serviceText('c/z', { ips: ['192.0.2.3'], spec: { ports: [{ port: 81 }] } })}`,
  );
  const text = formatReport({ migration, verification: verify(migration, [], idle) });
  assert.match(text, /"vipvs\.io\/sharing-namespaces":"c,it'\\''s"/);
});

test('finalizers, Services of which nothing is known, and text that would steer a terminal', () => {
  const service = (name: string, rest: string): string =>
    `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: a${rest}\n`;
  const migration = migrateText(
    `${GIVEN}${service('held', ', finalizers: [mine, service.kubernetes.io/load-balancer-cleanup, foregroundDeletion, finalizer.lb.kubesphere.io/v1alpha1]}\nspec: {type: LoadBalancer, loadBalancerIP: 192.0.2.3}')}${service('new', '}\nspec: {type: LoadBalancer}')}${service('odd', ', annotations: {metallb.io/address-pool: "x\\u001b[2J\\ny"}}\nspec: {type: LoadBalancer, loadBalancerIP: 192.0.2.4}')}`,
  );
  const text = formatReport({ migration, verification: verify(migration, [], idle) });
  assert.ok(
    text.includes(`
Finalizers to take off once the old load balancer is uninstalled, or these Services can never be deleted:
  # a/held: finalizer.lb.kubesphere.io/v1alpha1, service.kubernetes.io/load-balancer-cleanup
  kubectl patch service -n a held --type json -p '[{"op":"test","path":"/metadata/finalizers/3","value":"finalizer.lb.kubesphere.io/v1alpha1"},{"op":"remove","path":"/metadata/finalizers/3"},{"op":"test","path":"/metadata/finalizers/1","value":"service.kubernetes.io/load-balancer-cleanup"},{"op":"remove","path":"/metadata/finalizers/1"}]'
`),
    text,
  );
  assert.match(text, /\(4 Services\); what 1 more Service has is not known, and these do not:\n/);
  assert.match(text, /# a\/odd: asks for Pool "x\\u001b\[2J\\ny", but its address is in Pool p\n/);
  assert.ok(!text.includes('\u001b'));
});

test('names in the source that are no names: neither a line of their own nor a command', () => {
  const given = GIVEN.replace('name: p, ', 'name: "p\\n\\e[1m", ');
  const migration = migrateText(given.replaceAll('kind: Secret', 'kind: "Se\\ncret"'));
  const text = formatReport({ migration, verification: verify(migration, [], idle) });
  assert.match(text, /Left aside, of no use here: v1 Se\\u\{a\}cret \(1\)\n/);
  assert.match(
    text,
    /IPAddressPool m\/p\\u\{a\}\\u\{1b\}\[1m: no Pool can be called "p\\n\\u001b\[1m": it is called p-1m/,
  );
});

test('names of any length and any characters: each note is one line that nobody has to scroll through', () => {
  const long = 'n'.repeat(100_000);
  const given =
    GIVEN.replace('name: p, ', `name: ${long}, `).replace('kind: Secret', `kind: S${long}`) +
    serviceText('a/"x\\u202e"', { ips: ['192.0.2.3'] }) +
    serviceText('a/pool', {
      ips: ['192.0.2.4'],
      annotations: { 'metallb.io/address-pool': 'p\\u202e' },
    });
  const migration = migrateText(given);
  const text = formatReport({ migration, verification: verify(migration, [], idle) });
  assert.ok(text.split('\n').every((line) => line.length < 10_000));
  assert.match(text, /Left aside, of no use here: v1 Sn{100,600}…/);
  assert.doesNotMatch(text, /[\u202e\u0007]/);
});
