import { VARIABLE, configMap, serviceText, testCases, type SourceCase } from './read-objects.ts';

const CASES: readonly SourceCase[] = [
  {
    name: 'no entry is right: no Pool',
    given: configMap({ '10.4.0.1': 'a/b/c', '10.4.0.2': 5 }, 'vips'),
    pools: {},
    notes: [
      'error ConfigMap n/vips: data.10.4.0.2: must be text, is 5; it is left out',
      'error ConfigMap n/vips: data[10.4.0.1]: "a/b/c" must be namespace/service[:NAT|DR|PROXY]; the entry is left out',
    ],
  },
  {
    name: 'one bad entry: the others stay, and an address that no VIP can have is named',
    given: configMap({ '$(VIP)': 'a/x', '127.0.0.1': '', '10.4.0.2': 'a/x' }, 'vips'),
    pools: {
      'kube-keepalived-vip': {
        addresses: ['10.4.0.2'],
        autoAssign: false,
        defaults: { scheduler: 'wlc', persistenceSeconds: 1800 },
      },
    },
    notes: [
      'error ConfigMap n/vips: 127.0.0.1 is loopback; no VIP can have it, so it is left out',
      `error ConfigMap n/vips: data[$(VIP)]: "$(VIP)" is not an IP address; ${VARIABLE}; the entry is left out`,
      'no-equivalent ConfigMap n/vips: data[127.0.0.1]: a VIP without forwarding: the address is kept out of use, but vipvs binds no address without a Service',
      'ambiguous ConfigMap n/vips: the Pool keeps scheduler wlc and persistence of 1800 s, which kube-keepalived-vip had for all; take spec.defaults out if you do not want them',
      'ambiguous Service a/x: is not in the input: 10.4.0.2 is reserved for it; read the Services, too, to learn what must change on it',
    ],
  },
  {
    name: 'nothing but an address that no VIP can have',
    given: configMap({ '127.0.0.1': '' }, 'vips'),
    pools: {},
    notes: [
      'error ConfigMap n/vips: 127.0.0.1 is loopback; no VIP can have it, so it is left out',
      'no-equivalent ConfigMap n/vips: data[127.0.0.1]: a VIP without forwarding: the address is kept out of use, but vipvs binds no address without a Service',
    ],
  },
  {
    name: 'a VIP alone, and a Service that already asks for its address',
    given:
      configMap({ '10.4.0.1': null, '10.4.0.2': 'a/x:NAT' }, 'vips') +
      serviceText('a/x', {
        annotations: { 'vipvs.io/addresses': '10.4.0.2' },
        spec: { type: 'ClusterIP' },
      }),
    pools: {
      'kube-keepalived-vip': {
        addresses: ['10.4.0.1', '10.4.0.2'],
        autoAssign: false,
        defaults: { scheduler: 'wlc', persistenceSeconds: 1800 },
      },
    },
    notes: [
      'no-equivalent ConfigMap n/vips: data[10.4.0.1]: a VIP without forwarding: the address is kept out of use, but vipvs binds no address without a Service',
      'ambiguous ConfigMap n/vips: the Pool keeps scheduler wlc and persistence of 1800 s, which kube-keepalived-vip had for all; take spec.defaults out if you do not want them',
    ],
  },
  {
    name: 'ConfigMaps of others are left alone',
    given: configMap({ '10.4.0.1': 'text' }, 'a') + configMap({ key: 'a/b' }, 'b'),
    pools: {},
  },
];

testCases('kube-keepalived-vip', CASES);
