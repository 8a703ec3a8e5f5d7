// In which namespace, and under which name, a Service of a repository is.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Migration } from '../../../src/migration/convert.ts';
import { rawObjects } from './read-objects.ts';
import {
  gatherFiles,
  kustomization,
  manifest,
  migrateFiles,
  REPOSITORY_POOL,
  reservedIn,
  told,
  type Files,
} from './repository.ts';

const API = manifest('name: api, annotations: {lbipam.cilium.io/ips: 192.0.2.120}');
const TAKEN = (from: string, namespace = 'kube-system'): string =>
  `ambiguous Service ${from}: metadata.namespace: not in the file; ${namespace} is taken from`;
const NOT_KNOWN =
  'error Service api: metadata.namespace: not known, neither from the file nor from one Kustomization that lists it: 192.0.2.120 kept out of use, but for nobody by name; write the namespace, give the Kustomization, too, or read the cluster (--from-cluster)';

suite('a Service without a namespace in the file', () => {
  const CASES: readonly {
    readonly name: string;
    readonly files: Files;
    readonly ips?: readonly string[];
    readonly notes: readonly string[];
  }[] = [
    {
      name: 'nobody lists it: nothing is kept for "default"',
      files: { 'a.yaml': API },
      ips: ['192.0.2.120 - retain'],
      notes: [NOT_KNOWN],
    },
    {
      name: 'the Kustomization beside it, which need not say what it is',
      files: {
        'apps/api/kustomization.yaml': 'namespace: kube-system\nresources: [./api.yaml]\n',
        'apps/api/api.yaml': API,
      },
      notes: [`${TAKEN('api')} apps/api/kustomization.yaml:1`],
    },
    {
      name: 'a directory in between, and names that change; the outer namespace counts',
      files: {
        'kustomization.yml': kustomization(
          'namespace: kube-system\nresources: [apps/../apps/api, ../outside]\nnamePrefix: c-',
        ),
        'apps/api/kustomization.yaml': kustomization(
          'namespace: inner\nresources: [api.yaml]\nnamePrefix: prod-\nnameSuffix: -one',
        ),
        'apps/api/api.yaml': API,
      },
      ips: ['192.0.2.120 kube-system/c-prod-api-one'],
      notes: [
        'ambiguous Service api: metadata.name: the Kustomization kustomization.yml:1 calls it c-prod-api-one',
        `${TAKEN('api')} kustomization.yml:1`,
      ],
    },
    {
      name: 'under paths from the root',
      files: {
        '/repo/kustomization.yaml': 'namespace: kube-system\nresources: [api.yaml]\n',
        '/repo/./api.yaml': API,
      },
      notes: [`${TAKEN('api')} /repo/kustomization.yaml:1`],
    },
    {
      name: 'a Kustomization among other documents, and one that says nothing of namespaces',
      files: {
        'all.yaml': `${kustomization('resources: [api.yaml]')}---\n${REPOSITORY_POOL}`,
        'api.yaml': API,
      },
      ips: ['192.0.2.120 - retain'],
      notes: [NOT_KNOWN],
    },
    {
      name: 'flux applies the directory, somewhere in the repository; the exact path counts',
      files: {
        'repo/cluster/ks.yaml':
          'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: api}\nspec: {path: ./apps/api, targetNamespace: kube-system}\n---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: all}\nspec: {targetNamespace: flux-system}\n',
        'repo/apps/api/app/api.yaml': API,
      },
      notes: [`${TAKEN('api')} repo/cluster/ks.yaml:1`],
    },
    {
      name: 'Argo CD applies the directory of a Kustomization that says nothing',
      files: {
        'app.yaml':
          'apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: api}\nspec: {destination: {namespace: kube-system}, sources: [{chart: x}, {path: apps/api}]}\n',
        'apps/api/kustomization.yaml': kustomization('resources: [api.yaml]'),
        'apps/api/api.yaml': API,
      },
      notes: [`${TAKEN('api')} app.yaml:1`],
    },
    {
      name: 'two overlays apply it: nobody can tell',
      files: {
        'base/kustomization.yaml': kustomization('resources: [api.yaml]'),
        'base/api.yaml': API,
        'prod/kustomization.yaml': kustomization('namespace: prod\nbases: [../base]'),
        'test/kustomization.yaml': kustomization('namespace: test\nresources: [../base]'),
        'none/kustomization.yaml': kustomization('resources: [../base]'),
      },
      ips: ['192.0.2.120 - retain'],
      notes: [
        'error Service api: metadata.namespace: 3 Kustomizations apply it, in namespaces prod, test, "?": which of them are in use can\'t be told; render them (kustomize build), or read the cluster (--from-cluster)',
        NOT_KNOWN,
      ],
    },
    {
      name: 'two that say the same are one; a directory that lists itself is no end',
      files: {
        'base/kustomization.yaml': kustomization(
          'namespace: kube-system\nresources: [api.yaml, ., ../base]',
        ),
        'base/api.yaml': API,
      },
      notes: [`${TAKEN('api')} base/kustomization.yaml:1`],
    },
    {
      name: 'a namespace in the file that the Kustomization replaces, and one that it leaves',
      files: {
        'kustomization.yaml': 'namespace: kube-system\nresources: [api.yaml, cm.yaml]\n',
        'api.yaml': API.replace('name: api', 'name: api, namespace: default'),
        'cm.yaml':
          'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: kube-system}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: d}\n',
      },
      notes: [
        'ambiguous Service default/api: metadata.namespace: default; kube-system is taken from kustomization.yaml:1',
      ],
    },
  ];
  for (const { name, files, ips = ['192.0.2.120 kube-system/api'], notes } of CASES) {
    test(name, () => {
      const migration = migrateFiles({ 'pool.yaml': REPOSITORY_POOL, ...files });
      assert.deepEqual(reservedIn(migration), ips);
      assert.deepEqual(told(migration), notes);
    });
  }

  test('of no load balancer nobody asks for the namespace; of one without an address it is asked', () => {
    const plain = manifest('name: plain', 'type: ClusterIP');
    const migration = migrateFiles({ 'a.yaml': plain + manifest('name: new') });
    assert.deepEqual(told(migration), [
      'error Service new: metadata.namespace: not known, neither from the file nor from one Kustomization that lists it: what it has is not known and is not kept; write the namespace, give the Kustomization, too, or read the cluster (--from-cluster)',
    ]);
  });

  test('who may share its address is not known: the others have no right to it by name', () => {
    const other = manifest(
      'name: other, namespace: a, annotations: {vipvs.io/addresses: 192.0.2.120}',
    );
    const migration = migrateFiles({ 'a.yaml': REPOSITORY_POOL + API + other });
    assert.deepEqual(reservedIn(migration), ['192.0.2.120 - retain']);
  });

  test('so many ways that nobody can follow them', () => {
    const files: Record<string, string> = {};
    for (let i = 0; i < 12; i++) {
      for (const half of ['a', 'b']) {
        files[`l${i}${half}/kustomization.yaml`] = kustomization(
          `namePrefix: ${half}${i}-\nresources: [../l${i + 1}a, ../l${i + 1}b]`,
        );
      }
    }
    const { notes } = gatherFiles({
      ...files,
      'l12a/kustomization.yaml': kustomization('resources: [api.yaml]'),
      'l12a/api.yaml': API,
    });
    assert.match(notes[0]?.message ?? '', /^16 Kustomizations apply it/);
  });

  test('the cluster has one of that name: that is it; of two, neither', () => {
    const live = (namespace: string): string =>
      `${manifest(`name: api, namespace: ${namespace}`)}status: {loadBalancer: {ingress: [{ip: 192.0.2.120}]}}\n`;
    const read = (...namespaces: string[]): Migration =>
      migrateFiles(
        { 'a.yaml': REPOSITORY_POOL + manifest('name: api') },
        {
          cluster: rawObjects(namespaces.map(live).join('')),
        },
      );
    const one = read('kube-system');
    assert.deepEqual(reservedIn(one), ['192.0.2.120 kube-system/api']);
    assert.deepEqual(told(one), [
      'ambiguous Service api: metadata.namespace: not in the file; taken for kube-system/api of the cluster',
    ]);
    assert.match(
      told(read('a', 'b'))[0] ?? '',
      /^error Service api: metadata\.namespace: not known/,
    );
  });
});
