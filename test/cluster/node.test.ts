// The agents of two directors in the lab's guest against a real API server, each with its own token and its shipped RBAC,
// the assigner on the host: what a user does with kubectl, down to the kernel and to answers at the VIP.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  pool,
  service,
  startAssigner,
  startWorld,
  type RunningAssigner,
} from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import { Guest, patiently as until, type GuestProcess } from './guest.ts';
import { DIRECTORS } from './guest-protocol.ts';

const VIP = '10.0.0.100';
const CLIENT = `${import.meta.dirname}/../lab/build/client`;

const slice = (service: string, addresses: readonly string[]): string =>
  JSON.stringify({
    ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
    metadata: { name: `${service}-1`, labels: { 'kubernetes.io/service-name': service } },
    ports: [{ port: 80 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  });

const node = (name: string): string =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Node' },
    metadata: { name, labels: { 'vipvs.io/director': '' } },
  });

suite('agents on a real API server and a real kernel', { timeout: 290_000 }, () => {
  let plane: ControlPlane;
  let assigner: RunningAssigner;
  let guest: Guest;
  const agents = new Map<string, GuestProcess>();

  const apply = (text: string): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: text });
  const get = (what: string, path: string): Promise<string> =>
    plane.kubectl(['get', ...what.split(' '), '-o', `jsonpath=${path}`]);
  const rules = (director: string): Promise<string> => guest.output(director, ['ipvsadm', '-Sn']);
  const hasVip = async (director: string): Promise<boolean> =>
    (await guest.output(director, ['ip', '-o', 'address', 'show', 'dev', 'eth0'])).includes(VIP);
  const untilRules = (director: string, want: readonly string[]): Promise<void> =>
    until(`${director} has ${want.join('; ') || 'no rules'}`, async () => {
      const lines = (await rules(director)).trim().split('\n').sort();
      return lines.join('\n') === [...want].sort().join('\n');
    });
  const served = (...backends: readonly number[]): readonly string[] => [
    `-A -t ${VIP}:80 -s rr`,
    ...backends.map((i) => `-a -t ${VIP}:80 -r 10.0.0.2${i}:80 -m -w 1`),
  ];
  const answers = async (): Promise<string> =>
    (await guest.run('client', [CLIENT, 'count', 'tcp', VIP, '80', '6'])).stdout
      .trim()
      .split(' ')
      .sort()
      .join(' ');
  /** Operations that the agent has asked of its kernel. */
  const kernelOps = async (director: string): Promise<string> => {
    const metrics = (await guest.curl(director, 'http://127.0.0.1:9472/metrics')) ?? 'no metrics';
    return metrics
      .split('\n')
      .filter((line) => line.startsWith('vipvs_kernel_ops_total'))
      .join();
  };

  before(async () => {
    plane = await startWorld();
    for (const name of DIRECTORS) await apply(node(name));
    [assigner, guest] = await Promise.all([startAssigner(plane), Guest.boot(plane)]);
    await Promise.all(
      DIRECTORS.map(async (name) => agents.set(name, await guest.startAgent(name, 'node'))),
    );
  });
  after(async () => {
    await guest.stop();
    await assigner.stop();
    await plane.stop();
  });

  test('Pool, Service, EndpointSlice: an address, rules on both directors, the VIP on one', async () => {
    await apply(pool('public', '10.0.0.100-10.0.0.109'));
    await apply(service('web', {}, { 'vipvs.io/drain-seconds': '1' }));
    await apply(slice('web', ['10.0.0.21', '10.0.0.22']));
    for (const name of DIRECTORS) await untilRules(name, served(1, 2));
    await until('d1 announces', () => hasVip('d1'));
    assert.equal(await hasVip('d2'), false);
    assert.match(await get('svc web', '{.status.loadBalancer.ingress[0].ip}'), new RegExp(VIP));
    assert.match(await answers(), /be1=3 be2=3/);
  });

  test('kubectl get directors shows what each of them holds', async () => {
    await until('both directors say it', async () => {
      const text = await plane.kubectl(['get', 'directors', '--no-headers']);
      const rows = text
        .trim()
        .split('\n')
        .map((line) => line.split(/ +/).slice(0, 5).join(' '));
      return rows.join() === 'd1 true 1 0 True,d2 false 1 0 True';
    });
    assert.equal(
      await get('lease vipvs-announcer -n vipvs-system', '{.spec.holderIdentity}'),
      'd1',
    );
    assert.match(
      await get(
        'director d1',
        '{.status.addresses} {.status.realServers} {.status.conditions[*].type}',
      ),
      /^1 2 Ready Programmed$/,
    );
  });

  test('an endpoint is added and removed', async () => {
    await apply(slice('web', ['10.0.0.21', '10.0.0.22', '10.0.0.23']));
    for (const name of DIRECTORS) await untilRules(name, served(1, 2, 3));
    await apply(slice('web', ['10.0.0.22', '10.0.0.23']));
    for (const name of DIRECTORS) await untilRules(name, served(2, 3));
    assert.match(await answers(), /be2=3 be3=3/);
  });

  test('what fails stands in the Director, in the condition and in the events of the Service', async () => {
    const PROGRAMMED = '{.status.conditions[?(@.type=="vipvs.io/Programmed")].status}';
    assert.equal(await get('svc web', PROGRAMMED), '', 'nothing was written for a healthy Service');
    await guest.output('d1', ['ipvsadm', '-A', '-t', '10.0.0.101:80', '-s', 'wlc']);
    await apply(service('odd'));
    await until('the Director names it', async () => {
      return (await get('director d1', '{.status.failed[*].service}')) === 'default/odd';
    });
    await until('kubectl describe says it', async () => {
      return (await plane.kubectl(['describe', 'svc', 'odd'])).includes('ForeignVirtualServer');
    });
    await until(
      'the condition says it',
      async () => (await get('svc odd', PROGRAMMED)) === 'False',
    );
    assert.equal(await rules('d1').then((text) => text.includes('10.0.0.101:80 -s wlc')), true);
    await guest.output('d1', ['ipvsadm', '-D', '-t', '10.0.0.101:80']);
    await until('it is solved', async () => (await get('svc odd', PROGRAMMED)) === 'True');
    assert.equal(await get('director d1', '{.status.failedServices}'), '0');
    await plane.kubectl(['delete', 'svc', 'odd']);
    for (const name of DIRECTORS) await untilRules(name, served(2, 3));
  });

  test('an agent restarts under a connection in use: the kernel is adopted as it is', async () => {
    const stream = await guest.start('client', [CLIENT, 'stream', VIP, '80', '12', '20']);
    await until('the stream runs', async () => (await stream.read()).stdout.includes('name='));
    await agents.get('d1')?.stop();
    assert.equal(await hasVip('d1'), true, 'the VIP stays without the agent');
    agents.set('d1', await guest.startAgent('d1', 'node'));
    await until('the stream ends', async () => (await stream.read()).code !== -1);
    const { stdout } = await stream.read();
    assert.match(stdout, /end=ok/);
    assert.ok(Number(/gap_ms=(\d+)/.exec(stdout)?.[1]) < 1000, stdout);
    assert.equal(await kernelOps('d1'), '', 'nothing was asked of the kernel');
    assert.equal(await hasVip('d1'), true);
    assert.equal(await hasVip('d2'), false);
  });

  test('the API server is killed and comes back: no churn, and then it goes on', async () => {
    const before = await Promise.all(DIRECTORS.map(kernelOps));
    await plane.apiserver.kill();
    await until('the agent says so', async () => {
      return (await guest.curl('d1', 'http://127.0.0.1:9472/readyz')) === undefined;
    });
    // longer than the Lease can be renewed: still nothing is withdrawn
    await new Promise((resolve) => setTimeout(resolve, 22_000));
    assert.match(await answers(), /be2=3 be3=3/, 'the data plane goes on');
    await plane.apiserver.start();
    await until('the agents are ready again', async () => {
      const ready = DIRECTORS.map((name) => guest.curl(name, 'http://127.0.0.1:9472/readyz'));
      return (await Promise.all(ready)).every((each) => each !== undefined);
    });
    assert.deepEqual(await Promise.all(DIRECTORS.map(kernelOps)), before);
    await apply(slice('web', ['10.0.0.21']));
    for (const name of DIRECTORS) await untilRules(name, served(1));
  });

  test('a director that dies is followed by the next, and comes first again when it is back', async () => {
    await agents.get('d1')?.stop('SIGKILL');
    await guest.output('d1', ['ip', 'link', 'set', 'eth0', 'down']);
    await until('d2 announces when the Lease has expired', () => hasVip('d2'));
    assert.match(await answers(), /be1=6/);
    await guest.output('d1', ['ip', 'link', 'set', 'eth0', 'up']);
    agents.set('d1', await guest.startAgent('d1', 'node'));
    await until('d1 announces again', async () => {
      const holder = await get('lease vipvs-announcer -n vipvs-system', '{.spec.holderIdentity}');
      return holder === 'd1' && (await hasVip('d1')) && !(await hasVip('d2'));
    });
    assert.match(await answers(), /be1=6/);
  });

  test('the Service is deleted: both kernels are clean', async () => {
    await plane.kubectl(['delete', 'svc', 'web']);
    for (const name of DIRECTORS) await untilRules(name, ['']);
    await until('the VIP is gone', async () => !(await hasVip('d1')) && !(await hasVip('d2')));
  });
});
