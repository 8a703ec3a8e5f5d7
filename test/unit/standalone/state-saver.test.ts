import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StateSaver } from '../../../src/standalone/state-saver.ts';
import type { StateDisk } from '../../../src/files/state.ts';
import { exampleState } from '../files/state-fixture.ts';
import { FakeClock, settle } from '../runtime/fake-clock.ts';

function harness() {
  const clock = new FakeClock();
  let version = 0;
  let isFull = false;
  let gate: Promise<void> = Promise.resolve();
  const said: string[] = [];
  /** The version in each finished write. */
  const written: string[] = [];
  let pending = '';
  const disk: StateDisk = {
    makeDirectory: () => (isFull ? Promise.reject(new Error('ENOSPC')) : gate),
    open: () => {
      pending = '';
      return Promise.resolve({
        write: (text: string) => {
          pending += text;
          return Promise.resolve();
        },
        sync: () => Promise.resolve(),
        close: () => Promise.resolve(),
      });
    },
    rename: (from) => {
      if (from.endsWith('state.json.tmp'))
        written.push(/"savedAt":"(\w+)"/.exec(pending)?.[1] ?? '');
      return Promise.resolve();
    },
    copy: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    syncDirectory: () => Promise.resolve(),
  };
  const saver = new StateSaver({
    directory: '/state',
    disk,
    clock,
    random: () => 1,
    snapshot: () => ({ ...exampleState(), savedAt: `v${version}` }),
    onFailure: (error, delayMs) => said.push(`${error.code} ${delayMs}`),
    onSuccess: () => said.push('ok'),
  });
  return {
    clock,
    saver,
    said,
    written,
    set: (next: number) => void (version = next),
    fill: (full: boolean) => void (isFull = full),
    block: (until: Promise<void>) => void (gate = until),
  };
}

test('marks that come together are one write', async () => {
  const { clock, saver, written, set } = harness();
  saver.mark();
  set(1);
  saver.mark();
  await clock.advance(100);
  assert.deepEqual(written, []);
  await clock.advance(1000);
  assert.deepEqual(written, ['v1']);
});

test('save resolves when what is there now is written, also behind a running write', async () => {
  const { saver, written, set, block } = harness();
  let open = (): void => undefined;
  block(new Promise((resolve) => (open = resolve)));
  const first = saver.save();
  await settle();
  set(2); // the running write has taken its snapshot or not: the second save must see this
  const second = saver.save();
  open();
  await first;
  await second;
  assert.equal(written.at(-1), 'v2');
});

test('a full disk is said and tried again with growing delays; nothing is thrown', async () => {
  const { clock, saver, said, written, fill } = harness();
  fill(true);
  await saver.save();
  assert.deepEqual(said, ['state-unwritable 250']);
  assert.equal(saver.isFailing, true);
  await clock.advance(300);
  assert.deepEqual(said, ['state-unwritable 250', 'state-unwritable 500']);
  fill(false);
  await clock.advance(600);
  assert.equal(saver.isFailing, false);
  assert.deepEqual(written, ['v0']);
  assert.equal(said.at(-1), 'ok');
});

test('closing writes what is unwritten and nothing after it', async () => {
  const { clock, saver, written, set } = harness();
  saver.mark();
  set(3);
  await saver.close();
  assert.deepEqual(written, ['v3']);
  await clock.advance(5000);
  assert.deepEqual(written, ['v3']);
});

test('closing with nothing to write writes nothing', async () => {
  const { saver, written } = harness();
  await saver.close();
  assert.deepEqual(written, []);
});
