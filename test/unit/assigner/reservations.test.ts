// Addresses that are reserved for one Service, among Pools that come before theirs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterObject } from '../../../src/api/cluster.ts';
import { claim, ip, node, pool, run, service } from './objects.ts';

interface Row {
  readonly name: string;
  readonly given: readonly ClusterObject[];
  readonly want: readonly string[];
}

const P = pool('p', ['192.0.2.0/29']);
const REQUIRES = service('s', { spec: { ipFamilyPolicy: 'RequireDualStack' } });

const ROWS: readonly Row[] = [
  {
    name: 'a reservation for the Service says which Pool is meant, whatever their order',
    given: [
      pool('a', ['198.51.100.0/29']),
      P,
      ip('192.0.2.5', 'p', { reservedFor: { namespace: 'default', service: 's' } }),
      service('s'),
    ],
    want: [
      'IP 192.0.2.5 Active default/s[80]',
      'default/s 192.0.2.5 Assigned: 192.0.2.5 from Pool p',
    ],
  },
  {
    name: 'a Pool that is asked for its reservation and in its turn says once why not',
    given: [
      P,
      ip('192.0.2.5', 'p', { reservedFor: { namespace: 'default', service: 's' } }),
      service('s', { spec: { ipFamilyPolicy: 'RequireDualStack' } }),
    ],
    want: [
      'IP 192.0.2.5 Reserved  (reserved for Service default/s)',
      'default/s - FamilyNotAvailable: Pool p: has no IPv6 addresses',
    ],
  },
  {
    name: 'a reservation does not move a Service that has an address',
    given: [
      pool('a', ['198.51.100.0/29']),
      P,
      ip('198.51.100.3', 'a', { claims: [claim('s')] }),
      ip('192.0.2.5', 'p', { reservedFor: { namespace: 'default', service: 's' } }),
      service('s'),
    ],
    want: [
      'IP 192.0.2.5 Reserved  (reserved for Service default/s)',
      'IP 198.51.100.3 Active default/s[80]',
      'default/s 198.51.100.3 Assigned: 198.51.100.3 from Pool a',
    ],
  },
  {
    name: 'a reservation that a node, another holder, no Pool or another family is behind is passed over',
    given: [
      pool('a', ['198.51.100.0/29']),
      P,
      pool('six', ['2001:db8::/125']),
      node('n', ['192.0.2.6']),
      ip('203.0.113.1', 'p', { reservedFor: { namespace: 'default', service: 's' } }),
      ip('192.0.2.6', 'p', { reservedFor: { namespace: 'default', service: 's' } }),
      ip('192.0.2.3', 'p', {
        reservedFor: { namespace: 'default', service: 's' },
        claims: [claim('t')],
      }),
      ip('2001:db8::1', 'six', { reservedFor: { namespace: 'default', service: 's' } }),
      service('s', { spec: { ipFamilies: ['IPv4'] } }),
      service('t'),
    ],
    want: [
      'IP 192.0.2.3 Active default/t[80]',
      'IP 192.0.2.6 Conflict  (node n has this address itself)',
      'IP 198.51.100.0 Active default/s[80]',
      'IP 203.0.113.1 Failed  (Pool p does not hold this address)',
      'IP 2001:db8::1 Reserved  (reserved for Service default/s)',
      'default/s 198.51.100.0 Assigned: 198.51.100.0 from Pool a',
      'default/t 192.0.2.3 Assigned: 192.0.2.3 from Pool p',
    ],
  },
  {
    name: 'the reserved address is over the limit of its Pool: another Pool gives one',
    given: [
      pool('a', ['198.51.100.0/29']),
      pool('p', ['192.0.2.0/29'], { perNamespaceLimit: 1 }),
      ip('192.0.2.4', 'p', { claims: [claim('t')] }),
      ip('192.0.2.5', 'p', { reservedFor: { namespace: 'default', service: 's' } }),
      service('s'),
      service('t'),
    ],
    want: [
      'IP 192.0.2.4 Active default/t[80]',
      'IP 192.0.2.5 Reserved  (reserved for Service default/s)',
      'IP 198.51.100.0 Active default/s[80]',
      'default/s 198.51.100.0 Assigned: 198.51.100.0 from Pool a',
      'default/t 192.0.2.4 Assigned: 192.0.2.4 from Pool p',
    ],
  },
  {
    name: 'reserved addresses of two Pools are one each',
    given: [
      pool('a', ['198.51.100.0/29', '2001:db8:1::/125']),
      P,
      pool('six', ['2001:db8::/125']),
      ip('192.0.2.5', 'p', { reservedFor: { namespace: 'default', service: 's' } }),
      ip('2001:db8::5', 'six', { reservedFor: { namespace: 'default', service: 's' } }),
      service('s', { spec: { ipFamilyPolicy: 'RequireDualStack' } }),
    ],
    want: [
      'IP 192.0.2.5 Active default/s[80]',
      'IP 2001:db8::5 Active default/s[80]',
      'default/s 192.0.2.5,2001:db8::5 Assigned: 192.0.2.5, 2001:db8::5 from Pool p, six',
    ],
  },
  {
    name: 'a claim of a decision that was cut off is no use without the second family: nothing is left',
    given: [P, ip('192.0.2.1', 'p', { claims: [claim('s')] }), REQUIRES],
    want: ['default/s - FamilyNotAvailable: Pool p: has no IPv6 addresses'],
  },
  {
    name: 'an address that is shown is kept for want of the second',
    given: [P, { ...REQUIRES, status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } } }],
    want: [
      'IP 192.0.2.1 Active default/s[80]',
      "default/s 192.0.2.1 RequestNotGranted: 192.0.2.1 from Pool p; the request can't be granted: Pool p: has no IPv6 addresses",
    ],
  },
];

for (const { name, given, want } of ROWS) {
  test(`assigner: ${name}`, () => {
    const lines = run(given)
      .filter((line) => !line.startsWith('Pool '))
      .map((line) => line.trim());
    assert.deepEqual(
      lines,
      want.map((line) => line.trim()),
    );
  });
}
