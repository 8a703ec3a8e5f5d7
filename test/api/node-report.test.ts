// What the agent says in its Director and in Events, on an API server's rules in memory and a fake kernel.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '../../src/kube/errors.ts';
import { parseIp } from '../../src/net/address.ts';
import { FakeKernel } from '../contract/fake-kernel.ts';
import { service, slice } from '../unit/ipvs-node/objects.ts';
import { until } from './clocks.ts';
import { DIRECTORS, Lab, RULES, untilKernel, VIP } from './node-lab.ts';

const ANNOUNCED = 'Normal Announced default/web: director n1 announces 192.0.2.10 on eth0 (n1)';

test('the director that announces a VIP says so in an Event, and not again after a restart', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  const first = lab.start('n1');
  await until('it says so', () => lab.events().length === 1);
  assert.deepEqual(lab.events(), [ANNOUNCED]);
  await first.stop();
  lab.start('n1', first.kernel);
  await until('the Director is written', () => lab.director('n1').addresses === 1);
  lab.put(service({ name: 'two', ingress: ['192.0.2.11'] }), slice(['10.0.0.2'], { of: 'two' }));
  await until('it says of the next', () => lab.events().length === 2);
  const of = ANNOUNCED.replace('default/web', 'default/two').replace('192.0.2.10', '192.0.2.11');
  assert.deepEqual(lab.events(), [ANNOUNCED, of]);
});

test('while the Director waits to be written, no good news is; what is refused is counted', async (context) => {
  const lab = new Lab(context);
  lab.put(slice(['10.0.0.1']), service());
  let directorsFail = true;
  lab.api.fault = (when, { path }) => {
    if (when !== 'before') return;
    if (path.includes('/events')) throw new ApiError('no', { code: 'forbidden', status: 403 });
    if (directorsFail && path.startsWith(`${DIRECTORS}/`)) {
      throw new ApiError('no', { code: 'server', status: 503 });
    }
  };
  const { kernel, program } = lab.start('n1');
  await untilKernel(kernel, RULES + VIP);
  await new Promise((resolve) => setTimeout(resolve, 500));
  assert.ok(!lab.api.calls.some((call) => call.includes('/events')));
  assert.equal(program.eventsDropped, 0);
  directorsFail = false;
  await until('it is counted', () => program.eventsDropped === 1);
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
  await until('there is an Event', () => lab.events().some((text) => text.startsWith('Warning')));
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
