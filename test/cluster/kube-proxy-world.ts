// The real kube-proxy on a director, beside our agent in one network namespace, and what a test asks of the two: what
// each of them has in the kernel, and whether packets arrive.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from 'node:path';
import { pool, service } from './assigner-world.ts';
import { patiently as until, START_PATIENCE_MS, type GuestProcess } from './guest.ts';
import type { KubeProxyMode } from '../../src/ipvs-node/model/kube-proxy.ts';
import { CLIENT, NodeWorld, served, slice, VIP } from './node-world.ts';

const ROOT = join(import.meta.dirname, '../..');
const NODE_PORT = 30080;
/** The rest of the table is kube-proxy's; at our VIPs it has its node ports. */
const OUR_SERVER = /^-[Aa] -[tu] 10\.0\.0\.10\d:/;
const THEIR_PARTS = [
  'ipvsadm -Sn',
  'ip -o address show dev kube-ipvs0 2>/dev/null',
  'ipset save',
  'nft -s list ruleset',
].join('; ');

/** A Service for kube-proxy alone: cluster IP, node port and external IP, with one endpoint. */
const THEIRS = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'theirs' },
  spec: {
    type: 'NodePort',
    externalIPs: ['10.0.0.150'],
    ports: [{ port: 80, nodePort: NODE_PORT }],
  },
});

/** One that wants our VIP from kube-proxy. */
export const RIVAL = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'rival' },
  spec: { externalIPs: [VIP], ports: [{ port: 80 }] },
});

export class KubeProxyWorld {
  readonly world: NodeWorld;
  readonly mode: KubeProxyMode;
  #flags: readonly string[];
  #process: GuestProcess | undefined;

  /** With our Pool and Service and kube-proxy running; our agent does not run yet. */
  static async start(mode: KubeProxyMode): Promise<KubeProxyWorld> {
    const user = { name: 'kube-proxy', user: 'system:kube-proxy', groups: [] };
    const world = await NodeWorld.start({ agents: [], users: [user] });
    const made = new KubeProxyWorld(world, mode);
    try {
      await made.#fill();
      await made.startProxy();
    } catch (error) {
      await world.stop();
      throw error;
    }
    return made;
  }

  private constructor(world: NodeWorld, mode: KubeProxyMode) {
    this.world = world;
    this.mode = mode;
    this.#flags = [];
  }

  stop(): Promise<void> {
    return this.world.stop();
  }

