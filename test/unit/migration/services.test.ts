// What Services have and what must change on them: holdings, patches, kept addresses, names and overlaps of Pools.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcedPool as pool, migrateText, notesOf, serviceText } from './read-objects.ts';
import { annotations, POOL, serviceCases, type ServiceCase } from './service-cases.ts';

const DEFAULT_CLASS = (count: number): string =>
  `ambiguous Services: ${count} without a loadBalancerClass: vipvs serves those only with --default-class`;

const CASES: readonly ServiceCase[] = [
  {
    name: 'an address that is asked for, by annotation or by spec, needs nothing',
    given:
      POOL +
      serviceText('a/x', {
        ips: ['192.0.2.1'],
        annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.1' },
      }) +
      serviceText('a/y', { ips: ['192.0.2.2'], spec: { loadBalancerIP: '192.0.2.2' } }),
    ips: ['192.0.2.1 p a/x', '192.0.2.2 p a/y'],
    patches: [],
  },
  {
    name: 'a manifest without status: what it asks for counts',
    given:
      POOL +
      serviceText('a/x', {
        annotations: { 'kube-vip.io/loadbalancerIPs': '192.0.2.1,2001:db8::1' },
      }),
    ips: ['192.0.2.1 p a/x', '2001:db8::1 p a/x'],
    patches: [],
  },
  {
    name: 'a Service without an address, and one of another type',
    given:
      POOL +
      serviceText('a/x') +
      serviceText('a/y', { ips: ['192.0.2.9'], spec: { type: 'NodePort' } }),
    ips: [],
    patches: [],
  },
  {
    name: 'a misspelt type, with an address and without: no API server has taken it',
    given:
      POOL +
      serviceText('a/x', { spec: { type: 'Loadbalancer' } }) +
      serviceText('a/y', {
        annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.7, 192.0.2.999' },
        spec: { type: '${TYPE}' },
      }) +
      serviceText('a/z', { spec: { type: null } }),
    ips: ['192.0.2.7 p - retain'],
    patches: [],
    notes: [
      'error Service a/x: spec.type: must be one of ClusterIP, NodePort, LoadBalancer, ExternalName, is "Loadbalancer"; did you mean LoadBalancer?; what it has is not known and is not kept',
      'error Service a/y: spec.type: must be one of ClusterIP, NodePort, LoadBalancer, ExternalName, is "${TYPE}"; it looks like a variable that nothing has replaced (flux envsubst, kustomize, Helm): render it first; 192.0.2.7 kept out of use, but not for it',
    ],
  },
  {
    name: 'it shows another address than it asks for: what it shows is kept',
    given:
      POOL +
      serviceText('a/x', {
        ips: ['192.0.2.1'],
        annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.7' },
        spec: { loadBalancerIP: '' },
      }) +
      serviceText('a/y', { ips: ['192.0.2.2'], spec: { loadBalancerIP: '192.0.2.8' } }),
    ips: ['192.0.2.1 p a/x', '192.0.2.2 p a/y'],
    patches: [
      `required a/x ${annotations({ 'metallb.io/loadBalancerIPs': '192.0.2.1' })}`,
      'required a/y {"metadata":{"annotations":{"vipvs.io/addresses":"192.0.2.2"}},"spec":{"loadBalancerIP":null}}',
    ],
  },
  {
    name: 'an address outside every Pool',
    given:
      POOL +
      serviceText('a/x', { ips: ['198.51.100.1'] }) +
      serviceText('a/y', { ips: ['198.51.100.2'] }),
    ips: ['198.51.100.1 kept-addresses a/x', '198.51.100.2 kept-addresses a/y'],
    patches: [
      `safety a/x ${annotations({ 'vipvs.io/addresses': '198.51.100.1' })}`,
      `safety a/y ${annotations({ 'vipvs.io/addresses': '198.51.100.2' })}`,
    ],
    notes: ['1', '2'].map(
      (last, i) =>
        `ambiguous address 198.51.100.${last}: Service a/${'xy'.charAt(i)} has it, and no imported Pool hands it out: it is in Pool kept-addresses`,
    ),
  },
  {
    name: 'addresses that no VIP can have',
    given: POOL + serviceText('a/x', { ips: ['127.0.0.1'] }),
    ips: [],
    patches: [],
    notes: ['error Service a/x: 127.0.0.1 is loopback; no VIP can have it, so it is left out'],
  },
  {
    name: 'two addresses of one family: the first is kept, the other out of use',
    given: POOL + serviceText('a/x', { ips: ['192.0.2.1', '192.0.2.2'] }),
    ips: ['192.0.2.1 p a/x', '192.0.2.2 p - retain'],
    patches: [`safety a/x ${annotations({ 'vipvs.io/addresses': '192.0.2.1' })}`],
    notes: [
      'error Service a/x: has 192.0.2.1 and 192.0.2.2; a Service has one address of each family: 192.0.2.1 is kept, 192.0.2.2 is reserved (give it to a second Service with the same selector)',
    ],
  },
  {
    name: 'families from two Pools: it asks for both',
    given:
      pool('v4', { addresses: ['192.0.2.0/24'] }) +
      pool('v6', { addresses: ['2001:db8::/64'] }) +
      serviceText('a/x', {
        ips: ['192.0.2.1', '2001:db8::1'],
        spec: { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' },
      }) +
      serviceText('a/y', {
        ips: ['192.0.2.2', '2001:db8::2'],
        annotations: { 'metallb.io/address-pool': 'v4' },
        spec: { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'RequireDualStack' },
      }),
    ips: ['192.0.2.1 v4 a/x', '192.0.2.2 v4 a/y', '2001:db8::1 v6 a/x', '2001:db8::2 v6 a/y'],
    patches: [
      `safety a/x ${annotations({ 'vipvs.io/addresses': '192.0.2.1,2001:db8::1' })}`,
      `required a/y ${annotations({ 'metallb.io/address-pool': 'v4,v6', 'vipvs.io/addresses': '192.0.2.2,2001:db8::2' })}`,
    ],
  },
  {
    name: 'it asks for a Pool that is not there: nothing is known of its address, or it is elsewhere',
    given:
      POOL +
      serviceText('a/x', { annotations: { 'metallb.io/address-pool': 'gone' } }) +
      serviceText('a/y', { annotations: { 'metallb.io/address-pool': 'p' } }) +
      serviceText('a/z', {
        ips: ['192.0.2.3'],
        annotations: {
          'metallb.io/address-pool': 'gone',
          'metallb.io/loadBalancerIPs': '192.0.2.3',
        },
      }),
    ips: ['192.0.2.3 p a/z'],
    patches: [`required a/z ${annotations({ 'metallb.io/address-pool': 'p' })}`],
    notes: ['ambiguous Service a/x: asks for Pool gone, which is not among the imported ones'],
  },
  {
    name: 'sharing under different keys, across namespaces, one of which consents',
    given:
      POOL +
      serviceText('a/x', {
        ips: ['192.0.2.1'],
        annotations: {
          'purelb.io/allow-shared-ip': 'k',
          'purelb.io/addresses': '192.0.2.1',
          'lbipam.cilium.io/sharing-cross-namespace': 'b,c',
        },
      }) +
      serviceText('b/y', {
        ips: ['192.0.2.1'],
        annotations: { 'purelb.io/addresses': '192.0.2.1' },
        spec: { ports: [{ port: 81 }] },
      }),
    ips: ['192.0.2.1 p -'],
    patches: [
      `required a/x ${annotations({ 'lbipam.cilium.io/sharing-cross-namespace': 'b,c', 'purelb.io/allow-shared-ip': 'imported-192.0.2.1', 'vipvs.io/sharing-key': 'imported-192.0.2.1', 'vipvs.io/sharing-namespaces': 'b,c' })}`,
      `required b/y ${annotations({ 'vipvs.io/sharing-key': 'imported-192.0.2.1', 'vipvs.io/sharing-namespaces': 'a' })}`,
    ],
  },
  {
    name: "another load balancer's class: left alone, unless its address is from an imported Pool",
    given:
      POOL +
      serviceText('a/x', {
        ips: ['203.0.113.1'],
        spec: { loadBalancerClass: 'service.k8s.aws/nlb' },
      }) +
      serviceText('a/y', {
        ips: ['192.0.2.1'],
        annotations: { 'metallb.io/loadBalancerIPs': '192.0.2.1' },
        spec: { loadBalancerClass: 'own/class' },
      }) +
      serviceText('a/z', { spec: { loadBalancerClass: 'metallb' } }) +
      serviceText('a/w', { spec: { loadBalancerClass: 'vipvs.io/vipvs' } }),
    ips: ['192.0.2.1 p a/y'],
    patches: [],
    notes: [
      "no-equivalent Service a/y: spec.loadBalancerClass: own/class can't be changed: run the assigner for this class, or delete the Service and create it again with class vipvs.io/vipvs and annotation vipvs.io/addresses: 192.0.2.1",
      "no-equivalent Service a/z: spec.loadBalancerClass: metallb can't be changed: run the assigner for this class, or delete the Service and create it again with class vipvs.io/vipvs",
      'ambiguous Service a/x: spec.loadBalancerClass: service.k8s.aws/nlb is the class of another load balancer: the Service is left alone',
    ],
  },
  {
    name: 'a record that says something else than the status',
    given:
      `apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: e}\nspec: {address: 192.0.2.0/28, protocol: vip}\nstatus: {used: {192.0.2.5: a/x}}\n` +
      serviceText('a/x', { ips: ['192.0.2.6'] }),
    ips: ['192.0.2.6 e a/x'],
    patches: [`safety a/x ${annotations({ 'vipvs.io/addresses': '192.0.2.6' })}`],
    notes: [
      'ambiguous Service a/x: Eip e: status.used gives it 192.0.2.5, its status shows 192.0.2.6: what it shows is kept',
    ],
  },
  {
    name: 'annotations of others: read, told, and without equivalent',
    given:
      POOL +
      serviceText('a/x', {
        annotations: {
          'kube-vip.io/vipHost': 'n',
          'kube-vip.io/egress': 'true',
          constructor: 'x',
          'service.beta.kubernetes.io/load-balancer-source-ranges': '198.51.100.0/24',
          'example.com/mine': 'x',
          'k8s.io/public-vip': '192.0.2.1',
        },
      }),
    ips: [],
    patches: [],
    notes: [
      'no-equivalent Service a/x: metadata.annotations[k8s.io/public-vip]: "192.0.2.1": set vipvs.io/addresses',
      'no-equivalent Service a/x: metadata.annotations[kube-vip.io/egress]: "true": vipvs has nothing that does this; it is not read',
      'no-equivalent Service a/x: metadata.annotations[service.beta.kubernetes.io/load-balancer-source-ranges]: "198.51.100.0/24": an allow list that vipvs does not read: without spec.loadBalancerSourceRanges everybody is let in',
    ],
  },
  {
    name: 'a Service without ports shares an address',
    given:
      POOL +
      `---\napiVersion: v1\nkind: Service\nmetadata: {name: h, namespace: default}\nspec: {type: LoadBalancer}\nstatus: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}\n` +
      serviceText('default/i', { ips: ['192.0.2.1'] }),
    ips: ['192.0.2.1 p -'],
    patches: ['h', 'i'].map(
      (name) =>
        `required default/${name} ${annotations({ 'vipvs.io/addresses': '192.0.2.1', 'vipvs.io/sharing-key': 'imported-192.0.2.1' })}`,
    ),
  },
  {
    name: 'a Service that is to become one of type LoadBalancer, and asks for its address already',
    given:
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: v, namespace: n}\ndata: {192.0.2.1: a/x}\n` +
      serviceText('a/x', {
        annotations: { 'vipvs.io/addresses': '192.0.2.1' },
        spec: { type: 'ClusterIP' },
      }),
    ips: ['192.0.2.1 kube-keepalived-vip a/x'],
    patches: ['required a/x {"spec":{"type":"LoadBalancer","loadBalancerClass":"vipvs.io/vipvs"}}'],
    notes: [
      'ambiguous ConfigMap n/v: the Pool keeps scheduler wlc and persistence of 1800 s, which kube-keepalived-vip had for all; take spec.defaults out if you do not want them',
    ],
  },
];

serviceCases(CASES);

test('Services without a class are counted', () => {
  const migration = migrateText(POOL + serviceText('a/x') + serviceText('a/y'));
  assert.deepEqual(notesOf(migration), [DEFAULT_CLASS(2)]);
});

test('kinds that are of no use are counted', () => {
  const migration = migrateText(
    'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: a}\n---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\n',
  );
  assert.deepEqual(
    [...migration.ignored],
    [
      ['apps/v1 Deployment', 1],
      ['v1 Secret', 1],
    ],
  );
});
