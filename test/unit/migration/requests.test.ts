// What Services ask for and can't have, or say in a way that can't be read: each is named, and nobody else gets what they
// name.
import { configMap, serviceText, VARIABLE } from './read-objects.ts';
import { annotations, POOL, serviceCases, type ServiceCase } from './service-cases.ts';

function bare(name: string, rest = ''): string {
  return `---\napiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: a${rest}}\nspec: {type: LoadBalancer}\n`;
}

const CASES: readonly ServiceCase[] = [
  {
    name: 'sharing that is agreed needs nothing; ports that clash are named',
    given:
      POOL +
      ['x', 'y']
        .map((name) =>
          serviceText(`a/${name}`, {
            ips: ['192.0.2.1'],
            annotations: {
              'metallb.io/allow-shared-ip': 'k',
              'metallb.io/loadBalancerIPs': '192.0.2.1',
            },
          }),
        )
        .join(''),
    ips: ['192.0.2.1 p a/x'],
    patches: [],
    notes: [
      'error Service a/y: has 80/TCP on 192.0.2.1, and so has Service a/x, which keeps it: a/y loses the address; give it another one, or other ports',
    ],
  },
  {
    name: 'who loses a port: not who shows the address, then not the older one; who has other ports shares it',
    given:
      POOL +
      [
        { key: 'a/asks', ips: [], born: '2020-01-01T00:00:00Z', port: 80 },
        { key: 'b/young', ips: ['192.0.2.1'], born: '2024-01-01T00:00:00Z', port: 80 },
        { key: 'c/old', ips: ['192.0.2.1'], born: '2022-01-01T00:00:00Z', port: 80 },
        { key: 'd/tls', ips: ['192.0.2.1'], born: '2025-01-01T00:00:00Z', port: 443 },
        { key: 'e/none', ips: ['192.0.2.1'], born: undefined, port: 443 },
      ]
        .map(({ key, ips, born, port }) =>
          serviceText(key, {
            ips,
            annotations: ips.length > 0 ? {} : { 'vipvs.io/addresses': '192.0.2.1' },
            spec: { ports: [{ port }] },
          }).replace(
            '"metadata":{',
            `"metadata":{"creationTimestamp":${born === undefined ? 'null' : `"${born}"`},`,
          ),
        )
        .join(''),
    ips: ['192.0.2.1 p -'],
    patches: [
      `required c/old ${annotations({ 'vipvs.io/addresses': '192.0.2.1', 'vipvs.io/sharing-key': 'imported-192.0.2.1', 'vipvs.io/sharing-namespaces': 'd' })}`,
      `required d/tls ${annotations({ 'vipvs.io/addresses': '192.0.2.1', 'vipvs.io/sharing-key': 'imported-192.0.2.1', 'vipvs.io/sharing-namespaces': 'c' })}`,
    ],
    notes: [
      'error Service a/asks: has 80/TCP on 192.0.2.1, and so has Service c/old, which keeps it: a/asks loses the address; give it another one, or other ports',
      'error Service b/young: has 80/TCP on 192.0.2.1, and so has Service c/old, which keeps it: b/young loses the address; give it another one, or other ports',
      'error Service e/none: has 443/TCP on 192.0.2.1, and so has Service d/tls, which keeps it: e/none loses the address; give it another one, or other ports',
    ],
  },
  {
    name: 'what nobody can read: a variable, another separator, keys that disagree; what it shows counts more',
    given:
      POOL +
      serviceText('a/conflict', {
        annotations: {
          'metallb.io/loadBalancerIPs': '192.0.2.21',
          'lbipam.cilium.io/ips': '192.0.2.22',
        },
      }) +
      serviceText('a/pool', { annotations: { 'metallb.io/address-pool': '${POOL}' } }) +
      serviceText('a/semicolon', {
        annotations: { 'lbipam.cilium.io/ips': '192.0.2.11;192.0.2.12' },
      }) +
      serviceText('a/shown', {
        ips: ['192.0.2.9'],
        spec: { loadBalancerIP: 'ENC[AES256_GCM]' },
      }) +
      serviceText('a/var', {
        annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.5, ${WEB_IP}' },
      }),
    ips: [
      '192.0.2.5 p a/var',
      '192.0.2.9 p a/shown',
      ...['11', '12', '21', '22'].map((last) => `192.0.2.${last} p - retain`),
    ],
    patches: [
      'required a/shown {"metadata":{"annotations":{"vipvs.io/addresses":"192.0.2.9"}},"spec":{"loadBalancerIP":null}}',
      `required a/var ${annotations({ 'metallb.io/loadBalancerIPs': '192.0.2.5' })}`,
    ],
    notes: [
      'error Service a/conflict: metallb.io/loadBalancerIPs: "192.0.2.21" and lbipam.cilium.io/ips: "192.0.2.22" disagree; remove one of them or make them equal; 192.0.2.21, 192.0.2.22 kept out of use',
      'error Service a/semicolon: lbipam.cilium.io/ips: "192.0.2.11;192.0.2.12" is not an IP address; allowed: addresses separated by commas; 192.0.2.11, 192.0.2.12 kept out of use',
      `error Service a/var: metallb.io/loadBalancerIPs: "\${WEB_IP}" is not an IP address; allowed: addresses separated by commas; ${VARIABLE}`,
      `ambiguous Service a/pool: asks for Pool "\${POOL}", which is not among the imported ones; ${VARIABLE}`,
      'ambiguous Service a/shown: spec.loadBalancerIP: "ENC[AES256_GCM]" is not an IP address; allowed: addresses separated by commas; it is encrypted (SOPS): decrypt it first; its status shows 192.0.2.9, which counts',
    ],
  },
  {
    name: 'a manifest without status, or with the one that kubectl writes for a new object: not known what it has',
    given:
      POOL +
      ['{}', '{loadBalancer: {}}']
        .map((status, i) => `---\n${bare(`s${i}`)}status: ${status}\n`)
        .join(''),
    ips: [],
    patches: [],
    notes: ['s0', 's1'].map(
      (name) =>
        `error Service a/${name}: shows no address here, and asks for none: what it has in the cluster is not known and is not kept (read it: --from-cluster, or kubectl get services -A -o yaml)`,
    ),
  },
  {
    name: 'a pending Service as the API server shows it: it has nothing',
    given:
      POOL +
      `---\n${bare('id', ', uid: x')}status: {loadBalancer: {}}\n---\n${bare('ip').replace('LoadBalancer', 'LoadBalancer, clusterIP: 10.0.0.1')}status: {loadBalancer: {}}\n`,
    ips: [],
    patches: [],
  },
  {
    name: 'no type here, or another one: it is not for it, but for nobody else either',
    given:
      POOL +
      bare('patch', ', annotations: {metallb.io/loadBalancerIPs: 192.0.2.20}').replace(
        'type: LoadBalancer',
        '',
      ) +
      serviceText('a/inside', { spec: { type: 'ClusterIP', loadBalancerIP: '192.0.2.21' } }),
    ips: ['192.0.2.20 p - retain'],
    patches: [],
    notes: [
      'error Service a/patch: spec.type: asks for 192.0.2.20 and has no type here (a kustomize patch without its base?): kept out of use, but not for it',
      'ambiguous Service a/inside: spec.type: asks for 192.0.2.21, but it is of type ClusterIP and gets none',
    ],
  },
  {
    name: 'what a status shows that is no address',
    given:
      POOL +
      `---\n${bare('h')}status: {loadBalancer: {ingress: [{hostname: lb.example}, {ip: "\${IP}"}, {ip: 192.0.2.1, hostname: x}, {}]}}\n`,
    ips: ['192.0.2.1 p a/h'],
    patches: [`safety a/h ${annotations({ 'vipvs.io/addresses': '192.0.2.1' })}`],
    notes: [
      `error Service a/h: status.loadBalancer.ingress: "\${IP}" is no IP address: it is not kept; ${VARIABLE}`,
      'ambiguous Service a/h: status.loadBalancer.ingress: "lb.example" is a name: a Pool hands out addresses, and it is not kept',
    ],
  },
  {
    name: 'a deny list is no allow list',
    given:
      POOL +
      ['Deny', 'allow']
        .map((policy, i) =>
          serviceText(`a/${policy.toLowerCase()}`, {
            ips: [`192.0.2.${i + 1}`],
            annotations: {
              'service.cilium.io/src-ranges-policy': policy,
              'vipvs.io/addresses': `192.0.2.${i + 1}`,
            },
            spec: { loadBalancerSourceRanges: ['198.51.100.0/24'] },
          }),
        )
        .join('') +
      serviceText('a/open', {
        ips: ['192.0.2.3'],
        annotations: {
          'service.cilium.io/src-ranges-policy': 'deny',
          'vipvs.io/addresses': '192.0.2.3',
        },
      }),
    ips: ['192.0.2.1 p a/deny', '192.0.2.2 p a/allow', '192.0.2.3 p a/open'],
    patches: [],
    notes: [
      'error Service a/deny: metadata.annotations[service.cilium.io/src-ranges-policy]: deny makes spec.loadBalancerSourceRanges a deny list; here "198.51.100.0/24" would be the only ones that are let in, and everybody else kept out: take the field out, or list the networks that may come in',
    ],
  },
  {
    name: 'a pool name that no Pool can have: it gets another, and so do the Services that ask for it',
    given:
      configMap(
        {
          config:
            'address-pools: [{name: Prod_VLAN10, addresses: [192.0.2.16/28]}, {name: prod-vlan10, addresses: [192.0.2.32/28]}, {name: "Prod VLAN10", addresses: [192.0.2.64/28]}, {name: "-ÄÖ-", addresses: [192.0.2.80/28]}, {name: "網", addresses: [192.0.2.96/28]}]',
        },
        'config',
      ) +
      serviceText('a/new', { annotations: { 'metallb.universe.tf/address-pool': 'Prod_VLAN10' } }) +
      serviceText('a/old', {
        ips: ['192.0.2.17'],
        annotations: {
          'metallb.universe.tf/address-pool': 'Prod_VLAN10',
          'vipvs.io/addresses': '192.0.2.17',
        },
      }) +
      serviceText('a/same', { annotations: { 'metallb.universe.tf/address-pool': 'prod-vlan10' } }),
    ips: ['192.0.2.17 prod-vlan10-metallb-2 a/old'],
    patches: ['new', 'old'].map(
      (name) =>
        `required a/${name} ${annotations({ 'metallb.universe.tf/address-pool': 'prod-vlan10-metallb-2' })}`,
    ),
    notes: [
      ['"-ÄÖ-"', 'a-o'],
      ['"Prod VLAN10"', 'prod-vlan10-metallb'],
      ['"網"', 'metallb'],
      ['Prod_VLAN10', 'prod-vlan10-metallb-2'],
    ].map(
      ([written = '', name = '']) =>
        `ambiguous ConfigMap n/config, pool ${written}: no Pool can be called ${written.startsWith('"') ? written : `"${written}"`}: it is called ${name}, and who asks for it must ask for that`,
    ),
  },
  {
    name: 'a Service that can not be read: nobody else gets what it names; a broken one of another type is of no use',
    given:
      POOL +
      serviceText('a/x', { spec: { ports: [{ port: 0 }] } }) +
      serviceText('a/y', { ips: ['192.0.2.1'], spec: { ports: '${PORTS}' } }) +
      serviceText('a/z', { spec: { type: 'ClusterIP', ports: [{ port: 0 }] } }),
    ips: ['192.0.2.1 p - retain'],
    patches: [],
    notes: [
      'error Service a/x: spec.ports[0].port: must be at least 1, is 0; the object is left out',
      `error Service a/y: spec.ports: must be a list, is "\${PORTS}"; the object is left out; ${VARIABLE}; 192.0.2.1 kept out of use`,
    ],
  },
  {
    name: "OpenELB's annotation for an address: what the Service shows counts more",
    given:
      `apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: e}\nspec: {address: 192.0.2.0/28, protocol: vip}\n` +
      serviceText('a/x', { annotations: { 'eip.openelb.kubesphere.io/v1alpha1': '192.0.2.5' } }) +
      serviceText('a/y', {
        ips: ['192.0.2.6'],
        annotations: { 'eip.openelb.kubesphere.io/v1alpha1': '192.0.2.7' },
      }) +
      serviceText('a/z', { annotations: { 'eip.porter.kubesphere.io/v1alpha1': '${IP}' } }) +
      serviceText('a/none', { annotations: { 'eip.openelb.kubesphere.io/v1alpha1': '' } }),
    ips: ['192.0.2.5 e a/x', '192.0.2.6 e a/y'],
    patches: [
      `required a/x ${annotations({ 'vipvs.io/addresses': '192.0.2.5' })}`,
      `safety a/y ${annotations({ 'vipvs.io/addresses': '192.0.2.6' })}`,
    ],
    notes: [
      `error Service a/z: metadata.annotations[eip.porter.kubesphere.io/v1alpha1]: "\${IP}" is not an IP address; ${VARIABLE}; it is left out`,
    ],
  },
  {
    name: "OpenELB's annotation for an Eip, on a Service without address",
    given:
      `apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: e}\nspec: {address: 192.0.2.0/28, protocol: vip}\n` +
      serviceText('a/x', { annotations: { 'eip.openelb.kubesphere.io/v1alpha2': 'e' } }) +
      serviceText('a/y', { annotations: { 'eip.openelb.kubesphere.io/v1alpha2': 'gone' } }),
    ips: [],
    patches: [`required a/x ${annotations({ 'vipvs.io/pool': 'e' })}`],
    notes: [
      'ambiguous Service a/y: metadata.annotations[eip.openelb.kubesphere.io/v1alpha2]: asks for Eip gone, which is not among the imported ones',
    ],
  },
  {
    name: "inwinSTACK's annotation for a Pool that is not there",
    given: serviceText('a/x', { annotations: { 'kairen.example.lb/address-pool': 'gone' } }),
    ips: [],
    patches: [],
    notes: [
      'ambiguous Service a/x: metadata.annotations[kairen.example.lb/address-pool]: asks for Pool gone, which is not among the imported ones',
    ],
  },
];

serviceCases(CASES);
