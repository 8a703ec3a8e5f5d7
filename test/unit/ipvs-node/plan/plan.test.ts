// Plans as the lines an operator would type: order, drains, ownership, incomplete readings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bindingKey } from '../../../../src/ipvs-node/model/owned.ts';
import { planNode, planScope } from '../../../../src/ipvs-node/plan/plan.ts';
import { parseIp } from '../../../../src/net/address.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';
import { desiredOf, observedOf, withConnections, opText } from '../kernel-text.ts';
import {
  ANNOUNCE,
  checkPlans,
  DELETE1,
  DRAIN1,
  KEY,
  LIMITS,
  NOW,
  RS1,
  RS2,
  RS81,
  VIP,
  VS,
  VS81,
  WEIGHT0,
  type Case,
} from './plan-case.ts';

const NONE = desiredOf([]);
const EMPTY = observedOf([]);
const notOurs = (): boolean => false;
const CASES: readonly Case[] = [
  { name: 'nothing to do', desired: NONE, observed: EMPTY, want: [] },
  {
    name: 'from empty: sysctl, firewall, virtual server, real servers, address, announcement',
    desired: desiredOf([VS, RS2, RS1, VIP], 60, {
      sysctls: { 'net/ipv4/vs/conntrack': 1 },
      firewall: {
        vips4: [parseIp('192.0.2.10')],
        ports4: [{ vip: parseIp('192.0.2.10'), port: 80, protocol: 'TCP' }],
      },
    }),
    observed: observedOf([], undefined, {
      firewall: {},
      sysctls: { 'net/ipv4/vs/conntrack': 0 },
    }),
    want: [
      'sysctl -w net.ipv4.vs.conntrack=1',
      'fw.add ports4 192.0.2.10:80/TCP',
      'fw.add vips4 192.0.2.10',
      `ipvsadm ${VS}`,
      `ipvsadm ${RS2}`,
      `ipvsadm ${RS1}`,
      VIP,
      ANNOUNCE,
    ],
  },
  {
    name: 'virtual servers in canonical order, IPv4 first',
    desired: desiredOf([
      '-A -t [2001:db8::2]:80 -s rr',
      '-A -t [2001:db8::1]:80 -s rr',
      '-A -u 192.0.2.10:80 -s rr',
      '-A -t 192.0.2.10:80 -s rr',
      '-A -t 192.0.2.9:443 -s rr',
    ]),
    observed: EMPTY,
    want: [
      'ipvsadm -A -t 192.0.2.9:443 -s rr',
      'ipvsadm -A -t 192.0.2.10:80 -s rr',
      'ipvsadm -A -u 192.0.2.10:80 -s rr',
      'ipvsadm -A -t [2001:db8::1]:80 -s rr',
      'ipvsadm -A -t [2001:db8::2]:80 -s rr',
    ],
  },
  {
    name: 'everything is there',
    desired: desiredOf([VS, RS1, VIP]),
    observed: observedOf([VS, RS1, VIP]),
    want: [],
  },
  {
    name: 'scheduler, flags and persistence in place',
    desired: desiredOf(['-A -t 192.0.2.10:80 -s mh -p 60 -b mh-port', RS1]),
    observed: observedOf([VS, RS1, VIP]),
    want: [
      'ipvsadm -E -t 192.0.2.10:80 -s mh -p 60 -b mh-port',
      'ip address del 192.0.2.10/32 dev eth0',
    ],
  },
  {
    name: 'only the flags differ',
    desired: desiredOf(['-A -t 192.0.2.10:80 -s sh -b sh-port', RS1, VIP]),
    observed: observedOf(['-A -t 192.0.2.10:80 -s sh', RS1, VIP]),
    want: ['ipvsadm -E -t 192.0.2.10:80 -s sh -b sh-port'],
  },
  {
    name: 'weight and method in place',
    desired: desiredOf([VS, RS1.replace('-w 1', '-w 9'), VIP]),
    observed: observedOf([VS, RS1, VIP]),
    want: ['ipvsadm -e -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 9'],
  },
  {
    name: 'another tunnel in place; ipip is the default',
    desired: desiredOf([
      VS,
      '-a -t 192.0.2.10:80 -r 10.0.0.1:80 -i -w 1 --tun-type gre --tun-csum',
      '-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i -w 1 --tun-type gue --tun-port 6080',
      '-a -t 192.0.2.10:80 -r 10.0.0.3:80 -i -w 1',
    ]),
    observed: observedOf([
      VS,
      '-a -t 192.0.2.10:80 -r 10.0.0.1:80 -i -w 1 --tun-type gre --tun-nocsum',
      '-a -t 192.0.2.10:80 -r 10.0.0.2:80 -i -w 1 --tun-type gue --tun-port 6081',
      '-a -t 192.0.2.10:80 -r 10.0.0.3:80 -i -w 1 --tun-type ipip',
    ]),
    want: [
      'ipvsadm -e -t 192.0.2.10:80 -r 10.0.0.1:80 -i -w 1 --tun-type gre --tun-csum',
      'ipvsadm -e -t 192.0.2.10:80 -r 10.0.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum',
    ],
  },
  {
    name: 'set before drain: the new real server comes before the old one is lowered',
    desired: desiredOf([VS, RS2, VIP]),
    observed: observedOf([VS, RS1, VIP]),
    want: [`ipvsadm ${RS2}`, DRAIN1],
    wakeInMs: 1000,
  },
  {
    name: 'a draining real server with connections waits',
    desired: desiredOf([VS, RS2, VIP]),
    observed: withConnections(observedOf([VS, WEIGHT0, RS2, VIP]), KEY, '10.0.0.1:8080', 1),
    want: [],
    wakeInMs: 1000,
  },
  {
    name: 'its deadline has passed',
    desired: desiredOf([VS, RS2, VIP]),
    observed: withConnections(observedOf([VS, WEIGHT0, RS2, VIP]), KEY, '10.0.0.1:8080', 1),
    drains: new Map([[KEY, new Map([['10.0.0.1:8080' as RealServerKey, NOW - 60_000]])]]),
    want: [DELETE1],
  },
  {
    name: 'its deadline is near',
    desired: desiredOf([VS, RS2, VIP]),
    observed: withConnections(observedOf([VS, WEIGHT0, RS2, VIP]), KEY, '10.0.0.1:8080', 1),
    drains: new Map([[KEY, new Map([['10.0.0.1:8080' as RealServerKey, NOW - 59_900]])]]),
    want: [],
    wakeInMs: 100,
  },
  {
    name: 'an idle draining real server goes',
    desired: desiredOf([VS, RS2, VIP]),
    observed: observedOf([VS, WEIGHT0, RS2, VIP]),
    want: [DELETE1],
  },
  {
    name: 'without drain time it goes at once',
    desired: desiredOf([VS, RS2, VIP], 0),
    observed: withConnections(observedOf([VS, RS1, RS2, VIP]), KEY, '10.0.0.1:8080', 1),
    want: [DELETE1],
  },
  {
    name: 'one that returns gets its weight back',
    desired: desiredOf([VS, RS1, VIP]),
    observed: observedOf([VS, WEIGHT0, VIP]),
    want: ['ipvsadm -e -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1'],
  },
  {
    name: 'a tunnel keeps its type while it drains',
    desired: desiredOf([VS]),
    observed: observedOf([VS, '-a -t 192.0.2.10:80 -r 10.0.0.1:80 -i -w 1 --tun-type gre']),
    want: ['ipvsadm -e -t 192.0.2.10:80 -r 10.0.0.1:80 -i -w 0 --tun-type gre --tun-nocsum'],
    wakeInMs: 1000,
  },
  {
    name: 'a deleted Service: address, then virtual server, with its connections',
    desired: NONE,
    observed: withConnections(observedOf([VS, RS1, VIP]), KEY, '10.0.0.1:8080', 1),
    want: ['ip address del 192.0.2.10/32 dev eth0', 'ipvsadm -D -t 192.0.2.10:80'],
  },
  {
    name: 'a port that left while the address stays drains',
    desired: desiredOf([VS81, RS81, VIP]),
    observed: observedOf([VS, RS1, VS81, RS81, VIP]),
    want: [DRAIN1],
    wakeInMs: 1000,
  },
  {
    name: 'and goes as a whole when it is idle',
    desired: desiredOf([VS81, RS81, VIP]),
    observed: observedOf([VS, WEIGHT0, VS81, RS81, VIP]),
    want: ['ipvsadm -D -t 192.0.2.10:80'],
  },
  {
    name: 'another interface: bound there before it is taken from here',
    desired: desiredOf([VS, VIP.replace('eth0', 'eth1')]),
    observed: observedOf([VS, VIP]),
    want: [
      'ip address add 192.0.2.10/32 dev eth1',
      'arping -c 1 -U -I eth1 192.0.2.10',
      'ip address del 192.0.2.10/32 dev eth0',
    ],
  },
  {
    name: 'IPv6 is announced by neighbour advertisement',
    desired: desiredOf(['-A -t [2001:db8::1]:80 -s rr', 'ip address add 2001:db8::1/128 dev eth0']),
    observed: EMPTY,
    want: [
      'ipvsadm -A -t [2001:db8::1]:80 -s rr',
      'ip address add 2001:db8::1/128 dev eth0',
      'ndsend 2001:db8::1 eth0',
    ],
  },
  {
    name: 'what is not ours stays',
    desired: NONE,
    observed: observedOf([VS, RS1, VIP, 'ip address add 10.0.0.5/24 dev eth0'], notOurs),
    want: [],
  },
  {
    name: 'a virtual server of somebody else, untagged: a problem, and nothing is bound for it',
    desired: desiredOf([VS, RS1, VIP]),
    observed: observedOf([VS], notOurs),
    want: [],
    problems: ['virtual server ForeignVirtualServer 192.0.2.10:80/TCP: somebody else'],
  },
  {
    name: 'who it may be is known by its real servers',
    desired: desiredOf([VS, RS1, VIP]),
    observed: observedOf([VS, RS1], notOurs),
    want: [],
    problems: [
      'virtual server ForeignVirtualServer 192.0.2.10:80/TCP: somebody else has a virtual server there (scheduler rr, 1 real server, first',
    ],
  },
  {
    name: 'or by several of them',
    desired: desiredOf([VS, RS1, VIP]),
    observed: observedOf([VS, RS1, RS2], notOurs),
    want: [],
    problems: [
      'virtual server ForeignVirtualServer 192.0.2.10:80/TCP: somebody else has a virtual server there (scheduler rr, 2 real servers, first',
    ],
  },
  {
    name: 'another port of the address is ours: it is bound',
    desired: desiredOf([VS, RS1, VS81, RS81, VIP]),
    observed: observedOf([VS], notOurs),
    want: [`ipvsadm ${VS81}`, `ipvsadm ${RS81}`, VIP, ANNOUNCE],
    problems: ['virtual server ForeignVirtualServer 192.0.2.10:80/TCP: somebody else'],
  },
  {
    name: 'the record of it was lost but the address carries our tag: adopted',
    desired: desiredOf([VS, RS1, VIP]),
    observed: {
      ...observedOf([VS, RS1, VIP]),
      owned: {
        virtualServers: new Set(),
        addresses: new Set([bindingKey(parseIp('192.0.2.10'), 'eth0')]),
      },
    },
    want: ['ipvsadm -E -t 192.0.2.10:80 -s rr'],
  },
  {
    name: 'a tagged address that goes, its virtual server stays: adopted',
    desired: desiredOf([VS, RS1]),
    observed: {
      ...observedOf([VS, RS1, VIP]),
      owned: {
        virtualServers: new Set(),
        addresses: new Set([bindingKey(parseIp('192.0.2.10'), 'eth0')]),
      },
    },
    want: ['ipvsadm -E -t 192.0.2.10:80 -s rr', 'ip address del 192.0.2.10/32 dev eth0'],
  },
  {
    name: 'the record knows another port of the address: what it does not know is not ours',
    desired: desiredOf([VS, RS1, VS81, VIP]),
    observed: {
      ...observedOf([VS, VS81, VIP]),
      owned: {
        virtualServers: new Set(['192.0.2.10:81/TCP' as VirtualServerKey]),
        addresses: new Set([bindingKey(parseIp('192.0.2.10'), 'eth0')]),
      },
    },
    want: [],
    problems: ['virtual server ForeignVirtualServer 192.0.2.10:80/TCP: somebody else'],
  },
  {
    name: 'the address is on the host and not ours',
    desired: desiredOf([VS, VIP]),
    observed: observedOf([VIP.replace('eth0', 'lo')], notOurs),
    want: [`ipvsadm ${VS}`],
    problems: ['address AddressOfHost 192.0.2.10 is on interface lo'],
  },
  {
    name: 'virtual servers not read: nothing is added, bound or deleted',
    desired: desiredOf([VS81, VIP]),
    observed: { ...observedOf([VS]), virtualServers: undefined },
    want: [],
  },
  {
    name: 'addresses not read: no address is touched, and whose a virtual server is stays open',
    desired: desiredOf([VS, VS81, VIP]),
    observed: { ...observedOf([VS], notOurs), addresses: undefined },
    want: [`ipvsadm ${VS81}`],
  },
  {
    name: 'addresses not read: ours are edited all the same',
    desired: desiredOf([VS, RS1, VIP]),
    observed: { ...observedOf([VS, VIP]), addresses: undefined },
    want: [`ipvsadm ${RS1}`],
  },
];

