import { ALLOWED, VARIABLE, configMap, testCases, type SourceCase } from './read-objects.ts';

const KUBE_VIP: readonly SourceCase[] = [
  {
    name: 'ranges, global and for a namespace',
    given: configMap({
      'range-global': '192.0.2.10-192.0.2.19, 2001:db8::1-2001:db8::9',
      'range-a': '198.51.100.1-198.51.100.9',
    }),
    pools: {
      'kube-vip-global': {
        addresses: ['192.0.2.10-192.0.2.19', '2001:db8::1-2001:db8::9'],
        ignoreNamespaces: ['a'],
      },
      'kube-vip-a': {
        addresses: ['198.51.100.1-198.51.100.9'],
        serviceAllocation: { namespaces: ['a'] },
      },
    },
  },
  {
    name: 'the ends of CIDRs; not of ranges, IPv6 and /31',
    given: configMap({
      'cidr-global': '192.0.2.0/29,2001:db8::/120,198.51.100.0/31',
      'skip-end-ips-in-cidr': 'true',
    }),
    pools: {
      'kube-vip-global': {
        addresses: ['192.0.2.0/29', '2001:db8::/120', '198.51.100.0/31'],
        filterIPs: ['192.0.2.0', '192.0.2.7'],
      },
    },
  },
  {
    name: 'namespaces with the same addresses share a Pool, and its interface if it is one',
    given: configMap({
      'cidr-a': '192.0.2.0/29',
      'cidr-b': '192.0.2.0/29',
      'cidr-c': '198.51.100.0/29',
      'cidr-d': '198.51.100.0/29',
      'interface-global': 'eth1',
      'interface-d': 'eth2',
    }),
    pools: {
      'kube-vip-a': {
        addresses: ['192.0.2.0/29'],
        serviceAllocation: { namespaces: ['a', 'b'] },
        bindInterface: 'eth1',
      },
      'kube-vip-c': {
        addresses: ['198.51.100.0/29'],
        serviceAllocation: { namespaces: ['c', 'd'] },
      },
    },
    notes: [
      'ambiguous ConfigMap n/kubevip: c, d share addresses and have different interfaces; a Pool has one: set spec.bindInterface',
    ],
  },
  {
    name: 'DHCP, a bad interface, and nothing at all',
    given:
      configMap({ 'cidr-global': '0.0.0.0/32', 'range-a': '192.0.2.1-192.0.2.9' }, 'kubevip') +
      configMap({ 'cidr-b': '192.0.2.64/29', 'interface-b': 'eth 1' }, 'other') +
      configMap({}, 'kubevip', 'b'),
    pools: {
      'kube-vip-b': { addresses: ['192.0.2.64/29'], serviceAllocation: { namespaces: ['b'] } },
    },
    notes: [
      'no-equivalent ConfigMap n/kubevip: data.cidr-global: addresses from DHCP: give the Pool a range of your own',
      'no-equivalent ConfigMap n/other: data.interface-b: interface "eth 1" is not the name of one',
      'ambiguous ConfigMap n/kubevip: data.range-a: cidr-global comes before it, so kube-vip never reads it; it is left out',
      'ambiguous ConfigMap nb/kubevip: no addresses in it: no Pool is made',
    ],
  },
  {
    name: 'wrong addresses',
    given:
      configMap({ 'cidr-global': '192.0.2.0-192.0.2.9' }) +
      configMap({ 'cidr-global': '192.0.2.0/33' }, 'two') +
      configMap({ 'cidr-global': 5 }, 'plndr') +
      configMap({ 'range-of-sizes': '1 to 5', 'range-x': 7 }, 'of-another-program'),
    pools: {},
    notes: [
      'error ConfigMap n/kubevip: data.cidr-global: "192.0.2.0-192.0.2.9" must be a CIDR; it is left out',
      'error ConfigMap n/plndr: data.cidr-global: must be text, is 5; it is left out',
      `error ConfigMap n/two: data.cidr-global: prefix length of "192.0.2.0/33" is not 0 to 32; ${ALLOWED}; no Pool is made`,
    ],
  },
  {
    name: 'one bad key or item: the others stay, and nobody gets what is for somebody else',
    given: configMap({
      'range-global': '192.0.2.1-192.0.2.9, ,${MORE}',
      'range-a': '{{ .Values.a }}',
      'cidr-b': '198.51.100.0/28,198.51.100.99',
    }),
    pools: {
      'kube-vip-global': { addresses: ['192.0.2.1-192.0.2.9'], ignoreNamespaces: ['a', 'b'] },
      'kube-vip-b': { addresses: ['198.51.100.0/28'], serviceAllocation: { namespaces: ['b'] } },
    },
    notes: [
      'error ConfigMap n/kubevip: data.cidr-b: "198.51.100.99" must be a CIDR; it is left out',
      `error ConfigMap n/kubevip: data.range-a: "{{ .Values.a }}" is not an IP address; ${ALLOWED}; ${VARIABLE}; no Pool is made`,
      `error ConfigMap n/kubevip: data.range-global: "\${MORE}" is not an IP address; ${ALLOWED}; ${VARIABLE}; it is left out`,
    ],
  },
];
testCases('kube-vip', KUBE_VIP);
