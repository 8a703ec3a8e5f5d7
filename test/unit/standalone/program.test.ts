// Standalone mode as a whole, on the fake kernel: directory in, ipvsadm text and state file out.
import assert from 'node:assert/strict';
import {
  cp,
  mkdtemp,
  mkdir,
  readFile,
  rename,
  rm,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Standalone } from '../../../src/standalone/program.ts';
import { loadState, realDisk, type State, type StateDisk } from '../../../src/files/state.ts';
import { parseIp } from '../../../src/net/address.ts';
import { systemClock, systemRandom } from '../../../src/runtime/clock.ts';
import { createLog } from '../../../src/runtime/log.ts';
import { createMetrics, type Metrics } from '../../../src/runtime/metrics.ts';
import { FakeKernel } from '../../contract/fake-kernel.ts';
import { until } from '../files/until.ts';
import { runCli } from '../cli/run-cli.ts';

const POOL = `apiVersion: vipvs.io/v1alpha1
kind: Pool
metadata: {name: public}
spec: {addresses: [192.0.2.100-192.0.2.103]}
`;
function service(name: string, annotations = ''): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}${annotations}}
spec: {type: LoadBalancer, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{port: 8080}]
endpoints: [{addresses: [198.51.100.7]}]
`;
}
function rules(vip: string): string {
  return `-A -t ${vip}:80 -s rr\n-a -t ${vip}:80 -r 198.51.100.7:8080 -m -w 1\n`;
}
function address(vip: string): string {
  return `ip address add ${vip}/32 dev eth0\n`;
}

interface Lab {
  readonly manifests: string;
  readonly stateDirectory: string;
  readonly kernel: FakeKernel;
  readonly log: string[];
  readonly metrics: Metrics;
  readonly put: (name: string, text: string) => Promise<void>;
  readonly start: (disk?: StateDisk) => Promise<Standalone>;
  readonly expectKernel: (want: string) => Promise<void>;
  readonly state: () => Promise<State | undefined>;
}

async function lab(context: TestContext): Promise<Lab> {
  const root = await mkdtemp(join(tmpdir(), 'vipvs-standalone-'));
  const manifests = join(root, 'manifests');
  const stateDirectory = join(root, 'state');
  await mkdir(manifests);
  const kernel = new FakeKernel();
  const log: string[] = [];
  const metrics = createMetrics();
  const running = new Set<Standalone>();
  context.after(async () => {
    for (const each of running) await each.stop();
    await rm(root, { recursive: true, force: true });
  });
  return {
    manifests,
    stateDirectory,
    kernel,
    log,
    metrics,
    put: (name, text) => writeFile(join(manifests, name), text),
    start: async (disk = realDisk) => {
      const node = { name: 'director', bindInterface: 'eth0', hasKubeProxy: false };
      const standalone = new Standalone(
        { manifests: [manifests], stateDirectory, node, handleUnset: true, holdSeconds: 0 },
        {
          clock: systemClock,
          random: systemRandom,
          disk,
          log: createLog({ level: 'debug', format: 'text', write: (line) => log.push(line) }),
          metrics,
          process: { pid: 1, startTicks: '0', node: 'director', version: '0', startedAt: '' },
          kernel,
          releaseMemory: () => undefined,
        },
      );
      running.add(standalone);
      await standalone.start();
      return standalone;
    },
    expectKernel: (want) =>
      until(
        () => `the kernel holds\n${want}but it holds\n${kernel.dump()}\n${log.slice(-20).join('')}`,
        () => kernel.dump() === want,
      ),
    state: async () => (await loadState(stateDirectory)).state,
  };
}

function conditionOf(state: State | undefined, key: string, type: string) {
  const service = state?.services.find((each) => each.key === key);
  return service?.status.conditions?.find((each) => each.type === `vipvs.io/${type}`);
}

test('an empty directory makes it ready; a Pool and a Service make rules; deleting them makes the kernel clean', async (context) => {
  const { put, start, expectKernel, state, manifests, stateDirectory } = await lab(context);
  const standalone = await start();
  await until('ready', () => standalone.notReady().length === 0);
  await put('pool.yaml', POOL);
  await put('web.yaml', service('web'));
  await expectKernel(rules('192.0.2.100') + address('192.0.2.100'));
  await until('the state says so', async () => {
    return conditionOf(await state(), 'default/web', 'Programmed')?.status === 'True';
  });
  const saved = await state();
  assert.equal(conditionOf(saved, 'default/web', 'AddressAssigned')?.status, 'True');
  assert.ok(
    saved?.events.some(
      ({ object, reason }) => object === 'Service default/web' && reason === 'Assigned',
    ),
  );
  assert.equal(saved?.pools[0]?.status.allocatable, 3);
  const { code, stdout } = await runCli(['status', '--state-dir', stateDirectory]);
  assert.equal(code, 0);
  assert.match(stdout, /^default\/web +192\.0\.2\.100 +True +True$/m);
  await unlink(join(manifests, 'web.yaml'));
  await expectKernel('');
  await until('the address is free', async () => (await state())?.ips.length === 0);
});

test('a restart changes nothing in the kernel, whatever came before the others in the alphabet', async (context) => {
  const { put, start, expectKernel, kernel, state } = await lab(context);
  await put('pool.yaml', POOL);
  await put('m.yaml', service('m'));
  const first = await start();
  const want = rules('192.0.2.100') + address('192.0.2.100');
  await expectKernel(want);
  await until('the state is written', async () => (await state())?.ips.length === 1);
  await first.stop();
  assert.equal(kernel.dump(), want, 'stopping leaves the kernel forwarding');
  kernel.log.length = 0;
  await put('a.yaml', service('a')); // would get the first address if it were a first start
  const second = await start();
  await until('ready', () => second.notReady().length === 0);
  await expectKernel(
    rules('192.0.2.100') + rules('192.0.2.101') + address('192.0.2.100') + address('192.0.2.101'),
  );
  const touched = kernel.log.filter(
    (op) => JSON.stringify(op).includes('192.0.2.100') && op.op !== 'vip.announce',
  );
  assert.deepEqual(touched, []);
});

test('a state file cut in half: the copy is used and nothing is reassigned', async (context) => {
  const { put, start, expectKernel, stateDirectory, state, log } = await lab(context);
  await put('pool.yaml', POOL);
  await put('m.yaml', service('m'));
  const first = await start();
  await until('the state is written', async () => (await state())?.ips.length === 1);
  await first.stop();
  const path = join(stateDirectory, 'state.json');
  await truncate(path, Math.floor((await readFile(path)).length / 2));
  await put('a.yaml', service('a'));
  await start();
  await expectKernel(
    rules('192.0.2.100') + rules('192.0.2.101') + address('192.0.2.100') + address('192.0.2.101'),
  );
  assert.ok(log.some((line) => line.includes('state.json is damaged (cut off)')));
  const services = (await state())?.ips.map(({ spec }) => [spec.address, spec.claims?.[0]?.name]);
  assert.deepEqual(services, [['192.0.2.100', 'm'], ['192.0.2.101', 'a']]); // prettier-ignore
});

test('file and copy both damaged: it does not start, and says what to do', async (context) => {
  const { start, stateDirectory } = await lab(context);
  await mkdir(stateDirectory);
  await writeFile(join(stateDirectory, 'state.json'), 'x');
  await writeFile(join(stateDirectory, 'state.json.1'), 'x');
  await assert.rejects(start(), { code: 'state-unreadable', message: /move both files away/ });
});

test('a full disk is said and stops nothing', async (context) => {
  const { put, start, expectKernel, log, state } = await lab(context);
  let isFull = true;
  const disk: StateDisk = {
    ...realDisk,
    open: (path) =>
      isFull ? Promise.reject(new Error('ENOSPC: no space left')) : realDisk.open(path),
  };
  await put('pool.yaml', POOL);
  await put('web.yaml', service('web'));
  await start(disk);
  await expectKernel(rules('192.0.2.100') + address('192.0.2.100'));
  assert.ok(log.some((line) => line.includes('ENOSPC')));
  isFull = false;
  await until('the state is written', async () => (await state())?.ips.length === 1);
});

test('the directory vanishes: nothing is deleted, not even after a restart', async (context) => {
  const { put, start, expectKernel, manifests, kernel, state, log } = await lab(context);
  await put('pool.yaml', POOL);
  await put('web.yaml', service('web'));
  const first = await start();
  const want = rules('192.0.2.100') + address('192.0.2.100');
  await expectKernel(want);
  await until('the state is written', async () => (await state())?.ips.length === 1);
  await rename(manifests, `${manifests}.away`);
  await until('it is said', () => log.some((line) => line.includes('manifests are away')));
  assert.equal(kernel.dump(), want);
  await first.stop();
  const second = await start();
  await until('it looked', () => (second.notReady()[0] ?? '').includes('no such file'));
  assert.equal(kernel.dump(), want);
  await cp(`${manifests}.away`, manifests, { recursive: true });
  await until('ready', () => second.notReady().length === 0);
  assert.equal(kernel.dump(), want);
});

test('a malformed file keeps what it held, over a restart, too', async (context) => {
  const { put, start, expectKernel, kernel, state } = await lab(context);
  await put('pool.yaml', POOL);
  await put('web.yaml', service('web'));
  const first = await start();
  const want = rules('192.0.2.100') + address('192.0.2.100');
  await expectKernel(want);
  await put('web.yaml', `${service('web')}---\nkind: [\n`);
  await until('the problem is shown', async () => {
    const { problems = [], kept = [] } = (await state()) ?? {};
    return problems.some((each) => /web\.yaml:\d+:\d+: /.test(each)) && kept.length === 2;
  });
  await put('web.yaml', 'kind: [\n');
  await until('the objects are kept', async () => (await state())?.kept.length === 2);
  await first.stop();
  const second = await start();
  await until('ready', () => second.notReady().length === 0);
  assert.equal(kernel.dump(), want);
});

test('a manifest that contains itself is said with its line, and stops nothing, after a restart and its removal either', async (context) => {
  const { manifests, put, start, expectKernel, state, log } = await lab(context);
  await put('a-web.yaml', service('web'));
  await put('pool.yaml', POOL);
  const first = await start();
  await expectKernel(rules('192.0.2.100') + address('192.0.2.100'));
  await put(
    'b-circle.yaml',
    service('circle').replace('{name: circle}', '&m {name: circle, labels: *m}'),
  );
  await until('it is said', async () =>
    ((await state())?.problems ?? []).some((each) => each.endsWith('contains itself')),
  );
  assert.ok(
    log.some((line) => /manifest can not be used problem=".*b-circle\.yaml:\d+:/.test(line)),
  );
  await put('c-other.yaml', service('other'));
  const want =
    rules('192.0.2.100') + rules('192.0.2.101') + address('192.0.2.100') + address('192.0.2.101');
  await expectKernel(want);
  await first.stop();
  const second = await start();
  await until('ready', () => second.notReady().length === 0);
  await rm(join(manifests, 'b-circle.yaml'));
  await until('it is solved', async () => ((await state())?.problems ?? ['']).length === 0);
  await expectKernel(want);
});

test('a misspelt field is in the log and in the state; the Service is served', async (context) => {
  const { put, start, expectKernel, state, log } = await lab(context);
  await put('pool.yaml', POOL);
  await put('web.yaml', service('web').replace('ports:', 'externalTraficPolicy: Local, ports:'));
  await start();
  await expectKernel(rules('192.0.2.100') + address('192.0.2.100'));
  await until('the state says it', async () =>
    ((await state())?.problems ?? []).some((each) =>
      each.endsWith('did you mean externalTrafficPolicy?'),
    ),
  );
  assert.ok(log.some((line) => line.includes('manifest is used in part')));
});

test('a Service that can not be served says why, and another one is served', async (context) => {
  const { put, start, expectKernel, state } = await lab(context);
  await put('pool.yaml', POOL);
  await put('bad.yaml', service('bad', ', annotations: {vipvs.io/pool: nowhere}'));
  await put('web.yaml', service('web'));
  await start();
  await expectKernel(rules('192.0.2.100') + address('192.0.2.100'));
  await until('the state says why', async () => {
    return conditionOf(await state(), 'default/bad', 'AddressAssigned')?.reason === 'PoolNotFound';
  });
});

test('an address of the host itself is never given away', async (context) => {
  const { put, start, kernel, expectKernel } = await lab(context);
  kernel.addForeignAddress(parseIp('192.0.2.100'), 'eth0');
  await put('pool.yaml', POOL);
  await put('web.yaml', service('web'));
  await start();
  await expectKernel(rules('192.0.2.101') + address('192.0.2.100') + address('192.0.2.101'));
});

test('a missing interface is shown and healed', async (context) => {
  const { put, start, kernel, expectKernel, state } = await lab(context);
  kernel.interfaces.delete('eth0');
  await put('pool.yaml', POOL);
  await put('web.yaml', service('web'));
  await start();
  await until('the state says why', async () => {
    return conditionOf(await state(), 'default/web', 'Programmed')?.reason === 'InterfaceMissing';
  });
  kernel.setLink('eth0', true);
  await expectKernel(rules('192.0.2.100') + address('192.0.2.100'));
  await until('the state says so', async () => {
    return conditionOf(await state(), 'default/web', 'Programmed')?.status === 'True';
  });
});

test('somebody flushes the table: it is repaired', async (context) => {
  const { put, start, kernel, expectKernel, metrics } = await lab(context);
  await put('pool.yaml', POOL);
  await put('web.yaml', service('web'));
  const standalone = await start();
  const want = rules('192.0.2.100') + address('192.0.2.100');
  await expectKernel(want);
  kernel.flush();
  await expectKernel(want);
  standalone.collectMetrics();
  const text = await metrics.registry.metrics();
  for (const line of [
    'vipvs_virtual_servers 1',
    'vipvs_real_servers{state="active"} 1',
    'vipvs_services{state="assigned"} 1',
    'vipvs_services{state="pending"} 0',
    'vipvs_pool_addresses{pool="public",state="free"} 3',
    'vipvs_source_objects{kind="Service"} 1',
    'vipvs_source_synced 1',
  ]) {
    assert.ok(text.split('\n').includes(line), line);
  }
  assert.match(text, /vipvs_kernel_ops_total\{op="vs\.add",result="ok"\} 2/);
});
