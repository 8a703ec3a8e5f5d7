// The assigner beside an API server that fails in the ways that API servers do. What it must not do is as much as what it
// must: no churn when the API server is back, nothing written without the lease, nothing at all when nothing happens.
import assert from 'node:assert/strict';
import { after, afterEach, before, suite, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock, type Clock } from '../../src/runtime/clock.ts';
import { until as untilTrue } from '../api/clocks.ts';
import {
  LONG_LEASE,
  NAMESPACE,
  pool,
  service,
  startAssigner,
  startWorld,
  type AssignerStart,
  type RunningAssigner,
} from './assigner-world.ts';
import type { ControlPlane } from './control-plane.ts';
import { clientOf } from './gadgets.ts';

const HOUR_MS = 3_600_000;
/** Of the assigner, shown where a test fails. */
const LOG_LINES = 40;

suite('the assigner beside an API server that fails', { timeout: 120_000 }, () => {
  let plane: ControlPlane;
  let assigner: RunningAssigner | undefined;
  let services = 0;

  before(async () => {
    plane = await startWorld();
    await plane.kubectl(['apply', '-f', '-'], { stdin: pool('public', '10.2.0.0/24') });
  });
  afterEach(async () => {
    await assigner?.stop();
    assigner = undefined;
  });
  after(() => plane.stop());

  /** Fails with what the assigner logged. */
  const until: typeof untilTrue = async (what, condition) => {
    try {
      await untilTrue(what, condition);
    } catch (cause) {
      const last = assigner?.log.slice(-LOG_LINES) ?? [];
      throw new Error(`did not happen: ${what}; the assigner's log:\n${last.join('')}`, { cause });
    }
  };
  const start = async (how: AssignerStart = {}): Promise<RunningAssigner> => {
    assigner = await startAssigner(plane, how);
    const { program } = assigner;
    await until('it is ready', () => program.notReady().length === 0 && program.isLeading);
    await until('what there was is decided', async () => {
      const before = program.writes;
      await sleep(100);
      return program.writes === before;
    });
    return assigner;
  };
  const newName = (): string => `f${(services += 1)}`;
  const create = (name: string, annotations: object = {}): Promise<string> =>
    plane.kubectl(['apply', '-f', '-'], { stdin: service(name, {}, annotations) });
  const addressOf = (name: string): Promise<string> =>
    plane.kubectl(['get', 'svc', name, '-o', 'jsonpath={.status.loadBalancer.ingress[*].ip}']);
  const untilServed = async (name: string): Promise<void> =>
    until(`${name} has an address`, async () => (await addressOf(name)) !== '');
  /** Everything that the assigner writes, with its versions. */
  const state = async (): Promise<string> => {
    const path =
      '{range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\\n"}{end}';
    return plane.kubectl(['get', 'svc,ips,pools', '-o', `jsonpath=${path}`]);
  };
  const isWrite = (call: string): boolean => !/^(GET|WATCH) |\/leases/.test(call);

  test('while nothing happens it renews its lease, and asks and writes nothing else', async () => {
    const { client } = await start();
    await create(newName());
    await untilServed(`f${services}`);
    // its Event and its Pool's status are written within a second
    await until('it is quiet', async () => {
      const before = client.calls.filter(isWrite).length;
      await sleep(1200);
      return client.calls.filter(isWrite).length === before;
    });
    const from = client.calls.length;
    await until('the lease was renewed ten times', () => client.calls.length >= from + 10);
    const asked = new Set(client.calls.slice(from));
    assert.deepEqual(
      [...asked],
      [`PUT /apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/vipvs-assigner`],
    );
  });

  test('watches that are cut are taken up where they were: no list, no write', async () => {
    const { client, program } = await start();
    const lists = program.sources().map((each) => each.lists);
    const before = await state();
    client.cutWatches();
    await until('all watch again', () => program.sources().every((each) => each.watches >= 2));
    await until('all is well', () => program.notReady().length === 0);
    assert.equal(await state(), before);
    const name = newName();
    client.cutWatches();
    await create(name);
    await untilServed(name);
    assert.deepEqual(
      program.sources().map((each) => each.lists),
      lists,
    );
  });

  test('an API server that was killed finds no churn when it is back', async () => {
    const { client, program } = await start({ leaseTimes: LONG_LEASE });
    const before = await state();
    const writes = client.calls.filter(isWrite).length;
    await plane.apiserver.kill();
    await until('it is not ready', () => program.notReady().length > 0);
    await plane.apiserver.start();
    await until('it is ready', () => program.notReady().length === 0);
    const name = newName();
    await create(name);
    await untilServed(name);
    const after = await state();
    for (const line of before.split('\n').filter((each) => !each.startsWith('Pool/'))) {
      assert.ok(after.includes(line), `${line} was not written again`);
    }
    const written = client.calls
      .filter(isWrite)
      .slice(writes)
      .filter((call) => !/events|pools/.test(call));
    assert.equal(written.length, 2, `only the new Service: ${String(written)}`);
  });

  test('a history that etcd has compacted is listed again, and nothing is written', async () => {
    const { client, program } = await start({ leaseTimes: LONG_LEASE });
    const before = await state();
    const lists = program.sources().map((each) => each.lists);
    await plane.apiserver.kill();
    await plane.compact();
    await plane.apiserver.start();
    client.cutWatches();
    await until('it is ready', () => program.notReady().length === 0);
    const name = newName();
    await create(name);
    await untilServed(name);
    const again = program.sources().map((each) => each.lists);
    assert.notDeepEqual(again, lists, 'listed again');
    const after = await state();
    for (const line of before.split('\n').filter((each) => !each.startsWith('Pool/'))) {
      assert.ok(after.includes(line), `${line} was not written again`);
    }
  });

  test('a token that is rotated is read again', async () => {
    const { program } = await start({ leaseTimes: LONG_LEASE });
    await plane.rotateToken('assigner');
    await plane.apiserver.kill();
    await plane.apiserver.start();
    const name = newName();
    await create(name);
    await untilServed(name);
    await until('it is ready', () => program.notReady().length === 0);
  });

  test('a Service that is edited between our read and our write keeps the edit, and gets what it asks for now', async (context) => {
    const { client } = await start();
    const admin = await clientOf(plane, 'admin');
    context.after(() => admin.close());
    const name = newName();
    let edits = 0;
    client.before = async (call) => {
      if (call.method !== 'PATCH' || !call.path.endsWith(`/services/${name}/status`)) return;
      if (edits > 0) return;
      edits += 1;
      await admin.call({
        method: 'PATCH',
        path: `/api/v1/namespaces/default/services/${name}`,
        contentType: 'mergePatch',
        signal: AbortSignal.timeout(10_000),
        body: { metadata: { annotations: { 'vipvs.io/addresses': '10.2.0.200' } } },
      });
    };
    await create(name);
    await until('it has the address', async () => (await addressOf(name)) === '10.2.0.200');
    assert.equal(edits, 1);
    await until('the address it was to have before is given back', async () => {
      const path = `{range .items[?(@.spec.claims[0].name=="${name}")]}{.metadata.name} {end}`;
      return (
        (await plane.kubectl(['get', 'ips', '-o', `jsonpath=${path}`])).trim() === '10.2.0.200'
      );
    });
  });

  test('a wall clock that jumps changes nothing', async () => {
    let jumpMs = 0;
    const clock: Clock = { ...systemClock, wallMs: () => Date.now() + jumpMs };
    const { program } = await start({ clock });
    const before = await state();
    for (const hours of [25, -50, 0]) {
      jumpMs = hours * HOUR_MS;
      const name = newName();
      await create(name);
      await untilServed(name);
      assert.equal(program.isLeading, true);
    }
    const after = await state();
    for (const line of before.split('\n').filter((each) => !each.startsWith('Pool/'))) {
      assert.ok(after.includes(line), `${line} was not written again`);
    }
  });

  test('a lease that somebody else has ends it, and all its writes', async () => {
    const { client, ended, program } = await start();
    const items = Array.from({ length: 40 }, () => service(newName()));
    const list = `{"apiVersion":"v1","kind":"List","items":[${items.join(',')}]}`;
    // what is under way when the lease goes is held up until the program has heard of it
    const held = Promise.withResolvers<undefined>();
    client.before = (call) => (/leases/.test(call.path) ? undefined : held.promise);
    await plane.kubectl(['apply', '-f', '-'], { stdin: list });
    await until('it is about to write', () => program.writes > 0);
    const from = client.calls.length;
    await plane.kubectl([
      ...['patch', 'lease', '-n', NAMESPACE, 'vipvs-assigner', '--type=merge'],
      ...['-p', '{"spec":{"holderIdentity":"somebody else"}}'],
    ]);
    await until('it has heard', () => !program.isLeading);
    held.resolve(undefined);
    assert.equal(await ended, 'lost');
    assert.deepEqual(client.calls.slice(from).filter(isWrite), []);
    await plane.kubectl(['delete', 'lease', '-n', NAMESPACE, 'vipvs-assigner']);
  });

  test('an API server that hangs longer than the lease ends it', async () => {
    const { ended } = await start();
    plane.apiserver.freeze();
    const end = await ended;
    plane.apiserver.thaw();
    assert.equal(end, 'lost');
  });
});
