// Which problems become events, and when.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Problem } from '../../../../src/api/problem.ts';
import { LASTING_MS, ServiceEvents } from '../../../../src/ipvs-node/report/service-events.ts';
import { FakeClock } from '../../runtime/fake-clock.ts';

const object = { kind: 'Service', namespace: 'default', name: 'web' } as const;
const EMPTY: Problem = { object, reason: 'NoEndpoints', message: 'none', isWarning: true };
const REFUSED: Problem = { object, reason: 'KernelError', message: 'EINVAL' };
const OK = { isProgrammed: true, problems: [] };

function underTest(): { clock: FakeClock; events: ServiceEvents; told: string[] } {
  const clock = new FakeClock();
  const told: string[] = [];
  const events = new ServiceEvents(clock, (service, { reason }) => {
    told.push(`${service} ${reason}`);
  });
  return { clock, events, told };
}

test('a failure is told at once, missing endpoints only when they last', async () => {
  const { clock, events, told } = underTest();
  events.told('default/web', { isProgrammed: false, problems: [EMPTY, REFUSED] });
  assert.deepEqual(told, ['default/web KernelError']);
  await clock.advance(LASTING_MS - 1);
  assert.equal(told.length, 1);
  await clock.advance(1);
  assert.deepEqual(told.slice(1), ['default/web NoEndpoints']);
  await clock.advance(LASTING_MS);
  assert.equal(told.length, 2);
});

for (const report of [OK, undefined]) {
  const what = report === undefined ? 'a Service that goes' : 'endpoints that come';
  test(`${what} in time: nothing is told`, async () => {
    const { clock, events, told } = underTest();
    events.told('default/web', { isProgrammed: true, problems: [EMPTY] });
    events.told('default/other', { isProgrammed: true, problems: [EMPTY] });
    await clock.advance(1000);
    events.told('default/web', report);
    await clock.advance(LASTING_MS);
    assert.deepEqual(told, ['default/other NoEndpoints']);
  });
}

test('after its end nothing is told', async () => {
  const { clock, events, told } = underTest();
  events.told('default/web', { isProgrammed: true, problems: [EMPTY] });
  await events.run(AbortSignal.abort());
  await clock.advance(LASTING_MS);
  assert.deepEqual(told, []);
});
