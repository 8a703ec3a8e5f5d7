// deploy/ as users apply it, on a real API server: kustomize and helm, which must make the same objects.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { arrayAt, isObject, objectAt, textAt, type JsonObject } from '../../src/kube/json.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';

const ROOT = `${import.meta.dirname}/../..`;
const DEPLOY = `${ROOT}/deploy`;
const NAMESPACE = 'vipvs-system';
/** Of test/controlplane: helm asks no API server when it renders. */
const KUBE_VERSION = '1.36.3';
const NO_GO = 3;

const run = promisify(execFile);

/** The path of helm, or why there is none. */
async function findHelm(): Promise<{ readonly path: string } | { readonly reason: string }> {
  try {
    const { stdout } = await run(`${ROOT}/test/controlplane/build-helm.sh`);
    return { path: stdout.trim() };
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: unknown };
    if (code === NO_GO) return { reason: String(stderr).trim() };
    throw error;
  }
}

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
  ];
  for (const { set, says } of refused) {
    test(`the chart's schema refuses ${set}`, { skip }, async () => {
      await assert.rejects(template('--set', set), says);
    });
  }

  test('every value of the chart has its effect', { skip }, async () => {
    const made = await template(
      ...['--set', 'assigner.holdSeconds=300,assigner.logLevel=debug,assigner.replicas=3'],
      ...['--set', 'image.repository=example/vipvs,image.tag=1.2.3,image.pullPolicy=Always'],
      ...['--set', 'imagePullSecrets[0].name=secret,assigner.nodeSelector.role=infra'],
      ...['--set', 'podDisruptionBudget.enabled=false,networkPolicy.enabled=false'],
    );
    assert.equal(made.has(`PodDisruptionBudget ${NAMESPACE} vipvs-assigner`), false);
    assert.equal(made.has(`NetworkPolicy ${NAMESPACE} vipvs-assigner`), false);
    const spec = objectAt(made.get(`Deployment ${NAMESPACE} vipvs-assigner`), 'spec');
    assert.equal(spec?.['replicas'], 3);
    const pod = objectAt(objectAt(spec, 'template'), 'spec');
    assert.deepEqual(arrayAt(pod, 'imagePullSecrets'), [{ name: 'secret' }]);
    assert.deepEqual(objectAt(pod, 'nodeSelector'), { role: 'infra' });
    const [container] = arrayAt(pod, 'containers');
    assert.equal(textAt(container, 'image'), 'example/vipvs:1.2.3');
    assert.equal(textAt(container, 'imagePullPolicy'), 'Always');
    const args = arrayAt(container, 'args').join(' ');
    const want = 'assigner --listen :9472 --default-class --hold-seconds 300 --log-level debug';
    assert.equal(args, want);
  });

  test('helm lint, install and uninstall', { skip }, async () => {
    await run(helmPath, ['lint', '--strict', `${DEPLOY}/chart`]);
    const kubeconfig = ['--kubeconfig', await plane.kubeconfig('admin'), '-n', NAMESPACE];
    await run(helmPath, [
      ...['install', 'vipvs', `${DEPLOY}/chart`, '--create-namespace', ...kubeconfig],
    ]);
    const kinds = 'deploy,pdb,netpol,sa,role,rolebinding';
    const text = await plane.kubectl(['get', kinds, '-n', NAMESPACE, '-o', 'name']);
    assert.equal(text.match(/\/vipvs-assigner$/gm)?.length, 6, text);
    await plane.kubectl(['get', 'crd', 'pools.vipvs.io', 'ips.vipvs.io']);
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
      const kinds = 'deploy,pdb,netpol,sa,role,rolebinding,clusterrole,clusterrolebinding';
      return plane.kubectl(['get', kinds, '-n', NAMESPACE, '-o', `jsonpath=${path}`]);
    };
    const before = await versions();
    assert.match(before, /Deployment\/vipvs-assigner/);
    await plane.kubectl(['apply', '-k', DEPLOY]);
    assert.equal(await versions(), before);
  });

  test('the Pods of the assigner fit the restricted Pod Security Standard', async () => {
    const objects = await kustomize(DEPLOY);
    const deployment = objectAt(objects.get(`Deployment ${NAMESPACE} vipvs-assigner`), 'spec');
    const spec = objectAt(objectAt(deployment, 'template'), 'spec');
    await plane.kubectl(['create', 'namespace', 'restricted']);
    const label = 'pod-security.kubernetes.io/enforce=restricted';
    await plane.kubectl(['label', 'namespace', 'restricted', label]);
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'assigner' }, spec };
    await plane.kubectl(['create', '--dry-run=server', '-n', 'restricted', '-f', '-'], {
      stdin: JSON.stringify(pod),
    });
  });

  test('the examples are taken', async () => {
    await plane.kubectl(['apply', '-f', `${ROOT}/examples`, '--dry-run=server']);
  });
});
