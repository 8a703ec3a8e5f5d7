// The README's Kubernetes section, word for word: its shell blocks are run as they stand there, on a real API server with
// the programs beside it. What a cluster has besides (nodes, a kubelet) the test plays.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { NAMESPACE, startAssigner } from './assigner-world.ts';
import { serviceAccount, startControlPlane, type ControlPlane } from './control-plane.ts';
import { patiently } from './guest.ts';
import { findHelm } from './helm.ts';
import { startNode, type RunningNode } from './node-program.ts';
import { slice } from './node-world.ts';

const ROOT = `${import.meta.dirname}/../..`;
const NODES = ['worker-1', 'worker-2'];
const LEASE = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 300 };
const run = promisify(execFile);

const readme = await readFile(`${ROOT}/README.md`, 'utf8');
const section = /^## On Kubernetes\n([^]*?)^## /m.exec(readme)?.[1] ?? '';
const blocks = [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map((match) => match[1] ?? '');
const helm = await findHelm();
const skip = 'reason' in helm ? helm.reason : false;

suite("the README's Kubernetes section", { timeout: 200_000 }, () => {
  let plane: ControlPlane;
  let path: string;
  const made = new AsyncDisposableStack();
  const agents: RunningNode[] = [];
  const [kubectlInstall = '', helmInstall = '', choose = '', serve = '', look = ''] = blocks;

  before(async () => {
    plane = await startControlPlane({
      users: ['assigner', 'node'].map((name) => serviceAccount(name, NAMESPACE, `vipvs-${name}`)),
    });
    made.defer(() => plane.stop());
    path = `${plane.directory}/bin`;
    await mkdir(path);
    await symlink(`${plane.binaries}/kubectl`, `${path}/kubectl`);
    if ('path' in helm) await symlink(helm.path, `${path}/helm`);
    for (const name of NODES) {
      const node = { apiVersion: 'v1', kind: 'Node', metadata: { name } };
      await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(node) });
    }
  });
  after(() => made.disposeAsync());

  /** As somebody pastes it into a shell in a checkout. */
  const paste = async (block: string): Promise<string> => {
    const env = {
      PATH: `${path}:/usr/bin:/bin`,
      HOME: plane.directory,
      KUBECONFIG: await plane.kubeconfig('admin'),
      REGISTRY: 'example',
    };
    const { stdout } = await run('sh', ['-e', '-u', '-c', block], { cwd: ROOT, env });
    return stdout;
  };

  test('every block is run here', () => {
    assert.equal(blocks.length, 5);
    assert.match(kubectlInstall, /^kubectl kustomize deploy\/ /);
    assert.match(helmInstall, /^helm install /);
    assert.equal(section.match(/^```/gm)?.length, 10, 'no block of another kind');
  });

  test('install with helm', { skip }, async () => {
    await paste(helmInstall);
    const images = await plane.kubectl([
      ...['get', 'deployment,daemonset', '-n', NAMESPACE],
      ...['-o', 'jsonpath={.items[*].spec.template.spec.containers[*].image}'],
    ]);
    assert.equal(images, 'example/vipvs:0.1.0 example/vipvs:0.1.0');
    await paste(`helm uninstall vipvs -n ${NAMESPACE}`);
  });

  test('install with kubectl', async () => {
    await paste(kubectlInstall);
    const images = await plane.kubectl([
      ...['get', 'deployment,daemonset', '-n', NAMESPACE, '-o'],
      'jsonpath={.items[*].spec.template.spec.initContainers[*].image} {.items[*].spec.template.spec.containers[*].image}',
    ]);
    assert.equal(images, 'example/vipvs:0.1.0 example/vipvs:0.1.0 example/vipvs:0.1.0');
    await plane.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
  });

  test('choose the directors, and give a Pool', async () => {
    await paste(choose);
    const labelled = await plane.kubectl([
      'get',
      'nodes',
      '-l',
      'vipvs.io/director=',
      '-o',
      'name',
    ]);
    assert.equal(labelled, NODES.map((name) => `node/${name}\n`).join(''));
    // now the DaemonSet's Pods would start there
    const assigner = await startAssigner(plane);
    made.defer(async () => {
      await assigner.stop();
    });
    for (const name of NODES) {
      const agent = await startNode(plane, { name, leaseTimes: LEASE });
      made.defer(() => agent.stop());
      agents.push(agent);
    }
  });

  test('a Service has its EXTERNAL-IP, and all of it can be seen', async () => {
    await paste(serve);
    // as the cluster does it when the Deployment's Pods run
    await plane.kubectl(['apply', '-f', '-'], { stdin: slice('web', ['10.244.1.7']) });
    await patiently('the first director announces, both have the rules', async () => {
      const text = await plane.kubectl(['get', 'directors', '--no-headers']);
      return /^worker-1 +true +1 +0 +True[^]*^worker-2 +false +1 +0 +True/m.test(text);
    });
    const shown = await paste(look);
    assert.match(shown, /^web +LoadBalancer +\S+ +192\.0\.2\.10 /m);
    assert.match(shown, /^pool\.vipvs\.io\/public +89 +90 +Active/m);
    assert.match(shown, /^ip\.vipvs\.io\/192\.0\.2\.10 +192\.0\.2\.10 +public +Active +web/m);
    assert.match(shown, /^director\.vipvs\.io\/worker-1 +true +1 +0 +True/m);
    assert.match(shown, /^LoadBalancer Ingress: +192\.0\.2\.10 \(Proxy\)$/m);
    for (const { kernel } of agents) {
      assert.match(kernel.dump(), /^-A -t 192\.0\.2\.10:80 [^]*-r 10\.244\.1\.7:80 -m/m);
    }
  });
});
