import { ALLOWED, VARIABLE, objectText, testCases, type SourceCase } from './read-objects.ts';

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
      inwin('Pool', 'd', {
        addresses: ['192.0.2.0/28', '$(X)'],
        gateway: 'gw',
        filterIPs: ['192.0.2.3/30'],
        assignToNamespace: true,
      }) +
      inwin('Pool', 'e', { address: '192.0.2.20/28' }) +
      inwin('IP', 'c', { poolName: 'a' }, { address: 'x' }, ', namespace: n'),
    pools: {
      d: { addresses: ['192.0.2.0/28'], filterIPs: ['192.0.2.3/30'], autoAssign: false },
      e: { addresses: ['192.0.2.20/28'], autoAssign: false },
    },
    notes: [
      'error IP n/c: status.address: "x" is not an IP address; the object is left out',
      'error Pool a: spec.addresses: is empty; the object is left out',
      `error Pool b: spec.addresses[0]: "172.22.132.267" is not an IP address; ${ALLOWED}; no Pool is made`,
      `error Pool d: spec.addresses[1]: "$(X)" is not an IP address; ${ALLOWED}; ${VARIABLE}; it is left out`,
      `error Pool d: spec.gateway: "gw" is not an IP address; ${ALLOWED}; it is left out`,
      'ambiguous Pool d: the Pool has autoAssign: false, because not all of the fields above could be read',
      'ambiguous Pool d: spec.assignToNamespace: set: the Pool has autoAssign: true, and Services get its addresses without asking',
      'ambiguous Pool d: spec.filterIPs[0]: 192.0.2.3/30 is 192.0.2.0/30, 192.0.2.0 to 192.0.2.3; did you mean 192.0.2.3-192.0.2.6 or 192.0.2.3/32?',
      'ambiguous Pool e: spec.address: 192.0.2.20/28 is 192.0.2.16/28, 192.0.2.16 to 192.0.2.31; did you mean 192.0.2.20-192.0.2.35 or 192.0.2.20/32?',
      'ambiguous Pool e: spec.assignToNamespace: not set: the Pool has autoAssign: false, and Services get its addresses when they ask for it',
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
      'error IP bare: has no namespace in the file: 192.0.2.3 is kept out of use, for nobody',
      'no-equivalent IP n/web: spec.mac: "00:00:5e:00:53:01": vipvs uses the MAC address of the interface',
      'ambiguous IP n/web: kept for Service n/web, which is not in the input',
      'ambiguous IP n/wish: kept for Service n/wish, which is not in the input',
      ...['n/web 192.0.2.1', 'n/wish 192.0.2.2'].map((text) => {
        const [key = '', ip = ''] = text.split(' ');
        return `ambiguous Service ${key}: is not in the input: ${ip} is reserved for it; read the Services, too, to learn what must change on it`;
      }),
      ...['Service n/web 192.0.2.1', 'Service n/wish 192.0.2.2', 'IP bare 192.0.2.3'].map(
        (text) => {
          const [kind = '', key = '', ip = ''] = text.split(' ');
          return `ambiguous address ${ip}: ${kind} ${key} has it, and no imported Pool hands it out: it is in Pool kept-addresses`;
        },
      ),
    ],
  },
];
testCases('inwinSTACK', INWINSTACK);
