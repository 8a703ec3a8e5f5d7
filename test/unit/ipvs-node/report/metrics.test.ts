// What a round adds to the metrics.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countRound } from '../../../../src/ipvs-node/report/metrics.ts';
import type { RoundSummary } from '../../../../src/ipvs-node/reconcile/agent-ports.ts';
import { createMetrics } from '../../../../src/runtime/metrics.ts';

const ROUND: RoundSummary = {
  kind: 'full',
  durationMs: 2000,
  counts: new Map([['vs.add ok', 3]]),
  failures: 0,
  drift: new Map(),
};

test('drift is there from the first round on, as zeros: an alert on its rate sees the first of it', async () => {
  const metrics = createMetrics();
  const drift = async (): Promise<readonly string[]> => {
    const lines = (await metrics.registry.metrics()).split('\n');
    return lines.filter((line) => line.startsWith('vipvs_kernel_drift_total{'));
  };
  countRound(metrics, ROUND, 0);
  assert.deepEqual(await drift(), [
    'vipvs_kernel_drift_total{kind="virtual_server"} 0',
    'vipvs_kernel_drift_total{kind="real_server"} 0',
    'vipvs_kernel_drift_total{kind="address"} 0',
    'vipvs_kernel_drift_total{kind="firewall"} 0',
    'vipvs_kernel_drift_total{kind="sysctl"} 0',
  ]);
  countRound(metrics, { ...ROUND, drift: new Map([['address', 2]]) }, 0);
  assert.ok((await drift()).includes('vipvs_kernel_drift_total{kind="address"} 2'));
  metrics.process.stop();
});
