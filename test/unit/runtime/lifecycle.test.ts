import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../../../src/runtime/clock.ts';
import { invariant, messageOf, OperationalError } from '../../../src/runtime/errors.ts';
import { guardProcess } from '../../../src/runtime/lifecycle.ts';
import { createLog } from '../../../src/runtime/log.ts';

test('an unhandled error is logged as fatal and ends the process with 1', () => {
  const events = new EventEmitter();
  const lines: string[] = [];
  const codes: number[] = [];
  const log = createLog({ level: 'info', format: 'json', write: (line) => lines.push(line) });
  const unguard = guardProcess(events, log, (code) => codes.push(code));
  events.emit('unhandledRejection', new Error('oops'));
  events.emit('uncaughtException', new Error('again'));
  assert.deepEqual(codes, [1, 1]);
  assert.match(lines[0] ?? '', /"level":60.*oops/);
  unguard();
  assert.equal(
    events.listenerCount('unhandledRejection') + events.listenerCount('uncaughtException'),
    0,
  );
});

test('operational errors carry how to go on', () => {
  assert.equal(new OperationalError('already-running', 'x').retry, 'never');
  const error = new OperationalError('state-unwritable', 'x', new Error('cause'));
  assert.equal(error.retry, 'backoff');
  assert.equal(messageOf(error.cause), 'cause');
  assert.equal(messageOf('text'), 'text');
});

test('a broken invariant is a throw', () => {
  invariant(true, 'fine');
  assert.throws(() => invariant(false, 'impossible'), { message: 'bug: impossible' });
});

test('the real clock sleeps until its signal', async () => {
  const stop = new AbortController();
  const long = systemClock.sleep(3_600_000, stop.signal);
  stop.abort();
  await long;
  await systemClock.sleep(0, new AbortController().signal);
  await new Promise<void>((resolve) => void systemClock.timer(0, resolve));
  systemClock.timer(0, () => assert.fail('cancelled'))();
  assert.ok(systemClock.nowMs() < systemClock.wallMs());
  const chance = systemRandom();
  assert.ok(chance >= 0 && chance < 1);
});
