import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterIps, nodeIps, podCidrRanges } from '../../../src/api/cluster-ranges.ts';
import type { Node } from '../../../src/api/kubernetes.ts';
import { resolvePools } from '../../../src/api/pools.ts';
import { formatProblem } from '../../../src/api/problem.ts';
import { parseIp } from '../../../src/net/address.ts';
import { parseRange } from '../../../src/net/range.ts';
import { poolOfSpec, serviceNamed } from './objects.ts';

test('an object that says nothing uses nothing', () => {
  const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n' } };
  assert.deepEqual([nodeIps(node), podCidrRanges(node)], [[], []]);
  assert.deepEqual(clusterIps(serviceNamed({ name: 'web' })), []);
  assert.deepEqual(clusterIps(serviceNamed({ name: 'web' }, { clusterIP: '' })), []);
});

test('a Pool that overlaps what the cluster uses is warned', () => {
  const ranges = ['10.0.0.0/28', '10.0.0.128/26', '10.1.0.0/16'].map((text) => {
    return { ...parseRange(text), what: `range ${text}` };
  });
  const given = [poolOfSpec('p', { addresses: ['10.0.0.0/24'] })];
  const clusterIp = ['10.0.0.1', '10.0.0.20', '10.9.0.1'].map(parseIp);
  const { problems } = resolvePools(given, [], { ranges, clusterIps: clusterIp });
  assert.deepEqual(problems.map(formatProblem), [
    'Pool p: ClusterRangeInPool: overlaps range 10.0.0.0/28, range 10.0.0.128/26; that is left out',
    'Pool p: ClusterIpInPool: 10.0.0.20 is a ClusterIP; left out',
  ]);
});
