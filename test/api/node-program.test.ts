// `vipvs node` as a whole, on an API server's rules in memory and a fake kernel: what is read, what is written, who
// announces, and what happens when the API server is away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL_HELD, NONE_HELD } from '../../src/ipvs-node/model/held-groups.ts';
import { ApiError } from '../../src/kube/errors.ts';
import { objectAt, textAt, type JsonObject } from '../../src/kube/json.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';
import { node, pool, service, slice } from '../unit/ipvs-node/objects.ts';
import { until } from './clocks.ts';
import { PATHS } from './memory-api.ts';
import { DIRECTORS, Lab, LEASE, RULES, untilKernel, VIP } from './node-lab.ts';

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
