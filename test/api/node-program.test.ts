// `vipvs node` as a whole, on an API server's rules in memory and a fake kernel: what is read, what is written, who
// announces, and what happens when the API server is away.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { ALL_HELD, NONE_HELD } from '../../src/ipvs-node/model/held-groups.ts';
import { NodeProgram } from '../../src/ipvs-node/program.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { objectAt, textAt, type JsonObject } from '../../src/kube/json.ts';
import type { ClusterObject } from '../../src/api/cluster.ts';
import { directorSchema, type Director } from '../../src/api/director.ts';
import { parseIp } from '../../src/net/address.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { silentLog } from '../../src/runtime/log.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';
import { node, pool, service, slice } from '../unit/ipvs-node/objects.ts';
import { until } from './clocks.ts';
import { MemoryApi, PATHS } from './memory-api.ts';
import type { KubeProxy } from '../../src/ipvs-node/model/kube-proxy.ts';

const DIRECTORS = '/apis/vipvs.io/v1alpha1/directors';
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/vipvs-system/leases/vipvs-announcer';
const RULES = `-A -t 192.0.2.10:80 -s rr
-a -t 192.0.2.10:80 -r 10.0.0.1:8080 -m -w 1
`;
const VIP = 'ip address add 192.0.2.10/32 dev eth0\n';

class Lab {
  readonly api = new MemoryApi();
  readonly #context: TestContext;
  away = false;
  kubeProxy: KubeProxy | undefined;

  constructor(context: TestContext) {
    this.#context = context;
    this.api.fault = () => {
      if (this.away) throw new ApiError('away', { code: 'network', status: 0 });
    };
    this.put(node('n1', '10.0.0.11'), node('n2', '10.0.0.12'), pool());
  }

  put(...objects: readonly ClusterObject[]): void {
    for (const object of objects) {
      // JSON as it would come over the wire
      const json = JSON.parse(JSON.stringify(object)) as JsonObject;
      this.api.put(`${PATHS[object.kind]}/${object.metadata.name}`, json);
    }
  }

  director(name: string): NonNullable<Director['status']> {
    const object = this.api.objects.get(`${DIRECTORS}/${name}`);
    return object === undefined ? {} : (directorSchema.parse(object).status ?? {});
  }

  /** A Director without an agent. */
  readyOnPaper(name: string, message: string): void {
    this.api.put(`${DIRECTORS}/${name}`, {
      apiVersion: 'vipvs.io/v1alpha1',
      kind: 'Director',
      metadata: { name },
      status: { conditions: [{ type: 'Ready', status: 'True', reason: 'Running', message }] },
    });
  }

  /** What the kernel holds when the Lease is let go for the first time from now on. */
  dumpAtRelease(kernel: FakeKernel): () => string | undefined {
    let dump: string | undefined;
    this.api.fault = (when) => {
      const holder = objectAt(this.api.objects.get(LEASE), 'spec')?.['holderIdentity'];
      if (when === 'after' && holder === '') dump ??= kernel.dump();
    };
    return () => dump;
  }

  start(name: string, kernel = new FakeKernel(), bindInterface = 'eth0') {
    const program = new NodeProgram(
      {
        node: { name },
        bindInterface: bindInterface === '' ? undefined : bindInterface,
        namespace: 'vipvs-system',
        versions: { vipvs: '1', kernel: '6' },
        leaseTimes: { leaseMs: 1000, renewDeadlineMs: 500, retryMs: 50 },
      },
      {
        client: this.api,
        kernel,
        interfaceOf: (addresses) => (addresses.includes('10.0.0.11') ? 'eth1' : undefined),
        probeKubeProxy: () => Promise.resolve(this.kubeProxy),
        clock: systemClock,
        random: Math.random,
        log: silentLog,
      },
    );
    const end = new AbortController();
    const ended = program.run(end.signal);
    const stop = (): Promise<void> => {
      end.abort();
      return ended;
    };
    this.#context.after(stop);
    return { program, kernel, stop };
  }
}

