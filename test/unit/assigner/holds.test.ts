// How long an address is kept back after its last Service: once, whatever becomes of its Pool, its node or its status.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClusterStore, keyOf, type ClusterObject } from '../../../src/api/cluster.ts';
import type { IP } from '../../../src/api/ip.ts';
import { Assigner } from '../../../src/assigner/engine.ts';
import { applyAction, targetOf } from '../../../src/assigner/carry-out.ts';
import { simulate } from '../../../src/assigner/simulate.ts';
import { claim, CONFIG, ip, node, NOW_MS, pool, service } from './objects.ts';

const P = pool('p', ['192.0.2.0/29']);
const WITHOUT = pool('p', ['192.0.2.6/31']);
const ASKS = service('web', { annotations: { 'vipvs.io/addresses': '192.0.2.5' } });

/** An assigner that lives through a story: what each step writes, and the IP as it stands. */
class Story {
  readonly store = new ClusterStore();
  readonly assigner = new Assigner(this.store, CONFIG);
  nowMs = NOW_MS;

  set(...objects: readonly ClusterObject[]): void {
    for (const object of objects) {
      this.store.set(object);
      this.assigner.onChange(object.kind, keyOf(object));
    }
  }

  deleteWeb(): void {
    this.store.delete('Service', 'default/web');
    this.assigner.onChange('Service', 'default/web');
  }

  /** The writes until nothing more follows. */
  settle(): readonly string[] {
    const written: string[] = [];
    for (let steps = 0; steps < 20; steps++) {
      const { decisions } = this.assigner.step(this.nowMs);
      const actions = decisions.flatMap((decision) => decision.actions);
      if (decisions.length === 0) return written;
      for (const action of actions) {
        applyAction(this.store, action);
        if (action.do !== 'pool.status') written.push(action.do);
      }
      for (const { kind, key } of actions.map(targetOf)) this.assigner.onChange(kind, key);
    }
    throw new Error(`no end: ${written.join()}`);
  }

  ip(): IP | undefined {
    return this.store.ips.get('192.0.2.5');
  }

  phase(): string | undefined {
    return this.ip()?.status?.phase;
  }

  heldUntil(): string | undefined {
    return this.ip()?.status?.heldUntil;
  }
}

function held(spec: Readonly<Record<string, unknown>>): Story {
  const story = new Story();
  story.set(P, ip('192.0.2.5', 'p', { holdSeconds: 2, ...spec }), ASKS);
  story.settle();
  story.deleteWeb();
  story.settle();
  assert.equal(story.phase(), 'Held');
  return story;
}

for (const spec of [{ retain: true }, { reservedFor: { namespace: 'default' } }]) {
  const name = Object.keys(spec).join();

  test(`${name}: a hold that is over stays over when the Pool does not cover the address any more`, () => {
    const story = held(spec);
    story.nowMs += 3000;
    assert.deepEqual(story.settle(), ['ip.status']);
    assert.equal(story.phase(), 'Reserved');
    story.set(WITHOUT);
    assert.deepEqual(story.settle(), ['ip.status']);
    assert.equal(story.phase(), 'Failed');
    for (let i = 0; i < 5; i++) {
      story.nowMs += 1000;
      assert.deepEqual(story.settle(), []);
      // the answer of an API server is another object of the same content
      const answered = story.ip();
      assert.ok(answered !== undefined);
      story.set({ ...answered, metadata: { ...answered.metadata, resourceVersion: String(i) } });
    }
    story.set(P);
    assert.deepEqual(story.settle(), ['ip.status']);
    assert.equal(story.phase(), 'Reserved');
  });

  test(`${name}: a hold that ends while the Pool is away leads to Failed at once`, () => {
    const story = held(spec);
    story.set(WITHOUT);
    assert.deepEqual(story.settle(), []);
    story.nowMs += 3000;
    assert.deepEqual(story.settle(), ['ip.status']);
    assert.equal(story.phase(), 'Failed');
    assert.deepEqual(story.settle(), []);
  });

  test(`${name}: a node that has the address for a while neither ends nor begins a hold`, () => {
    const story = held(spec);
    const until = story.heldUntil();
    story.set(node('n', ['192.0.2.5']));
    story.settle();
    assert.equal(story.phase(), 'Conflict');
    story.nowMs += 1000;
    story.set(node('n', ['10.0.0.1']));
    story.settle();
    assert.equal(story.phase(), 'Held');
    assert.equal(story.heldUntil(), until);
    story.set(node('n', ['192.0.2.5']));
    story.settle();
    story.nowMs += 5000;
    story.set(node('n', ['10.0.0.1']));
    story.settle();
    assert.equal(story.phase(), 'Reserved');
  });

  test(`${name}: neither a lost status, an edited time nor a clock that is set back begins a hold again`, () => {
    const story = held(spec);
    story.nowMs += 3000;
    story.settle();
    const reserved = story.ip();
    assert.ok(reserved !== undefined);
    story.nowMs -= 3000;
    assert.deepEqual(story.settle(), []);
    story.set({ ...reserved, spec: { ...reserved.spec, holdSeconds: 600 } });
    assert.deepEqual(story.settle(), []);
    story.nowMs += 3000;
    story.set({ ...reserved, status: { phase: 'Active' } });
    assert.deepEqual(story.settle(), ['ip.status']);
    assert.equal(story.phase(), 'Reserved');
  });
}

