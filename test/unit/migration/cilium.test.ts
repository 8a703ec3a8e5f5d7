import {
  configMap,
  ALLOWED,
  VARIABLE,
  objectText,
  testCases,
  type SourceCase,
} from './read-objects.ts';

const cilium = (name: string, spec: unknown, kind = 'CiliumLoadBalancerIPPool'): string =>
  objectText('cilium.io/v2alpha1', kind, name, spec);
const NS = 'io.kubernetes.service.namespace';
const BLOCKS = { blocks: [{ start: '192.0.2.1', stop: '192.0.2.9' }] };
const RANGE = ['192.0.2.1-192.0.2.9'];
const unset = (name: string, taken: string): string =>
  `ambiguous CiliumLoadBalancerIPPool ${name}: spec.allowFirstLastIPs: not set, which means No up to Cilium 1.15 and Yes since 1.16; ${taken}`;

const selecting = (
  name: string,
  matchExpressions: readonly unknown[],
  want: Readonly<Record<string, unknown>>,
  notes: readonly string[] = [],
): SourceCase => ({
  name,
  given: cilium('p', { ...BLOCKS, serviceSelector: { matchExpressions } }),
  pools: { p: { addresses: RANGE, ...want } },
  notes,
});
const NOBODY =
  'ambiguous CiliumLoadBalancerIPPool p: spec.serviceSelector: selects no namespace at all: the Pool is disabled';

