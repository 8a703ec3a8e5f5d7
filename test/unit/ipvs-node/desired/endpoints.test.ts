// Which endpoints become which real servers, for each way of forwarding.
import { ADDRESS, backend, checkDesired, DR, RR, type DesiredCase } from './desired-case.ts';
import { NODE, node, pool, service, slice } from '../objects.ts';

const NINE = [2, 3, 4, 5, 6, 7, 8, 9, 10];
const CASES: readonly DesiredCase[] = [
  {
    name: 'ready before serving and terminating; other endpoints never',
    given: [
      pool(),
      service(),
      slice([
        { addresses: ['10.0.0.1'], conditions: { ready: true } },
        { addresses: ['10.0.0.2'], conditions: { ready: false, serving: true, terminating: true } },
        { addresses: ['10.0.0.3'], conditions: { ready: false } },
      ]),
    ],
    want: [RR, backend('10.0.0.1:8080'), ADDRESS],
  },
  {
    name: 'none ready: those that serve while they terminate',
    given: [
      pool(),
      service(),
      slice([
        { addresses: ['10.0.0.2'], conditions: { ready: false, serving: true, terminating: true } },
        {
          addresses: ['10.0.0.3'],
          conditions: { ready: false, serving: false, terminating: true },
        },
        { addresses: ['10.0.0.4'], conditions: { ready: false, serving: true } },
      ]),
    ],
    want: [RR, backend('10.0.0.2:8080'), ADDRESS],
  },
  {
    name: 'named ports and target ports that differ by slice; null means all ports',
    given: [
      pool(),
      service({
        spec: {
          ports: [
            { name: 'http', port: 80, targetPort: 'web' },
            { name: 'all', port: 82, targetPort: 9000 },
          ],
        },
      }),
      slice(['10.0.0.1'], { name: 's1', ports: [{ name: 'http', port: 8080 }] }),
      slice(['10.0.0.2'], { name: 's2', ports: [{ name: 'http', port: 8081, protocol: 'TCP' }] }),
      slice(['10.0.0.3'], { name: 's3', ports: [{ name: 'http', port: null }, { name: 'all' }] }),
    ],
    want: [
      RR,
      backend('10.0.0.1:8080'),
      backend('10.0.0.2:8081'),
      backend('10.0.0.3:80'),
      '-A -t 192.0.2.10:82 -s rr',
      '-a -t 192.0.2.10:82 -r 10.0.0.3:9000 -m -w 1',
      ADDRESS,
    ],
  },
  {
    name: 'no slice has the port',
    given: [pool(), service(), slice(['10.0.0.1'], { ports: [{ name: 'http', port: 8080 }] })],
    want: [RR, ADDRESS],
    problems: ['NoEndpoints: no EndpointSlice has a TCP port named ""'],
  },
  {
    name: 'duplicates are one real server with the greater weight',
    given: [
      pool(),
      service(),
      slice(['10.0.0.1@n2'], { name: 's1', annotations: { 'vipvs.io/weight': '5' } }),
      slice(['10.0.0.1', '10.0.0.2'], { name: 's2' }),
    ],
    want: [RR, backend('10.0.0.1:8080', 5), backend('10.0.0.2:8080'), ADDRESS],
  },
  {
    name: 'a weight that cannot be read',
    given: [
      pool(),
      service(),
      slice(['10.0.0.1'], { name: 's1', annotations: { 'vipvs.io/weight': '00' } }),
      slice(['10.0.0.2'], { name: 's2', annotations: { 'vipvs.io/weight': '65536' } }),
    ],
    want: [RR, backend('10.0.0.1:8080'), backend('10.0.0.2:8080'), ADDRESS],
    problems: [
      'InvalidAnnotation: "00" is not allowed; allowed: 0 to 65535',
      'InvalidAnnotation: "65536" is not allowed',
    ],
  },
  {
    name: 'weight 0 gets no new connections, also where nothing else is ready',
    given: [
      pool(),
      service(),
      slice(['10.0.0.1'], { name: 's1', annotations: { 'vipvs.io/weight': '0' } }),
    ],
    want: [RR, backend('10.0.0.1:8080', 0), ADDRESS],
  },
  {
    name: 'both families, kept apart',
    given: [
      pool(),
      service({ ingress: ['192.0.2.10', '2001:db8::10'] }),
      slice(['10.0.0.1'], { name: 's4' }),
      slice(['2001:db8:1::1'], { name: 's6', addressType: 'IPv6' }),
    ],
    want: [
      RR,
      backend('10.0.0.1:8080'),
      '-A -t [2001:db8::10]:80 -s rr',
      '-a -t [2001:db8::10]:80 -r [2001:db8:1::1]:8080 -m -w 1',
      ADDRESS,
      'ip address add 2001:db8::10/128 dev eth0',
    ],
  },
  {
    name: 'endpoints that no packet can be sent to are left out',
    given: [
      pool(),
      service(),
      slice(['127.0.0.1', '169.254.1.1', '224.0.0.1', '0.0.0.0', 'x', '2001:db8::9', '192.0.2.10']),
      slice([{ addresses: [] }, '10.0.0.1'], { name: 's2' }),
    ],
    want: [RR, backend('10.0.0.1:8080'), ADDRESS],
    problems: [
      'InvalidEndpoint: endpoint "" is not an IP address',
      'InvalidEndpoint: endpoint "127.0.0.1" is loopback',
      'InvalidEndpoint: endpoint "169.254.1.1" is link-local',
      'InvalidEndpoint: endpoint "224.0.0.1" is multicast',
      'InvalidEndpoint: endpoint "0.0.0.0" is unspecified',
      'InvalidEndpoint: endpoint "x" is not an IP address',
      `InvalidEndpoint: endpoint "2001:db8::9" is not of the slice's addressType IPv4`,
      'InvalidEndpoint: endpoint "192.0.2.10" is the VIP itself',
    ],
  },
  {
    name: 'externalTrafficPolicy Local: only the pods of this node',
    given: [
      pool(),
      service({ spec: { externalTrafficPolicy: 'Local' } }),
      slice(['10.0.0.1@n1', '10.0.0.2@n2', '10.0.0.3']),
    ],
    want: [RR, backend('10.0.0.1:8080'), ADDRESS],
  },
  {
    name: 'externalTrafficPolicy Local: none here',
    given: [pool(), service({ spec: { externalTrafficPolicy: 'Local' } }), slice(['10.0.0.2@n2'])],
    want: [RR, ADDRESS],
    problems: ['NoEndpoints: externalTrafficPolicy is Local, and no endpoint on node n1'],
  },
  {
    name: 'dr: the nodes that host endpoints, by how many; an endpoint without a node is its own',
    given: [
      pool(),
      DR,
      node('n2', '2001:db8:f::2', '203.0.113.2'),
      node('n3', '203.0.113.3'),
      slice(['10.0.0.1@n2', '10.0.0.2@n2', '10.0.0.3@n3', '10.0.0.4']),
      slice(['10.0.0.5'], { name: 's2', ports: [{ port: 80 }] }),
    ],
    want: [
      RR,
      '-a -t 192.0.2.10:80 -r 10.0.0.5:80 -g -w 1',
      '-a -t 192.0.2.10:80 -r 203.0.113.2:80 -g -w 2',
      '-a -t 192.0.2.10:80 -r 203.0.113.3:80 -g -w 1',
      ADDRESS,
    ],
    problems: [
      'PortsDiffer: endpoint 10.0.0.4 listens on port 8080, the Service on 80',
      "RealServersUnchecked: vipvs can't see whether 10.0.0.5, node n2, node n3 hold 192.0.2.10",
    ],
  },
  {
    name: 'dr: pods of this node by NAT, whatever the policy',
    given: [
      pool(),
      service({
        metadata: { annotations: { 'vipvs.io/forwarding': 'tunnel' } },
        spec: { externalTrafficPolicy: 'Local' },
      }),
      node('n2', '203.0.113.2'),
      slice(['10.0.0.1@n1', '10.0.0.2@n2']),
    ],
    want: [
      RR,
      backend('10.0.0.1:8080'),
      '-a -t 192.0.2.10:80 -r 203.0.113.2:80 -i -w 1 --tun-type ipip',
      ADDRESS,
    ],
    problems: [
      "RealServersUnchecked: vipvs can't see whether node n2 hold 192.0.2.10, as they must",
    ],
  },
  {
    name: 'dr: a node that is not known, or without an address of the family',
    given: [pool(), DR, node('n3', '2001:db8:f::3'), slice(['10.0.0.1@n2', '10.0.0.3@n3'])],
    want: [RR, ADDRESS],
    problems: [
      'InvalidEndpoint: node n2 has no IPv4 address',
      'InvalidEndpoint: node n3 has no IPv4 address',
    ],
  },
  {
    name: 'dr: of many nodes the first are named',
    given: [
      pool(),
      DR,
      ...NINE.map((n) => node(`n${n}`, `203.0.113.${n}`)),
      slice(NINE.map((n) => `10.0.0.${n}@n${n}`)),
    ],
    want: [RR, ...NINE.map((n) => `-a -t 192.0.2.10:80 -r 203.0.113.${n}:80 -g -w 1`), ADDRESS],
    problems: ['RealServersUnchecked: and 1 more hold 192.0.2.10'],
  },
  {
    name: 'dr without endpoints',
    given: [pool(), DR],
    want: [RR, ADDRESS],
    problems: ['NoEndpoints: no endpoint is ready'],
  },
  {
    name: 'cluster-ip: the cluster IP of the family',
    given: [
      pool(),
      service({
        metadata: { annotations: { 'vipvs.io/forwarding': 'cluster-ip' } },
        spec: { clusterIPs: ['2001:db8:c::1', '10.96.0.1'] },
      }),
    ],
    want: [RR, backend('10.96.0.1:80'), ADDRESS],
  },
  {
    name: 'cluster-ip: refused beside kube-proxy',
    given: [
      pool(),
      service({
        metadata: { annotations: { 'vipvs.io/forwarding': 'cluster-ip' } },
        ingress: [{ ip: '192.0.2.10', ipMode: 'Proxy' }],
      }),
    ],
    node: { ...NODE, hasKubeProxy: true },
    want: [],
    problems: ['ForwardingNotPossible: kube-proxy runs on this node'],
  },
  {
    name: 'cluster-ip: there is none of the family',
    given: [
      pool(),
      service({
        metadata: { annotations: { 'vipvs.io/forwarding': 'cluster-ip' } },
        spec: { clusterIP: 'None' },
      }),
    ],
    want: [],
    problems: ['ForwardingNotPossible: the Service has no IPv4 cluster IP'],
  },
];
checkDesired(CASES);
