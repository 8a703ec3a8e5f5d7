import assert from 'node:assert/strict';
import { test } from 'node:test';
import { directorSchema, type Director } from '../../../../src/api/director.ts';
import { PROGRAMMED } from '../../../../src/api/conditions.ts';
import { serviceSchema, type Condition } from '../../../../src/api/kubernetes.ts';
import { DirectorFailures } from '../../../../src/assigner/decide/director-failures.ts';
import { assignedStatus } from '../../../../src/assigner/decide/service-status.ts';
import { parseIp } from '../../../../src/net/address.ts';

function director(name: string, ...failed: readonly string[]): Director {
  return directorSchema.parse({
    apiVersion: 'vipvs.io/v1alpha1',
    kind: 'Director',
    metadata: { name },
    status: {
      failed: failed.map((text) => {
        const [service, message = 'no'] = text.split('=');
        return { service, reason: 'KernelError', message };
      }),
    },
  });
}

test('what directors say of a Service is one failure', () => {
  const programming = new DirectorFailures();
  assert.deepEqual([...programming.set('a', director('a', 'x/1', 'x/2'))], ['x/1', 'x/2']);
  assert.deepEqual([...programming.set('a', director('a', 'x/1', 'x/2'))], [], 'nothing new');
  assert.deepEqual([...programming.set('b', director('b', 'x/1'))], ['x/1']);
  assert.deepEqual(programming.failureOf('x/1'), { reason: 'KernelError', message: 'a, b: no' });
  assert.deepEqual([...programming.set('b', director('b', 'x/1=never'))], ['x/1']);
  assert.equal(programming.failureOf('x/1')?.message, 'a: no; b: never');
  assert.deepEqual([...programming.set('a', director('a'))], ['x/1', 'x/2']);
  assert.equal(programming.failureOf('x/1')?.message, 'b: never');
  assert.equal(programming.failureOf('x/2'), undefined);
  assert.deepEqual([...programming.set('b', undefined)], ['x/1'], 'the director is gone');
  assert.equal(programming.failureOf('x/1'), undefined);
  assert.deepEqual([...programming.set('c', undefined)], []);
});

test('directors are named in order, whoever spoke first', () => {
  const programming = new DirectorFailures();
  for (const name of ['b', 'c', 'a']) programming.set(name, director(name, 'x/1'));
  assert.equal(programming.failureOf('x/1')?.message, 'a, b, c: no');
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
const FAILURE = { reason: 'KernelError', message: 'a: no' };

const CASES = [
  { name: 'never failed: no condition', old: undefined, failure: undefined, want: undefined },
  { name: 'fails: False', old: undefined, failure: FAILURE, want: { ...FALSE, lastTransitionTime: 'now' } },
  { name: 'fails as before: as it is', old: FALSE, failure: FAILURE, want: FALSE },
  { name: 'fails for another reason: its time stays', old: FALSE, failure: { ...FAILURE, message: 'b: no' }, want: { ...FALSE, message: 'b: no' } },
  { name: 'fails no more: True', old: FALSE, failure: undefined, want: { ...TRUE, lastTransitionTime: 'now' } },
  { name: 'True stays True', old: { ...TRUE, lastTransitionTime: 'old' }, failure: undefined, want: { ...TRUE, lastTransitionTime: 'old' } },
  { name: 'somebody else writes it', old: FALSE, failure: undefined, isOthers: true, want: FALSE },
  { name: 'no address, nothing to program', old: FALSE, failure: FAILURE, addresses: [], want: undefined },
]; // prettier-ignore

for (const { name, old, failure, want, addresses = ['192.0.2.1'], isOthers = false } of CASES) {
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
      ...(isOthers ? {} : { programmed: { failure } }),
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