  async #fill(): Promise<void> {
    const addresses = [{ type: 'InternalIP', address: '10.0.0.11' }];
    const patch = JSON.stringify({ status: { addresses } });
    const { world } = this;
    await world.plane.kubectl(['patch', 'node', 'd1', '--subresource=status', '-p', patch]);
    await world.apply(pool('public', '10.0.0.100-10.0.0.109'));
    await world.apply(service('web', {}, { 'vipvs.io/drain-seconds': '1' }));
    await world.apply(slice('web', ['10.0.0.21', '10.0.0.22']));
    await world.apply(THEIRS);
    await world.apply(slice('theirs', ['10.0.0.23']));
    await until('the Service has its VIP', async () => {
      const path = '{.status.loadBalancer.ingress[0].ip} {.status.loadBalancer.ingress[0].ipMode}';
      return (await world.get('svc web', path)) === `${VIP} Proxy`;
    });
  }

  async #command(): Promise<readonly string[]> {
    const { plane } = this.world;
    return [
      join(plane.binaries, 'kube-proxy'),
      ...['--kubeconfig', await plane.kubeconfig('kube-proxy', '10.0.2.2')],
      ...['--hostname-override', 'd1', '--cluster-cidr', '10.244.0.0/16'],
      ...['--proxy-mode', this.mode, ...this.#flags],
      // a network namespace has no say in these
      ...['--conntrack-max-per-core', '0', '--conntrack-min', '0'],
      ...['--conntrack-tcp-timeout-established', '0s'],
      ...['--conntrack-tcp-timeout-close-wait', '0s'],
    ];
  }

  /** Resolves when it serves. `flags` stay for the next starts. */
  async startProxy(flags = this.#flags): Promise<void> {
    this.#flags = flags;
    const proxy = await this.world.guest.start('d1', await this.#command());
    this.#process = proxy;
    await until(
      'kube-proxy serves its node port',
      async () => {
        const { code, stderr, stdout } = await proxy.read();
        if (code !== -1) throw new Error(`kube-proxy ended:\n${stdout}${stderr}`);
        return this.proxyWorks();
      },
      START_PATIENCE_MS,
    ).catch(async (error: unknown) => {
      const { stderr } = await proxy.read();
      throw new Error(`${String(error)}\n${stderr.slice(-4000)}`, { cause: error });
    });
  }

  async stopProxy(): Promise<void> {
    await this.#process?.stop();
  }

  /** `kube-proxy --cleanup` */
  async cleanupProxy(): Promise<void> {
    // it fails after mode ipvs: it deletes chains in an order that iptables-nft does not like
    await this.world.guest.run('d1', [...(await this.#command()), '--cleanup']);
    const { code } = await this.world.guest.run('d1', ['ip', 'link', 'show', 'kube-ipvs0']);
    assert.notEqual(code, 0, 'its interface is gone');
  }

  async proxyWorks(): Promise<boolean> {
    const { guest } = this.world;
    const command = [CLIENT, 'count', 'tcp', '10.0.0.11', `${NODE_PORT}`, '1', '1000'];
    return (await guest.run('client', command)).stdout.includes('be3=1');
  }

  /** The virtual server of our Service, whoever made it. */
  async rules(): Promise<readonly string[]> {
    const lines = (await this.world.rules('d1')).split('\n');
    return lines.filter((line) => line.includes(`${VIP}:80 `)).map((line) => line.trim());
  }

  async untilServed(): Promise<void> {
    const want = served(1, 2).join('\n');
    await until(
      'our virtual server is there',
      async () => (await this.rules()).join('\n') === want,
    );
    await until('the VIP is bound', () => this.world.hasVip('d1'));
    await until('packets arrive', async () => {
      return /be1=3 be2=3/.test(await this.world.answers());
    });
  }

  /** What kube-proxy has in the kernel, in any order. */
  async theirs(): Promise<readonly string[]> {
    const text = await this.world.guest.output('d1', ['sh', '-c', THEIR_PARTS]);
    const others = text.replace(/^table inet vipvs \{\n.*?^\}\n/ms, '');
    return others
      .split('\n')
      .filter((line) => !OUR_SERVER.test(line))
      .flatMap((line) => line.split(','))
      .map((part) => part.trim())
      .sort();
  }

  settings(): Promise<string> {
    const keys = ['vs/conntrack', 'vs/expire_nodest_conn', 'vs/expire_quiescent_template'];
    const files = [...keys, 'ip_forward'].map((key) => `/proc/sys/net/ipv4/${key}`);
    return this.world.guest.output('d1', ['cat', ...files]);
  }

  /** Its rules when it has done its work. */
  async settled(): Promise<readonly string[]> {
    let last: readonly string[] = [];
    await until('kube-proxy has settled', async () => {
      const before = last;
      last = await this.theirs();
      return last.length > 0 && last.join('\n') === before.join('\n');
    });
    return last;
  }

  programmed(field: 'status' | 'reason' | 'message'): Promise<string> {
    const path = `{.status.conditions[?(@.type=="vipvs.io/Programmed")].${field}}`;
    return this.world.get('svc web', path);
  }

  director(field: 'status' | 'reason' | 'message'): Promise<string> {
    return this.world.get('director d1', `{.status.conditions[?(@.type=="Programmed")].${field}}`);
  }

  /** When kube-proxy answers it: while it starts, it takes the guest's one processor. */
  async checkHost(): Promise<string> {
    const command = ['node', join(ROOT, 'dist/vipvs.js'), 'check', 'host', '--bind-iface', 'eth0'];
    let lines = '';
    await until('kube-proxy answers check host', async () => {
      lines = (await this.world.guest.run('d1', command)).stdout;
      return /^\w+ kube-proxy: runs in mode/m.test(lines);
    });
    return lines;
  }
}

/** What holds in every mode; the tests of one file share a world, and run one after the other. */
export function coexistence(worldOf: () => KubeProxyWorld): void {
  test('both serve, and neither has touched what is the other one’s', async () => {
    const proxy = worldOf();
    const before = await proxy.settled();
    await proxy.world.startAgent('d1');
    await proxy.untilServed();
    assert.deepEqual(await proxy.settled(), before);
    assert.ok(await proxy.proxyWorks());
  });

  test('its restart and its purge are survived', async () => {
    const proxy = worldOf();
    const { world } = proxy;
    await proxy.stopProxy();
    await proxy.startProxy();
    await proxy.untilServed();
    await proxy.stopProxy();
    await proxy.cleanupProxy();
    await proxy.untilServed();
    const table = await world.guest.output('d1', ['nft', 'list', 'table', 'inet', 'vipvs']);
    assert.match(table, new RegExp(`${VIP} \\. tcp \\. 80`));
    await proxy.startProxy();
    await proxy.untilServed();
    assert.ok(await proxy.proxyWorks());
  });

  test('the settings that both need are there', async () => {
    assert.equal(await worldOf().settings(), '1\n1\n1\n1\n');
  });
}

/** Our end: the kernel without us is kube-proxy's as it was. */
export async function leaves(proxy: KubeProxyWorld): Promise<void> {
  const { world } = proxy;
  const before = await proxy.settled();
  await world.stopAgent('d1');
  const run = ['cleanup', '--run-dir', '/run/vipvs-d1'];
  await world.guest.output('d1', ['node', join(ROOT, 'dist/vipvs.js'), ...run]);
  assert.deepEqual(await proxy.rules(), []);
  assert.equal(await world.hasVip('d1'), false);
  assert.deepEqual(await proxy.settled(), before);
  assert.equal(await proxy.settings(), '1\n1\n1\n1\n', 'it needs them, too');
  assert.ok(await proxy.proxyWorks());
}
