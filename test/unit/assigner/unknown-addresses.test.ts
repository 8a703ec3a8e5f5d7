// What a status shows and nobody can prove: left alone while a Pool may come that knows it, given up with an Event after.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ClusterStore, keyOf, type ClusterObject } from '../../../src/api/cluster.ts';
import type { Service } from '../../../src/api/kubernetes.ts';
import { applyAction, targetOf } from '../../../src/assigner/carry-out.ts';
import type { EventNote } from '../../../src/assigner/decide/decision.ts';
import { Assigner } from '../../../src/assigner/engine.ts';
import { simulate } from '../../../src/assigner/simulate.ts';
import { claim, CONFIG, ip, NOW_MS, pool, service, shown } from './objects.ts';

const P = pool('p', ['192.0.2.10-192.0.2.15']);
const TYPO = pool('p', ['192.0.2.10-192.0.2.300']);
const WEB = service('shop/web', { shows: ['192.0.2.14'] });
const API = service('shop/api', { shows: ['192.0.2.10'] });

const servicesOf = (objects: readonly ClusterObject[]): readonly Service[] =>
  objects.filter((object) => object.kind === 'Service');
const addressesOf = (objects: readonly ClusterObject[]): readonly string[] =>
  servicesOf(objects).map((each) => `${each.metadata.name} ${shown(each).addresses.join()}`);

suite('without a usable Pool', () => {
  const withoutPool: readonly {
    readonly name: string;
    readonly pools: readonly ClusterObject[];
  }[] = [
    { name: 'there is none', pools: [] },
    { name: 'all are Failed', pools: [TYPO] },
    { name: 'the one that may have it is Failed', pools: [TYPO, pool('q', ['198.51.100.0/24'])] },
    {
      name: 'all hand out nothing',
      pools: [pool('p', ['192.0.2.0/30'], { filterIPs: ['192.0.2.0/24'] })],
    },
  ];
  for (const { name, pools } of withoutPool) {
    test(`${name}: no status is touched, and the addresses are the same when the Pool comes`, () => {
      const before = simulate([...pools, WEB, API], CONFIG, NOW_MS);
      assert.deepEqual(servicesOf(before.objects), [API, WEB]);
      assert.deepEqual(
        before.events.filter(({ regarding }) => regarding.kind === 'Service'),
        [],
      );
      const after = simulate([...before.objects.filter(({ kind }) => kind !== 'Pool'), P], CONFIG);
      assert.deepEqual(addressesOf(after.objects), ['api 192.0.2.10', 'web 192.0.2.14']);
    });
  }

  test('what another load balancer shows stays, too', () => {
    const ingress = [{ hostname: 'lb.example' }, { ip: '203.0.113.9' }, { ip: 'nonsense' }];
    const foreign: Service = { ...service('web'), status: { loadBalancer: { ingress } } };
    assert.deepEqual(servicesOf(simulate([foreign], CONFIG).objects), [foreign]);
  });

  test('a Service that shows nothing is told', () => {
    const [web] = servicesOf(simulate([service('web')], CONFIG).objects);
    assert.deepEqual(shown(web), { addresses: [], reason: 'NoPool', message: 'there is no Pool' });
  });
});

/** An assigner beside a clock: `steadyMs` never jumps, the wall clock may. */
class Story {
  readonly store = new ClusterStore();
  readonly assigner = new Assigner(this.store, CONFIG);
  wallMs = NOW_MS;
  steadyMs = 5000;
  wakeAtMs: number | undefined;

  constructor(...objects: readonly ClusterObject[]) {
    this.set(...objects);
  }

  set(...objects: readonly ClusterObject[]): void {
    for (const object of objects) {
      this.store.set(object);
      this.assigner.onChange(object.kind, keyOf(object));
    }
  }

  pass(ms: number): readonly EventNote[] {
    this.wallMs += ms;
    this.steadyMs += ms;
    return this.settle();
  }

  settle(): readonly EventNote[] {
    const events: EventNote[] = [];
    for (let steps = 0; steps < 20; steps++) {
      const { decisions, wakeAtMs } = this.assigner.step(this.wallMs, this.steadyMs);
      this.wakeAtMs = wakeAtMs;
      if (decisions.length === 0) return events;
      events.push(...decisions.flatMap((decision) => decision.events));
      const actions = decisions.flatMap((decision) => decision.actions);
      for (const action of actions) applyAction(this.store, action);
      for (const { kind, key } of actions.map(targetOf)) this.assigner.onChange(kind, key);
    }
    throw new Error('no end');
  }

  show(key: string): string {
    const { addresses, reason } = shown(this.store.services.get(key));
    return `${addresses.join()} ${reason}`;
  }
}

