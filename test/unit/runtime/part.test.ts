// Parts that run side by side: how they end, and what of one that fails is said.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aborted } from '../../../src/runtime/abort.ts';
import { problemsOf, runParts, type Part } from '../../../src/runtime/part.ts';
import { settle } from './fake-clock.ts';

interface Scripted {
  readonly name: string;
  /** It fails when it is told. */
  readonly fails?: 'at once' | 'at its end';
  readonly problem?: string;
}

/** Parts that write down what happens to them; each takes a while to end. */
function partsOf(scripts: readonly Scripted[], log: string[]): readonly Part[] {
  return scripts.map(({ name, fails, problem }) => ({
    problem,
    run: async (signal) => {
      log.push(`${name} runs`);
      if (fails === 'at once') throw new Error(name);
      await aborted(signal);
      log.push(`${name} ends`);
      await settle();
      if (fails === 'at its end') throw new Error(name);
      log.push(`${name} has ended`);
    },
  }));
}

const RUNS = ['a runs', 'b runs', 'c runs'];
const CASES: readonly {
  readonly name: string;
  readonly b?: 'at once' | 'at its end';
  readonly c?: 'at its end';
  readonly want: readonly string[];
  readonly error?: RegExp;
}[] = [
  {
    name: 'the signal',
    want: ['a ends', 'a has ended', 'b ends', 'b has ended', 'c ends', 'c has ended'],
  },
  {
    name: 'one that fails',
    b: 'at once',
    want: ['a ends', 'a has ended', 'c ends', 'c has ended'],
    error: /^Error: b$/,
  },
  {
    name: 'the signal, and one fails while it ends',
    b: 'at its end',
    want: ['a ends', 'a has ended', 'b ends', 'c ends', 'c has ended'],
    error: /^Error: b$/,
  },
  {
    name: 'one that fails, and another one fails while it ends',
    b: 'at once',
    c: 'at its end',
    want: ['a ends', 'a has ended', 'c ends'],
    error: /^Error: b$/,
  },
];
for (const { name, b, c, want, error } of CASES) {
  test(`${name}: all end, one after the other`, async () => {
    const log: string[] = [];
    const script = (each: string, fails: Scripted['fails']): Scripted =>
      fails === undefined ? { name: each } : { name: each, fails };
    const end = new AbortController();
    const parts = partsOf([script('a', undefined), script('b', b), script('c', c)], log);
    const ended = runParts(parts, end.signal);
    if (b !== 'at once') end.abort();
    if (error === undefined) await ended;
    else await assert.rejects(ended, error);
    assert.deepEqual(log, [...RUNS, ...want]);
  });
}

test('each problem is named once', () => {
  const parts = partsOf(
    [
      { name: 'a', problem: 'away' },
      { name: 'b' },
      { name: 'c', problem: 'away' },
      { name: 'd', problem: 'no rights' },
    ],
    [],
  );
  assert.deepEqual(problemsOf(parts), ['away', 'no rights']);
});
