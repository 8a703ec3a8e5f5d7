import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  finalizersFor,
  POOL_FINALIZER,
  PoolUse,
  PoolWriter,
} from '../../../../src/assigner/write/pools.ts';
import { WriteProblems } from '../../../../src/assigner/write/problems.ts';
import { projectPool } from '../../../../src/assigner/project.ts';
import { ClusterStore } from '../../../../src/api/cluster.ts';
import { errorOfStatus } from '../../../../src/kube/errors.ts';
import { objectAt, type JsonObject } from '../../../../src/kube/json.ts';
import { silentLog } from '../../../../src/runtime/log.ts';
import { VirtualClock } from '../../../api/clocks.ts';
import { MemoryApi } from '../../../api/memory-api.ts';
import { pool } from '../objects.ts';

const POOLS = '/apis/vipvs.io/v1alpha1/pools';

class World {
  readonly api = new MemoryApi();
  readonly clock = new VirtualClock();
  readonly store = new ClusterStore();
  readonly stop = new AbortController();
  readonly problems = new WriteProblems(this.clock, silentLog);
  mayWrite = true;
  readonly writer = new PoolWriter({
    client: this.api,
    store: this.store,
    mayWrite: () => this.mayWrite,
    problems: this.problems,
    clock: this.clock,
    random: () => 1,
    signal: this.stop.signal,
  });

  add(name: string): void {
    this.api.put(`${POOLS}/${name}`, { ...pool(name, ['192.0.2.0/28']) });
    this.watch(name);
  }

  /** The watch shows the Pool as it is. */
  watch(name: string): void {
    this.store.set(projectPool(this.api.objects.get(`${POOLS}/${name}`)));
  }

  of(name: string): JsonObject | undefined {
    return this.api.objects.get(`${POOLS}/${name}`);
  }
}

const status = (
  allocatable: number,
): { phase: 'Active'; capacity: number; allocatable: number } => ({
  phase: 'Active',
  capacity: 16,
  allocatable,
});

test('the status is written at once, then at most once a second, and only the last one', async () => {
  const world = new World();
  const { api, clock, store, writer } = world;
  world.add('public');
  writer.set('public', status(16));
  await clock.advance(0);
  assert.equal(api.calls.length, 1);
  for (let free = 15; free > 5; free -= 1) writer.set('public', status(free));
  await clock.advance(999);
  assert.equal(api.calls.length, 1);
  await clock.advance(1);
  assert.equal(api.calls.length, 2);
  assert.equal(objectAt(world.of('public'), 'status')?.['allocatable'], 6);
  store.set(projectPool(world.of('public')));
  writer.set('public', status(6));
  await clock.advance(5000);
  assert.equal(api.calls.length, 2, 'it is so already');
});

test('what is refused is named and tried again; other Pools are not held up', async () => {
  const world = new World();
  const { api, clock, problems, writer } = world;
  world.add('one');
  world.add('two');
  api.fault = (when, call) => {
    if (when === 'before' && call.path.endsWith('/one/status')) {
      throw errorOfStatus(`PATCH ${call.path}`, 422, { code: 422, reason: 'Invalid' });
    }
  };
  writer.set('one', status(1));
  writer.set('two', status(2));
  await clock.advance(0);
  assert.equal(objectAt(world.of('two'), 'status')?.['allocatable'], 2);
  assert.match(problems.current()[0] ?? '', /422/);
  api.fault = () => undefined;
  await clock.advance(2000);
  assert.equal(objectAt(world.of('one'), 'status')?.['allocatable'], 1);
  assert.deepEqual(problems.current(), []);
});

test('without the lease nothing is written, and nothing is lost', async () => {
  const world = new World();
  world.mayWrite = false;
  world.add('public');
  world.writer.set('public', status(1));
  await world.clock.advance(1000);
  assert.deepEqual(world.api.calls, []);
  world.mayWrite = true;
  await world.clock.advance(60_000);
  assert.equal(world.api.calls.length, 1);
  world.stop.abort();
  world.writer.set('public', status(2));
  await world.clock.advance(60_000);
  await world.writer.idle();
  assert.equal(world.api.calls.length, 1);
});

test('a Pool in use gets its finalizer once', async () => {
  const world = new World();
  const { api, clock, writer } = world;
  world.add('public');
  writer.check(() => true);
  await clock.advance(0);
  writer.check(() => true);
  await clock.advance(5000);
  assert.equal(api.calls.length, 1, 'the watch has not shown it yet');
  assert.deepEqual(api.calls, [`PATCH ${POOLS}/public`]);
});

test('finalizers of a Pool', () => {
  const has = { finalizers: ['other/one', POOL_FINALIZER] };
  const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  const cases = [
    { metadata: {}, isInUse: true, want: [POOL_FINALIZER] },
    { metadata: {}, isInUse: false, want: undefined },
    { metadata: has, isInUse: true, want: undefined },
    { metadata: has, isInUse: false, want: ['other/one'] },
    { metadata: leaving, isInUse: true, want: undefined },
    { metadata: { ...has, ...leaving }, isInUse: false, want: ['other/one'] },
  ];
  for (const { metadata, isInUse, want } of cases) {
    assert.deepEqual(finalizersFor(pool('public', ['192.0.2.1'], {}, metadata), isInUse), want);
  }
});

test('the use of Pools is counted by their IPs', () => {
  const use = new PoolUse();
  use.set('192.0.2.1', 'a');
  use.set('192.0.2.1', 'a');
  use.set('192.0.2.2', 'a');
  use.set('192.0.2.1', 'b');
  assert.deepEqual([use.has('a'), use.has('b')], [true, true]);
  use.set('192.0.2.2', undefined);
  use.set('192.0.2.9', undefined);
  assert.deepEqual([use.has('a'), use.has('b')], [false, true]);
});
