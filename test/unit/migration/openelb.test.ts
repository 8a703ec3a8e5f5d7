import { ALLOWED, objectText, testCases, type SourceCase } from './read-objects.ts';

const eip = (name: string, spec: unknown, rest = '', status: unknown = {}): string =>
  `${objectText('network.kubesphere.io/v1alpha2', 'Eip', name, spec, rest)}status: ${JSON.stringify(status)}\n`;

const OPENELB: readonly SourceCase[] = [
  {
    name: 'by annotation only, the default one, one for namespaces, a disabled one',
    given:
      eip('a', { address: '192.0.2.1', protocol: 'vip' }) +
      eip(
        'b',
        { address: '192.0.2.8/29', protocol: 'layer2', interface: 'eth0' },
        ', annotations: {eip.openelb.kubesphere.io/is-default-eip: "true"}',
      ) +
      eip('c', { address: '192.0.2.16-192.0.2.20', protocol: 'layer2', namespaces: ['x'] }) +
      eip('d', {
        address: '192.0.2.24-192.0.2.28',
        protocol: 'layer2',
        namespaceSelector: { t: 'y' },
        priority: 7,
        disable: true,
      }),
    pools: {
      a: { addresses: ['192.0.2.1'], autoAssign: false },
      b: { addresses: ['192.0.2.8/29'], bindInterface: 'eth0' },
      c: {
        addresses: ['192.0.2.16-192.0.2.20'],
        serviceAllocation: { priority: 1, namespaces: ['x'] },
      },
      d: {
        addresses: ['192.0.2.24-192.0.2.28'],
        disabled: true,
        serviceAllocation: { priority: 8, namespaceSelectors: [{ matchLabels: { t: 'y' } }] },
      },
    },
  },
  {
    name: 'interfaces, BGP, other kinds, wrong addresses, a wrong status',
    given:
      eip('a', { address: '192.0.2.1', interface: 'bond0.100 ' }) +
      eip('b', { address: '192.0.2.300', protocol: 'vip' }) +
      eip('c', { protocol: 'vip' }) +
      eip('d', { address: '192.0.2.2', protocol: 'vip' }, '', {
        used: { x: 'a/b', '192.0.2.2': ' ;' },
      }) +
      eip('e', { address: '192.0.2.3', protocol: 'vip' }, '', { used: { '192.0.2.3': 'nobody' } }) +
      objectText('network.kubesphere.io/v1alpha2', 'BgpConf', 'f', {}) +
      objectText('network.kubesphere.io/v1alpha2', 'Else', 'g', {}),
    pools: {
      a: { addresses: ['192.0.2.1'], autoAssign: false },
      d: { addresses: ['192.0.2.2'], autoAssign: false },
      e: { addresses: ['192.0.2.3'], autoAssign: false },
    },
    notes: [
      `error Eip b: spec.address: "192.0.2.300" is not an IP address; ${ALLOWED}; no Pool is made`,
      'error Eip c: spec.address: is empty; the object is left out',
      'error Eip d: status.used: "x" is not an IP address; it is left out',
      'error Eip e: status.used: "nobody" must be namespace/name: 192.0.2.3 is kept out of use',
      'no-equivalent BgpConf f: vipvs does not speak BGP: let a BGP daemon on the directors announce the VIPs',
      'no-equivalent Eip a: spec.interface: "bond0.100 " is not the name of one',
      'no-equivalent Eip a: spec.protocol: bgp: vipvs does not speak BGP; let a BGP daemon on the directors announce the VIPs',
      'no-equivalent Else g: a kind that the import does not know; it is left out',
    ],
  },
];
testCases('OpenELB', OPENELB);
