// Where the cluster itself has addresses there are no new VIPs: nodes, pods, ClusterIPs. What is in use there stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterStore, keyOf, type ClusterObject } from '../../../src/api/cluster.ts';
import type { Node, Service, ServiceCidr } from '../../../src/api/kubernetes.ts';
import { applyAction, targetOf } from '../../../src/assigner/carry-out.ts';
import { Assigner } from '../../../src/assigner/engine.ts';
import { simulate } from '../../../src/assigner/simulate.ts';
import { claim, CONFIG, ip, linesOf, node, pool, run, service } from './objects.ts';

function serviceCidr(name: string, ...cidrs: readonly string[]): ServiceCidr {
  const apiVersion = 'networking.k8s.io/v1';
  return { apiVersion, kind: 'ServiceCIDR', metadata: { name }, spec: { cidrs } };
}

function podNode(name: string, ...podCIDRs: readonly string[]): Node {
  return { ...node(name, []), spec: { podCIDRs } };
}

function clusterIp(key: string, ...clusterIPs: readonly string[]): Service {
  return service(key, { spec: { type: 'ClusterIP', clusterIPs } });
}

interface Row {
  readonly name: string;
  readonly given: readonly ClusterObject[];
  readonly want: readonly string[];
}

const P = pool('p', ['10.96.0.0/30']);
const S = service('s');
const asks = (address: string): Service =>
  service('asks', { annotations: { 'vipvs.io/addresses': address } });

