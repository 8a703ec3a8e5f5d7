// Addresses of nodes on Services are no VIPs: nothing is reserved, nothing is patched, and each Service is named.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcedPool, migrateText, notesOf, serviceText } from './read-objects.ts';

const FINALIZER = 'service.kubernetes.io/load-balancer-cleanup';

function service(key: string, ips: readonly string[], finalizers: readonly string[] = []): string {
  const list = JSON.stringify(finalizers);
  return serviceText(key, { ips }).replace('"metadata":{', `"metadata":{"finalizers":${list},`);
}

const node = (name: string, address: string): string =>
  `---\napiVersion: v1\nkind: Node\nmetadata: {name: ${name}}\nstatus: {addresses: [{type: Hostname, address: ${name}}, {type: InternalIP, address: ${address}}]}\n`;

function told(key: string, ips: string, why: string): string {
  return `error Service ${key}: status.loadBalancer.ingress: shows ${ips}: addresses of nodes, or like them (k3s ServiceLB, or a cloud's: ${why}), so they are no VIPs and nothing is reserved; if they are, give the pool that has them, too`;
}

interface Case {
  readonly name: string;
  readonly given: string;
  readonly ips: readonly string[];
  readonly notes: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: 'k3s ServiceLB: the finalizer, and the same addresses on each Service',
    given:
      service('kube-system/traefik', ['192.0.2.1', '192.0.2.2'], [FINALIZER]) +
      service('home/mqtt', ['192.0.2.1', '192.0.2.2'], [FINALIZER]),
    ips: [],
    notes: ['home/mqtt', 'kube-system/traefik'].map((key) =>
      told(
        key,
        '192.0.2.1, 192.0.2.2',
        `finalizer ${FINALIZER}, several addresses, the same on 2 Services`,
      ),
    ),
  },
  {
    name: 'one node, one Service: the finalizer alone',
    given: service('kube-system/traefik', ['192.0.2.1'], [FINALIZER]),
    ips: [],
    notes: [told('kube-system/traefik', '192.0.2.1', `finalizer ${FINALIZER}`)],
  },
  {
    name: 'an older k3s: no finalizer',
    given: service('a/x', ['192.0.2.1', '192.0.2.2']) + service('a/y', ['192.0.2.1', '192.0.2.2']),
    ips: [],
    notes: ['a/x', 'a/y'].map((key) =>
      told(key, '192.0.2.1, 192.0.2.2', 'several addresses, the same on 2 Services'),
    ),
  },
  {
    name: 'the Nodes are in the input: what is no address of theirs is kept',
    given:
      node('n1', '192.0.2.1') +
      node('n2', '192.0.2.2') +
      service('a/x', ['192.0.2.1', '2001:db8::1']) +
      service('a/y', ['192.0.2.1', '192.0.2.2']),
    ips: ['2001:db8::1 a/x'],
    notes: [
      told('a/x', '192.0.2.1', 'Node n1'),
      told('a/y', '192.0.2.1, 192.0.2.2', 'Node n1, Node n2'),
      'ambiguous address 2001:db8::1: Service a/x has it, and no imported Pool hands it out: it is in Pool kept-addresses',
    ],
  },
  {
    name: "kube-vip's cloud provider has the same finalizer: what is asked for, or is in a pool, is a VIP",
    given:
      announcedPool('p', { addresses: ['192.0.2.0/28'] }) +
      service('a/pool', ['192.0.2.1'], [FINALIZER]) +
      service('a/asked', ['198.51.100.1'], [FINALIZER]).replace(
        '"annotations":{',
        '"annotations":{"kube-vip.io/loadbalancerIPs":"198.51.100.1"',
      ),
    ips: ['192.0.2.1 a/pool', '198.51.100.1 a/asked'],
    notes: [
      'ambiguous address 198.51.100.1: Service a/asked has it, and no imported Pool hands it out: it is in Pool kept-addresses',
    ],
  },
  {
    name: 'a source object says that the Service has it',
    given:
      `apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: e}\nspec: {address: x, protocol: vip}\nstatus: {used: {192.0.2.1: a/x}}\n` +
      service('a/x', ['192.0.2.1'], [FINALIZER]),
    ips: ['192.0.2.1 a/x'],
    notes: [
      'error Eip e: spec.address: "x" is not an IP address; allowed: an address, a CIDR (192.0.2.0/24) or a range (192.0.2.10-192.0.2.20); no Pool is made',
      'ambiguous address 192.0.2.1: Service a/x has it, and no imported Pool hands it out: it is in Pool kept-addresses',
    ],
  },
];

for (const { name, given, ips, notes } of CASES) {
  test(name, () => {
    const migration = migrateText(given);
    assert.deepEqual(
      migration.ips.map(({ spec: { address, reservedFor } }) => {
        const { namespace = '-', service: owner = '-' } = reservedFor ?? {};
        return `${address} ${namespace}/${owner}`;
      }),
      ips,
    );
    const found = notesOf(migration).filter((note) => !note.startsWith('ambiguous Services:'));
    assert.deepEqual(found, notes);
    const patched = migration.patches.map(({ service: { namespace, name: owner } }) => {
      return `${namespace}/${owner}`;
    });
    assert.deepEqual(
      patched.filter((key) => !ips.some((ip) => ip.endsWith(` ${key}`))),
      [],
    );
  });
}
