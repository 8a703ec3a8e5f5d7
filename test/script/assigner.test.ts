// The assigner's scenarios: manifests in, what every object says out. The steps:
//   set           manifests; what the assigner wrote into an object of the same name stays, as in an API server
//   delete        `Kind key` lines
//   forget        `Kind key` lines: drops the status, as a restore from an old backup does
//   want [TIME]   runs the assigner (at that time of 2026-01-01) and compares one line for each object
//   events        the Events of the last run
//   restart       a fresh assigner on the same objects must have nothing to do
import assert from 'node:assert/strict';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { ClusterStore, keyOf, type ClusterObject, type Kind } from '../../src/api/cluster.ts';
import { formatRef } from '../../src/api/problem.ts';
import { Assigner } from '../../src/assigner/engine.ts';
import type { EventNote } from '../../src/assigner/decide/decision.ts';
import { applyAction, targetOf } from '../../src/assigner/carry-out.ts';
import { simulate } from '../../src/assigner/simulate.ts';
import { parseManifestText } from '../../src/files/manifests.ts';
import { formatManifestProblem } from '../../src/files/parse-document.ts';
import { CONFIG, linesOf } from '../unit/assigner/objects.ts';
import { runScript, scriptFiles, type Step } from './script.ts';

const FOLDER = join(import.meta.dirname, 'assigner');
const KINDS: readonly Kind[] = ['Pool', 'IP', 'Service', 'Namespace', 'Node', 'EndpointSlice'];

/** One assigner that lives through the scenario: incremental decisions, not a plan from nothing each time. */
class World {
  readonly #store = new ClusterStore();
  readonly #assigner = new Assigner(this.#store, CONFIG);
  #events: EventNote[] = [];
  #nowMs: number | undefined;

  readonly steps: Readonly<Record<string, Step>> = {
    set: (body) => {
      const { loaded, problems } = parseManifestText('manifest', body);
      assert.deepEqual(problems.map(formatManifestProblem), []);
      for (const { object } of loaded) {
        this.#set(withWritten(object, this.#store.get(object.kind, keyOf(object))));
      }
      return undefined;
    },
    delete: (body) => {
      for (const [kind, key] of namesIn(body)) {
        this.#store.delete(kind, key);
        this.#assigner.onChange(kind, key);
      }
      return undefined;
    },
    forget: (body) => {
      for (const [kind, key] of namesIn(body)) {
        const object = this.#store.get(kind, key);
        assert.ok(object !== undefined, key);
        this.#set({ ...object, status: undefined } as ClusterObject);
      }
      return undefined;
    },
    want: (_, time) => {
      this.#nowMs = time === '' ? undefined : Date.parse(`2026-01-01T${time}Z`);
      this.#events = this.#run();
      return linesOf(simulate(this.#store.objects(), CONFIG, this.#nowMs).objects).join('\n');
    },
    events: () =>
      this.#events
        .map(
          ({ type, reason, regarding, note }) =>
            `${type} ${reason} ${formatRef(regarding)}: ${note}`,
        )
        .join('\n'),
    restart: () => {
      assert.deepEqual(simulate(this.#store.objects(), CONFIG, this.#nowMs).actions, []);
      return undefined;
    },
  };

  #set(object: ClusterObject): void {
    this.#store.set(object);
    this.#assigner.onChange(object.kind, keyOf(object));
  }

  #run(): EventNote[] {
    const events: EventNote[] = [];
    for (let steps = 0; ; steps++) {
      assert.ok(steps < 20, 'no end');
      const { decisions } = this.#assigner.step(this.#nowMs);
      if (decisions.length === 0) return events;
      events.push(...decisions.flatMap((decision) => decision.events));
      const actions = decisions.flatMap((decision) => decision.actions);
      for (const action of actions) applyAction(this.#store, action);
      for (const action of actions) {
        const { kind, key } = targetOf(action);
        this.#assigner.onChange(kind, key);
      }
    }
  }
}

function namesIn(body: string): readonly (readonly [Kind, string])[] {
  return body.split('\n').map((line) => {
    const [name = '', key = ''] = line.split(' ');
    const kind = KINDS.find((each) => each === name);
    assert.ok(kind !== undefined, line);
    return [kind, key];
  });
}

/** A manifest does not touch what is not in it: the status, and an IP's holders. */
function withWritten(object: ClusterObject, old: ClusterObject | undefined): ClusterObject {
  if (old === undefined || !('status' in old) || 'status' in object) return object;
  const joined = { ...object, status: old.status } as ClusterObject;
  if (joined.kind !== 'IP' || old.kind !== 'IP' || old.spec.claims === undefined) return joined;
  const { annotations } = old.metadata;
  return {
    ...joined,
    metadata: { ...joined.metadata, ...(annotations === undefined ? {} : { annotations }) },
    spec: { ...joined.spec, claims: old.spec.claims },
  };
}

for (const file of scriptFiles(FOLDER)) {
  test(`assigner: ${basename(file, '.txtar')}`, async () => {
    await runScript(file, new World().steps);
  });
}