const ROWS: readonly Row[] = [
  {
    name: 'a Pool inside the Service CIDR hands out nothing, and says so',
    given: [P, serviceCidr('kubernetes', '10.96.0.0/12'), S],
    want: [
      'Pool p Active 0/0 (overlaps Service CIDR 10.96.0.0/12 (kubernetes); that is left out; hands out nothing: Service CIDR 10.96.0.0/12 (kubernetes) leaves nothing)',
      'default/s - PoolNotUsable: Pool p: Service CIDR 10.96.0.0/12 (kubernetes) leaves nothing of its IPv4 addresses',
    ],
  },
  {
    name: 'a Pool of nothing but the address of a node hands out nothing, and says so',
    given: [pool('p', ['192.0.2.9/32']), node('n', ['192.0.2.9']), S],
    want: [
      "Pool p Active 0/0 (192.0.2.9 belongs to nodes; it is left out; hands out nothing: the nodes' own use leaves nothing)",
      "default/s - PoolNotUsable: Pool p: the nodes' own use leaves nothing of its IPv4 addresses",
    ],
  },
  {
    name: 'of a Pool that overlaps the rest is handed out',
    given: [P, serviceCidr('kubernetes', '10.96.0.0/31', '2001:db8::/112'), S, asks('10.96.0.1')],
    want: [
      'Pool p Active 1/2 (overlaps Service CIDR 10.96.0.0/31 (kubernetes); that is left out)',
      'IP 10.96.0.2 Active default/s[80]',
      'default/asks - AddressNotInPool: 10.96.0.1 is in Pool p, but it is inside Service CIDR 10.96.0.0/31 (kubernetes); request from annotation vipvs.io/addresses',
      'default/s 10.96.0.2 Assigned: 10.96.0.2 from Pool p',
    ],
  },
  {
    name: 'ClusterIPs of all Services are passed over, whatever their type; headless ones have none',
    given: [
      P,
      clusterIp('kubernetes', '10.96.0.0'),
      clusterIp('headless', 'None'),
      service('node-port', { spec: { type: 'NodePort', clusterIP: '10.96.0.1' } }),
      service('own', { spec: { ipFamilies: ['IPv4'], clusterIPs: ['10.96.0.2', '2001:db8::1'] } }),
      asks('10.96.0.1'),
    ],
    want: [
      'Pool p Active 0/4 (10.96.0.0, 10.96.0.1, 10.96.0.2 are ClusterIPs; left out)',
      'IP 10.96.0.3 Active default/own[80]',
      'default/asks - AddressInUse: Pool p: 10.96.0.1 is the ClusterIP of Service default/node-port; request from annotation vipvs.io/addresses',
      'default/own 10.96.0.3 Assigned: 10.96.0.3 from Pool p',
    ],
  },
  {
    name: 'pods of a node are no VIPs',
    given: [P, podNode('n', '10.96.0.0/31', 'nonsense', '2001:db8::/64'), S, asks('10.96.0.0')],
    want: [
      'Pool p Active 1/2 (overlaps pod CIDR 10.96.0.0/31 of node n; that is left out)',
      'IP 10.96.0.2 Active default/s[80]',
      'default/asks - AddressNotInPool: 10.96.0.0 is in Pool p, but it is inside pod CIDR 10.96.0.0/31 of node n; request from annotation vipvs.io/addresses',
      'default/s 10.96.0.2 Assigned: 10.96.0.2 from Pool p',
    ],
  },
  {
    name: 'a Pool may be annotated to hand out addresses of nodes, and of nothing else',
    given: [
      pool('p', ['10.96.0.0/31'], {}, { annotations: { 'vipvs.io/allow-node-address': 'TRUE' } }),
      node('n', ['10.96.0.0', '10.96.0.1']),
      clusterIp('kubernetes', '10.96.0.0'),
      S,
    ],
    want: [
      'Pool p Active 0/2 (10.96.0.0 is a ClusterIP; left out)',
      'IP 10.96.0.1 Active default/s[80]',
      'default/s 10.96.0.1 Assigned: 10.96.0.1 from Pool p',
    ],
  },
  {
    name: 'an annotation that is neither true nor false is refused aloud, and counts as false',
    given: [
      pool(
        'p',
        ['10.96.0.0/31'],
        {},
        {
          annotations: {
            'vipvs.io/allow-node-address': 'yes',
            'vipvs.io/allow-renumber': ' False ',
          },
        },
      ),
      node('n', ['10.96.0.0']),
    ],
    want: [
      'Pool p Active 1/1 (vipvs.io/allow-node-address: "yes" is not allowed: true or false; it counts as false; 10.96.0.0 belongs to nodes; it is left out)',
    ],
  },
  {
    name: 'what is in use stays, even where the Pool lets addresses go: each clash is a condition',
    given: [
      pool('p', ['10.96.0.0/29'], {}, { annotations: { 'vipvs.io/allow-renumber': 'true' } }),
      serviceCidr('kubernetes', '10.96.0.2/32'),
      podNode('n1', '10.96.0.3/32'),
      node('n2', ['10.96.0.4']),
      clusterIp('x', '10.96.0.5'),
      ip('10.96.0.2', 'p', { claims: [claim('s2')] }),
      ip('10.96.0.3', 'p', { claims: [claim('s3')] }),
      ip('10.96.0.4', 'p', { claims: [claim('s4')] }),
      ip('10.96.0.5', 'p', { claims: [claim('s5')] }),
      service('s2'),
      service('s3'),
      service('s4'),
      service('s5'),
    ],
    want: [
      'Pool p Active 4/5 (kept, though no longer in the pool: 10.96.0.2, 10.96.0.3, 10.96.0.4; 10.96.0.5 is a ClusterIP; left out; 10.96.0.4 belongs to nodes; it is left out; overlaps Service CIDR 10.96.0.2/32 (kubernetes), pod CIDR 10.96.0.3/32 of node n1; that is left out)',
      'IP 10.96.0.2 Conflict default/s2[80] (it is inside Service CIDR 10.96.0.2/32 (kubernetes))',
      'IP 10.96.0.3 Conflict default/s3[80] (it is inside pod CIDR 10.96.0.3/32 of node n1)',
      'IP 10.96.0.4 Conflict default/s4[80] (node n2 has this address itself)',
      'IP 10.96.0.5 Conflict default/s5[80] (it is the ClusterIP of Service default/x)',
      'default/s2 10.96.0.2 AddressOutsidePool: 10.96.0.2; Pool p leaves 10.96.0.2 out: it is inside Service CIDR 10.96.0.2/32 (kubernetes); the address is kept',
      'default/s3 10.96.0.3 AddressOutsidePool: 10.96.0.3; Pool p leaves 10.96.0.3 out: it is inside pod CIDR 10.96.0.3/32 of node n1; the address is kept',
      'default/s4 10.96.0.4 AddressOutsidePool: 10.96.0.4; Pool p leaves 10.96.0.4 out: it is the address of a node; the address is kept',
      'default/s5 10.96.0.5 AddressOfCluster: 10.96.0.5 from Pool p; 10.96.0.5 is the ClusterIP of Service default/x, too; it is kept',
    ],
  },
  {
    name: 'so does what only the status shows; a filter is the user’s word and lets it go',
    given: [
      pool('p', ['10.96.0.0/29'], { filterIPs: ['10.96.0.7'] }),
      serviceCidr('kubernetes', '10.96.0.2/32', '10.96.0.7/32'),
      clusterIp('x', '10.96.0.5'),
      service('s2', { shows: ['10.96.0.2'] }),
      service('s5', { shows: ['10.96.0.5'] }),
      service('s7', { shows: ['10.96.0.7'] }),
    ],
    want: [
      'Pool p Active 4/6 (kept, though no longer in the pool: 10.96.0.2; 10.96.0.5 is a ClusterIP; left out; overlaps Service CIDR 10.96.0.2/32 (kubernetes); that is left out)',
      'IP 10.96.0.0 Active default/s7[80]',
      'IP 10.96.0.2 Conflict default/s2[80] (it is inside Service CIDR 10.96.0.2/32 (kubernetes))',
      'IP 10.96.0.5 Conflict default/s5[80] (it is the ClusterIP of Service default/x)',
      'default/s2 10.96.0.2 AddressOutsidePool: 10.96.0.2; Pool p leaves 10.96.0.2 out: it is inside Service CIDR 10.96.0.2/32 (kubernetes); the address is kept',
      'default/s5 10.96.0.5 AddressOfCluster: 10.96.0.5 from Pool p; 10.96.0.5 is the ClusterIP of Service default/x, too; it is kept',
      'default/s7 10.96.0.0 Assigned: 10.96.0.0 from Pool p',
    ],
  },
  {
    name: 'a reserved address that is a ClusterIP now is not given',
    given: [
      P,
      clusterIp('x', '10.96.0.3'),
      ip('10.96.0.3', 'p', { reservedFor: { namespace: 'default', service: 's' } }),
      S,
    ],
    want: [
      'Pool p Active 2/4 (10.96.0.3 is a ClusterIP; left out)',
      'IP 10.96.0.0 Active default/s[80]',
      'IP 10.96.0.3 Conflict (it is the ClusterIP of Service default/x)',
      'default/s 10.96.0.0 Assigned: 10.96.0.0 from Pool p',
    ],
  },
  {
    name: 'a Pool that is being deleted does not count ClusterIPs as in use',
    given: [
      pool('p', ['10.96.0.0/30'], {}, { deletionTimestamp: '2026-01-01T00:00:00Z' }),
      clusterIp('x', '10.96.0.3'),
      ip('10.96.0.0', 'p', { claims: [claim('s')] }),
      S,
    ],
    want: [
      'Pool p Terminating 0/4 (is being deleted; 1 of its addresses are in use; 10.96.0.3 is a ClusterIP; left out)',
      'IP 10.96.0.0 Active default/s[80]',
      'default/s 10.96.0.0 Assigned: 10.96.0.0 from Pool p',
    ],
  },
];

