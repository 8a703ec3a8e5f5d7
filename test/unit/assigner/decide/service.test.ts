// Rows that the scenarios of test/script leave out: odd leftovers, and what only hands can have made.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterObject } from '../../../../src/api/cluster.ts';
import { claim, ip, node, pool, run, service } from '../objects.ts';

interface Row {
  readonly name: string;
  readonly given: readonly ClusterObject[];
  readonly want: readonly string[];
}

const P = pool('p', ['192.0.2.0/29']);

const ROWS: readonly Row[] = [
  {
    name: 'there is no Pool',
    given: [service('s')],
    want: ['default/s - NoPool: there is no Pool'],
  },
  {
    name: 'more Pools than a message holds',
    given: [
      ...Array.from({ length: 42 }, (_, i) =>
        pool(`p${i + 10}`, [`198.51.100.${i}`], { disabled: true }),
      ),
      service('s'),
    ],
    want: [
      `default/s - PoolNotUsable: ${Array.from({ length: 40 }, (_, i) => `Pool p${i + 10}: disabled`).join('; ')}; and 2 more Pools`,
    ],
  },
  {
    name: 'two holders of one port: the first by name has it',
    given: [
      P,
      ip('192.0.2.1', 'p', {
        claims: [claim('s', [80], { sharingKey: 'k' }), claim('t', [80], { sharingKey: 'k' })],
      }),
      service('s', { annotations: { 'vipvs.io/sharing-key': 'k' } }),
      service('t', { annotations: { 'vipvs.io/sharing-key': 'k' } }),
    ],
    want: [
      'IP 192.0.2.1 Active default/s[80] default/t[]',
      'default/s 192.0.2.1 Assigned: 192.0.2.1 from Pool p, request from annotation vipvs.io/sharing-key',
      'default/t 192.0.2.1 PortConflict: 192.0.2.1 from Pool p, request from annotation vipvs.io/sharing-key; port 80/TCP on 192.0.2.1 belongs to Service default/s',
    ],
  },
  {
    name: 'an IP with its holders in the status only',
    given: [P, ip('192.0.2.5', 'p', {}, { status: { services: [claim('s')] } }), service('s')],
    want: ['IP 192.0.2.5 Active ', 'default/s 192.0.2.5 Assigned: 192.0.2.5 from Pool p'],
  },
  {
    name: 'a sole holder changes its sharing key in place',
    given: [
      P,
      ip('192.0.2.5', 'p', { claims: [claim('s', [80], { sharingKey: 'old' })] }),
      service('s', { annotations: { 'vipvs.io/sharing-key': 'new' } }),
    ],
    want: [
      'IP 192.0.2.5 Active default/s[80]',
      'default/s 192.0.2.5 Assigned: 192.0.2.5 from Pool p, request from annotation vipvs.io/sharing-key',
    ],
  },
  {
    name: 'a broken request changes nothing of the claim',
    given: [
      P,
      ip('192.0.2.5', 'p', { claims: [claim('s', [80], { sharingKey: 'old' })] }),
      service('s', { annotations: { 'vipvs.io/addresses': 'x' } }),
    ],
    want: [
      'IP 192.0.2.5 Active default/s[80]',
      'default/s 192.0.2.5 RequestNotGranted: 192.0.2.5 from Pool p, request from annotation vipvs.io/addresses; the request is refused: vipvs.io/addresses: "x" is not an IP address; allowed: addresses separated by commas',
    ],
  },
  {
    name: 'a holder without ports keeps its address',
    given: [P, ip('192.0.2.5', 'p', { claims: [claim('s')] }), service('s', { ports: [] })],
    want: [
      'IP 192.0.2.5 Active default/s[80]',
      'default/s 192.0.2.5 RequestNotGranted: 192.0.2.5 from Pool p; the request is refused: the Service has no ports',
    ].map((line) => line.replace('[80]', '[]')),
  },
  {
    name: 'the same port twice counts once',
    given: [P, service('s', { ports: [80, 443, 80] })],
    want: [
      'IP 192.0.2.0 Active default/s[80,443]',
      'default/s 192.0.2.0 Assigned: 192.0.2.0 from Pool p',
    ],
  },
  {
    name: 'a namespace counts once for an address that it shares',
    given: [
      pool('p', ['192.0.2.0/29'], { perNamespaceLimit: 1 }),
      service('s', { ports: [80], annotations: { 'vipvs.io/sharing-key': 'k' } }),
      service('t', { ports: [81], annotations: { 'vipvs.io/sharing-key': 'k' } }),
    ],
    want: [
      'IP 192.0.2.0 Active default/s[80] default/t[81]',
      'default/s 192.0.2.0 Assigned: 192.0.2.0 from Pool p, request from annotation vipvs.io/sharing-key',
      'default/t 192.0.2.0 Assigned: 192.0.2.0 from Pool p, request from annotation vipvs.io/sharing-key',
    ],
  },
  {
    name: 'SingleStack with leftovers of two Pools keeps the one in the Pool that is asked for',
    given: [
      P,
      pool('q', ['2001:db8::/64', '198.51.100.0/24']),
      ip('192.0.2.1', 'p', { claims: [claim('s')] }),
      ip('2001:db8::1', 'q', { claims: [claim('s')] }),
      service('s', {
        annotations: { 'vipvs.io/pool': 'q' },
        spec: { ipFamilyPolicy: 'SingleStack' },
      }),
    ],
    want: [
      'IP 2001:db8::1 Active default/s[80]',
      'default/s 2001:db8::1 Assigned: 2001:db8::1 from Pool q, request from annotation vipvs.io/pool',
    ],
  },
  {
    name: 'renumbering leaves the address that is still in its Pool',
    given: [
      pool(
        'p',
        ['192.0.2.0/29', '2001:db8::/64'],
        {},
        { annotations: { 'vipvs.io/allow-renumber': 'true' } },
      ),
      ip('192.0.2.1', 'p', { claims: [claim('s')] }),
      ip('2001:db9::1', 'p', { claims: [claim('s')] }),
      service('s', { spec: { ipFamilyPolicy: 'RequireDualStack' } }),
    ],
    want: [
      'IP 192.0.2.1 Active default/s[80]',
      'IP 2001:db8:: Active default/s[80]',
      'default/s 192.0.2.1,2001:db8:: Assigned: 192.0.2.1, 2001:db8:: from Pool p',
    ],
  },
  {
    name: 'a Pool that is named and not there stops no other that is named',
    given: [P, service('s', { annotations: { 'vipvs.io/pool': 'nowhere,p' } })],
    want: [
      'IP 192.0.2.0 Active default/s[80]',
      'default/s 192.0.2.0 Assigned: 192.0.2.0 from Pool p, request from annotation vipvs.io/pool',
    ],
  },
  {
    name: 'of the Pools that are named: an address of another, and one of none, beside them',
    given: [
      P,
      pool('six', ['2001:db8::/125']),
      pool('other', ['2001:db8:1::/125']),
      ip('2001:db8:1::1', 'other', { claims: [claim('s')] }),
      service('s', {
        annotations: { 'vipvs.io/pool': 'p,six', 'vipvs.io/addresses': '192.0.2.3' },
        spec: { ipFamilyPolicy: 'RequireDualStack' },
      }),
      service('t', {
        annotations: { 'vipvs.io/pool': 'p', 'vipvs.io/addresses': '203.0.113.1' },
      }),
    ],
    want: [
      'IP 192.0.2.3 Active default/s[80]',
      'IP 2001:db8:: Active default/s[80]',
      'default/s 192.0.2.3,2001:db8:: Assigned: 192.0.2.3, 2001:db8:: from Pool p, six, request from annotation vipvs.io/pool and annotation vipvs.io/addresses',
      'default/t - AddressNotInPool: 203.0.113.1 is in no usable Pool; request from annotation vipvs.io/pool and annotation vipvs.io/addresses',
    ],
  },
  {
    name: 'an address that is asked for stays, though its Pool lets such addresses go',
    given: [
      pool('p', ['192.0.2.0/29'], {}, { annotations: { 'vipvs.io/allow-renumber': 'true' } }),
      ip('198.51.100.1', 'p', { claims: [claim('s')] }),
      service('s', { annotations: { 'vipvs.io/addresses': '198.51.100.1' } }),
    ],
    want: [
      'IP 198.51.100.1 Active default/s[80] (Pool p does not hold this address)',
      'default/s 198.51.100.1 AddressOutsidePool: 198.51.100.1, request from annotation vipvs.io/addresses; Pool p does not hold 198.51.100.1 any more; the address is kept; annotate the Pool with vipvs.io/allow-renumber=true to let it go',
    ],
  },
  {
    name: 'asking for an address that its Pool has lost is no reason to lose it',
    given: [
      pool('p', ['192.0.2.0/29', '2001:db8::/64']),
      ip('198.51.100.1', 'p', { claims: [claim('s')] }),
      service('s', {
        annotations: { 'vipvs.io/addresses': '198.51.100.1,2001:db8::5' },
        spec: { ipFamilyPolicy: 'RequireDualStack' },
      }),
    ],
    want: [
      'IP 198.51.100.1 Active default/s[80] (Pool p does not hold this address)',
      'IP 2001:db8::5 Active default/s[80]',
      'default/s 198.51.100.1,2001:db8::5 AddressOutsidePool: 198.51.100.1, 2001:db8::5 from Pool p, request from annotation vipvs.io/addresses; Pool p does not hold 198.51.100.1 any more; the address is kept; annotate the Pool with vipvs.io/allow-renumber=true to let it go',
    ],
  },
  {
    name: 'of several claims of one family the one in a Pool stays, then the lowest',
    given: [
      P,
      ip('192.0.2.9', 'p', { claims: [claim('s')] }),
      ip('192.0.2.3', 'p', { claims: [claim('s')] }),
      ip('192.0.2.2', 'p', { claims: [claim('s')] }),
      ip('192.0.2.5', 'p', { claims: [claim('t')] }),
      ip('192.0.2.10', 'p', { claims: [claim('t')] }),
      service('s'),
      service('t'),
    ],
    want: [
      'IP 192.0.2.2 Active default/s[80]',
      'IP 192.0.2.5 Active default/t[80]',
      'default/s 192.0.2.2 Assigned: 192.0.2.2 from Pool p',
      'default/t 192.0.2.5 Assigned: 192.0.2.5 from Pool p',
    ],
  },
  {
    name: 'of several claims of one family the one that is shown stays',
    given: [
      P,
      ip('192.0.2.2', 'p', { claims: [claim('s')] }),
      ip('192.0.2.3', 'p', { claims: [claim('s')] }),
      service('s', { shows: ['192.0.2.3'] }),
    ],
    want: [
      'IP 192.0.2.3 Active default/s[80]',
      'default/s 192.0.2.3 Assigned: 192.0.2.3 from Pool p',
    ],
  },
  {
    name: 'of several claims of one family the one that is asked for stays',
    given: [
      P,
      ip('192.0.2.3', 'p', { claims: [claim('s')] }),
      ip('192.0.2.2', 'p', { claims: [claim('s')] }),
      service('s', { annotations: { 'vipvs.io/addresses': '192.0.2.3', 'vipvs.io/pool': 'p' } }),
    ],
    want: [
      'IP 192.0.2.3 Active default/s[80]',
      'default/s 192.0.2.3 Assigned: 192.0.2.3 from Pool p, request from annotation vipvs.io/pool and annotation vipvs.io/addresses',
    ],
  },
  {
    name: 'asking for an address of a Pool that is gone costs the other one nothing',
    given: [
      pool('p', ['2001:db8::/64']),
      ip('198.51.100.1', 'gone', { claims: [claim('s')] }),
      ip('2001:db8::1', 'p', { claims: [claim('s')] }),
      service('s', {
        annotations: { 'vipvs.io/addresses': '198.51.100.1' },
        spec: { ipFamilyPolicy: 'RequireDualStack' },
      }),
    ],
    want: [
      'IP 198.51.100.1 Active default/s[80] (Pool gone does not hold this address)',
      'IP 2001:db8::1 Active default/s[80]',
      'default/s 198.51.100.1,2001:db8::1 AddressOutsidePool: 198.51.100.1, 2001:db8::1 from Pool p, request from annotation vipvs.io/addresses; Pool gone does not exist; the address is kept',
    ],
  },
  {
    name: 'a Service of another family keeps its address until one of that family is there',
    given: [
      P,
      ip('192.0.2.1', 'p', { claims: [claim('s')] }),
      service('s', { spec: { ipFamilies: ['IPv6'] } }),
    ],
    want: [
      'IP 192.0.2.1 Active default/s[80]',
      "default/s 192.0.2.1 RequestNotGranted: 192.0.2.1 from Pool p; the request can't be granted: Pool p: has no IPv6 addresses",
    ],
  },
  {
    name: 'a reservation in the wrong Pool, in none, on a node; one with a note of its own',
    given: [
      P,
      pool('q', ['198.51.100.0/30']),
      node('n2', ['198.51.100.1']),
      node('n1', ['198.51.100.1']),
      ip('192.0.2.1', 'q', { retain: true }),
      ip('198.51.100.1', 'q', { retain: true }),
      ip(
        '198.51.100.2',
        'q',
        {},
        { metadata: { name: '198.51.100.2', annotations: { note: 'mine' } } },
      ),
      ip('203.0.113.1', 'gone'),
    ],
    want: [
      'IP 192.0.2.1 Failed  (this address is in Pool p, not q)',
      'IP 198.51.100.1 Conflict  (node n1 has this address itself)',
      'IP 198.51.100.2 Reserved  (reserved; given only to a Service that asks for this address)',
      'IP 203.0.113.1 Failed  (Pool gone does not hold this address)',
    ],
  },
  {
    name: 'a user may reserve, claim and keep notes on an IP',
    given: [
      P,
      ip(
        '192.0.2.2',
        'p',
        {},
        {
          metadata: {
            name: '192.0.2.2',
            annotations: { note: 'mine', 'vipvs.io/last-service': 'default/s' },
          },
        },
      ),
      service('s'),
    ],
    want: [
      'IP 192.0.2.2 Active default/s[80]',
      'default/s 192.0.2.2 Assigned: 192.0.2.2 from Pool p',
    ],
  },
  {
    name: 'an address that is held back, without a clock and with a time that is none',
    given: [
      P,
      ip('192.0.2.1', 'p', { holdSeconds: 5, claims: [claim('gone')] }),
      ip(
        '192.0.2.2',
        'p',
        { holdSeconds: 5, claims: [] },
        { status: { phase: 'Held', heldUntil: 'soon' } },
      ),
      ip(
        '192.0.2.3',
        'p',
        { claims: [] },
        { status: { phase: 'Held', heldUntil: '2026-01-01T00:00:00Z' } },
      ),
      service('s', { annotations: { 'vipvs.io/addresses': '192.0.2.1' } }),
      service('t', { annotations: { 'vipvs.io/addresses': '192.0.2.3' } }),
    ],
    want: [
      'IP 192.0.2.1 Held  (held back; Service default/gone had it last)',
      'IP 192.0.2.2 Held  (held)',
      'IP 192.0.2.3 Held  (held)',
      'default/s - AddressHeld: Pool p: 192.0.2.1 is held back after its last Service; request from annotation vipvs.io/addresses',
      'default/t - AddressHeld: Pool p: 192.0.2.3 is held back until 2026-01-01T00:00:00Z after its last Service; request from annotation vipvs.io/addresses',
    ],
  },
  {
    name: 'a foreign Service keeps its own status and loses what we wrote',
    given: [
      P,
      service('written', {
        spec: { type: 'LoadBalancer', loadBalancerClass: 'else.where/lb' },
        shows: ['192.0.2.1', '203.0.113.9', 'garbage'],
        conditions: [
          { type: 'vipvs.io/AddressAssigned', status: 'True', reason: 'Assigned', message: '' },
          { type: 'vipvs.io/Programmed', status: 'True', reason: 'Programmed', message: '' },
          { type: 'else.where/Ready', status: 'True', reason: 'Ready', message: '' },
        ],
      }),
      service('untouched', {
        spec: { type: 'LoadBalancer', loadBalancerClass: 'else.where/lb' },
        shows: ['192.0.2.1', '203.0.113.9'],
        conditions: [
          { type: 'vipvs.io/AddressAssigned', status: 'False', reason: 'NoPool', message: '' },
        ],
      }),
    ],
    want: ['default/untouched 192.0.2.1,203.0.113.9 :', 'default/written 203.0.113.9,garbage :'],
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
