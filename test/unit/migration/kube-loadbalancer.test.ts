import {
  ALLOWED,
  configMap,
  objectText,
  serviceText,
  testCases,
  type SourceCase,
} from './read-objects.ts';

const HPE: readonly SourceCase[] = [
  {
    name: 'without its workload: only what is in use',
    given:
      configMap(
        { namespace: 'n', 'target-service-name': 'web', 'bind-ip': '10.0.0.5', 'bind-port': '80' },
        'web-lb',
        ', labels: {app: loadbalancer}',
      ) + serviceText('n/web'),
    pools: { 'kube-loadbalancer': { addresses: ['10.0.0.5'], autoAssign: false } },
    notes: [
      'no-equivalent ConfigMap n/web-lb: data.bind-port: "80": every port of the Service is served',
      'ambiguous ConfigMap n/web-lb: the range of kube-loadbalancer stands in VIP_ALLOCATION_START and VIP_ALLOCATION_END of its workload, which is not in the input: the Pool has the addresses in use only',
      'ambiguous Services: 1 without a loadBalancerClass: vipvs serves those only with --default-class',
    ],
  },
  {
    name: 'nothing in use, and a range that is cut short',
    given:
      configMap(
        { 'target-service-name': 'web', 'bind-ip': '' },
        'web-lb',
        ', labels: {app: loadbalancer}',
      ) +
      objectText('apps/v1', 'Deployment', 'd', {
        env: [{ name: 'VIP_ALLOCATION_START', value: '10.0.0.1' }],
      }),
    pools: {},
    notes: [
      'ambiguous ConfigMap n/web-lb: data.bind-ip: has no bind-ip: Service n/web had no address to keep',
    ],
  },
  {
    name: 'the range alone, with the Octavia backend; records of groups without a Service',
    given:
      objectText('apps/v1', 'Deployment', 'd', {
        args: ['--backend=openstack-lbaasv2'],
        env: [
          { name: 'VIP_ALLOCATION_START', value: '10.0.0.1' },
          { name: 'VIP_ALLOCATION_END', value: '10.0.0.9' },
        ],
      }) +
      configMap({ 'g.bind-ip': '10.0.0.3', 'g.namespace': 'n' }, 'daemon-configmap') +
      objectText('apps/v1', 'Deployment', 'e', {
        env: [
          { name: 'VIP_ALLOCATION_START', value: 'x' },
          { name: 'VIP_ALLOCATION_END', value: '10.0.0.9' },
        ],
      }),
    pools: {
      'kube-loadbalancer': {
        addresses: ['10.0.0.1-10.0.0.9'],
        autoAssign: false,
        driver: 'octavia',
      },
    },
    notes: [
      `error Deployment e: VIP_ALLOCATION_START: "x" is not an IP address; ${ALLOWED}; no Pool is made`,
      'ambiguous Deployment d: --backend=openstack-lbaasv2: the Pool has driver octavia, which needs its own program and credentials',
    ],
  },
  {
    name: 'a ConfigMap without namespaces, a workload with numbers',
    given:
      `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {app: loadbalancer}}\ndata: {target-service-name: web}\n` +
      `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: d, labels: {app: loadbalancer}}\ndata: {target-service-name: web, bind-ip: 10.0.0.2}\n` +
      `---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: e, labels: {app: loadbalancer}}\ndata: {target-service-name: "", bind-ip: 10.0.0.3}\n` +
      configMap({ 'g.bind-ip': 'x' }, 'daemon-configmap') +
      objectText('apps/v1', 'Deployment', 'd', {
        replicas: 1,
        env: [
          { name: 'VIP_ALLOCATION_START', value: '10.0.0.1' },
          { name: 'VIP_ALLOCATION_END', value: '10.0.0.9' },
        ],
      }),
    pools: { 'kube-loadbalancer': { addresses: ['10.0.0.1-10.0.0.9'], autoAssign: false } },
    notes: [
      'error ConfigMap d: has no namespace in the file: 10.0.0.2 is kept out of use, for nobody',
      'error ConfigMap e: data.target-service-name: is missing; the object is left out',
      'error ConfigMap n/daemon-configmap: data[g.bind-ip]: "x" is not an IP address; it is left out',
      'ambiguous ConfigMap c: data.bind-ip: has no bind-ip: Service ?/web had no address to keep',
    ],
  },
];
testCases('kube-loadbalancer', HPE);
