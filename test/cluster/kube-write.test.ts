// src/kube's writing side against a real API server: conditional writes, apply, election, events.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import {
  applyObject,
  createObject,
  deleteObject,
  patchStatus,
  readObject,
  resourceVersionOf,
  updateObject,
  type ApplyOutcome,
  type DeletePreconditions,
  type UpdateOutcome,
} from '../../src/kube/apply.ts';
import { isApiError } from '../../src/kube/errors.ts';
import { EventRecorder } from '../../src/kube/events.ts';
import { objectAt, textAt } from '../../src/kube/json.ts';
import { Lease } from '../../src/kube/lease.ts';
import { LEASES, SERVICES } from '../../src/kube/resource.ts';
import type { HttpApiClient } from '../../src/kube/transport.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { MemoryLog, until } from '../api/clocks.ts';
import { startControlPlane, type ControlPlane } from './control-plane.ts';
import { clientOf, CONFIG_MAPS, GADGET_CRD, GADGETS } from './gadgets.ts';

suite('writing to a real API server', () => {
  let plane: ControlPlane;
  let admin: HttpApiClient;
  const signal = new AbortController().signal;
  const stopAll = new AbortController();
  const web = { namespace: 'default', name: 'web' };

  before(async () => {
    plane = await startControlPlane();
    admin = await clientOf(plane, 'admin');
    await plane.kubectl(['apply', '-f', '-'], { stdin: GADGET_CRD });
    await plane.kubectl(['wait', '--for=condition=Established', 'crd/gadgets.test.vipvs.io']);
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: web.name },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    };
    await plane.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(service) });
    // A new kind answers writes a moment after it is called established
    await until('the new kind', () =>
      applyObject(admin, GADGETS, apply('warm', {}, 'a'), signal).then(
        () => true,
        () => false,
      ),
    );
  });
  after(async () => {
    stopAll.abort();
    await admin.close();
    await plane.stop();
  });

  function gadget(name: string, rest: object): { readonly metadata: { readonly name: string } } {
    const body = { apiVersion: 'test.vipvs.io/v1', kind: 'Gadget', metadata: { name }, ...rest };
    return body;
  }

  function apply(
    name: string,
    rest: object,
    fieldManager: string,
    force = false,
  ): Parameters<typeof applyObject>[2] {
    return { body: gadget(name, rest), fieldManager, force };
  }

  test('server-side apply: own fields, conflicts, force, fields given up', async () => {
    const spec = (of: object, manager: string, force = false): Promise<ApplyOutcome> =>
      applyObject(admin, GADGETS, apply('g', { spec: of }, manager, force), signal);
    assert.equal((await spec({ color: 'red', size: 1 }, 'a')).outcome, 'applied');
    const conflict = await spec({ color: 'green' }, 'b');
    assert.ok(conflict.outcome === 'conflict');
    assert.match(conflict.message, /conflict with "a".*color/);
    assert.equal((await spec({ color: 'green' }, 'b', true)).outcome, 'applied');
    await spec({}, 'a');
    const now = await readObject(admin, GADGETS, { name: 'g' }, signal);
    assert.deepEqual(objectAt(now, 'spec'), { color: 'green' });
  });

  test('server-side apply of a status; of an object that is not there', async () => {
    const status = (name: string): Promise<ApplyOutcome> => {
      const what = apply(name, { status: { phase: 'Ready' } }, 'a', true);
      return applyObject(admin, GADGETS, { ...what, subresource: 'status' }, signal);
    };
    assert.equal((await status('warm')).outcome, 'applied');
    const now = await readObject(admin, GADGETS, { name: 'warm' }, signal);
    assert.deepEqual(objectAt(now, 'status'), { phase: 'Ready' });
    assert.equal((await status('nowhere')).outcome, 'gone');
  });

  test('422 names the field', async () => {
    const wrong = gadget('wrong', { spec: { color: 'blue' } });
    await assert.rejects(createObject(admin, GADGETS, wrong, signal), (error) => {
      assert.ok(isApiError(error, 'invalid'));
      assert.match(error.message, /spec\.color/);
      return true;
    });
  });

  test('create, update and delete never touch what the caller has not seen', async () => {
    const at = { namespace: 'default', name: 'mine' };
    const create = (): ReturnType<typeof createObject> =>
      createObject(admin, CONFIG_MAPS, { metadata: at }, signal);
    assert.equal((await create()).outcome, 'created');
    assert.equal((await create()).outcome, 'exists');
    const created = await readObject(admin, CONFIG_MAPS, at, signal);
    const seen = resourceVersionOf(created) ?? '';
    const update = (value: string): Promise<UpdateOutcome> => {
      const body = { data: { value }, metadata: { ...at, resourceVersion: seen } };
      return updateObject(admin, CONFIG_MAPS, body, signal);
    };
    assert.equal((await update('first')).outcome, 'updated');
    assert.equal((await update('stale')).outcome, 'conflict');
    const uid = textAt(objectAt(created, 'metadata'), 'uid');
    const remove = (preconditions: DeletePreconditions): Promise<string> =>
      deleteObject(admin, CONFIG_MAPS, at, preconditions, signal);
    assert.equal(await remove({ uid, resourceVersion: seen }), 'conflict');
    assert.equal(await remove({ uid: 'another' }), 'conflict');
    assert.equal(await remove({ uid }), 'deleted');
    assert.equal(await remove({ uid }), 'gone');
    // A PUT to a name that is gone, with the version of the old object
    assert.notEqual((await update('late')).outcome, 'updated');
    assert.equal(await readObject(admin, CONFIG_MAPS, at, signal), undefined);
  });

  test("a Service's load balancer status, at a version and without", async () => {
    const version = resourceVersionOf(await readObject(admin, SERVICES, web, signal));
    const status = { loadBalancer: { ingress: [{ ip: '192.0.2.10', ipMode: 'Proxy' }] } };
    const patch = (resourceVersion?: string): Promise<UpdateOutcome> =>
      patchStatus(admin, SERVICES, web, status, signal, resourceVersion);
    assert.equal((await patch(version)).outcome, 'updated');
    // An equal status would be a write of nothing, which keeps the version
    const other = { loadBalancer: { ingress: [{ ip: '192.0.2.11', ipMode: 'Proxy' }] } };
    const stale = await patchStatus(admin, SERVICES, web, other, signal, version);
    assert.equal(stale.outcome, 'conflict');
    assert.equal((await patch()).outcome, 'updated');
    const nowhere = { namespace: 'default', name: 'nowhere' };
    const gone = await patchStatus(admin, SERVICES, nowhere, status, signal);
    assert.equal(gone.outcome, 'gone');
    assert.match(await plane.kubectl(['get', 'service', 'web']), /192\.0\.2\.10/);
  });

  test('a Lease with two contenders: one leads, releases, the other follows', async () => {
    const times = { leaseMs: 3000, renewDeadlineMs: 2000, retryMs: 200 };
    const contender = (identity: string): Lease =>
      new Lease({
        client: admin,
        namespace: 'default',
        name: 'leader',
        identity,
        times,
        clock: systemClock,
        random: Math.random,
        log: new MemoryLog(),
      });
    const [a, b] = [contender('a'), contender('b')];
    const stopA = new AbortController();
    const signalA = AbortSignal.any([stopA.signal, stopAll.signal]);
    assert.equal(await a.acquire(signalA), true);
    const following = b.acquire(stopAll.signal);
    const leading = a.keep(signalA);
    await until('b has seen a', () => b.holder === 'a');
    assert.deepEqual([a.mayWrite(), b.mayWrite()], [true, false]);
    stopA.abort();
    assert.equal(await leading, 'stopped');
    await a.release(signal);
    assert.equal(await following, true);
    // Another takes it by force: b finds out at its next renewal
    const keeping = b.keep(stopAll.signal);
    const patch = '{"spec":{"holderIdentity":"c"}}';
    await plane.kubectl(['patch', 'lease', 'leader', '--type=merge', '-p', patch]);
    assert.equal(await keeping, 'lost');
    assert.equal(b.mayWrite(), false);
    const at = { namespace: 'default', name: 'leader' };
    const lease = await readObject(admin, LEASES, at, signal);
    assert.equal(textAt(objectAt(lease, 'spec'), 'holderIdentity'), 'c');
  });

  test('an Event and its repeats, as kubectl describe shows them', async () => {
    let aheadMs = 0;
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs };
    const log = new MemoryLog();
    const who = { controller: 'vipvs.io/assigner', instance: 'pod-1' };
    const recorder = new EventRecorder({ client: admin, ...who, clock, random: Math.random, log });
    const running = recorder.run(stopAll.signal);
    const uid = textAt(objectAt(await readObject(admin, SERVICES, web, signal), 'metadata'), 'uid');
    const about = { apiVersion: 'v1', kind: 'Service', ...web, uid };
    const what = { type: 'Warning', reason: 'PoolExhausted', action: 'Assign' } as const;
    const record = (): void => recorder.record({ about, ...what, note: 'pool a is full' });
    const describe = (): Promise<string> => plane.kubectl(['describe', 'service', 'web']);
    record();
    await until('the event', async () => /Warning +PoolExhausted/.test(await describe()));
    aheadMs = 61_000;
    record();
    await until('its count', async () => (await describe()).includes('(x2 over'));
    assert.match(await describe(), /PoolExhausted.*vipvs.io\/assigner.*pool a is full/);
    const events = await plane.kubectl(['get', 'events', '-o', 'name']);
    assert.equal(events.match(/event\/web\./g)?.length, 1);
    assert.deepEqual([recorder.dropped, log.messages('warn')], [0, []]);
    stopAll.abort();
    await running;
  });
});