test('an address that is held again after a hold is kept back again', () => {
  const story = held({ retain: true });
  story.nowMs += 3000;
  story.settle();
  story.set(ASKS);
  story.settle();
  assert.equal(story.phase(), 'Active');
  story.deleteWeb();
  story.settle();
  assert.equal(story.phase(), 'Held');
  assert.equal(story.heldUntil(), '2026-01-01T12:00:05Z');
});

test('the hold of an address whose node clash was there first begins when its Service goes', () => {
  const story = new Story();
  story.set(P, node('n', ['192.0.2.5']));
  story.set(ip('192.0.2.5', 'p', { holdSeconds: 2, claims: [claim('web')] }), service('web'));
  story.settle();
  assert.equal(story.phase(), 'Conflict');
  story.deleteWeb();
  story.settle();
  assert.equal(story.phase(), 'Held');
  story.nowMs += 3000;
  assert.deepEqual(story.settle(), ['ip.delete']);
});

test('without a clock a hold neither ends nor begins twice', () => {
  const given = [
    P,
    ip('192.0.2.5', 'p', { retain: true, holdSeconds: 60, claims: [claim('web')] }),
  ];
  const after = simulate(given, CONFIG).objects;
  assert.deepEqual(simulate(after, CONFIG).actions, []);
  const [, kept] = after;
  assert.ok(kept?.kind === 'IP');
  assert.equal(kept.status?.phase, 'Held');
  const over: IP = { ...kept, status: { phase: 'Reserved' } };
  const failed = simulate([WITHOUT, over], CONFIG).objects;
  assert.deepEqual(simulate(failed, CONFIG).actions, []);
  assert.equal(failed.find((each) => each.kind === 'IP')?.status?.phase, 'Failed');
});

test('a hold of an earlier version of vipvs goes on to its end', () => {
  const story = new Story();
  const annotations = { 'vipvs.io/last-service': 'default/web' };
  const status = { phase: 'Held', heldUntil: '2026-01-01T12:00:02Z' };
  story.set(P, ip('192.0.2.5', 'p', {}, { metadata: { name: '192.0.2.5', annotations }, status }));
  assert.deepEqual(story.settle(), ['ip.status']);
  assert.equal(story.heldUntil(), '2026-01-01T12:00:02Z');
  story.nowMs += 3000;
  assert.deepEqual(story.settle(), ['ip.delete']);
});

test('a time that somebody edited does not begin the hold anew with each look at it', () => {
  const story = held({ retain: true });
  const [was] = [story.ip()];
  assert.ok(was !== undefined);
  const annotations = { ...was.metadata.annotations, 'vipvs.io/held-until': 'never' };
  story.set({ ...was, metadata: { ...was.metadata, annotations } });
  assert.deepEqual(story.settle(), []);
  story.set({ ...was, metadata: { ...was.metadata, annotations }, status: { phase: 'Held' } });
  assert.deepEqual(story.settle(), ['ip.status']);
  story.nowMs += 1000;
  assert.deepEqual(story.settle(), []);
});