checkPlans(CASES);

test('a drain keeps its start, and begins with the first look after a restart', () => {
  const observed = withConnections(observedOf([VS, WEIGHT0, VIP]), KEY, '10.0.0.1:8080', 1);
  const first = planNode(desiredOf([VS, VIP]), observed, new Map(), NOW, LIMITS);
  assert.deepEqual([...(first.drains.get(KEY) ?? [])], [['10.0.0.1:8080', NOW]]);
  const second = planNode(desiredOf([VS, VIP]), observed, first.drains, NOW + 5000, LIMITS);
  assert.deepEqual([...(second.drains.get(KEY) ?? [])], [['10.0.0.1:8080', NOW]]);
});

test('a scope leaves everything else alone', () => {
  const desired = desiredOf([VS, RS1, VS81, RS81, VIP], 60, {
    sysctls: { 'net/ipv4/ip_forward': 1 },
  });
  const observed = observedOf([], undefined, { sysctls: { 'net/ipv4/ip_forward': 0 } });
  const scope = {
    virtualServers: [KEY, '192.0.2.99:1/TCP' as VirtualServerKey],
    addresses: [],
    firewall: new Map(),
    sysctls: false,
  };
  const plan = planScope(scope, desired, observed, new Map(), NOW, LIMITS);
  assert.deepEqual(plan.ops.map(opText), [`ipvsadm ${VS}`, `ipvsadm ${RS1}`]);
});

test('everything up to safeOps adds or raises', () => {
  const plan = planNode(desiredOf([VS, RS2, VIP]), observedOf([VS, RS1]), new Map(), NOW, LIMITS);
  assert.deepEqual(plan.ops.slice(0, plan.safeOps).map(opText), [`ipvsadm ${RS2}`]);
  assert.deepEqual(plan.ops.slice(plan.safeOps).map(opText), [VIP, ANNOUNCE, DRAIN1]);
});

test('problems of a shared address name every Service on it, once', () => {
  const plan = planNode(
    desiredOf([VS, VS81, VIP]),
    observedOf([VIP], notOurs),
    new Map(),
    NOW,
    LIMITS,
  );
  assert.deepEqual(plan.problems[0]?.services, [
    'default/192.0.2.10:80/TCP',
    'default/192.0.2.10:81/TCP',
  ]);
});
