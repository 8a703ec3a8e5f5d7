import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  checkEnvironment,
  choiceFlag,
  listFlag,
  longName,
  nearest,
  optionalFlag,
  parseDurationMs,
  parseInterfaceName,
  parseListen,
  parseNonEmpty,
  readFlags,
  requiredFlag,
  switchFlag,
  UsageError,
  valueFlag,
} from '../../../src/runtime/flags.ts';

const table = {
  level: choiceFlag(
    {
      flags: '--log-level <level>',
      description: '',
      env: 'VIPVS_LOG_LEVEL',
      defaultText: 'info',
    },
    ['debug', 'info'],
  ),
  files: listFlag({ flags: '-f, --filename <path...>', description: '' }, 1, 'a file'),
  strict: switchFlag({ flags: '--strict', description: '' }),
  name: optionalFlag({ flags: '--name <name>', description: '' }, 'a name', parseNonEmpty),
  timeout: valueFlag(
    { flags: '--timeout <time>', description: '', defaultText: '30s' },
    'a duration',
    parseDurationMs,
  ),
};

function given(
  entries: Readonly<Record<string, readonly string[]>>,
): Map<string, readonly string[]> {
  return new Map(Object.entries({ '--filename': ['a.yaml'], ...entries }));
}

test('the precedence is flag, environment, default', () => {
  const cases = [
    { name: 'default', flags: {}, env: {}, want: 'info' },
    { name: 'environment', flags: {}, env: { VIPVS_LOG_LEVEL: 'debug' }, want: 'debug' },
    {
      name: 'flag',
      flags: { '--log-level': ['info'] },
      env: { VIPVS_LOG_LEVEL: 'debug' },
      want: 'info',
    },
    { name: 'last flag', flags: { '--log-level': ['info', 'debug'] }, env: {}, want: 'debug' },
  ];
  for (const { name, flags, env, want } of cases) {
    assert.equal(readFlags(table, given(flags), env).level, want, name);
  }
});

test('flags that are not given have their defaults', () => {
  assert.deepEqual(readFlags(table, given({}), {}), {
    level: 'info',
    files: ['a.yaml'],
    strict: false,
    name: undefined,
    timeout: 30_000,
  });
});

test('a value that is not allowed is refused with what, where and what is allowed', () => {
  const cases = [
    // a shell variable that is not set: not the working directory
    { flags: { '--filename': ['a', ''] }, env: {}, want: '--filename: "" is not allowed: a file' },
    {
      flags: { '--log-level': ['loud'] },
      env: {},
      want: '--log-level: "loud" is not allowed: one of debug, info',
    },
    {
      flags: {},
      env: { VIPVS_LOG_LEVEL: 'loud' },
      want: 'VIPVS_LOG_LEVEL: "loud" is not allowed: one of debug, info',
    },
    { flags: { '--filename': [] }, env: {}, want: '--filename is missing: a file' },
    { flags: { '--name': [''] }, env: {}, want: '--name: "" is not allowed: a name' },
    {
      flags: { '--strict': ['yes'] },
      env: {},
      want: '--strict: "yes" is not allowed: true or false',
    },
    { flags: { '--timeout': ['5'] }, env: {}, want: '--timeout: "5" is not allowed: a duration' },
  ];
  for (const { flags, env, want } of cases) {
    assert.throws(
      () => readFlags(table, given(flags), env),
      (error) => error instanceof UsageError && error.message === want,
      want,
    );
  }
});

test('a required flag that is missing is named', () => {
  const flags = {
    node: requiredFlag({ flags: '--node <name>', description: '' }, 'a name', parseNonEmpty),
  };
  assert.throws(() => readFlags(flags, new Map(), {}), { message: '--node is missing: a name' });
  assert.equal(readFlags(flags, new Map([['--node', ['a']]]), {}).node, 'a');
  assert.equal(longName({ flags: '-x' }), '-x');
  const off = readFlags({ s: table.strict }, new Map([['--strict', ['false']]]), {});
  assert.equal(off.s, false);
});

test('durations are read as text with units', () => {
  const cases = [
    { given: '500ms', want: 500 },
    { given: '30s', want: 30_000 },
    { given: '1.5s', want: 1500 },
    { given: '1h30m', want: 5_400_000 },
    { given: '30', want: undefined },
    { given: 's', want: undefined },
    { given: '-1s', want: undefined },
    { given: '', want: undefined },
  ];
  for (const { given: text, want } of cases) assert.equal(parseDurationMs(text), want, text);
});

test('listen addresses are read', () => {
  const cases = [
    { given: '127.0.0.1:9472', want: { host: '127.0.0.1', port: 9472 } },
    { given: '[::1]:80', want: { host: '::1', port: 80 } },
    { given: ':9472', want: { host: '::', port: 9472 } },
    { given: 'off', want: 'off' },
    { given: '9472', want: undefined },
    { given: '::1:80', want: undefined },
    { given: 'host:70000', want: undefined },
  ];
  for (const { given: text, want } of cases) assert.deepEqual(parseListen(text), want, text);
});

test('interface names follow the kernel', () => {
  for (const text of ['eth0', 'bond0.100', 'enp1s0f0'])
    assert.equal(parseInterfaceName(text), text);
  for (const text of ['', '.', '..', 'a/b', 'eth0:1', 'a b', 'sixteencharacter']) {
    assert.equal(parseInterfaceName(text), undefined, text);
  }
});

test('an unknown variable with our prefix is refused, with what was meant', () => {
  checkEnvironment({ PATH: '/bin', VIPVS_LOG_LEVEL: 'x', VIPVS_LAB: '1', VIPVS_LAB_ENGINE: 'uml' });
  assert.throws(
    () => checkEnvironment({ VIPVS_LOGLEVEL: 'x' }),
    /^UsageError: unknown environment variable VIPVS_LOGLEVEL \(did you mean VIPVS_LOG_LEVEL\?\); known: VIPVS_/,
  );
  assert.throws(
    () => checkEnvironment({ VIPVS_SOMETHING_ELSE: 'x' }),
    /VIPVS_SOMETHING_ELSE; known/,
  );
});

test('the nearest word is found, and none where none is near', () => {
  assert.equal(nearest('stats', ['status', 'plan']), 'status');
  assert.equal(nearest('kubernetes', ['status', 'plan']), undefined);
});
