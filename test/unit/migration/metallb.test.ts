import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ALLOWED,
  configMap,
  VARIABLE,
  migrateText,
  notesOf,
  specsOf,
  testCases,
  type SourceCase,
} from './read-objects.ts';

const BGP =
  'vipvs does not speak BGP: let a BGP daemon on the directors announce the VIPs, which are addresses of an interface there';
const ALL_L2 =
  '---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: all, namespace: m}\n';

function pool(spec: string, kind = 'IPAddressPool', name = 'p'): string {
  return `---\napiVersion: metallb.io/v1beta1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: m, labels: {tier: front}}\nspec: ${spec}\n`;
}

function l2(spec: string, name = 'a'): string {
  return `---\napiVersion: metallb.io/v1beta1\nkind: L2Advertisement\nmetadata: {name: ${name}, namespace: m}\nspec: ${spec}\n`;
}

const DOUBTFUL = (name: string): string =>
  `ambiguous IPAddressPool m/${name}: the Pool has autoAssign: false, because not all of the fields above could be read`;
const ADDRESSES = ['192.0.2.0/28'];
const P = '{addresses: [192.0.2.0/28]}';

const CASES: readonly SourceCase[] = [
  {
    name: 'defaults say nothing',
    given: pool('{addresses: [192.0.2.0/28], autoAssign: true, avoidBuggyIPs: false}') + ALL_L2,
    pools: { p: { addresses: ADDRESSES } },
  },
  {
    name: 'serviceAllocation goes over; empty lists are no lists',
    given:
      pool(
        '{addresses: [192.0.2.0/28], autoAssign: false, avoidBuggyIPs: true, serviceAllocation: {priority: 5, namespaces: [a], namespaceSelectors: [], serviceSelectors: [{matchLabels: {x: y}, matchExpressions: [{key: k, operator: Exists}]}]}}',
      ) + ALL_L2,
    pools: {
      p: {
        addresses: ADDRESSES,
        autoAssign: false,
        avoidBuggyIPs: true,
        serviceAllocation: {
          priority: 5,
          namespaces: ['a'],
          serviceSelectors: [
            { matchLabels: { x: 'y' }, matchExpressions: [{ key: 'k', operator: 'Exists' }] },
          ],
        },
      },
    },
  },
  {
    name: 'a priority that a Pool does not take',
    given: pool('{addresses: [192.0.2.0/28], serviceAllocation: {priority: -1}}') + ALL_L2,
    pools: { p: { addresses: ADDRESSES, serviceAllocation: {} } },
    notes: [
      'no-equivalent IPAddressPool m/p: spec.serviceAllocation.priority: -1 is left out; allowed are 0 to 1000000, the lowest above 0 is tried first',
    ],
  },
  {
    name: 'one interface in all advertisements',
    given:
      pool(P) + l2('{ipAddressPools: [p], interfaces: [eth1]}') + l2('{interfaces: [eth1]}', 'b'),
    pools: { p: { addresses: ADDRESSES, bindInterface: 'eth1' } },
  },
  {
    name: 'an advertisement by label, and one for another pool',
    given:
      pool(P) +
      l2('{ipAddressPoolSelectors: [{matchLabels: {tier: front}}], interfaces: [eth1]}') +
      l2('{ipAddressPools: [q], interfaces: [eth2]}', 'b'),
    pools: { p: { addresses: ADDRESSES, bindInterface: 'eth1' } },
  },
  {
    name: 'several interfaces',
    given: pool(P) + l2('{interfaces: [eth2, eth1]}'),
    pools: { p: { addresses: ADDRESSES } },
    notes: [
      'ambiguous IPAddressPool m/p: L2Advertisement m/a announce on eth1, eth2; a Pool has one interface: set spec.bindInterface, or --bind-iface of the agent decides',
    ],
  },
  {
    name: 'one interface here, all interfaces there',
    given: pool(P) + l2('{interfaces: [eth1]}') + l2('{}', 'b'),
    pools: { p: { addresses: ADDRESSES } },
    notes: [
      'ambiguous IPAddressPool m/p: L2Advertisement m/a, L2Advertisement m/b announce on eth1 and, without a name, all; a Pool has one interface: set spec.bindInterface, or --bind-iface of the agent decides',
    ],
  },
  {
    name: 'a name that no interface can have',
    given: pool(P) + l2('{interfaces: [an-interface-of-20-char]}'),
    pools: { p: { addresses: ADDRESSES } },
    notes: [
      'no-equivalent IPAddressPool m/p: L2Advertisement m/a: interface an-interface-of-20-char is longer than 15 characters',
    ],
  },
  {
    name: 'nobody announces it',
    given: pool(P) + l2('{ipAddressPools: [q]}'),
    pools: { p: { addresses: ADDRESSES } },
    notes: [
      'ambiguous IPAddressPool m/p: no L2Advertisement covers it, so MetalLB announces none of it; vipvs does',
    ],
  },
  {
    name: 'fields without equivalent, and unknown ones',
    given:
      pool('{addresses: [192.0.2.0/28], colour: blue, empty: null}') +
      l2(
        '{preferredNodeSelectors: [{weight: 1}], serviceSelectors: [{matchLabels: {a: b}}], nodeSelectors: []}',
      ),
    pools: { p: { addresses: ADDRESSES } },
    notes: [
      'no-equivalent IPAddressPool m/p: spec.colour: "blue": a field that the import does not know; it is left out',
      'no-equivalent L2Advertisement m/a: spec.preferredNodeSelectors: [{"weight":1}]: label the nodes that may hold VIPs as directors instead (vipvs.io/director)',
      'no-equivalent L2Advertisement m/a: spec.serviceSelectors: [{"matchLabels":{"a":"b"}}]: every Service with an address of the Pool is announced',
    ],
  },
  {
    name: 'AddressPool, the older kind',
    given: pool(
      '{addresses: [192.0.2.0/28], protocol: bgp, bgpAdvertisements: [{localPref: 100}]}',
      'AddressPool',
    ),
    pools: { p: { addresses: ADDRESSES } },
    notes: [
      `no-equivalent AddressPool m/p: spec.bgpAdvertisements: [{"localPref":100}]: ${BGP}`,
      `no-equivalent AddressPool m/p: spec.protocol: ${BGP}`,
    ],
  },
  {
    name: 'BGP announces it: nothing is missing',
    given: pool(P) + pool('{}', 'BGPAdvertisement', 'b') + pool('{}', 'Mystery', 'm'),
    pools: { p: { addresses: ADDRESSES } },
    notes: [
      `no-equivalent BGPAdvertisement m/b: ${BGP}`,
      'no-equivalent Mystery m/m: a kind that the import does not know; it is left out',
    ],
  },
  {
    name: 'one bad object or entry, the others go on',
    given:
      pool('{addresses: [192.0.2.0/28, 192.0.2.300, 127.0.0.1, 5]}') +
      pool('{addresses: [198.51.100.0/28]}', 'IPAddressPool', 'q') +
      pool('{addresses: []}', 'IPAddressPool', 'r') +
      pool('{addresses: 192.0.2.0/24}', 'IPAddressPool', 's') +
      pool('[]', 'IPAddressPool', 't') +
      pool('{addresses: ["${LB_RANGE}"]}', 'IPAddressPool', 'v') +
      pool(`{addresses: ["${'1'.repeat(200)}"]}`, 'IPAddressPool', 'w') +
      pool(JSON.stringify({ addresses: Array(257).fill('203.0.113.1') }), 'IPAddressPool', 'long') +
      ALL_L2,
    pools: {
      p: { addresses: ADDRESSES, autoAssign: false },
      q: { addresses: ['198.51.100.0/28'] },
    },
    notes: [
      'error IPAddressPool m/long: spec.addresses: must have at most 256 items, is a list of 257; no Pool is made',
      `error IPAddressPool m/p: spec.addresses[1]: "192.0.2.300" is not an IP address; ${ALLOWED}; it is left out`,
      'error IPAddressPool m/p: spec.addresses[2]: 127.0.0.1 has loopback addresses, which no VIP can have; it is left out',
      'error IPAddressPool m/p: spec.addresses[3]: must be text, is 5; it is left out',
      'error IPAddressPool m/r: spec.addresses: is empty; the object is left out',
      'error IPAddressPool m/s: spec.addresses: must be a list, is "192.0.2.0/24"; it is left out',
      'error IPAddressPool m/s: spec.addresses: nothing of it can be used; no Pool is made',
      'error IPAddressPool m/t: spec: must be an object; the object is left out',
      `error IPAddressPool m/v: spec.addresses[0]: "\${LB_RANGE}" is not an IP address; ${ALLOWED}; ${VARIABLE}; no Pool is made`,
      `error IPAddressPool m/w: spec.addresses[0]: must have at most 100 characters, is "${'1'.repeat(80)}…"; no Pool is made`,
      DOUBTFUL('p'),
    ],
  },
  {
    name: 'one bad key: the others stay, and nobody gets an address without asking',
    given:
      [
        '{addresses: [192.0.2.1], autoAssign: maybe}',
        '{addresses: [192.0.2.2], serviceAllocation: []}',
        '{addresses: [192.0.2.3], serviceAllocation: {priority: 1.5}}',
        '{addresses: [192.0.2.4], serviceAllocation: {serviceSelectors: {}}}',
        '{addresses: [192.0.2.5], serviceAllocation: {namespaces: [a, 7]}}',
        '{addresses: [192.0.2.6], serviceAllocation: {serviceSelectors: [x, {matchLabels: {a: b}}]}}',
        '{addresses: [192.0.2.7], serviceAllocation: {serviceSelectors: [{matchLabels: {x: 1, y: z}}]}}',
        '{addresses: [192.0.2.8], serviceAllocation: {serviceSelectors: [{matchExpressions: [{key: k, operator: Like}]}]}}',
        '{addresses: [192.0.2.9], serviceAllocation: {serviceSelectors: [{matchExpressions: [{operator: In}]}]}}',
        '{addresses: [192.0.2.10], autoAssign: no, avoidBuggyIPs: 5}',
        '{addresses: [192.0.2.11], autoAssign: Yes}',
      ]
        .map((spec, i) => pool(spec, 'IPAddressPool', `p${i}`))
        .join('') + ALL_L2,
    pools: {
      p0: { addresses: ['192.0.2.1'], autoAssign: false },
      p1: { addresses: ['192.0.2.2'], autoAssign: false },
      p10: { addresses: ['192.0.2.11'] },
      p2: { addresses: ['192.0.2.3'], autoAssign: false, serviceAllocation: {} },
      p3: { addresses: ['192.0.2.4'], autoAssign: false, serviceAllocation: {} },
      p4: { addresses: ['192.0.2.5'], autoAssign: false, serviceAllocation: { namespaces: ['a'] } },
      p5: {
        addresses: ['192.0.2.6'],
        autoAssign: false,
        serviceAllocation: { serviceSelectors: [{ matchLabels: { a: 'b' } }] },
      },
      p6: { addresses: ['192.0.2.7'], autoAssign: false, serviceAllocation: {} },
      p7: { addresses: ['192.0.2.8'], autoAssign: false, serviceAllocation: {} },
      p8: { addresses: ['192.0.2.9'], autoAssign: false, serviceAllocation: {} },
      p9: { addresses: ['192.0.2.10'], autoAssign: false },
    },
    notes: [
      'error IPAddressPool m/p0: spec.autoAssign: must be true or false, is "maybe"; it is left out',
      'error IPAddressPool m/p1: spec.serviceAllocation: must be an object, is []; it is left out',
      'error IPAddressPool m/p2: spec.serviceAllocation.priority: must be a whole number, is 1.5; it is left out',
      'error IPAddressPool m/p3: spec.serviceAllocation.serviceSelectors: must be a list, is {}; it is left out',
      'error IPAddressPool m/p4: spec.serviceAllocation.namespaces[1]: must be text, is 7; it is left out',
      'error IPAddressPool m/p5: spec.serviceAllocation.serviceSelectors[0]: must be an object, is "x"; it is left out',
      'error IPAddressPool m/p6: spec.serviceAllocation.serviceSelectors[0].matchLabels.x: must be text, is 1; it is left out',
      'error IPAddressPool m/p7: spec.serviceAllocation.serviceSelectors[0].matchExpressions[0].operator: must be one of In, NotIn, Exists, DoesNotExist, is "Like"; it is left out',
      'error IPAddressPool m/p8: spec.serviceAllocation.serviceSelectors[0].matchExpressions[0].key: must be text, is missing; it is left out',
      'error IPAddressPool m/p9: spec.avoidBuggyIPs: must be true or false, is 5; it is left out',
      ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => DOUBTFUL(`p${i}`)),
    ],
  },
  {
    name: 'the ConfigMap of 0.12: what is wrong in it',
    given: [
      'address-pools: [',
      'address-pools: 5',
      'address-pools: [{name: x, adresses: [192.0.2.0/28]}, {addresses: [192.0.2.0/28]}, {name: " ", addresses: [192.0.2.1]}, {name: good, addresses: [192.0.2.1, "x"]}]',
      'peers:',
      '--- |\naddress-pools: x\n',
      'address-pools: [{name: none, addresses: [x]}]',
      '{"address-pools": [{"name": "json", "protocol": 5, "addresses": ["192.0.2.2"]}]}',
    ]
      .map(
        (config, i) =>
          `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c${i}, namespace: metallb}\ndata: {config: ${JSON.stringify(config)}}\n`,
      )
      .join(''),
    pools: {
      good: { addresses: ['192.0.2.1'] },
      json: { addresses: ['192.0.2.2'], autoAssign: false },
    },
    notes: [
      'error ConfigMap metallb/c0: data.config: Flow sequence in block collection must be sufficiently indented and end with a ]; the object is left out',
      'error ConfigMap metallb/c1: data.config.address-pools: must be a list, is 5; it is left out',
      'error ConfigMap metallb/c2: data.config.address-pools[0].addresses: is empty; the pool is left out',
      'error ConfigMap metallb/c2: data.config.address-pools[1].name: is missing; the pool is left out',
      'error ConfigMap metallb/c2: data.config.address-pools[2].name: is missing; the pool is left out',
      `error ConfigMap metallb/c2: data.config.address-pools[3].addresses[1]: "x" is not an IP address; ${ALLOWED}; it is left out`,
      'error ConfigMap metallb/c4: data.config: must be an object; the object is left out',
      `error ConfigMap metallb/c5: data.config.address-pools[0].addresses[0]: "x" is not an IP address; ${ALLOWED}; no Pool is made`,
      'error ConfigMap metallb/c6: data.config.address-pools[0].protocol: must be text, is 5; it is left out',
      'no-equivalent ConfigMap metallb/c2: data.config.address-pools[0].adresses: ["192.0.2.0/28"]: a field that the import does not know; it is left out; did you mean addresses?',
      'ambiguous ConfigMap metallb/c6: the Pool has autoAssign: false, because not all of the fields above could be read',
    ],
  },
  {
    name: 'where there is a pool object, the ConfigMap is no longer read, as in MetalLB; AddressPool gives way, too',
    given:
      configMap({ config: 'address-pools: [{name: p, addresses: [192.0.2.0/26]}]' }, 'config') +
      pool('{addresses: [192.0.2.0/26], autoAssign: false}') +
      pool('{addresses: [192.0.2.0/28]}', 'AddressPool', 'a') +
      ALL_L2,
    pools: { p: { addresses: ['192.0.2.0/26'], autoAssign: false } },
    notes: [
      'ambiguous AddressPool m/a: 192.0.2.0/28 is in IPAddressPool m/p, too: it stays in Pool p',
      'ambiguous AddressPool m/a: nothing is left of it: no Pool is made',
      'ambiguous ConfigMap n/config: MetalLB 0.13 and later does not read it, and AddressPool m/a is here: it is left out; remove it',
    ],
  },
  {
    name: 'the ConfigMap of 0.2, and peers of another program',
    given:
      configMap(
        {
          config:
            'address-pools: [{name: lan, protocol: arp, arp-network: 192.0.2.0/24, cidr: [192.0.2.0/28]}]',
        },
        'config',
      ) + configMap({ config: 'peers: [a]' }, 'ledger'),
    pools: { lan: { addresses: ADDRESSES } },
    notes: [
      'no-equivalent ConfigMap n/config: data.config.address-pools[0].arp-network: "192.0.2.0/24": a field that the import does not know; it is left out',
    ],
  },
];

testCases('MetalLB', CASES);

test('MetalLB: the ConfigMap of 0.12', () => {
  const config =
    'address-pools:\n- {name: a, protocol: layer2, addresses: [192.0.2.0/28], avoid-buggy-ips: true}\n- {name: b, protocol: bgp, addresses: [198.51.100.0/28], auto-assign: false}\n';
  const given = `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config, namespace: m}\ndata: {config: ${JSON.stringify(config)}}\n`;
  const migration = migrateText(given);
  assert.deepEqual(specsOf(migration), {
    a: { addresses: ADDRESSES, avoidBuggyIPs: true },
    b: { addresses: ['198.51.100.0/28'], autoAssign: false },
  });
  assert.deepEqual(notesOf(migration), [
    `no-equivalent ConfigMap m/config: data.config.address-pools[1].protocol: ${BGP}`,
  ]);
});
