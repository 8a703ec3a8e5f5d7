import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { DrainRecord } from '../../../../src/ipvs-node/kernel/ownership/drain-record.ts';
import { NOT_BEGUN, type DrainStarts } from '../../../../src/ipvs-node/model/state.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';

const SCOPE = { bootId: 'b00t', netnsInode: '42' };
const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const FIRST = '10.0.0.1:8080' as RealServerKey;
const SECOND = '10.0.0.2:8080' as RealServerKey;

let directory: string;
let bootMs = 0;
const record = (scope = SCOPE): DrainRecord => new DrainRecord(directory, scope, () => bootMs);
const starts = (...reals: readonly (readonly [RealServerKey, number])[]): DrainStarts =>
  new Map([[KEY, new Map(reals)]]);

beforeEach(() => {
  bootMs = 1_000_000;
  directory = mkdtempSync(path.join(tmpdir(), 'vipvs-drains.'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('the next process finds when a drain began, on a clock of its own', () => {
  record().save(starts([FIRST, 500], [SECOND, NOT_BEGUN]), 2_000);
  bootMs += 60_000;
  assert.deepEqual(record().load(10), starts([FIRST, 10 - 61_500], [SECOND, NOT_BEGUN]));
});

test('what did not change is not written again; a drain that begins is', () => {
  const one = record();
  one.save(starts([FIRST, NOT_BEGUN]), 2_000);
  const file = path.join(directory, 'drains-42');
  const { mtimeNs, ino } = statSync(file, { bigint: true });
  bootMs += 1_000;
  one.save(starts([FIRST, NOT_BEGUN]), 3_000);
  assert.deepEqual(statSync(file, { bigint: true }).ino, ino);
  assert.equal(statSync(file, { bigint: true }).mtimeNs, mtimeNs);
  one.save(starts([FIRST, 3_000]), 3_000);
  assert.deepEqual(record().load(3_000), starts([FIRST, 3_000]));
  one.save(new Map(), 4_000);
  assert.deepEqual(record().load(4_000), new Map());
  assert.deepEqual(readdirSync(directory), ['drains-42']);
});

test('a record of another boot, none, or one that can not be read: nothing is noted', () => {
  assert.deepEqual(record().load(0), new Map());
  record({ ...SCOPE, bootId: 'other' }).save(starts([FIRST, 1]), 2);
  assert.deepEqual(record().load(0), new Map());
  const file = path.join(directory, 'drains-42');
  for (const text of ['', '{', 'null', '[]', '{"bootId":"b00t"}', '{"bootId":"b00t","drains":1}']) {
    writeFileSync(file, text);
    assert.deepEqual(record().load(0), new Map(), text);
  }
  const odd = [[KEY, FIRST, 'x'], [KEY, FIRST], [1, 2, 3], 'x', [KEY, SECOND, 999_000]];
  writeFileSync(file, JSON.stringify({ ...SCOPE, drains: odd }));
  assert.deepEqual(record().load(0), starts([SECOND, -1_000]));
});

test('a start is never in the future', () => {
  record().save(starts([FIRST, 2_000]), 2_000);
  bootMs -= 500_000;
  assert.deepEqual(record().load(7), starts([FIRST, 7]));
  assert.match(readFileSync(path.join(directory, 'drains-42'), 'utf8'), /b00t/);
});
