// A node:test reporter for the guest: one JSON line for each test that ended, to be read by test/lab/guest-tests.ts.
import { inspect } from 'node:util';
import type { EventData } from 'node:test';
import type { TestEvent } from 'node:test/reporters';

/** What is known of one test that ended; the same for tests on the host and in the guest. */
export interface Verdict {
  readonly file: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** The error, or why it was skipped. */
  readonly reason: string;
}

/** The verdict of a test that passed or was skipped; undefined for a suite, whose own tests say it all. */
export function passVerdict(data: EventData.TestPass, file: string): Verdict | undefined {
  if (data.details.type === 'suite') return undefined;
  if (file !== '' && data.name.startsWith('/') && data.name.endsWith(file)) {
    // Node's stand-in for a file that ran to its end without declaring a test
    return { file, name: 'declares a test', outcome: 'failed', reason: 'no test in this file' };
  }
  const skipped = data.skip ?? data.todo;
  const reason = typeof skipped === 'string' ? skipped : '';
  const outcome = skipped === undefined || skipped === false ? 'passed' : 'skipped';
  return { file, name: data.name, outcome, reason };
}

/** The verdict of a test that failed; undefined for a suite or test that failed only through its subtests. */
export function failVerdict(data: EventData.TestFail, file: string): Verdict | undefined {
  const { error } = data.details;
  if ('failureType' in error && error.failureType === 'subtestsFailed') return undefined;
  return {
    file,
    name: data.name,
    outcome: 'failed',
    reason: explain(error.cause),
  };
}

/** The thrown value without Node's own stack frames. */
function explain(cause: unknown): string {
  const text = typeof cause === 'string' ? cause : inspect(cause);
  return text.replaceAll(/^ +at .*\(?node:.*\n?/gm, '');
}

// node:test finds a reporter by its default export
// eslint-disable-next-line no-restricted-exports
export default async function* reporter(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    const verdict =
      event.type === 'test:pass'
        ? passVerdict(event.data, '')
        : event.type === 'test:fail'
          ? failVerdict(event.data, '')
          : undefined;
    if (verdict !== undefined) yield `${JSON.stringify(verdict)}\n`;
  }
}