const untilKernel = (kernel: FakeKernel, want: string): Promise<void> =>
  until(`the kernel holds ${want}`, () => kernel.dump() === want);

test('objects become rules, and the Director says so', async (context) => {
  const lab = new Lab(context);
  const { kernel, program } = lab.start('n1');
  await until('the director is ready', () => lab.director('n1').announcing === true);
  lab.put(slice(['10.0.0.1']), service());
  await untilKernel(kernel, RULES + VIP);
  await until('it says what it holds', () => lab.director('n1').virtualServers === 1);
  const { addresses, realServers, failedServices, conditions } = lab.director('n1');
  assert.deepEqual([addresses, realServers, failedServices], [1, 1, 0]);
  assert.deepEqual(
    conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`),
    ['Ready True Running', 'Programmed True Programmed'],
  );
  assert.deepEqual(program.notReady(), []);
});

test('a Service without an address costs nothing, and its slices wait for it', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service({ ingress: [] }));
  lab.put(service({ name: 'internal', spec: { type: 'ClusterIP' } }));
  lab.put(slice(['10.0.0.9'], { of: 'internal' }));
  const { kernel, program } = lab.start('n1');
  await until('the director is ready', () => lab.director('n1').announcing === true);
  assert.equal(program.store.services.size, 0);
  assert.equal(program.store.endpointSlicesOf('default/web').length, 0);
  lab.put(service());
  await untilKernel(kernel, RULES + VIP);
  lab.put(service({ spec: { type: 'ClusterIP' } }));
  await untilKernel(kernel, '');
  assert.equal(program.store.endpointSlicesOf('default/web').length, 0);
});

test('many changes are few writes of the Director, and a steady state is none', async (context) => {
  const lab = new Lab(context);
  const { kernel } = lab.start('n1');
  await until('the director is ready', () => lab.director('n1').announcing === true);
  const writes = (): number =>
    lab.api.calls.filter((call) => call.startsWith(`PATCH ${DIRECTORS}`)).length;
  const before = writes();
  for (let i = 1; i <= 50; i++) {
    lab.put(service({ name: `s${i}`, ingress: [`192.0.2.${i}`] }));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await until('all are there', () => kernel.virtualServers.size === 50);
  await until('it says so', () => lab.director('n1').virtualServers === 50);
  assert.ok(writes() - before <= 2, `${writes() - before} writes for 50 Services`);
  const steady = writes();
  lab.put(node('n2', '10.0.0.12')); // a heartbeat
  lab.put(pool());
  await new Promise((resolve) => setTimeout(resolve, 1200)); // longer than writes are held back
  assert.equal(writes(), steady);
});

test('kube-proxy beside it: what it takes is refused, what it deletes stands in the Director', async (context) => {
  const lab = new Lab(context);
  lab.kubeProxy = { mode: 'ipvs', excludeCidrs: [], strictArp: true };
  lab.put(slice(['10.0.0.1']), service({ ingress: [{ ip: '192.0.2.10', ipMode: 'Proxy' }] }));
  const { kernel, program } = lab.start('n1');
  await untilKernel(kernel, RULES + VIP);
  await until('it says what is deleted', () => {
    const { reason, message = '' } = lab.director('n1').conditions?.[1] ?? {};
    return reason === 'PurgedByKubeProxy' && message.includes('192.0.2.0/24 of Pool a');
  });
  const rival = { name: 'rival', spec: { type: 'ClusterIP', externalIPs: ['192.0.2.10'] } };
  lab.put(service({ ...rival, ingress: [] }));
  await untilKernel(kernel, '');
  await until('the Director says why', () => {
    const [failed] = lab.director('n1').failed ?? [];
    return failed?.service === 'default/web' && failed.reason === 'TakenByKubeProxy';
  });
  assert.equal(program.store.services.size, 2);
  lab.api.remove(`${PATHS.Service}/rival`);
  await untilKernel(kernel, RULES + VIP);
});

test('two directors have the rules, the lower name has the VIPs; it is followed, and comes back', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const two = lab.start('n2');
  await untilKernel(two.kernel, RULES + VIP);
  const one = lab.start('n1');
  await untilKernel(one.kernel, RULES + VIP);
  await untilKernel(two.kernel, RULES);
  await until('both say it', () => {
    return lab.director('n1').announcing === true && lab.director('n2').announcing === false;
  });
  await one.stop();
  assert.equal(one.kernel.dump(), RULES + VIP, 'its end leaves the kernel as it is');
  assert.equal(lab.director('n1').conditions?.[0]?.reason, 'Stopped');
  await untilKernel(two.kernel, RULES + VIP);
  // and back, more than once: a director that took the Lease is asked again
  for (let i = 0; i < 2; i++) {
    const again = lab.start('n1', one.kernel);
    await untilKernel(two.kernel, RULES);
    await until('n1 announces', () => again.program.held === ALL_HELD);
    await again.stop();
    await untilKernel(two.kernel, RULES + VIP);
  }
});

test('a director that becomes Ready while another one is taking the Lease is handed it', async (context) => {
  const lab = new Lab(context);
  const holders: unknown[] = [];
  lab.api.fault = async (when, { method, path }) => {
    if (when !== 'after' || method === 'GET' || !path.includes('/leases')) return;
    const holder = objectAt(lab.api.objects.get(LEASE), 'spec')?.['holderIdentity'];
    if (holders.at(-1) === holder) return;
    holders.push(holder);
    if (holders.length > 1) return;
    // n2 does not know yet that it has the Lease, and its watch is quicker
    lab.readyOnPaper('n1', 'one');
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
  lab.start('n2');
  // n1 does not take what it is given
  await until('n2 has it again', () => holders.length === 3);
  assert.deepEqual(holders, ['n2', '', 'n2']);
});

test('a director that is Ready on paper only is handed the Lease once, not at its every word', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const two = lab.start('n2');
  await untilKernel(two.kernel, RULES + VIP);
  lab.readyOnPaper('n1', 'one');
  await untilKernel(two.kernel, RULES);
  await untilKernel(two.kernel, RULES + VIP);
  const ops = two.kernel.log.length;
  lab.readyOnPaper('n1', 'two');
  await new Promise((resolve) => setTimeout(resolve, 300)); // several tries of the election
  assert.equal(two.kernel.log.length, ops);
});

test('an agent that comes back within the time of the Lease asks nothing of the kernel', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const first = lab.start('n1');
  await untilKernel(first.kernel, RULES + VIP);
  await until('it says so', () => lab.director('n1').addresses === 1);
  await first.stop();
  const ops = first.kernel.log.length;
  const second = lab.start('n1', first.kernel);
  await until('it is ready', () => second.program.notReady().length === 0);
  assert.equal(second.program.held, ALL_HELD);
  assert.equal(first.kernel.log.length, ops);
});

test('an agent that comes back hands nothing over before its kernel is as the Lease says', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const first = lab.start('n2');
  await untilKernel(first.kernel, RULES + VIP);
  await until('it says so', () => lab.director('n2').addresses === 1);
  await first.stop();
  const holders: unknown[] = [];
  let isAsked = false;
  lab.api.fault = async (when, { method, path }) => {
    if (when !== 'after' || !path.includes('/leases')) return;
    if (method !== 'GET')
      holders.push(objectAt(lab.api.objects.get(LEASE), 'spec')?.['holderIdentity']);
    if (isAsked) return;
    isAsked = true;
    lab.readyOnPaper('n1', 'one');
    await new Promise((resolve) => setTimeout(resolve, 100));
  };
  const second = lab.start('n2', first.kernel);
  await until('it is ready', () => second.program.notReady().length === 0);
  assert.ok(isAsked);
  assert.ok(!holders.includes(''), 'the Lease was let go while the VIPs were bound');
  assert.equal(first.kernel.dump(), RULES + VIP);
});

test('an agent that comes back and can not read its kernel withdraws before the Lease goes', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const { kernel, stop } = lab.start('n2');
  await untilKernel(kernel, RULES + VIP);
  await until('it says so', () => lab.director('n2').addresses === 1);
  await stop();
  const released = lab.dumpAtRelease(kernel);
  kernel.unreadable.add('addresses');
  const second = lab.start('n2', kernel);
  await until('it holds what it had', () => second.program.held === ALL_HELD);
  lab.readyOnPaper('n3', 'one');
  await until('it gives way', () => second.program.held === NONE_HELD);
  await new Promise((resolve) => setTimeout(resolve, 300)); // rounds that can't see the VIPs
  assert.equal(released(), undefined, 'the Lease was let go while the VIPs were bound');
  kernel.unreadable.clear();
  await until('the Lease is free', () => released() !== undefined);
  assert.equal(released(), RULES);
});

test('the Lease of the announcer is released only after the kernel was told', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const { kernel } = lab.start('n2');
  await untilKernel(kernel, RULES + VIP);
  const released = lab.dumpAtRelease(kernel);
  lab.readyOnPaper('n1', 'one');
  await until('the Lease is free', () => released() !== undefined);
  assert.equal(released(), RULES);
});

test('API server away for longer than the Lease: all stays, and nothing happens when it is back', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const { kernel, program } = lab.start('n1');
  await untilKernel(kernel, RULES + VIP);
  await until('it says so', () => lab.director('n1').addresses === 1);
  const ops = kernel.log.length;
  lab.away = true;
  await until('it is not ready', () => program.notReady().length > 0);
  await new Promise((resolve) => setTimeout(resolve, 700)); // the Lease can't be renewed for so long
  assert.equal(program.held, ALL_HELD);
  lab.away = false;
  await until('it is ready', () => program.notReady().length === 0);
  assert.equal(kernel.log.length, ops);
  lab.put(slice(['10.0.0.2']));
  await until('it goes on', () => kernel.dump().includes('10.0.0.2:8080'));
});

test('another one took the Lease while we could not see it: the VIPs go at once', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const { kernel } = lab.start('n1');
  await untilKernel(kernel, RULES + VIP);
  const lease = lab.api.objects.get(LEASE);
  assert.ok(lease !== undefined);
  lab.api.put(LEASE, {
    ...lease,
    spec: { holderIdentity: 'n0', leaseDurationSeconds: 3600, renewTime: 'x', acquireTime: 'x' },
  });
  await untilKernel(kernel, RULES);
});

test('a Service that can not be served stands in the Director and in an Event', async (context) => {
  const lab = new Lab(context);
  const { kernel } = lab.start('n1');
  await until('the director is ready', () => lab.director('n1').announcing === true);
  kernel.fault = (op) => (op.op === 'vs.add' ? 'EINVAL' : undefined);
  lab.put(slice(['10.0.0.1']), service());
  await until('it is named', () => lab.director('n1').failedServices === 1);
  const [failed] = lab.director('n1').failed ?? [];
  assert.equal(failed?.service, 'default/web');
  assert.equal(lab.director('n1').conditions?.[1]?.reason, 'ServicesFailed');
  await until('there is an Event', () =>
    [...lab.api.objects.keys()].some((path) => path.includes('/events/')),
  );
  kernel.fault = undefined;
  await until('it is forgotten', () => lab.director('n1').failedServices === 0);
});

test('what a director can not see of a Service with forwarding dr stands in the Director', async (context) => {
  const lab = new Lab(context);
  const annotations = { 'vipvs.io/forwarding': 'dr' };
  const direct = service({ metadata: { annotations }, spec: { ports: [{ port: 80 }] } });
  lab.put(slice(['10.1.0.1@n2'], { ports: [{ port: 80 }] }), direct);
  lab.start('n1');
  const text =
    "forwarding dr: vipvs can't see whether node n2 hold 192.0.2.10, as they must (docs/forwarding.md)";
  await until('it is said', () => lab.director('n1').unchecked?.length === 1);
  const said = { service: 'default/web', reason: 'RealServersUnchecked', message: text };
  const { failedServices, unchecked, conditions } = lab.director('n1');
  assert.deepEqual([failedServices, unchecked], [0, [said]]);
  assert.ok(conditions?.[1]?.message.includes(text), conditions?.[1]?.message);
  lab.put(service());
  await until('it is forgotten', () => lab.director('n1').unchecked === undefined);
});

test('a virtual server of somebody else inside a Pool stands in the Director', async (context) => {
  const lab = new Lab(context);
  const kernel = new FakeKernel();
  const server = {
    vip: parseIp('192.0.2.50'),
    port: 80,
    protocol: 'TCP',
    scheduler: 'rr',
    schedulerFlags: [],
    persistenceSeconds: 0,
  } as const;
  kernel.addForeign({ server, realServers: new Map() });
  lab.start('n1', kernel);
  await until('it is named', () => {
    const { status, reason, message = '' } = lab.director('n1').conditions?.[1] ?? {};
    return `${status} ${reason}` === 'True ForeignVirtualServer' && message.includes('192.0.2.50');
  });
});

test('a Director that somebody deleted is written again', async (context) => {
  const lab = new Lab(context);
  lab.start('n1');
  await until('the director is ready', () => lab.director('n1').announcing === true);
  lab.api.remove(`${DIRECTORS}/n1`);
  await until('it is there again', () => lab.director('n1').announcing === true);
});

test('without --bind-iface the VIPs go to the interface with the address of the node', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const { kernel } = lab.start('n1', new FakeKernel(), '');
  await untilKernel(kernel, RULES + VIP.replace('eth0', 'eth1'));
  const other = lab.start('n2', new FakeKernel(), '');
  await until('it says what is missing', () =>
    other.program.notReady().some((each) => each.includes('--bind-iface')),
  );
  assert.equal(other.kernel.dump(), '');
});

test('nothing is written to the kernel before every cache was filled', async (context) => {
  const lab = new Lab(context);
  const kernel = new FakeKernel();
  const first = lab.start('n1', kernel);
  lab.put(slice(['10.0.0.1']), service());
  await untilKernel(kernel, RULES + VIP);
  await first.stop();
  lab.api.fault = (_when, call) => {
    if (call.path.endsWith('/ips')) throw new ApiError('no', { code: 'forbidden', status: 403 });
  };
  const ops = kernel.log.length;
  const second = lab.start('n1', kernel);
  await until('it says what is missing', () =>
    second.program.notReady().some((each) => each.includes('ips')),
  );
  assert.equal(kernel.log.length, ops);
  assert.equal(kernel.observeCount > 0, true);
  assert.equal(second.program.state, undefined);
});

test('a list that lacks much deletes nothing, and an event on the Director says so', async (context) => {
  const lab = new Lab(context);
  const names = Array.from({ length: 12 }, (_, i) => `s${i}`);
  const vipOf = (i: number): string => `192.0.2.${20 + i}`;
  for (const [i, name] of names.entries()) lab.put(service({ name, ingress: [vipOf(i)] }));
  lab.api.watchPlan = () => ({ events: 1, end: 'gone' });
  const { kernel } = lab.start('n1');
  await until('all are served', () => kernel.virtualServers.size === names.length);
  await until('the Director is there', () => lab.api.objects.has(`${DIRECTORS}/n1`));
  const uid = textAt(objectAt(lab.api.objects.get(`${DIRECTORS}/n1`), 'metadata'), 'uid');
  // the API server has lost its data, and after one more event the watch has to list again
  for (const name of names) lab.api.objects.delete(`${PATHS.Service}/${name}`);
  lab.put(service({ name: 'late' }));
  const event = (): JsonObject | undefined =>
    [...lab.api.objects.values()].find((each) => textAt(each, 'reason') === 'ListDoubted');
  await until('the event', () => event() !== undefined);
  const { namespace } = objectAt(event(), 'metadata') ?? {};
  assert.deepEqual([namespace, textAt(event(), 'type')], ['default', 'Warning']);
  const regarding = { apiVersion: 'vipvs.io/v1alpha1', kind: 'Director', name: 'n1', uid };
  assert.deepEqual(objectAt(event(), 'regarding'), regarding);
  assert.equal(kernel.virtualServers.size, names.length);
});
