import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directorSchema, type Director } from '../../../../src/api/director.ts';
import { PROGRAMMED } from '../../../../src/api/conditions.ts';
import { serviceSchema, type Condition } from '../../../../src/api/kubernetes.ts';
import { DirectorFailures } from '../../../../src/assigner/decide/director-failures.ts';
import { assignedStatus } from '../../../../src/assigner/decide/service-status.ts';
import { parseIp } from '../../../../src/net/address.ts';

/** `x/1=text` fails, `x/1?text` is unchecked. */
function director(name: string, ...said: readonly string[]): Director {
  const list = (mark: '=' | '?', reason: string): readonly object[] =>
    said.flatMap((text) => {
      const [, service, is = '=', message = 'no'] = /^([^=?]+)(?:([=?])(.*))?$/.exec(text) ?? [];
      return is === mark ? [{ service, reason, message }] : [];
    });
  return directorSchema.parse({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'Director',
    metadata: { name },
    status: {
      failed: list('=', 'KernelError'),
      unchecked: list('?', 'RealServersUnchecked'),
    },
  });
}

test('what directors say of a Service is one failure', () => {
  const programming = new DirectorFailures();
  assert.deepEqual([...programming.set('a', director('a', 'x/1', 'x/2'))], ['x/1', 'x/2']);
  assert.deepEqual([...programming.set('a', director('a', 'x/1', 'x/2'))], [], 'nothing new');
  assert.deepEqual([...programming.set('b', director('b', 'x/1'))], ['x/1']);
  assert.deepEqual(programming.shortcomingOf('x/1'), {
    reason: 'KernelError',
    message: 'a, b: no',
    isWarning: false,
  });
  assert.deepEqual([...programming.set('b', director('b', 'x/1=never'))], ['x/1']);
  assert.equal(programming.shortcomingOf('x/1')?.message, 'a: no; b: never');
  assert.deepEqual([...programming.set('a', director('a'))], ['x/1', 'x/2']);
  assert.equal(programming.shortcomingOf('x/1')?.message, 'b: never');
  assert.equal(programming.shortcomingOf('x/2'), undefined);
  assert.deepEqual([...programming.set('b', undefined)], ['x/1'], 'the director is gone');
  assert.equal(programming.shortcomingOf('x/1'), undefined);
  assert.deepEqual([...programming.set('c', undefined)], []);
});

test('directors are named in order, whoever spoke first', () => {
  const programming = new DirectorFailures();
  for (const name of ['b', 'c', 'a']) programming.set(name, director(name, 'x/1'));
  assert.equal(programming.shortcomingOf('x/1')?.message, 'a, b, c: no');
});

test('what directors can not see of a Service is said while it is programmed, after what fails', () => {
  const programming = new DirectorFailures();
  assert.deepEqual([...programming.set('a', director('a', 'x/1?who knows'))], ['x/1']);
  assert.deepEqual([...programming.set('b', director('b', 'x/1?who knows'))], ['x/1']);
  assert.deepEqual([...programming.set('b', director('b', 'x/1?who knows'))], [], 'nothing new');
  const unchecked = { reason: 'RealServersUnchecked', isWarning: true };
  const both = { ...unchecked, message: 'a, b: who knows' };
  assert.deepEqual(programming.shortcomingOf('x/1'), both);
  assert.deepEqual([...programming.set('b', director('b', 'x/1=no', 'x/1?no'))], ['x/1']);
  const failing = { reason: 'KernelError', isWarning: false, message: 'b: no; a: who knows' };
  assert.deepEqual(programming.shortcomingOf('x/1'), failing);
  const gone = [...programming.set('a', undefined), ...programming.set('b', undefined)];
  assert.deepEqual(gone, ['x/1', 'x/1']);
  assert.equal(programming.shortcomingOf('x/1'), undefined);
});

const FALSE: Condition = {
  type: PROGRAMMED,
  status: 'False',
  reason: 'KernelError',
  message: 'a: no',
  lastTransitionTime: 'old',
};
const TRUE: Condition = {
  type: PROGRAMMED,
  status: 'True',
  reason: 'Programmed',
  message: 'every port is in the kernel',
};
const UNCHECKED = { reason: 'RealServersUnchecked', message: 'a: who knows' };
const FAILURE = { reason: 'KernelError', message: 'a: no' };
const WARNING = { ...UNCHECKED, isWarning: true };

const CASES = [
  { name: 'never failed: no condition', old: undefined, shortcoming: undefined, want: undefined },
  { name: 'fails: False', old: undefined, shortcoming: FAILURE, want: { ...FALSE, lastTransitionTime: 'now' } },
  { name: 'fails as before: as it is', old: FALSE, shortcoming: FAILURE, want: FALSE },
  { name: 'fails for another reason: its time stays', old: FALSE, shortcoming: { ...FAILURE, message: 'b: no' }, want: { ...FALSE, message: 'b: no' } },
  { name: 'fails no more: True', old: FALSE, shortcoming: undefined, want: { ...TRUE, lastTransitionTime: 'now' } },
  { name: 'True stays True', old: { ...TRUE, lastTransitionTime: 'old' }, shortcoming: undefined, want: { ...TRUE, lastTransitionTime: 'old' } },
  { name: 'unchecked: True, and says so', old: undefined, shortcoming: WARNING, want: { ...TRUE, ...UNCHECKED, lastTransitionTime: 'now' } },
  { name: 'unchecked as before: as it is', old: { ...TRUE, ...UNCHECKED }, shortcoming: WARNING, want: { ...TRUE, ...UNCHECKED } },
  { name: 'somebody else writes it', old: FALSE, shortcoming: undefined, isOthers: true, want: FALSE },
  { name: 'no address, nothing to program', old: FALSE, shortcoming: FAILURE, addresses: [], want: undefined },
]; // prettier-ignore

for (const { name, old, shortcoming, want, addresses = ['192.0.2.1'], isOthers = false } of CASES) {
  test(`condition Programmed: ${name}`, () => {
    const service = serviceSchema.parse({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'x' },
      status: { conditions: old === undefined ? [] : [old] },
    });
    const outcome = {
      addresses: addresses.map((text) => ({ address: parseIp(text), refused: [] })),
      reason: 'Assigned' as const,
      message: 'it has it',
      ...(isOthers ? {} : { programmed: { shortcoming } }),
    };
    const status = assignedStatus(service, [], outcome, 'now');
    assert.deepEqual(
      status?.conditions?.find(({ type }) => type === PROGRAMMED),
      want,
    );
    const written = { ...service, ...(status === undefined ? {} : { status }) };
    assert.equal(assignedStatus(written, [], outcome, 'later'), undefined, 'written once');
  });
}