for (const { name, given, want } of ROWS) {
  test(`the cluster’s own addresses: ${name}`, () => {
    const said = (line: string): boolean =>
      !/^default\/(x|kubernetes|headless|node-port) - :/.test(line);
    const lines = run(given).map((line) => line.replace('  (', ' ('));
    assert.deepEqual(lines.filter(said), want);
    const { objects } = simulate(given, CONFIG);
    assert.deepEqual(simulate(objects, CONFIG).actions, []);
  });
}

test('Events name what a Pool has to do with the cluster', () => {
  const given = [P, pool('q', ['10.97.0.0/30']), clusterIp('x', '10.96.0.0')];
  const { events } = simulate([...given, serviceCidr('c', '10.97.0.0/31')], CONFIG);
  assert.deepEqual(
    events.map(({ type, reason, regarding }) => `${type} ${reason} ${regarding.name}`),
    ['Warning ClusterIpInPool p', 'Warning ClusterRangeInPool q'],
  );
});

/** Each step of it must end where a new assigner would. */
class Story {
  readonly store = new ClusterStore();
  readonly assigner = new Assigner(this.store, CONFIG);

  set(...objects: readonly ClusterObject[]): void {
    for (const object of objects) {
      this.store.set(object);
      this.assigner.onChange(object.kind, keyOf(object));
    }
  }

