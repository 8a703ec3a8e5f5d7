// The watch overtakes an answer: what it has shown stays. All interleavings are tried in
// test/property/assigner-leaders.prop.test.ts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Answers } from '../../../../src/assigner/write/answers.ts';
import type { Action } from '../../../../src/assigner/decide/decision.ts';
import { objectAt, textAt } from '../../../../src/kube/json.ts';
import { projectIp, projectService } from '../../../../src/assigner/project.ts';
import type { Answered } from '../../../../src/assigner/write/overtaken.ts';
import { create, decide, IPS, SERVICES, status, World } from './write-world.ts';

const IP = `${IPS}/192.0.2.1`;
const WEB = `${SERVICES}/web`;

/** As the program does it (assigner/program.ts). */
function show(world: World, kind: 'IP' | 'Service', path: string): void {
  const raw = world.api.objects.get(path);
  const key = kind === 'IP' ? '192.0.2.1' : 'default/web';
  if (raw === undefined) {
    world.actor.shown(kind, key, undefined);
    world.store.delete(kind, key);
    return;
  }
  const object = kind === 'IP' ? projectIp(raw) : projectService(raw);
  assert.ok(object !== undefined);
  world.actor.shown(kind, key, object.metadata.resourceVersion);
  world.store.set(object);
}

const versionOf = (world: World, kind: 'IP' | 'Service'): string | undefined =>
  world.store.get(kind, kind === 'IP' ? '192.0.2.1' : 'default/web')?.metadata.resourceVersion;

/** Another assigner, or a user, makes it anew or writes it; the watch shows that at once. */
const becomesAnother = (world: World): void => {
  world.addIp('192.0.2.1', 'web', false);
  show(world, 'IP', IP);
};
/** The watch shows our own write first. */
const isShownAndBecomesAnother = (world: World): void => {
  show(world, 'IP', IP);
  becomesAnother(world);
};

const cases: readonly {
  readonly name: string;
  readonly given?: (world: World) => void;
  readonly action: Action | ((world: World) => Action);
  /** The call whose answer is late. */
  readonly late: string;
  /** After the API server has done it, before the answer is here. */
  readonly meanwhile: (world: World) => void;
  readonly kind: 'IP' | 'Service';
}[] = [
  {
    name: 'a Service whose status is written is gone before the answer comes: it stays gone',
    given: (world) => world.addIp('192.0.2.1', 'web'),
    action: status('web', '192.0.2.1'),
    late: `PATCH ${WEB}/status`,
    meanwhile: (world) => {
      show(world, 'Service', WEB);
      world.api.remove(WEB);
      show(world, 'Service', WEB);
    },
    kind: 'Service',
  },
  {
    name: 'an IP that we make is another one before the answer comes',
    action: create('192.0.2.1'),
    late: `POST ${IPS}`,
    meanwhile: isShownAndBecomesAnother,
    kind: 'IP',
  },
  {
    name: 'an IP that we delete is made again before the answer comes',
    given: (world) => world.addIp('192.0.2.1', 'gone'),
    action: (world) => world.release('192.0.2.1').actions[0] ?? create(''),
    late: `DELETE ${IP}`,
    meanwhile: isShownAndBecomesAnother,
    kind: 'IP',
  },
  {
    name: 'an IP that is read is another one before the answer comes',
    given: (world) => world.addIp('192.0.2.1', 'web', false),
    action: create('192.0.2.1'),
    late: `GET ${IP}`,
    meanwhile: becomesAnother,
    kind: 'IP',
  },
  {
    name: 'an IP that was not there is there before the answer comes',
    given: (world) => {
      world.addIp('192.0.2.1', 'web');
      world.api.remove(IP);
    },
    action: status('web', '192.0.2.1'),
    late: `GET ${IP}`,
    meanwhile: becomesAnother,
    kind: 'IP',
  },
  {
    name: 'the watch shows late what the write replaces: the answer is news',
    action: (world) => {
      world.addIp('192.0.2.1', 'web');
      return status('web', '192.0.2.1');
    },
    late: `PATCH ${WEB}/status`,
    meanwhile: (world) => {
      const service = world.store.services.get('default/web');
      world.actor.shown('Service', 'default/web', service?.metadata.resourceVersion);
    },
    kind: 'Service',
  },
];

for (const { name, given, action, late, meanwhile, kind } of cases) {
  test(name, async () => {
    const world = new World();
    world.addService('web');
    given?.(world);
    let isLate = false;
    world.api.fault = (when, call) => {
      if (`${call.method} ${call.path}` !== late || when === 'before' || isLate) return;
      isLate = true;
      meanwhile(world);
    };
    world.actor.submit([decide(typeof action === 'function' ? action(world) : action)]);
    await world.settle();
    assert.ok(isLate, world.api.calls.join('\n'));
    const raw = world.api.objects.get(kind === 'IP' ? IP : WEB);
    const now = textAt(objectAt(raw, 'metadata'), 'resourceVersion');
    assert.equal(versionOf(world, kind), now);
  });
}

test('while a kind is listed anew no answer is taken for news', async () => {
  const world = new World();
  world.api.fault = (when) => {
    if (when === 'after') world.actor.relisted();
  };
  world.actor.submit([decide(create('192.0.2.1'))]);
  await world.settle();
  assert.equal(world.done.length, 1);
  assert.equal(versionOf(world, 'IP'), undefined, 'the watch after the list shows it');
});

test('what the watch has shown before the answer comes is not remembered', async () => {
  const world = new World();
  world.api.fault = (when) => {
    if (when === 'after') show(world, 'IP', IP);
  };
  world.actor.submit([decide(create('192.0.2.1'))]);
  await world.settle();
  assert.equal(world.done.length, 1);
  assert.equal(world.actor.remembered, 0);
});

/** A store that knows the Service 'web', and a read of it that was asked and not answered. */
function readOfWeb(): {
  readonly answers: Answers;
  readonly version: string;
  readonly answer: () => Promise<Answered<undefined>>;
} {
  const world = new World();
  world.addService('web');
  const answers = new Answers({ store: world.store, onWritten: () => undefined });
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const read = answers.read('Service', 'default/web', () => promise);
  const answer = (): Promise<Answered<undefined>> => {
    resolve(undefined);
    return read;
  };
  return { answers, version: versionOf(world, 'Service') ?? '', answer };
}

test('an answer is left where another answer has told of the object since', async () => {
  const { answers, answer } = readOfWeb();
  const other = await answers.read('Service', 'default/web', () => Promise.resolve(undefined));
  answers.found('Service', 'default/web', undefined, other);
  assert.equal((await answer()).isOvertaken, true);
});

test('a watch that shows what our own write has replaced tells no news', async () => {
  const { answers, version, answer } = readOfWeb();
  const ours = { from: 'before', to: version, object: undefined };
  const by = { answer: undefined, isOvertaken: true, told: new Set<string>() };
  answers.made('Service', 'default/web', ours, by);
  answers.shown('Service/default/web', 'before');
  assert.equal((await answer()).isOvertaken, false);
});
