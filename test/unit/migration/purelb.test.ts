import { VARIABLE, objectText, testCases, type SourceCase } from './read-objects.ts';

const V4 = { subnet: '192.0.2.0/24', pool: '192.0.2.0/28' };
const purelb = (name: string, spec: unknown, kind = 'ServiceGroup'): string =>
  objectText('purelb.io/v2', kind, name, spec, ', namespace: p');
const LISTED =
  'spec.namespaces: Services of other namespaces may ask for the group; serviceAllocation.namespaces of a Pool lets in only those named';

const PURELB: readonly SourceCase[] = [
  {
    name: 'default is for everybody, others by annotation; the first shape of the spec',
    given:
      purelb('default', { local: V4 }) +
      purelb('more', { local: { v4pool: { pool: '198.51.100.0/28' } } }),
    pools: {
      default: { addresses: ['192.0.2.0/28'] },
      more: { addresses: ['198.51.100.0/28'], autoAssign: false },
    },
  },
  {
    name: 'two groups for a namespace: the marked one, or the default group',
    given:
      purelb('default', { local: V4 }) +
      purelb('a1', {
        local: { v4pool: { pool: '198.51.100.0/28' } },
        namespaces: ['a', 'b'],
        namespaceDefault: true,
      }) +
      purelb('a2', { local: { v4pool: { pool: '198.51.100.16/28' } }, namespaces: ['a'] }) +
      purelb('c1', { local: { v4pool: { pool: '198.51.100.32/28' } }, namespaces: ['c'] }) +
      purelb('c2', { local: { v4pool: { pool: '198.51.100.48/28' } }, namespaces: ['c'] }),
    pools: {
      default: { addresses: ['192.0.2.0/28'], ignoreNamespaces: ['a', 'b'] },
      a1: { addresses: ['198.51.100.0/28'], serviceAllocation: { namespaces: ['a', 'b'] } },
      a2: {
        addresses: ['198.51.100.16/28'],
        autoAssign: false,
        serviceAllocation: { namespaces: ['a'] },
      },
      c1: {
        addresses: ['198.51.100.32/28'],
        autoAssign: false,
        serviceAllocation: { namespaces: ['c'] },
      },
      c2: {
        addresses: ['198.51.100.48/28'],
        autoAssign: false,
        serviceAllocation: { namespaces: ['c'] },
      },
    },
    notes: [
      `ambiguous ServiceGroup p/a1: ${LISTED}`,
      ...['a2', 'c1', 'c2'].map(
        (name) =>
          `ambiguous ServiceGroup p/${name}: ${LISTED}, and no group is marked as namespaceDefault for them`,
      ),
    ],
  },
  {
    name: 'what has no equivalent',
    given: purelb('default', {
      local: { v4pools: [{ ...V4, aggregation: '/24' }], multiPool: true, balancePools: true },
      more: 1,
    }),
    pools: { default: { addresses: ['192.0.2.0/28'] } },
    notes: [
      'no-equivalent ServiceGroup p/default: spec.local.balancePools: true: vipvs fills the ranges in the order in which they stand',
      'no-equivalent ServiceGroup p/default: spec.local.multiPool: true: a Service has one address of each family',
      'no-equivalent ServiceGroup p/default: spec.local.v4pools[0].aggregation: /24: VIPs are bound as /32 and /128; let the routing daemon aggregate',
      'no-equivalent ServiceGroup p/default: spec.more: 1: a field that the import does not know; it is left out',
    ],
  },
  {
    name: 'wrong groups',
    given:
      purelb('a', {}) +
      purelb('b', { local: {} }) +
      purelb('c', { local: { ...V4, pool: '198.51.100.0/28' } }) +
      purelb('d', { local: { v4pool: {} } }) +
      purelb('e', {}, 'Other') +
      purelb('f', {
        local: { v4pools: [V4, { pool: '${MORE}' }, 5] },
        namespaces: 'a',
        enforceNamespaces: false,
      }),
    pools: { f: { addresses: ['192.0.2.0/28'], autoAssign: false } },
    notes: [
      'error ServiceGroup p/a: spec: has neither local nor remote; the object is left out',
      'error ServiceGroup p/b: spec.local.v4pool: has no pool; the object is left out',
      'error ServiceGroup p/c: spec.local.pool: is not inside 192.0.2.0/24; it is left out',
      'error ServiceGroup p/d: spec.local.v4pool.pool: is missing; it is left out',
      `error ServiceGroup p/f: spec.local.v4pools[1].pool: "\${MORE}" is not an IP address; ${VARIABLE}; it is left out`,
      'error ServiceGroup p/f: spec.local.v4pools[2]: must be an object, is 5; it is left out',
      'error ServiceGroup p/f: spec.namespaces: must be a list, is "a"; it is left out',
      'no-equivalent Other p/e: a kind that the import does not know; it is left out',
    ],
  },
  ...[
    { name: 'an interface by name', spec: { local: { localint: 'eth1' } }, want: 'eth1' },
    { name: 'the default interface', spec: { local: { localint: 'default' } } },
    { name: 'no interface', spec: { local: { garpConfig: {} } } },
    { name: 'an agent without local', spec: {} },
    { name: 'v2', spec: { local: { localInterface: '^ens3$' } }, want: 'ens3' },
    {
      name: 'a regular expression',
      spec: { local: { localint: 'eth.*' } },
      notes: [
        'ambiguous LBNodeAgent p/n: spec.local.localint: eth.* may match several interfaces; set spec.bindInterface of the Pools',
      ],
    },
  ].map(({ name, spec, want, notes }): SourceCase => ({
    name: `LBNodeAgent: ${name}`,
    given: purelb('default', { local: V4 }) + purelb('n', spec, 'LBNodeAgent'),
    pools: {
      default: {
        addresses: ['192.0.2.0/28'],
        ...(want === undefined ? {} : { bindInterface: want }),
      },
    },
    notes: notes ?? [],
  })),
  {
    name: 'LBNodeAgents that differ decide nothing',
    given:
      purelb('default', { local: V4 }) +
      purelb('n', { local: { localint: 'eth1' } }, 'LBNodeAgent') +
      purelb('m', { local: { localint: 'eth2' }, nodeSelector: { a: 'b' } }, 'LBNodeAgent'),
    pools: { default: { addresses: ['192.0.2.0/28'] } },
    notes: [
      'no-equivalent LBNodeAgent p/m: spec.nodeSelector: {"a":"b"}: label the nodes that may hold VIPs as directors instead (vipvs.io/director)',
    ],
  },
];
testCases('PureLB', PURELB);
