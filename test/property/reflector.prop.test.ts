// However lists and watches are cut, refused and forgotten: in the end the sink holds what the server holds, it was
// never told of a change that did not happen, and a new uid was always announced by a delete.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ApiError } from '../../src/kube/errors.ts';
import { numberAt, objectAt, textAt } from '../../src/kube/json.ts';
import { Reflector } from '../../src/kube/reflector.ts';
import { SERVICES } from '../../src/kube/resource.ts';
import { MemoryLog, QuickClock, until } from '../api/clocks.ts';
import { MemoryApi } from '../api/memory-api.ts';

interface Held {
  readonly uid: string;
  readonly value: number;
}

const PATH = '/api/v1/services';

type Step =
  | { readonly op: 'put'; readonly name: number; readonly value: number }
  | { readonly op: 'remove'; readonly name: number }
  | { readonly op: 'compact' | 'pause' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ op: fc.constant('put' as const), name: fc.nat(4), value: fc.nat(99) }),
  },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('remove' as const), name: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('compact' as const) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('pause' as const) }) },
);
const watchEnd = fc.record({
  events: fc.nat(3),
  end: fc.constantFrom('close' as const, 'reset' as const, 'gone' as const),
});

function project(raw: unknown): Held {
  const uid = textAt(objectAt(raw, 'metadata'), 'uid') ?? '';
  return { uid, value: numberAt(raw, 'value') ?? -1 };
}

test('reflector: any interleaving of changes and faults ends with sink = server', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.array(watchEnd, { maxLength: 8 }),
      fc.array(fc.constantFrom(undefined, 'network' as const, 'timeout' as const), {
        maxLength: 4,
      }),
      async (steps, watchEnds, listFaults) => {
        const api = new MemoryApi();
        const held = new Map<string, Held>();
        let synced = 0;
        const ends = [...watchEnds];
        const faults = [...listFaults];
        api.watchPlan = () => ends.shift() ?? { events: Number.POSITIVE_INFINITY, end: 'close' };
        api.fault = () => {
          const code = faults.shift();
          if (code !== undefined) throw new ApiError('cut', { code, status: 0 });
        };
        const sink = {
          onSync: (objects: ReadonlyMap<string, Held>): void => {
            synced += 1;
            for (const [key, object] of objects) held.set(key, object);
          },
          onUpsert: (key: string, object: Held): void => {
            const before = held.get(key);
            if (before !== undefined)
              assert.equal(before.uid, object.uid, 'delete before a new uid');
            held.set(key, object);
          },
          onDelete: (key: string): void => assert.ok(held.delete(key), 'only what was there goes'),
        };
        const ports = { log: new MemoryLog(), clock: new QuickClock(), random: () => 0 };
        const reflector = new Reflector({
          client: api,
          resource: SERVICES,
          project,
          sink,
          ...ports,
        });
        const stop = new AbortController();
        const running = reflector.run(stop.signal);
        try {
          for (const one of steps) await take(api, one);
          const want = new Map([...api.objects.values()].map((raw) => [nameOf(raw), project(raw)]));
          const text = (objects: ReadonlyMap<string, Held>): string =>
            JSON.stringify([...objects].sort(([a], [b]) => (a < b ? -1 : 1)));
          await until('sink = server', () => synced === 1 && text(held) === text(want));
        } finally {
          stop.abort();
          await running;
        }
      },
    ),
    { numRuns: 200 },
  );
});

function nameOf(raw: unknown): string {
  return `default/${textAt(objectAt(raw, 'metadata'), 'name') ?? ''}`;
}

async function take(api: MemoryApi, one: Step): Promise<void> {
  switch (one.op) {
    case 'put': {
      const metadata = { name: `s${one.name}`, namespace: 'default' };
      api.put(`${PATH}/s${one.name}`, { metadata, value: one.value });
      break;
    }
    case 'remove':
      api.remove(`${PATH}/s${one.name}`);
      break;
    case 'compact':
      api.compact();
      break;
    case 'pause':
      for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
}
