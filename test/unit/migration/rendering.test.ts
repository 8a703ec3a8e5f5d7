// What is only named, because the import renders nothing: values of charts, patches, templates.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { notesOf } from './read-objects.ts';
import { kustomization, manifest, migrateFiles, REPOSITORY_POOL, told } from './repository.ts';

suite('what the import does not render', () => {
  const ADVICE =
    'the import renders nothing, so this is not kept: render it (helm template, kustomize build) and give that, or read the cluster (--from-cluster)';
  const found = (text: string, file = 'v/values.yaml'): readonly string[] =>
    told(migrateFiles({ [file]: text }));

  const CASES: readonly {
    readonly name: string;
    readonly given: string;
    readonly notes: readonly string[];
  }[] = [
    {
      name: 'flux: HelmRelease',
      given:
        'apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: nginx, namespace: n}\nspec: {values: {controller: {service: {type: LoadBalancer, annotations: {metallb.io/loadBalancerIPs: 192.0.2.15}}}}}\n',
      notes: [
        `error HelmRelease n/nginx: spec.values.controller.service.annotations[metallb.io/loadBalancerIPs]: "192.0.2.15": ${ADVICE}`,
        `error HelmRelease n/nginx: spec.values.controller.service.type: "LoadBalancer": ${ADVICE}`,
      ],
    },
    {
      name: 'Argo CD: values as text, and parameters',
      given:
        'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: m}\nspec:\n  sources:\n  - helm:\n      values: |\n        configInline:\n          address-pools:\n          - {name: x, addresses: [192.0.2.0/28]}\n      parameters:\n      - {name: service.annotations.metallb\\.universe\\.tf/loadBalancerIPs, value: 192.0.2.7}\n      - {name: service.type, value: LoadBalancer}\n      - {name: service.port, value: "80"}\n',
      notes: [
        `error Application m: spec.sources[0].helm.parameters[0][service.annotations.metallb\\.universe\\.tf/loadBalancerIPs]: "192.0.2.7": ${ADVICE}`,
        `error Application m: spec.sources[0].helm.parameters[1][service.type]: "LoadBalancer": ${ADVICE}`,
        `error Application m: spec.sources[0].helm.values.configInline: {"address-pools":[{"name":"x","addresses":["192.0.2.0/28"]}]}: ${ADVICE}`,
      ],
    },
    {
      name: 'k3s: HelmChartConfig and HelmChart',
      given:
        'apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {name: traefik}\nspec:\n  valuesContent: |-\n    service: {spec: {loadBalancerIP: 192.0.2.8}}\n---\napiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: m}\nspec: {set: {service.loadBalancerIP: 192.0.2.9, service.annotations.lbipam\\.cilium\\.io/ips: 192.0.2.9}}\n',
      notes: [
        `error HelmChart m: spec.set[service.annotations.lbipam\\.cilium\\.io/ips]: "192.0.2.9": ${ADVICE}`,
        `error HelmChart m: spec.set[service.loadBalancerIP]: "192.0.2.9": ${ADVICE}`,
        `error HelmChartConfig traefik: spec.valuesContent.service.spec.loadBalancerIP: "192.0.2.8": ${ADVICE}`,
      ],
    },
    {
      name: 'a file of values: pools of kube-vip and PureLB, and an object inside',
      given:
        'cm: {data: {range-global: 192.0.2.10-192.0.2.20, range-of-sizes: small}}\nserviceGroup: {spec: {local: {v4pool: {pool: 192.0.2.0/28}, v4pools: [{pool: 192.0.2.16/28}, {loadBalancerIP: 192.0.2.1}, {loadBalancerIP: 192.0.2.2}]}}}\nextraObjects:\n- {apiVersion: metallb.io/v1beta1, kind: IPAddressPool, metadata: {name: x}}\nservice: {loadBalancerIP: "", loadBalancerIPs: [], annotations: {metallb.io/address-pool: null, metallb.io/allow-shared-ip: {}}, type: ClusterIP}\ntype: NodePort\n',
      notes: [
        `error values: cm.data.range-global: "192.0.2.10-192.0.2.20": ${ADVICE}`,
        `error values: extraObjects[0]: "IPAddressPool": ${ADVICE}`,
        `error values: serviceGroup.spec.local.v4pool: {"pool":"192.0.2.0/28"}: ${ADVICE}`,
        `error values: serviceGroup.spec.local.v4pools: [{"pool":"192.0.2.16/28"},{"loadBalancerIP":"192.0.2.1"},{"loadBalancerIP":"192.…: ${ADVICE}`,
      ],
    },
    {
      name: 'patches inside a Kustomization, and an object of which a Service is made',
      given: `${kustomization('patches:\n- patch: |\n    - {op: add, path: /metadata/annotations/metallb.io~1loadBalancerIPs, value: 192.0.2.7}\n- patch: |\n    metadata: {annotations: {purelb.io/addresses: 192.0.2.8}}\n- patch: "metallb: none"')}---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\nspec: {type: LoadBalancer, infrastructure: {annotations: {lbipam.cilium.io/ips: 192.0.2.9}}}\n`,
      notes: [
        `error Gateway g: spec.infrastructure.annotations[lbipam.cilium.io/ips]: "192.0.2.9": ${ADVICE}`,
        `error Kustomization: patches[0].patch[0][/metadata/annotations/metallb.io~1loadBalancerIPs]: "192.0.2.7": ${ADVICE}`,
        `error Kustomization: patches[1].patch.metadata.annotations[purelb.io/addresses]: "192.0.2.8": ${ADVICE}`,
      ],
    },
    {
      name: 'schemas, Secrets, what kubectl remembers, text that is no YAML, and an odd group',
      given:
        'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\nspec: {loadBalancerIP: 192.0.2.1}\n---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {loadBalancerIP: 192.0.2.1}\n---\napiVersion: constructor/v1\nkind: X\nmetadata: {name: y, annotations: {kubectl.kubernetes.io/last-applied-configuration: "loadBalancerIP: 192.0.2.1"}}\nspec: {properties: {loadBalancerIP: {type: string, description: an address}}, a: "metallb: [", b: "no metallb here"}\n',
      notes: [],
    },
  ];
  for (const { name, given, notes } of CASES) {
    test(name, () => assert.deepEqual(found(given), notes));
  }

  test('charts are counted, and that they are not rendered is said', () => {
    const release = (name: string): string =>
      `---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: ${name}}\n`;
    const migration = migrateFiles({ 'a.yaml': release('a') + release('b') });
    assert.deepEqual(notesOf(migration), [
      'ambiguous charts: not rendered: HelmRelease (2). Services and pools that only they make are not seen: give what they make (helm template), or read the cluster (--from-cluster)',
    ]);
  });

  test('what a Service of the input has, or the cluster was read for: nothing is lost', () => {
    const values = 'service: {loadBalancerIP: 192.0.2.7}\n';
    const web = manifest(
      'name: web, namespace: a',
      'type: LoadBalancer, loadBalancerIP: 192.0.2.7',
    );
    assert.deepEqual(
      told(migrateFiles({ 'a.yaml': REPOSITORY_POOL + web, 'values.yaml': values })),
      [],
    );
    assert.deepEqual(told(migrateFiles({ 'values.yaml': values }, { cluster: [] })), []);
  });

  test('many of them in one document: the first are named, the rest counted', () => {
    const values = Array.from({ length: 25 }, (_, i) => `s${i}: {loadBalancerIP: 192.0.2.${i}}\n`);
    const notes = found(values.join(''));
    assert.equal(notes.length, 21);
    assert.equal(notes.at(0), `error values: 5 more of the kind: ${ADVICE}`);
  });

  test('text inside of text inside of text: not for ever', () => {
    const nested = (depth: number): string =>
      depth === 0
        ? 'loadBalancerIP: 192.0.2.1'
        : JSON.stringify({ loadbalancer: nested(depth - 1) });
    assert.equal(found(nested(3)).length, 1);
    assert.equal(found(nested(5)).length, 0);
  });

  test('templates that are no YAML, and documents that can not be read', () => {
    const templates = [
      'kind: Service\nspec:\n  type: LoadBalancer\n  annotations: {metallb.io/loadBalancerIPs: {{ .Values.ip }}}\n',
      '{% for p in pools %}\nkind: IPAddressPool\n{% endfor %}\n',
      'data:\n  range-global: {{ range }}\n',
      'kind: Deployment\nname: {{ .Release.Name }}\n',
    ].map((text, i) => ({ text, file: `t${i}.yaml`, line: 3 }));
    const broken = [
      { file: 'bad.yaml', line: 7, column: 2, message: 'Unexpected scalar' },
      { file: 'gone.yaml', message: 'too long' },
    ];
    const files = { 'compose.yaml': 'services: {web: {image: nginx}}\n' };
    const migration = migrateFiles(files, { broken, templates });
    assert.deepEqual(
      migration.notes.map(({ where, object, message }) => `${where ?? ''} ${object}: ${message}`),
      [
        'gone.yaml document: too long; it is left out',
        'bad.yaml:7:2 document: Unexpected scalar; it is left out',
        `t1.yaml:3 template: kind: IPAddressPool: ${ADVICE}`,
        `t2.yaml:3 template: range-global: ${ADVICE}`,
        `t0.yaml:3 template: type: LoadBalancer, metallb.io/loadBalancerIPs: ${ADVICE}`,
      ].sort((a, b) => (a.slice(a.indexOf(' ')) < b.slice(b.indexOf(' ')) ? -1 : 1)),
    );
    assert.deepEqual(
      [...migration.ignored],
      [
        ['templates', 1],
        ['documents without a kind', 1],
      ],
    );
  });
});
