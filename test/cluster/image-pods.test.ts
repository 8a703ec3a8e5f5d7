// The image, really built (test/image/build.sh), as deploy/ runs it: crun starts the assigner's and the agent's containers
// with exactly the manifests' users, capabilities, arguments, limits and volumes, in the lab's guest, against a real API server.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { arrayAt, isObject, objectAt, textAt } from '../../src/kube/json.ts';
import { installCrds, pool, service, startBareWorld } from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import { Guest, patiently, type GuestProcess } from './guest.ts';
import { findImage } from './image.ts';
import { CLIENT, slice, VIP } from './node-world.ts';
import { memoryLimit } from './oci.ts';
import { Runtime, type Placement } from './pods.ts';

const ROOT = `${import.meta.dirname}/../..`;
/** capabilities(7): NET_ADMIN 12, NET_RAW 13. */
const AGENT_CAPABILITIES = ((1 << 12) | (1 << 13)).toString(16).padStart(16, '0');
/** By seccomp. */
const FILTERED = 'Seccomp:2';
/** The guest's one processor reads a whole image through 9p first. */
const START_PATIENCE_MS = 120_000;
const NO_CAPABILITIES = '0'.repeat(16);
const image = await findImage();
const skip = 'reason' in image ? image.reason : false;

suite('the Pods of deploy/, from the image', { timeout: 890_000, skip }, () => {
  let plane: ControlPlane;
  let guest: Guest;
  let runtime: Runtime;
  const made = new AsyncDisposableStack();
  let assigner: Placement;
  let agent: Placement;
  let running: GuestProcess;

  before(async () => {
    assert.ok('rootfs' in image);
    plane = await startBareWorld();
    made.defer(() => plane.stop());
    await installCrds(plane);
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
    runtime = new Runtime(plane, guest, image);
    for (const { node } of [assigner, agent]) await runtime.reachApiServer(node);
  });
  after(() => made.disposeAsync());

  const apply = (text: string): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: text });

  const addresses = (node: string): Promise<string> =>
    guest.output(node, ['ip', '-o', 'address', 'show', 'dev', 'eth0']);

  /** Starts it, and waits until its readiness probe is content. */
  const run = async (pod: Placement): Promise<GuestProcess> => {
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
    return container;
  };
  const memoryOf = ({ spec }: Placement): string =>
    `memory:${memoryLimit(arrayAt(spec, 'containers')[0]) ?? 'max'}`;

  /** As the node's kernel has it: of the program's process what it may do, how its root is mounted, its memory limit. */
  const rightsOf = async (pod: Placement, container: GuestProcess): Promise<readonly string[]> => {
    const program = textAt(arrayAt(pod.spec, 'containers')[0], 'name') ?? '';
    const look = `mount -t cgroup2 cgroup2 /sys/fs/cgroup
      p=/proc/$(pgrep -f '^/usr/local/bin/node /opt/vipvs/dist/vipvs.js ${program} ')
      awk '/^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):/ { print $1 $2 }' $p/status
      awk '$5 == "/" { print "root:" substr($6, 1, 2) }' $p/mountinfo
      echo memory:$(cat /sys/fs/cgroup$(cut -d : -f 3 $p/cgroup)/memory.max)`;
    const { code, stdout, stderr } = await guest.run(pod.node, ['sh', '-e', '-c', look]);
    assert.equal(code, 0, `${stderr}\n${JSON.stringify(await container.read())}`);
    return stdout.trim().split('\n');
  };

  test('the assigner runs without any right', async () => {
    const container = await run(assigner);
    assert.deepEqual(await rightsOf(assigner, container), [
      'Uid:65532',
      `CapEff:${NO_CAPABILITIES}`,
      `CapBnd:${NO_CAPABILITIES}`,
      'NoNewPrivs:1',
      FILTERED,
      'root:ro',
      memoryOf(assigner),
    ]);
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
    running = await run(agent);
    assert.deepEqual(await rightsOf(agent, running), [
      'Uid:0',
      `CapEff:${AGENT_CAPABILITIES}`,
      `CapBnd:${AGENT_CAPABILITIES}`,
      'NoNewPrivs:1',
      FILTERED,
      'root:ro',
      memoryOf(agent),
    ]);
    await apply(pool('public', '10.0.0.100-10.0.0.109'));
    await apply(slice('web', ['10.0.0.21', '10.0.0.22']));
    await apply(service('web'));
    await patiently('d1 holds all of it', async () => {
      const row = await plane.kubectl(['get', 'director', 'd1', '--no-headers']);
      return /^d1 +true +1 +0 +True/.test(row);
    });
    assert.ok((await addresses('d1')).includes(VIP));
    const { stdout } = await guest.run('client', [CLIENT, 'count', 'tcp', VIP, '80', '6']);
    assert.match(stdout, /be1=3/);
    const table = await guest.output('d1', ['nft', 'list', 'table', 'inet', 'vipvs']);
    assert.match(table, new RegExp(VIP), "by the image's own nft");
  });

  test('the agent ends when its Pod does, and leaves the kernel as it is; then cleanup clears it', async () => {
    const { code, stderr } = await running.stop('SIGTERM');
    assert.equal(code, 0, stderr);
    assert.ok((await addresses('d1')).includes(VIP));
    // docs/operations.md: docker run --rm --privileged --network host --user 0 -v /run/vipvs:/run/vipvs vipvs:0.1.0 cleanup
    const [container] = arrayAt(agent.spec, 'containers');
    const byHand = {
      name: 'by-hand',
      args: ['cleanup'],
      securityContext: { privileged: true, runAsUser: 0 },
      volumeMounts: arrayAt(container, 'volumeMounts'),
    };
    const cleanup = await runtime.run(agent, byHand);
    assert.equal(cleanup.code, 0, cleanup.stderr);
    assert.equal((await addresses('d1')).includes(VIP), false);
    assert.equal((await guest.output('d1', ['ipvsadm', '-Sn'])).trim(), '');
  });

  test('without the init container the Director says which setting is missing', async () => {
    await runtime.start({ ...agent, node: 'd2' });
    await patiently('it says so', async () => {
      const text = await plane.kubectl(['get', 'directors', '-o', 'yaml']);
      return text.includes('sysctl -w net.ipv4.vs.conntrack=1');
    });
  });
});
