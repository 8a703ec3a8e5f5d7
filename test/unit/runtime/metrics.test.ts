// The metrics that have a life of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '../../../src/runtime/metrics.ts';

test('the event loop is sampled from the first reading on', async () => {
  /** As the real one keeps what it saw when it was last on. */
  let longestSeconds = 7;
  let isOn = false;
  const delay = {
    get max() {
      return longestSeconds * 1e9;
    },
    enable: () => {
      if (isOn) return false;
      isOn = true;
      return true;
    },
    disable: () => {
      isOn = false;
      return true;
    },
    reset: () => void (longestSeconds = 0),
  };
  const metrics = createMetrics(delay);
  const read = async (): Promise<string | undefined> =>
    /^vipvs_event_loop_delay_seconds (.*)$/m.exec(await metrics.registry.metrics())?.[1];
  assert.equal(isOn, false);
  assert.equal(await read(), '0');
  assert.equal(isOn, true);
  longestSeconds = 2;
  assert.equal(await read(), '2');
  assert.equal(await read(), '0');
  metrics.process.stop();
  assert.equal(isOn, false);
});
