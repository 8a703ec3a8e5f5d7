// The image as deploy/ runs it: its file system as the root of the assigner's and the agent's containers, with exactly the
// manifests' users, capabilities, arguments and volumes, in the lab's guest against a real API server.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { parseAllDocuments } from 'yaml';
import { isObject, objectAt, textAt } from '../../src/kube/json.ts';
import { installCrds, pool, service, startBareWorld } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import { Guest, patiently } from './guest.ts';
import { CLIENT, slice, VIP } from './node-world.ts';
import { Runtime, type Placement } from './pods.ts';

const ROOT = `${import.meta.dirname}/../..`;
/** capabilities(7): NET_ADMIN 12, NET_RAW 13; SYS_CHROOT 18 is the test's own. */
const AGENT_CAPABILITIES = ((1 << 12) | (1 << 13) | (1 << 18)).toString(16).padStart(16, '0');
/** The guest's one processor reads a whole image through 9p first. */
const START_PATIENCE_MS = 120_000;
const NO_CAPABILITIES = '0'.repeat(16);

suite('the Pods of deploy/, from the image', { timeout: 290_000 }, () => {
  let plane: ControlPlane;
  let guest: Guest;
  let runtime: Runtime;
  const made = new AsyncDisposableStack();
  let assigner: Placement;
  let agent: Placement;

  before(async () => {
    plane = await startBareWorld();
    made.defer(() => plane.stop());
    await installCrds(plane);
    const rootfs = `${plane.directory}/rootfs`;
    execFileSync('make', ['-s', '-C', `${ROOT}/native`]);
    execFileSync(process.execPath, [`${ROOT}/scripts/bundle.ts`]);
    await promisify(execFile)(`${ROOT}/deploy/image/rootfs.sh`, [rootfs]);
    const manifests = parseAllDocuments(await plane.kubectl(['kustomize', `${ROOT}/deploy`]));
    const objects = manifests.map((each) => {
      const object: unknown = each.toJS();
      return object;
    });
    const specOf = (kind: string): Placement['spec'] => {
      const object = objects.find((each) => isObject(each) && textAt(each, 'kind') === kind);
      return objectAt(objectAt(objectAt(object, 'spec'), 'template'), 'spec');
    };
    assigner = { spec: specOf('Deployment'), node: 'd2', user: 'assigner' };
    agent = { spec: specOf('DaemonSet'), node: 'd1', user: 'node' };
    for (const [name, address] of [
      ['d1', '10.0.0.11'],
      ['d2', '10.0.0.12'],
    ] as const) {
      const head = { apiVersion: 'v1', kind: 'Node', metadata: { name } };
      await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(head) });
      const status = JSON.stringify({ status: { addresses: [{ type: 'InternalIP', address }] } });
      await plane.kubectl(['patch', 'node', name, '--subresource=status', '-p', status]);
    }
    guest = await Guest.boot(plane);
    made.defer(() => guest.stop());
    runtime = new Runtime(plane, guest, rootfs);
    for (const { node } of [assigner, agent]) await runtime.reachApiServer(node);
  });
  after(() => made.disposeAsync());

  const apply = (text: string): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: text });

  /** Starts it, and waits until its readiness probe is content. */
  const run = async (pod: Placement): Promise<void> => {
    const container = await runtime.start(pod);
    await patiently(
      `the Pod of ${pod.user} is ready`,
      async () => {
        const { code, stderr } = await container.read();
        if (code !== -1) throw new Error(`it ended with ${code}:\n${stderr}`);
        return (await runtime.probe(pod)) !== undefined;
      },
      START_PATIENCE_MS,
    );
  };

  /** Of the program's process: user, capabilities. */
  const rightsOf = async (node: string, program: string): Promise<string> => {
    const find = `for p in /proc/[0-9]*; do
      tr '\\0' ' ' < $p/cmdline | grep -q '^/usr/local/bin/node /opt/vipvs/dist/vipvs.js ${program} ' || continue
      awk '/^(Uid|CapEff|NoNewPrivs):/ { print $2 }' $p/status
    done 2>/dev/null; true`;
    return (await guest.output(node, ['sh', '-c', find])).trim().split('\n').join(' ');
  };

  test('the assigner runs without any right', async () => {
    await run(assigner);
    assert.equal(await rightsOf('d2', 'assigner'), `65532 ${NO_CAPABILITIES} 1`);
  });

  test('the init container sets what the agent may need', async () => {
    const { code, stderr } = await runtime.init(agent);
    assert.equal(code, 0, stderr);
    const values = await guest.output('d1', [
      ...['sysctl', '-n', 'net.ipv4.vs.conntrack', 'net.ipv4.vs.expire_nodest_conn'],
      ...['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'],
    ]);
    assert.equal(values, '1\n1\n1\n1\n');
  });

  test('the agent runs with NET_ADMIN and NET_RAW, finds its interface, and serves', async () => {
    await run(agent);
    assert.equal(await rightsOf('d1', 'node'), `0 ${AGENT_CAPABILITIES} 1`);
    await apply(pool('public', '10.0.0.100-10.0.0.109'));
    await apply(slice('web', ['10.0.0.21', '10.0.0.22']));
    await apply(service('web'));
    await patiently('d1 holds all of it', async () => {
      const row = await plane.kubectl(['get', 'director', 'd1', '--no-headers']);
      return /^d1 +true +1 +0 +True/.test(row);
    });
    const bound = await guest.output('d1', ['ip', '-o', 'address', 'show', 'dev', 'eth0']);
    assert.match(bound, new RegExp(VIP));
    const { stdout } = await guest.run('client', [CLIENT, 'count', 'tcp', VIP, '80', '6']);
    assert.match(stdout, /be1=3/);
    const table = await guest.output('d1', ['nft', 'list', 'table', 'inet', 'vipvs']);
    assert.match(table, new RegExp(VIP), "by the image's own nft");
  });

  test('without the init container the Director says which setting is missing', async () => {
    await runtime.start({ ...agent, node: 'd2' });
    await patiently('it says so', async () => {
      const text = await plane.kubectl(['get', 'directors', '-o', 'yaml']);
      return text.includes('sysctl -w net.ipv4.vs.conntrack=1');
    });
  });
});
