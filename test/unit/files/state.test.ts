import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  decodeState,
  encodeState,
  loadState,
  realDisk,
  saveState,
  STATE_COPY,
  STATE_FILE,
  type StateDisk,
} from '../../../src/files/state.ts';
import { exampleState } from './state-fixture.ts';

async function directory(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'vipvs-state-'));
  context.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** What JSON makes of it: keys without a value are gone. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

test('what is saved is loaded, and the copy is the same', async (context) => {
  const path = join(await directory(context), 'new', 'deep');
  await saveState(path, exampleState(3), realDisk);
  const { state, notices, isLost } = await loadState(path);
  assert.deepEqual(asJson(state), asJson(exampleState(3)));
  assert.deepEqual({ notices, isLost }, { notices: [], isLost: false });
  assert.deepEqual((await readdir(path)).sort(), [STATE_FILE, STATE_COPY]);
  assert.equal(
    await readFile(join(path, STATE_COPY), 'utf8'),
    await readFile(join(path, STATE_FILE), 'utf8'),
  );
});

test('the file is one JSON document that other programs can read', async (context) => {
  const path = await directory(context);
  await saveState(path, exampleState(), realDisk);
  const document: unknown = JSON.parse(await readFile(join(path, STATE_FILE), 'utf8'));
  assert.ok(typeof document === 'object' && document !== null && 'content' in document);
  assert.deepEqual(document.content, asJson(exampleState()));
});

test('no state at all is a first start', async (context) => {
  assert.deepEqual(await loadState(await directory(context)), {
    state: undefined,
    notices: [],
    isLost: false,
  });
});

test('a file cut at any length is noticed, and its copy is used', async (context) => {
  const path = await directory(context);
  await saveState(path, exampleState(), realDisk);
  const whole = await readFile(join(path, STATE_FILE), 'utf8');
  for (let length = 0; length < whole.length; length++) {
    assert.equal(typeof decodeState(whole.slice(0, length)), 'string', `cut at ${length}`);
  }
  await writeFile(join(path, STATE_FILE), whole.slice(0, whole.length / 2));
  const { state, notices, isLost } = await loadState(path);
  assert.deepEqual(asJson(state), asJson(exampleState()));
  assert.deepEqual(notices, [
    `${join(path, STATE_FILE)} is damaged (cut off); its copy is used instead`,
  ]);
  assert.equal(isLost, false);
});

test('a changed byte is noticed', () => {
  const text = [...encodeState(exampleState())].join('');
  const at = text.indexOf('192.0.2.0');
  const changed = `${text.slice(0, at)}192.0.2.7${text.slice(at + 9)}`;
  assert.equal(decodeState(changed), 'its checksum does not match');
  assert.equal(decodeState('{}'), 'not a state file');
  assert.equal(
    decodeState(text.replace('vipvs-state/1', 'vipvs-state/9')),
    'written by another version of vipvs',
  );
});

test('both damaged is said to be lost, not taken for a first start', async (context) => {
  const path = await directory(context);
  await writeFile(join(path, STATE_FILE), 'x');
  await writeFile(join(path, STATE_COPY), '');
  const { state, notices, isLost } = await loadState(path);
  assert.equal(state, undefined);
  assert.equal(isLost, true);
  assert.equal(notices.length, 2);
});

test('a disk that fails at any step leaves a good file and no rubbish', async (context) => {
  const path = await directory(context);
  await saveState(path, exampleState(1), realDisk);
  for (let failing = 1; ; failing++) {
    const { disk, calls } = failingDisk(failing);
    const saved = await saveState(path, exampleState(2), disk).then(
      () => true,
      (error: unknown) => {
        assert.match(String(error), /ENOSPC/);
        return false;
      },
    );
    const { state, isLost } = await loadState(path);
    assert.ok(state !== undefined && !isLost, `failing at step ${failing}`);
    assert.ok([1, 2].includes(state.ips.length));
    assert.deepEqual((await readdir(path)).sort(), [STATE_FILE, STATE_COPY]);
    if (saved) {
      assert.ok(calls() < failing);
      break;
    }
    await saveState(path, exampleState(1), realDisk);
  }
});

/** The real disk, whose n-th operation finds it full. */
function failingDisk(failing: number): { disk: StateDisk; calls: () => number } {
  let count = 0;
  const step = (): void => {
    count++;
    if (count === failing) throw new Error('ENOSPC: no space left on device');
  };
  const disk: StateDisk = {
    ...realDisk,
    makeDirectory: async (path) => {
      step();
      await realDisk.makeDirectory(path);
    },
    open: async (path) => {
      step();
      const file = await realDisk.open(path);
      return {
        write: async (text) => {
          await file.write(text.slice(0, text.length / 2));
          step();
          await file.write(text.slice(text.length / 2));
        },
        sync: async () => {
          step();
          await file.sync();
        },
        close: () => file.close(),
      };
    },
    copy: async (from, to) => {
      await realDisk.copy(from, to);
      step();
    },
    rename: async (from, to) => {
      step();
      await realDisk.rename(from, to);
    },
    syncDirectory: async (path) => {
      step();
      await realDisk.syncDirectory(path);
    },
  };
  return { disk, calls: () => count };
}

test('a state of 2,000 Services goes out in pieces and comes back whole', async (context) => {
  const path = await directory(context);
  await saveState(path, exampleState(2000), realDisk);
  const { state } = await loadState(path);
  assert.equal(state?.services.length, 2000);
});

test('what can not be read is a failure, not an empty state', async (context) => {
  const path = await directory(context);
  await writeFile(join(path, 'file'), '');
  await assert.rejects(loadState(join(path, 'file')), { code: 'ENOTDIR' });
});
