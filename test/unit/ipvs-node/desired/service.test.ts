// Which Services count on a node, and who wins what two of them want.
import type { ClusterObject } from '../../../../src/api/cluster.ts';
import { ADDRESS, annotated, backend, checkDesired, RR, type DesiredCase } from './desired-case.ts';
import { ip, node, pool, service, slice } from '../objects.ts';

function withoutStatus(object: ClusterObject): ClusterObject {
  return object.kind === 'Service' ? { ...object, status: undefined } : object;
}

const CASES: readonly DesiredCase[] = [
  {
    name: 'nat: every ready endpoint',
    given: [pool(), service(), slice(['10.0.0.2', '10.0.0.1@n1'])],
    want: [RR, backend('10.0.0.1:8080'), backend('10.0.0.2:8080'), ADDRESS],
  },
  {
    name: 'not of type LoadBalancer',
    given: [pool(), service({ spec: { type: 'ClusterIP' } }), slice(['10.0.0.1'])],
    want: [],
  },
  {
    name: 'no address yet',
    given: [pool(), service({ ingress: [] }), slice(['10.0.0.1'])],
    want: [],
  },
  {
    name: 'no status at all',
    given: [pool(), withoutStatus(service())],
    want: [],
  },
  {
    name: 'ingress by host name, or with garbage, is nothing of ours',
    given: [pool(), service({ ingress: [{ hostname: 'lb.example' }, { ip: 'x' }] })],
    want: [],
  },
  {
    name: 'a foreign class is never touched',
    given: [pool(), service({ spec: { loadBalancerClass: 'example.com/lb' } }), ip('192.0.2.10')],
    want: [],
  },
  {
    name: 'our class by name',
    given: [
      pool(),
      service({ spec: { loadBalancerClass: 'vipvs.io/vipvs' } }),
      slice(['10.0.0.1']),
    ],
    want: [RR, backend('10.0.0.1:8080'), ADDRESS],
  },
  {
    name: 'no pool covers the address',
    given: [pool(), service({ ingress: ['198.51.100.1'] })],
    want: [],
  },
  {
    name: 'the pool is of another driver',
    given: [pool({ driver: 'f5' }), service()],
    want: [],
  },
  {
    name: 'the pool of the IP object is of another driver',
    given: [pool({ driver: 'f5' }), service(), ip('192.0.2.10', ['web'])],
    want: [],
  },
  {
    name: 'the IP object decides, whether or not its pool still covers the address or exists',
    given: [service(), ip('192.0.2.10', ['web'], 'gone'), slice(['10.0.0.1'])],
    want: [RR, backend('10.0.0.1:8080'), ADDRESS],
  },
  {
    name: 'an IP object without claims',
    given: [pool(), service(), ip('192.0.2.10'), slice(['10.0.0.1'])],
    want: [RR, backend('10.0.0.1:8080'), ADDRESS],
  },
  {
    name: 'the IP object names another Service',
    given: [pool(), service(), ip('192.0.2.10', ['other'])],
    want: [],
    problems: ['AddressInUse: does not name the Service'],
  },
  {
    name: 'a special address',
    given: [service({ ingress: ['127.0.0.1'] }), ip('127.0.0.1', ['web'])],
    want: [],
    problems: ['InvalidIp: 127.0.0.1 is loopback'],
  },
  {
    name: 'the address of the node object',
    given: [pool(), service(), node('n1', '192.0.2.10')],
    want: [],
    problems: ['AddressOfHost: an address of node n1 itself'],
  },
  {
    name: 'an address on an interface of this host',
    given: [pool(), service()],
    host: ['192.0.2.10'],
    want: [],
    problems: ['AddressOfHost: left alone'],
  },
  {
    name: 'the address of another node is no reason',
    given: [pool(), service(), node('n2', '192.0.2.10'), slice(['10.0.0.1'])],
    want: [RR, backend('10.0.0.1:8080'), ADDRESS],
  },
  {
    name: 'a port that was refused on a shared address',
    given: [
      pool(),
      service({
        spec: { ports: [{ port: 80 }, { port: 81, protocol: 'UDP' }] },
        ingress: [
          {
            ip: '192.0.2.10',
            ports: [
              { port: 80, protocol: 'TCP', error: 'PortConflict' },
              { port: 81, protocol: 'UDP' },
            ],
          },
        ],
      }),
    ],
    want: ['-A -u 192.0.2.10:81 -s rr', ADDRESS],
    problems: ['NoEndpoints: port 81/UDP, IPv4: no endpoint is ready'],
  },
  {
    name: 'no ports at all',
    given: [pool(), service({ spec: { ports: undefined } })],
    want: [],
  },
  {
    name: 'no endpoints: a virtual server without real servers, and the address',
    given: [pool(), service(), slice([])],
    want: [RR, ADDRESS],
    problems: ['NoEndpoints: no endpoint is ready'],
  },
  {
    name: 'scheduler, flags, persistence; the interface of the pool',
    given: [
      pool({ bindInterface: 'bond0', defaults: { persistenceSeconds: 60 } }),
      annotated({ 'vipvs.io/scheduler': 'mh,mh-port' }),
      slice(['10.0.0.1']),
    ],
    want: [
      '-A -t 192.0.2.10:80 -s mh -p 60 -b mh-port',
      backend('10.0.0.1:8080'),
      'ip address add 192.0.2.10/32 dev bond0',
    ],
  },
  {
    name: 'an annotation that cannot be read',
    given: [pool(), annotated({ 'vipvs.io/scheduler': 'best' }), slice(['10.0.0.1'])],
    want: [RR, backend('10.0.0.1:8080'), ADDRESS],
    problems: ['InvalidAnnotation: vipvs.io/scheduler'],
  },
  {
    name: 'two Services, one virtual server: the older has it',
    given: [
      pool(),
      service({ name: 'new', metadata: { creationTimestamp: '2026-01-02T00:00:00Z' } }),
      slice(['10.0.0.1'], { of: 'new' }),
      service({ name: 'old', metadata: { creationTimestamp: '2026-01-01T00:00:00Z' } }),
      slice(['10.0.0.2'], { of: 'old' }),
    ],
    want: [RR, backend('10.0.0.2:8080'), ADDRESS],
    problems: ['PortConflict: 192.0.2.10:80/TCP belongs to Service default/old'],
  },
  {
    name: 'two of the same age: the lesser uid',
    given: [
      pool(),
      service({ name: 'a', metadata: { uid: '2' } }),
      slice(['10.0.0.1'], { of: 'a' }),
      service({ name: 'b', metadata: { uid: '1' } }),
      slice(['10.0.0.2'], { of: 'b' }),
    ],
    want: [RR, backend('10.0.0.2:8080'), ADDRESS],
    problems: ['PortConflict: belongs to Service default/b'],
  },
  {
    name: 'a shared address is bound once',
    given: [
      pool(),
      service({ name: 'a' }),
      slice(['10.0.0.1'], { of: 'a' }),
      service({ name: 'b', spec: { ports: [{ port: 81, protocol: 'SCTP' }] } }),
      slice(['10.0.0.2'], { of: 'b', ports: [{ port: 81, protocol: 'SCTP' }] }),
    ],
    want: [
      RR,
      backend('10.0.0.1:8080'),
      '-A --sctp-service 192.0.2.10:81 -s rr',
      '-a --sctp-service 192.0.2.10:81 -r 10.0.0.2:81 -m -w 1',
      ADDRESS,
    ],
  },
];
checkDesired(CASES);