suite('beside a Pool that does not have it', () => {
  const FOREIGN = service('web', { shows: ['203.0.113.9'] });

  test('it stays for a minute after the first look, and is then given up by an Event that names it', () => {
    const story = new Story(P, FOREIGN);
    assert.deepEqual(
      story.settle().map(({ reason }) => reason),
      ['Active'],
    );
    assert.equal(story.show('default/web'), '203.0.113.9 ');
    assert.equal(story.wakeAtMs, NOW_MS + 60_000);
    assert.deepEqual(story.pass(59_999), []);
    assert.equal(story.show('default/web'), '203.0.113.9 ');
    const events = story.pass(1);
    assert.deepEqual(
      events.map(({ type, reason, note }) => `${type} ${reason} ${note}`),
      [
        'Warning AddressGivenUp "203.0.113.9" is taken out of the status: no Pool holds it, and the Service has no claim on it',
        'Normal Assigned 192.0.2.10 from Pool p',
      ],
    );
    assert.equal(story.show('default/web'), '192.0.2.10 Assigned');
    assert.equal(story.wakeAtMs, undefined);
  });

  test('each change of a Pool gives another minute; one of its labels does not', () => {
    const story = new Story(P, FOREIGN);
    story.settle();
    story.pass(50_000);
    story.set(pool('q', ['198.51.100.0/24']));
    story.settle();
    assert.equal(story.wakeAtMs, story.wallMs + 60_000);
    story.set({ ...P, metadata: { ...P.metadata, labels: { a: 'b' } } });
    story.pass(59_999);
    assert.equal(story.show('default/web'), '203.0.113.9 ');
    story.pass(1);
    assert.equal(story.show('default/web'), '192.0.2.10 Assigned');
  });

  test('the Pool that has it comes in time', () => {
    const story = new Story(P, FOREIGN);
    story.settle();
    story.pass(30_000);
    story.set(pool('q', ['203.0.113.0/28']));
    story.settle();
    assert.equal(story.show('default/web'), '203.0.113.9 Assigned');
    assert.equal(story.wakeAtMs, undefined);
  });

  test('a wall clock that jumps does not shorten the minute', () => {
    const story = new Story(P, FOREIGN);
    story.settle();
    story.wallMs += 86_400_000;
    story.settle();
    assert.equal(story.show('default/web'), '203.0.113.9 ');
    assert.equal(story.wakeAtMs, story.wallMs + 60_000);
  });

  test('a Service that comes later waits for what is left of the minute, after it for nothing', () => {
    const story = new Story(P);
    story.settle();
    assert.equal(story.wakeAtMs, undefined);
    story.pass(40_000);
    story.set(FOREIGN);
    story.settle();
    assert.equal(story.wakeAtMs, story.wallMs + 20_000);
    story.pass(20_000);
    story.set(service('late', { shows: ['203.0.113.10'] }));
    assert.equal(story.settle().filter(({ reason }) => reason === 'AddressGivenUp').length, 1);
    assert.equal(story.show('default/late'), '192.0.2.11 Assigned');
  });

  test('a Pool that is Failed may have it: it stays until that is mended', () => {
    const story = new Story(pool('q', ['198.51.100.0/24']), TYPO, WEB);
    story.settle();
    story.pass(600_000);
    assert.equal(story.show('shop/web'), '192.0.2.14 ');
    story.set(P);
    story.settle();
    assert.equal(story.show('shop/web'), '192.0.2.14 Assigned');
  });

  test('beside a claim it stays for the minute as well, and nothing is put in its place', () => {
    const dual = service('web', {
      spec: { ipFamilyPolicy: 'PreferDualStack' },
      shows: ['192.0.2.11', '2001:db9::9'],
    });
    const both = pool('p', ['192.0.2.10-192.0.2.15', '2001:db8::/120']);
    const story = new Story(both, dual, ip('192.0.2.11', 'p', { claims: [claim('web')] }));
    story.settle();
    assert.equal(story.show('default/web'), '192.0.2.11,2001:db9::9 Assigned');
    assert.deepEqual(
      story.pass(60_000).map(({ reason }) => reason),
      ['AddressGivenUp', 'Assigned'],
    );
    assert.equal(story.show('default/web'), '192.0.2.11,2001:db8:: Assigned');
  });

  test('beside a claim another load balancer’s name stays for the minute', () => {
    const ingress = [{ ip: '192.0.2.11' }, { hostname: 'lb.example' }];
    const given: Service = { ...service('web'), status: { loadBalancer: { ingress } } };
    const story = new Story(P, given, ip('192.0.2.11', 'p', { claims: [claim('web')] }));
    story.settle();
    const entries = story.store.services.get('default/web')?.status?.loadBalancer?.ingress;
    assert.deepEqual(
      entries?.map(({ ip: address, hostname }) => address ?? hostname),
      ['192.0.2.11', 'lb.example'],
    );
    const [event] = story.pass(60_000);
    assert.match(event?.note ?? '', /^"lb\.example" is taken out/);
    assert.equal(story.show('default/web'), '192.0.2.11 Assigned');
  });

  test('an address that another Service has a claim on is given up at once', () => {
    const story = new Story(
      P,
      service('first', { shows: ['203.0.113.9'] }),
      ip('203.0.113.9', 'gone', { claims: [claim('first')] }),
      service('second', { shows: ['203.0.113.9'] }),
    );
    story.settle();
    assert.equal(story.show('default/first'), '203.0.113.9 AddressOutsidePool');
    assert.equal(story.show('default/second'), '192.0.2.10 Assigned');
  });

  test('a Service that wants no address any more keeps nothing of ours', () => {
    const ours = service('web', {
      spec: { type: 'ClusterIP' },
      shows: ['192.0.2.11'],
      conditions: [
        { type: 'vipvs.io/AddressAssigned', status: 'True', reason: 'Assigned', message: '' },
      ],
    });
    const story = new Story(P, ours);
    story.settle();
    assert.equal(story.show('default/web'), ' ');
  });
});

test('an entry of the status that names nothing is given up, too', () => {
  const given: Service = { ...service('web'), status: { loadBalancer: { ingress: [{}] } } };
  const { events } = simulate([P, given], CONFIG);
  assert.match(events[0]?.note ?? '', /^"" is taken out of the status/);
});

test('simulate sees the end at once: the objects are all there is', () => {
  const foreign = service('web', { shows: ['203.0.113.9'] });
  for (const nowMs of [undefined, NOW_MS]) {
    const { objects, events } = simulate([P, foreign], CONFIG, nowMs);
    assert.deepEqual(addressesOf(objects), ['web 192.0.2.10']);
    assert.equal(
      events.some(({ reason }) => reason === 'AddressGivenUp'),
      true,
    );
    assert.deepEqual(simulate(objects, CONFIG, nowMs).actions, []);
  }
});
