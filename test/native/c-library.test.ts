// The tests in C of the library and of vipvs-keepalived (native/test, native/fuzz), as native/Makefile runs them.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

const NATIVE = `${import.meta.dirname}/../../native`;
const FUZZ_SECONDS = 15;
const FUZZED_LEAST = 10_000;
/** golden, captured, decode, socket; the supervisor's parse, groups, rtaddr */
const PROGRAMS = 7;
/** What the kernel sends; what keepalived, the agent and its files say. */
const FUZZERS = 2;

const execute = promisify(execFile);

/** What it says; rejects with that where a test fails. */
async function make(...goals: readonly string[]): Promise<string> {
  const { stdout, stderr } = await execute('make', ['-C', NATIVE, ...goals], {
    maxBuffer: 1 << 26,
  });
  return stdout + stderr;
}

const passed = (said: string): number =>
  said.match(/^\w+: [1-9]\d* checks, 0 failed$/gm)?.length ?? 0;

test('plain, with ASan and UBSan, under valgrind; inputs that once failed', async () => {
  const said = await make('test');
  assert.equal(passed(said), 3 * PROGRAMS, said);
  assert.equal(said.match(/^replay: [1-9]\d* inputs$/gm)?.length, FUZZERS, said);
});

test('as machine code of arm64', async () => {
  const said = await make('test-arm64');
  assert.equal(passed(said), PROGRAMS, said);
});

test('whatever the kernel, keepalived and the agent send is read or refused: libFuzzer', async () => {
  const said = await make('fuzz', `FUZZ_SECONDS=${FUZZ_SECONDS}`);
  const runs = [...said.matchAll(/number_of_executed_units: (\d+)/g)].map(([, count]) =>
    Number(count),
  );
  assert.equal(runs.length, FUZZERS, said);
  assert.ok(Math.min(...runs) > FUZZED_LEAST, said);
});
