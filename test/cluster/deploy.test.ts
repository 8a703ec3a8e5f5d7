// deploy/ as users apply it, on a real API server: kustomize and helm, which must make the same objects.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { arrayAt, isObject, objectAt, textAt, type JsonObject } from '../../src/kube/json.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { findHelm } from './helm.ts';

const ROOT = `${import.meta.dirname}/../..`;
const DEPLOY = `${ROOT}/deploy`;
const NAMESPACE = 'vipvs-system';
/** Of test/controlplane: helm asks no API server when it renders. */
const KUBE_VERSION = '1.36.3';

const run = promisify(execFile);

/** By kind, namespace and name. */
function objectsOf(manifests: string): Map<string, JsonObject> {
  const objects = new Map<string, JsonObject>();
  for (const document of parseAllDocuments(manifests)) {
    const object: unknown = document.toJS();
    if (!isObject(object)) continue;
    const metadata = objectAt(object, 'metadata');
    const at = [textAt(object, 'kind'), textAt(metadata, 'namespace'), textAt(metadata, 'name')];
    objects.set(at.join(' '), object);
  }
  return objects;
}

const helm = await findHelm();
const skip = 'reason' in helm ? helm.reason : false;
const helmPath = 'path' in helm ? helm.path : '';

suite('deploy', { timeout: 120_000 }, () => {
  let plane: ControlPlane;

  before(async () => {
    plane = await startControlPlane();
  });
  after(() => plane.stop());

  const kustomize = async (folder: string): Promise<Map<string, JsonObject>> =>
    objectsOf(await plane.kubectl(['kustomize', folder]));
  const template = async (...args: readonly string[]): Promise<Map<string, JsonObject>> => {
    const { stdout } = await run(helmPath, [
      ...['template', 'vipvs', `${DEPLOY}/chart`, '-n', NAMESPACE, '--include-crds'],
      ...['--kube-version', KUBE_VERSION, ...args],
    ]);
    return objectsOf(stdout);
  };

  const pairs = [
    { folder: DEPLOY, args: [] },
    { folder: `${DEPLOY}/base`, args: ['--set', 'assigner.defaultClass=false'] },
  ];
  for (const { folder, args } of pairs) {
    const name = `helm template ${args.join(' ')}`.trim();
    test(`${name} makes the objects of ${folder.slice(ROOT.length + 1)}`, { skip }, async () => {
      const wanted = await kustomize(folder);
      // helm makes the namespace by --create-namespace
      assert.equal(wanted.delete(`Namespace  ${NAMESPACE}`), true);
      const made = await template(...args);
      assert.deepEqual([...made.keys()].sort(), [...wanted.keys()].sort());
      for (const [at, object] of wanted) assert.deepEqual(made.get(at), object, at);
    });
  }

  const refused = [
    { set: 'assigner.replica=3', says: /replica/ },
    { set: 'assigner.replicas=0', says: /replicas/ },
    { set: 'assigner.logLevel=loud', says: /logLevel/ },
    { set: 'image.pullPolicy=sometimes', says: /pullPolicy/ },
    { set: 'node.bindInterface=a/b', says: /bindInterface/ },
    { set: 'node.listenAddress=localhost', says: /listenAddress/ },
    { set: 'node.port=0', says: /port/ },
    { set: 'node.selector.role=edge', says: /selector/ },
  ];
  for (const { set, says } of refused) {
    test(`the chart's schema refuses ${set}`, { skip }, async () => {
      await assert.rejects(template('--set', set), says);
    });
  }

  const ANYWHERE = [
    ...['--set', 'image.repository=example/vipvs,image.tag=1.2.3,image.pullPolicy=Always'],
    ...['--set', 'imagePullSecrets[0].name=secret'],
  ];
  const podOf = (workload: JsonObject | undefined): JsonObject | undefined =>
    objectAt(objectAt(objectAt(workload, 'spec'), 'template'), 'spec');
  const argsOf = (container: unknown): string => arrayAt(container, 'args').join(' ');

  test("every value of the chart's assigner has its effect", { skip }, async () => {
    const made = await template(
      ...ANYWHERE,
      ...['--set', 'assigner.holdSeconds=300,assigner.logLevel=debug,assigner.replicas=3'],
      ...['--set', 'assigner.nodeSelector.role=infra,assigner.priorityClassName=high'],
      ...['--set', 'assigner.tolerations=null,assigner.resources=null'],
      ...['--set', 'podDisruptionBudget.enabled=false,networkPolicy.enabled=false'],
    );
    assert.equal(made.has(`PodDisruptionBudget ${NAMESPACE} vipvs-assigner`), false);
    assert.equal(made.has(`NetworkPolicy ${NAMESPACE} vipvs-assigner`), false);
    const deployment = made.get(`Deployment ${NAMESPACE} vipvs-assigner`);
    assert.equal(objectAt(deployment, 'spec')?.['replicas'], 3);
    const pod = podOf(deployment);
    assert.deepEqual(arrayAt(pod, 'imagePullSecrets'), [{ name: 'secret' }]);
    assert.deepEqual(objectAt(pod, 'nodeSelector'), { role: 'infra' });
    assert.equal(textAt(pod, 'priorityClassName'), 'high');
    const [container] = arrayAt(pod, 'containers');
    assert.deepEqual(
      [pod?.['tolerations'], objectAt(container, 'resources')],
      [undefined, undefined],
    );
    assert.equal(textAt(container, 'image'), 'example/vipvs:1.2.3');
    assert.equal(textAt(container, 'imagePullPolicy'), 'Always');
    const want = 'assigner --listen :9472 --default-class --hold-seconds 300 --log-level debug';
    assert.equal(argsOf(container), want);
  });

  test("every value of the chart's node has its effect", { skip }, async () => {
    const made = await template(
      ...ANYWHERE,
      ...['--set', 'node.nodeSelector.role=edge,node.bindInterface=bond0,node.logLevel=debug'],
      ...['--set', 'node.listenAddress=,node.port=9999,node.priorityClassName=high'],
      ...['--set', 'node.tolerations=null,node.resources=null'],
    );
    const pod = podOf(made.get(`DaemonSet ${NAMESPACE} vipvs-node`));
    assert.deepEqual(arrayAt(pod, 'imagePullSecrets'), [{ name: 'secret' }]);
    assert.deepEqual(objectAt(pod, 'nodeSelector'), { role: 'edge' });
    assert.equal(textAt(pod, 'priorityClassName'), 'high');
    const [container] = arrayAt(pod, 'containers');
    assert.deepEqual(
      [pod?.['tolerations'], objectAt(container, 'resources')],
      [undefined, undefined],
    );
    for (const each of [container, arrayAt(pod, 'initContainers')[0]]) {
      assert.equal(textAt(each, 'image'), 'example/vipvs:1.2.3');
      assert.equal(textAt(each, 'imagePullPolicy'), 'Always');
    }
    const want = 'node --listen :9999 --bind-iface bond0 --log-level debug';
    assert.equal(argsOf(container), want);
    for (const [probe, path] of [
      ['readinessProbe', '/readyz'],
      ['livenessProbe', '/healthz'],
    ] as const) {
      const asked = objectAt(objectAt(container, probe), 'httpGet');
      assert.deepEqual(asked, { host: '127.0.0.1', path, port: 9999 });
    }
  });

  test('helm lint, install and uninstall', { skip }, async () => {
    await run(helmPath, ['lint', '--strict', `${DEPLOY}/chart`]);
    const kubeconfig = ['--kubeconfig', await plane.kubeconfig('admin'), '-n', NAMESPACE];
    await run(helmPath, [
      ...['install', 'vipvs', `${DEPLOY}/chart`, '--create-namespace', ...kubeconfig],
    ]);
    const kinds = 'deploy,ds,pdb,netpol,sa,role,rolebinding';
    const text = await plane.kubectl(['get', kinds, '-n', NAMESPACE, '-o', 'name']);
    assert.equal(text.match(/\/vipvs-assigner$/gm)?.length, 6, text);
    assert.equal(text.match(/\/vipvs-node$/gm)?.length, 4, text);
    await plane.kubectl(['get', 'crd', 'pools.vipvs.io', 'ips.vipvs.io', 'directors.vipvs.io']);
    await run(helmPath, ['uninstall', 'vipvs', ...kubeconfig]);
    assert.equal(await plane.kubectl(['get', kinds, '-n', NAMESPACE, '-o', 'name']), '');
    await plane.kubectl(['get', 'crd', 'pools.vipvs.io']); // nobody loses his Pools
  });

  test('kubectl apply -k: the API server takes every object, twice without a change', async () => {
    await plane.kubectl(['apply', '-f', `${DEPLOY}/base/namespace.yaml`]);
    await plane.kubectl(['apply', '-k', DEPLOY, '--dry-run=server']);
    await plane.kubectl(['apply', '-k', DEPLOY]);
    const versions = (): Promise<string> => {
      const path =
        '{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
      const kinds = 'deploy,ds,pdb,netpol,sa,role,rolebinding,clusterrole,clusterrolebinding';
      return plane.kubectl(['get', kinds, '-n', NAMESPACE, '-o', `jsonpath=${path}`]);
    };
    const before = await versions();
    assert.match(before, /Deployment\/vipvs-assigner/);
    assert.match(before, /DaemonSet\/vipvs-node/);
    await plane.kubectl(['apply', '-k', DEPLOY]);
    assert.equal(await versions(), before);
  });

  for (const overlay of readdirSync(`${DEPLOY}/overlays`)) {
    test(`kubectl apply -k deploy/overlays/${overlay}`, async () => {
      await plane.kubectl(['apply', '-k', `${DEPLOY}/overlays/${overlay}`, '--dry-run=server']);
    });
  }

  test('overlays/every-node: as deploy/, without the label of a director', async () => {
    const [want, made] = [
      await kustomize(DEPLOY),
      await kustomize(`${DEPLOY}/overlays/every-node`),
    ];
    const at = `DaemonSet ${NAMESPACE} vipvs-node`;
    const selector = podOf(made.get(at))?.['nodeSelector'];
    assert.deepEqual(selector, { 'kubernetes.io/os': 'linux' });
    Object.assign(podOf(want.get(at)) ?? {}, { nodeSelector: selector });
    assert.deepEqual(made, want);
  });

  /** What the API server says of the Pod in a namespace with this Pod Security Standard. */
  const createPod = async (level: string, spec: JsonObject | undefined): Promise<string> => {
    const namespace = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: level,
        labels: { 'pod-security.kubernetes.io/enforce': level },
      },
    };
    await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(namespace) });
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod' }, spec };
    const create = ['create', '--dry-run=server', '-n', level, '-f', '-'];
    const { stdout, stderr } = await plane.tryKubectl(create, { stdin: JSON.stringify(pod) });
    return stdout + stderr;
  };

  test('the Pods of the assigner fit the restricted Pod Security Standard', async () => {
    const pod = podOf((await kustomize(DEPLOY)).get(`Deployment ${NAMESPACE} vipvs-assigner`));
    assert.match(await createPod('restricted', pod), /created/);
  });

  test('the Pods of the node need the privileged one, and name all that they need it for', async () => {
    const objects = await kustomize(DEPLOY);
    const pod = podOf(objects.get(`DaemonSet ${NAMESPACE} vipvs-node`));
    assert.match(await createPod('privileged', pod), /created/);
    const why = await createPod('baseline', pod);
    const found = [...why.matchAll(/(?:: |, )([a-zA-Z -]+) \(/g)].map((match) => match[1]);
    // the host of a probe counts since Kubernetes 1.34
    const want = ['non-default capabilities', 'host namespaces', 'hostPath volumes', 'privileged'];
    assert.deepEqual(
      found.filter((each) => each !== 'probe or lifecycle host'),
      want,
      why,
    );
    const enforced = objectAt(
      objectAt(objects.get(`Namespace  ${NAMESPACE}`), 'metadata'),
      'labels',
    );
    assert.equal(enforced?.['pod-security.kubernetes.io/enforce'], 'privileged');
  });

  test('the examples are taken', async () => {
    await plane.kubectl(['apply', '-f', `${ROOT}/examples`, '--dry-run=server']);
  });
});
