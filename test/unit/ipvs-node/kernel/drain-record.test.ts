// When drains began, from one process to the next: what is in the file, and what is made of a file that is not right.
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { parseDrains } from '../../../../src/ipvs-node/kernel/ownership/drain-lines.ts';
import { DrainRecord } from '../../../../src/ipvs-node/kernel/ownership/drain-record.ts';
import { NOT_BEGUN, type DrainStarts } from '../../../../src/ipvs-node/model/state.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';

const SCOPE = { bootId: 'b00t', netnsInode: '42' };
const HEADER = 'vipvs-drains 1 boot b00t netns 42\n';
const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const KEY6 = '[2001:db8::10]:443/SCTP' as VirtualServerKey;
const FIRST = '10.0.0.1:8080' as RealServerKey;
const SECOND = '10.0.0.2:8080' as RealServerKey;
const THIRD = '[2001:db8::1]:8443' as RealServerKey;

let directory: string;
let file: string;
let bootMs = 0;
const record = (scope = SCOPE): DrainRecord => new DrainRecord(directory, scope, () => bootMs);
const starts = (...reals: readonly (readonly [RealServerKey, number])[]): DrainStarts =>
  new Map([[KEY, new Map(reals)]]);
const NONE: DrainStarts = new Map();

beforeEach(() => {
  bootMs = 1_000_000;
  directory = mkdtempSync(path.join(tmpdir(), 'vipvs-drains.'));
  file = path.join(directory, 'drains-42');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test('the next process finds when a drain began, on a clock of its own', () => {
  const both = new Map([...starts([FIRST, 500]), [KEY6, new Map([[THIRD, 2_000]])]]);
  assert.equal(record().save(both, 2_000), undefined);
  assert.equal(
    readFileSync(file, 'utf8'),
    `${HEADER}${KEY} ${FIRST} 998500\n${KEY6} ${THIRD} 1000000\n`,
  );
  bootMs += 60_000;
  const { starts: found, problem } = record().load(10);
  assert.deepEqual(
    found,
    new Map([...starts([FIRST, -61_490]), [KEY6, new Map([[THIRD, -59_990]])]]),
  );
  assert.equal(problem, undefined);
});

test('one that still serves has no start, and without any there is no file', () => {
  assert.equal(record().save(starts([FIRST, 1_000], [SECOND, NOT_BEGUN]), 1_000), undefined);
  assert.deepEqual(record().load(1_000).starts, starts([FIRST, 1_000]));
  assert.equal(record().save(starts([SECOND, NOT_BEGUN]), 1_000), undefined);
  assert.deepEqual(readdirSync(directory), []);
  assert.equal(record().save(NONE, 1_000), undefined);
  assert.deepEqual(record().load(1_000), { starts: NONE, problem: undefined });
});

test('of another boot or network namespace nothing is noted, and that is no problem', () => {
  record().save(starts([FIRST, 1]), 2);
  const text = readFileSync(file, 'utf8');
  for (const other of [text.replace('b00t', 'b11t'), text.replace('netns 42', 'netns 43')]) {
    writeFileSync(file, other);
    assert.deepEqual(record().load(0), { starts: NONE, problem: undefined }, other);
  }
});

test('a start is never in the future, nor before the boot', () => {
  record().save(starts([FIRST, 2_000]), 2_000);
  bootMs -= 500_000;
  assert.deepEqual(record().load(7).starts, starts([FIRST, 7]));
  record().save(starts([FIRST, -9_000_000]), 0);
  assert.equal(readFileSync(file, 'utf8'), `${HEADER}${KEY} ${FIRST} 0\n`);
});

test('what can not be read is one problem that names the file, and the rest counts', () => {
  const line = `${KEY} ${FIRST} 999000\n`;
  const cases: readonly (readonly [string, DrainStarts, RegExp])[] = [
    ['', NONE, /first line/],
    ['{"drains":[]}', NONE, /first line/],
    [`\0\0\0\0`, NONE, /first line/],
    [`vipvs-drains 2 boot b00t netns 42\n${line}`, NONE, /version 2, and this vipvs reads 1/],
    [HEADER + line + line.slice(0, -4), starts([FIRST, -1_000]), /: 1 of its lines/],
    [HEADER.trimEnd(), NONE, /: 1 of its lines/],
    [`${HEADER}\n${KEY} ${FIRST}\n${KEY} ${FIRST} -1\n${line}`, starts([FIRST, -1_000]), /: 3 of/],
    [`${HEADER}${KEY} ${FIRST} 1e9\n${KEY} ${FIRST} 9999999999999999\n`, NONE, /: 2 of/],
    [`${HEADER}192.0.2.10:80 ${FIRST} 1\n192.0.2.10:80/ICMP ${FIRST} 1\n`, NONE, /: 2 of/],
    [
      `${HEADER}${KEY} 10.0.0.1 1\n${KEY} 10.0.0.300:80 1\n${KEY} 10.0.0.1:65536 1\n`,
      NONE,
      /: 3 of/,
    ],
    [`${HEADER}${KEY} [2001:DB8::1]:80 1\n${KEY} [2001:db8:0::1]:80 1\n`, NONE, /: 2 of/],
    [`${HEADER}${KEY} ${FIRST} 1 2\n`, NONE, /: 1 of/],
  ];
  for (const [text, expected, reason] of cases) {
    writeFileSync(file, text);
    const { starts: found, problem = '' } = record().load(0);
    assert.deepEqual(found, expected, text);
    assert.ok(problem.startsWith(`${file}: `), problem);
    assert.match(problem, reason);
    assert.match(problem, /count from now$/);
    assert.doesNotMatch(problem, /\n/);
  }
  assert.deepEqual(parseDrains(HEADER, SCOPE), { starts: NONE });
});

test('a file that can not be opened or written is said, and no old one stays', () => {
  assert.deepEqual(new DrainRecord(path.join(directory, 'no'), SCOPE).load(0).problem, undefined);
  mkdirSync(file);
  assert.match(record().load(0).problem ?? '', /EISDIR.*count from now/);
  assert.match(record().save(starts([FIRST, 0]), 0) ?? '', /EISDIR.*drains-42.*restart/);
  rmSync(file, { recursive: true });

  assert.equal(record().save(starts([FIRST, 0]), 0), undefined);
  mkdirSync(`${file}.new`);
  assert.match(record().save(starts([SECOND, 0]), 0) ?? '', /EISDIR/);
  assert.equal(existsSync(file), false);
  rmSync(`${file}.new`, { recursive: true });

  writeFileSync(path.join(directory, 'plain'), '');
  const below = new DrainRecord(path.join(directory, 'plain'), SCOPE, () => 0);
  assert.equal(below.load(0).problem, undefined);
  assert.match(below.save(starts([FIRST, 0]), 0) ?? '', /EEXIST|ENOTDIR/);
});

test('what is removed is gone, half written or whole', () => {
  record().save(starts([FIRST, 0]), 0);
  writeFileSync(`${file}.new`, 'half');
  record().remove();
  assert.deepEqual(readdirSync(directory), []);
  record().remove();
});
