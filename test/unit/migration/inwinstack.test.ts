import { objectText, testCases, type SourceCase } from './read-objects.ts';

const inwin = (
  kind: string,
  name: string,
  spec: unknown,
  status: unknown = {},
  rest = '',
): string =>
  `${objectText('inwinstack.com/v1', kind, name, spec, rest)}status: ${JSON.stringify(status)}\n`;
const assign = (name: string, is: 'set' | 'not set', kind = 'Pool'): string =>
  `ambiguous ${kind} ${name}: spec.assignToNamespace: ${is}: the Pool has autoAssign: ${
    is === 'set'
      ? 'true, and Services get its addresses without asking'
      : 'false, and Services get its addresses when they ask for it'
  }`;

const INWINSTACK: readonly SourceCase[] = [
  {
    name: 'every field of a Pool, and the fields of the fork',
    given: inwin('Pool', 'p', {
      addresses: ['192.0.2.0/28'],
      CIDR: '198.51.100.0/28',
      gateway: '198.51.100.1',
      filterIPs: ['192.0.2.3'],
      avoidBuggyIPs: true,
      avoidGatewayIPs: true,
      assignToNamespace: true,
      ignoreNamespaces: ['kube-system'],
      ignoreNamespaceAnnotation: true,
      nameservers: ['192.0.2.53'],
    }),
    pools: {
      p: {
        addresses: ['192.0.2.0/28', '198.51.100.0/28'],
        filterIPs: ['192.0.2.3', '198.51.100.1'],
        avoidBuggyIPs: true,
        avoidGatewayIPs: true,
        ignoreNamespaces: ['kube-system'],
      },
    },
    notes: [
      'no-equivalent Pool p: spec.nameservers: ["192.0.2.53"]: vipvs configures no hosts',
      assign('p', 'set'),
    ],
  },
  {
    name: 'the older shapes',
    given:
      inwin('Pool', 'a', { address: '192.0.2.0/29', autoAssignToNamespace: true }) +
      inwin('IPPool', 'b', { address: '192.0.2.8/29' }) +
      inwin('Pool', 'c', { ipRange: '192.0.2.16-192.0.2.20' }),
    pools: {
      a: { addresses: ['192.0.2.0/29'] },
      b: { addresses: ['192.0.2.8/29'], autoAssign: false },
      c: { addresses: ['192.0.2.16-192.0.2.20'], autoAssign: false },
    },
    notes: [assign('b', 'not set', 'IPPool'), assign('a', 'set'), assign('c', 'not set')],
  },
  {
    name: 'wrong Pools and IPs',
    given:
      inwin('Pool', 'a', {}) +
      inwin('Pool', 'b', { addresses: ['172.22.132.250-172.22.132.267'] }) +
      inwin('IP', 'c', { poolName: 'a' }, { address: 'x' }, ', namespace: n'),
    pools: {},
    notes: [
      'error IP n/c: status.address: "x" is not an IP address; the object is left out',
      'error Pool a: spec.addresses: is empty; the object is left out',
      'error Pool b: spec.addresses: "172.22.132.267" is not an IP address; the object is left out',
    ],
  },
  {
    name: 'an IP without its Service, one that only wishes, one outside every namespace',
    given:
      inwin(
        'IP',
        'web',
        { poolName: 'p', mac: '00:00:5e:00:53:01' },
        { address: '192.0.2.1' },
        ', namespace: n',
      ) +
      inwin('IP', 'wish', { poolName: 'p', wantedAddress: '192.0.2.2' }, {}, ', namespace: n') +
      inwin('IP', 'bare', { poolName: 'p' }, { address: '192.0.2.3' }),
    pools: { 'kept-addresses': { addresses: ['192.0.2.1-192.0.2.3'], autoAssign: false } },
    notes: [
      'no-equivalent IP n/web: spec.mac: "00:00:5e:00:53:01": vipvs uses the MAC address of the interface',
      'ambiguous IP bare: kept for Service default/bare, which is not in the input',
      'ambiguous IP n/web: kept for Service n/web, which is not in the input',
      'ambiguous IP n/wish: kept for Service n/wish, which is not in the input',
      ...['default/bare 192.0.2.3', 'n/web 192.0.2.1', 'n/wish 192.0.2.2'].map((text) => {
        const [key = '', ip = ''] = text.split(' ');
        return `ambiguous Service ${key}: is not in the input: ${ip} is reserved for it; read the Services, too, to learn what must change on it`;
      }),
      ...['n/web 192.0.2.1', 'n/wish 192.0.2.2', 'default/bare 192.0.2.3'].map((text) => {
        const [key = '', ip = ''] = text.split(' ');
        return `ambiguous address ${ip}: Service ${key} has it, and no imported Pool hands it out: it is in Pool kept-addresses`;
      }),
    ],
  },
];
testCases('inwinSTACK', INWINSTACK);