  delete({ kind, ...object }: ClusterObject): void {
    const key = keyOf({ kind, ...object } as ClusterObject);
    this.store.delete(kind, key);
    this.assigner.onChange(kind, key);
  }

  lines(): readonly string[] {
    for (let steps = 0; steps < 20; steps++) {
      const { decisions } = this.assigner.step(undefined);
      if (decisions.length === 0) break;
      const actions = decisions.flatMap((decision) => decision.actions);
      for (const action of actions) applyAction(this.store, action);
      for (const { kind, key } of actions.map(targetOf)) this.assigner.onChange(kind, key);
    }
    assert.deepEqual(simulate(this.store.objects(), CONFIG).actions, []);
    return linesOf(this.store.objects()).filter((line) => /default\/(s|asks) |^IP/.test(line));
  }
}

test('ClusterIPs, CIDRs and nodes that come and go are followed', () => {
  const story = new Story();
  const x = clusterIp('x', '10.96.0.0');
  story.set(pool('p', ['10.96.0.0/31']), x, clusterIp('y', '10.96.0.1'), S);
  assert.match(story.lines().join(), /s - PoolExhausted/);
  story.delete(x);
  assert.match(story.lines().join(), /IP 10\.96\.0\.0 Active/);
  story.set(x);
  assert.match(story.lines().join(), /IP 10\.96\.0\.0 Conflict .*s 10\.96\.0\.0 AddressOfCluster/);
  story.set(clusterIp('x', '10.200.0.1'));
  assert.match(story.lines().join(), /IP 10\.96\.0\.0 Active .*s 10\.96\.0\.0 Assigned/);
  const cidr = serviceCidr('kubernetes', '10.96.0.0/12');
  story.set(cidr);
  assert.match(story.lines().join(), /IP 10\.96\.0\.0 Conflict .*s 10\.96\.0\.0 AddressOutside/);
  story.delete(cidr);
  assert.match(story.lines().join(), /IP 10\.96\.0\.0 Active .*s 10\.96\.0\.0 Assigned/);
  story.set(podNode('n', '10.96.0.0/24'));
  assert.match(story.lines().join(), /IP 10\.96\.0\.0 Conflict/);
  story.set(podNode('n', '10.99.0.0/24'));
  assert.match(story.lines().join(), /IP 10\.96\.0\.0 Active/);
});

test('who asks for a ClusterIP gets it when its Service goes; of two Services with one it is free after both', () => {
  const story = new Story();
  const [x, y] = [clusterIp('x', '10.96.0.1'), clusterIp('y', '10.96.0.1')];
  story.set(P, x, y, asks('10.96.0.1'));
  assert.match(story.lines().join(), /asks - AddressInUse: .* Service default\/x;/);
  story.delete(x);
  assert.match(story.lines().join(), /asks - AddressInUse: .* Service default\/y;/);
  story.delete(y);
  assert.match(story.lines().join(), /asks 10\.96\.0\.1 Assigned/);
});

test('a CIDR around an address that no Pool holds is told on its IP', () => {
  const story = new Story();
  story.set(P, ip('203.0.113.7', 'p', { claims: [claim('s')] }), S);
  story.lines();
  story.set(serviceCidr('more', '203.0.113.0/24'));
  assert.match(story.lines().join(), /IP 203\.0\.113\.7 Conflict/);
  story.set(serviceCidr('other', '198.51.100.0/24'));
  assert.match(story.lines().join(), /IP 203\.0\.113\.7 Conflict/);
});