const CILIUM: readonly SourceCase[] = [
  {
    name: 'blocks: No leaves the ends of CIDRs out, not those of /31, single addresses and ranges',
    given: cilium('p', {
      blocks: [
        { cidr: '192.0.2.0/28' },
        { cidr: '198.51.100.0/31' },
        { start: '203.0.113.1' },
        { cidr: '2001:db8::/126' },
      ],
      allowFirstLastIPs: 'No',
    }),
    pools: {
      p: {
        addresses: ['192.0.2.0/28', '198.51.100.0/31', '203.0.113.1', '2001:db8::/126'],
        filterIPs: ['192.0.2.0', '192.0.2.15', '2001:db8::', '2001:db8::3'],
      },
    },
  },
  {
    name: 'Yes, and not set in both generations',
    given:
      cilium('a', { blocks: [{ cidr: '192.0.2.0/29' }], allowFirstLastIPs: 'Yes' }) +
      cilium('b', { blocks: [{ cidr: '192.0.2.8/29' }] }) +
      cilium('c', { cidrs: [{ cidr: '192.0.2.16/29' }] }),
    pools: {
      a: { addresses: ['192.0.2.0/29'] },
      b: { addresses: ['192.0.2.8/29'] },
      c: { addresses: ['192.0.2.16/29'], filterIPs: ['192.0.2.16', '192.0.2.23'] },
    },
    notes: [
      unset('b', 'Yes is taken: the first and the last address of each CIDR are handed out'),
      unset(
        'c',
        'No is taken, because spec.cidrs is of 1.14 or before: they are in spec.filterIPs',
      ),
    ],
  },
  selecting('an empty selector is for all', [], {}),
  selecting(
    'namespaces by In, twice',
    [
      { key: NS, operator: 'In', values: ['a', 'b', 'c'] },
      { key: NS, operator: 'In', values: ['b', 'c', 'd'] },
      { key: NS, operator: 'NotIn', values: ['c'] },
      { key: NS, operator: 'Exists' },
    ],
    { serviceAllocation: { namespaces: ['b'] } },
  ),
  selecting(
    'namespaces by NotIn, and labels',
    [
      { key: NS, operator: 'NotIn', values: ['a'] },
      { key: 'color', operator: 'Exists' },
    ],
    {
      serviceAllocation: {
        namespaceSelectors: [
          {
            matchExpressions: [
              { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['a'] },
            ],
          },
        ],
        serviceSelectors: [{ matchExpressions: [{ key: 'color', operator: 'Exists' }] }],
      },
    },
  ),
  selecting(
    'no namespace is left',
    [
      { key: NS, operator: 'In', values: ['a'] },
      { key: NS, operator: 'NotIn', values: ['a'] },
    ],
    { disabled: true },
    [NOBODY],
  ),
  selecting('no namespace can be', [{ key: NS, operator: 'DoesNotExist' }], { disabled: true }, [
    NOBODY,
  ]),
  {
    name: 'v2 says what it means: Yes',
    given: cilium('a', { blocks: [{ cidr: '192.0.2.0/28' }] }).replace('v2alpha1', 'v2'),
    pools: { a: { addresses: ['192.0.2.0/28'] } },
  },
  {
    name: 'the ConfigMap of the BGP that it had from MetalLB',
    given: configMap(
      { 'config.yaml': 'address-pools: [{name: a, addresses: [192.0.2.0/28]}]' },
      'bgp-config',
    ),
    pools: { a: { addresses: ['192.0.2.0/28'] } },
  },
  {
    name: 'the ConfigMap beside a pool object: LB IPAM reads the object',
    given:
      configMap(
        { 'config.yaml': 'address-pools: [{name: a, addresses: [192.0.2.0/24]}]' },
        'bgp-config',
      ) + cilium('a', { blocks: [{ start: '192.0.2.1', stop: '192.0.2.9' }] }),
    pools: { a: { addresses: ['192.0.2.1-192.0.2.9'] } },
    notes: [
      'ambiguous ConfigMap n/bgp-config: LB IPAM does not read it, and CiliumLoadBalancerIPPool a is here: it is left out; remove it',
    ],
  },
  {
    name: 'wrong pools',
    given:
      cilium('a', { blocks: [] }) +
      cilium('b', { blocks: [{}] }) +
      cilium('c', { blocks: [{ start: '192.0.2.9', stop: '192.0.2.1' }] }) +
      cilium('d', { blocks: [{ cidr: '${POOL}' }, {}, { start: '192.0.2.1' }, 5] }) +
      cilium('e', { blocks: [{ start: '192.0.2.2' }], serviceSelector: { matchLabels: ['x'] } }),
    pools: {
      d: { addresses: ['192.0.2.1'], autoAssign: false },
      e: { addresses: ['192.0.2.2'], autoAssign: false },
    },
    notes: [
      'error CiliumLoadBalancerIPPool a: spec.blocks: is empty; the object is left out',
      'error CiliumLoadBalancerIPPool b: spec.blocks[0].cidr: has neither cidr nor start; it is left out',
      `error CiliumLoadBalancerIPPool c: spec.blocks[0].start: range "192.0.2.9-192.0.2.1" ends before it starts; ${ALLOWED}; no Pool is made`,
      `error CiliumLoadBalancerIPPool d: spec.blocks[0].cidr: "\${POOL}" is not an IP address; ${ALLOWED}; ${VARIABLE}; it is left out`,
      'error CiliumLoadBalancerIPPool d: spec.blocks[1].cidr: has neither cidr nor start; it is left out',
      'error CiliumLoadBalancerIPPool d: spec.blocks[3]: must be an object, is 5; it is left out',
      'error CiliumLoadBalancerIPPool e: spec.serviceSelector.matchLabels: must be an object, is ["x"]; it is left out',
      ...['d', 'e'].map(
        (name) =>
          `ambiguous CiliumLoadBalancerIPPool ${name}: the Pool has autoAssign: false, because not all of the fields above could be read`,
      ),
    ],
  },
  ...[
    { name: 'one interface', spec: { interfaces: ['^eth1$'] }, want: 'eth1' },
    { name: 'all interfaces', spec: {} },
    {
      name: 'a selector',
      spec: { interfaces: ['eth1'], serviceSelector: { matchLabels: { a: 'b' } } },
      notes: [
        'no-equivalent CiliumL2AnnouncementPolicy l: spec.serviceSelector: every Service with an address of a Pool is announced',
        'ambiguous CiliumL2AnnouncementPolicy l: spec.interfaces: eth1: not one interface for all Services; set spec.bindInterface of the Pools, or --bind-iface of the agent decides',
      ],
    },
    {
      name: 'an expression',
      spec: { interfaces: ['^eth[0-9]+'] },
      notes: [
        'ambiguous CiliumL2AnnouncementPolicy l: spec.interfaces: ^eth[0-9]+: not one interface for all Services; set spec.bindInterface of the Pools, or --bind-iface of the agent decides',
      ],
    },
  ].map(({ name, spec, want, notes }): SourceCase => ({
    name: `CiliumL2AnnouncementPolicy: ${name}`,
    given: cilium('p', BLOCKS) + cilium('l', spec, 'CiliumL2AnnouncementPolicy'),
    pools: { p: { addresses: RANGE, ...(want === undefined ? {} : { bindInterface: want }) } },
    notes: notes ?? [],
  })),
  {
    name: 'other kinds of Cilium are not for the import',
    given: cilium('n', {}, 'CiliumNode'),
    pools: {},
  },
];
testCases('Cilium', CILIUM);
