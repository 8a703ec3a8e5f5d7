import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, RepeatedFailures, silentLog, type LogLevel } from '../../../src/runtime/log.ts';

function capture(format: 'text' | 'json', level: LogLevel = 'debug') {
  const lines: string[] = [];
  return { lines, log: createLog({ level, format, write: (line) => lines.push(line) }) };
}

function record(line: string | undefined): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(line ?? 'null');
  assert.ok(typeof value === 'object' && value !== null);
  return { ...value };
}

test('counters of 64 bits, maps and causes are logged, not thrown', () => {
  const { lines, log } = capture('json');
  const error = Object.assign(new Error('cannot write', { cause: new Error('no space') }), {
    code: 'ENOSPC',
  });
  log.info(
    { bytes: 2n ** 64n - 1n, err: error, map: new Map([['a', 1n]]), set: new Set(['x']) },
    'state written',
  );
  const { bytes, err, map, set, msg } = record(lines[0]);
  assert.equal(bytes, '18446744073709551615');
  assert.deepEqual(map, { a: '1' });
  assert.deepEqual(set, ['x']);
  assert.equal(msg, 'state written');
  assert.match(
    JSON.stringify(err),
    /"message":"cannot write","code":"ENOSPC".*"message":"no space"/,
  );
});

test('a cause that is no error is kept, and an endless chain of causes ends', () => {
  const { lines, log } = capture('json');
  const loop = new Error('round');
  loop.cause = loop;
  log.error({ err: loop }, 'a');
  log.error({ err: new Error('b', { cause: 'text' }) }, 'b');
  assert.match(lines[1] ?? '', /"cause":"text"/);
  assert.equal(record(lines[0]).msg, 'a');
});

test('a field with a cycle costs the field, not the message', () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  for (const format of ['json', 'text'] as const) {
    const { lines, log } = capture(format);
    log.child({ component: 'agent' }).warn({ cycle }, 'odd');
    assert.match(lines[0] ?? '', /agent/);
    assert.match(lines[0] ?? '', /odd/);
  }
});

test('text is one readable line', () => {
  const { lines, log } = capture('text');
  const err = new Error('cannot write', { cause: new Error('no space') });
  log
    .child({ component: 'standalone' })
    .info({ n: 3, what: 'two words', none: undefined, err }, 'done 100%');
  log.error({}, 'plain');
  assert.match(
    lines[0] ?? '',
    /^\S+Z INFO {2}standalone: done 100% n=3 what="two words" err="cannot write: no space"\n$/,
  );
  assert.match(lines[1] ?? '', /^\S+Z ERROR plain\n$/);
});

test('lower levels are left out', () => {
  const { lines, log } = capture('json', 'warn');
  log.debug({}, 'a');
  log.info({}, 'b');
  log.fatal({}, 'c');
  assert.deepEqual(
    lines.map((line) => record(line).msg),
    ['c'],
  );
  silentLog.child({}).error({}, 'nowhere');
});

test('a repeated failure is said at its powers of two, with how many were left out', () => {
  const failures = new RepeatedFailures();
  const said = Array.from({ length: 16 }, (_, i) => [i + 1, failures.fail('vs')?.suppressed]);
  assert.deepEqual(
    said.filter(([, suppressed]) => suppressed !== undefined),
    [[1, 0], [2, 0], [4, 1], [8, 3], [16, 7]], // prettier-ignore
  );
  assert.equal(failures.succeed('other'), false);
  assert.equal(failures.succeed('vs'), true);
  assert.deepEqual(failures.fail('vs'), { suppressed: 0 });
});

test('control characters of others do not reach a terminal', () => {
  const { lines, log } = capture('text');
  log.info({ who: 'a\u001b[2Jb', text: 'c\u202ed e' }, 'done');
  assert.match(lines[0] ?? '', /^\S+Z INFO {2}done who=a\\u\{1b\}\[2Jb text="c\\u\{202e\}d e"\n$/);
});
