import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FAILED_MAX, UNCHECKED_MAX } from '../../../../src/api/limits.ts';
import type { Condition } from '../../../../src/api/kubernetes.ts';
import {
  directorStatus,
  failureOf,
  uncheckedOf,
  type DirectorFacts,
} from '../../../../src/ipvs-node/report/director-status.ts';
import { ALL_HELD, NONE_HELD } from '../../../../src/ipvs-node/model/held-groups.ts';
import { bindingKey } from '../../../../src/ipvs-node/model/owned.ts';
import { desiredNode } from '../../../../src/ipvs-node/desired/all-services.ts';
import { NODE, pool, service, slice, storeOf } from '../objects.ts';

const { state } = desiredNode(storeOf(pool(), service(), slice(['10.0.0.1', '10.0.0.2'])), NODE);
const [server] = state.virtualServers.values();
const [address] = state.addresses.values();
if (server === undefined || address === undefined) throw new Error('no Service');
const [key] = state.virtualServers.keys();
const real = [...server.realServers].map(
  ([name, each]) => [name, { ...each, activeConnections: 0, inactiveConnections: 0 }] as const,
);
const OBSERVED: DirectorFacts['observed'] = {
  virtualServers: new Map([
    [key ?? assert.fail(), { server: server.server, realServers: new Map(real) }],
  ]),
  addresses: new Map([
    [address.address, [{ address: address.address, interface: 'eth0', mark: 'tagged' }]],
  ]),
  owned: {
    virtualServers: new Set(),
    addresses: new Set([bindingKey(address.address, 'eth0')]),
  },
};
const FACTS: DirectorFacts = {
  phase: 'running',
  held: ALL_HELD,
  desired: state,
  observed: OBSERVED,
  failing: new Map(),
  unchecked: new Map(),
  nodeProblems: [],
  versions: { vipvs: '1', kernel: '6.1' },
};

const conditionsOf = (facts: Partial<DirectorFacts>, shown: readonly Condition[] = []) =>
  directorStatus({ ...FACTS, ...facts }, shown, 'now').conditions.map(
    ({ type, status, reason, lastTransitionTime }) =>
      `${type} ${status} ${reason} ${lastTransitionTime ?? ''}`,
  );

test('counts what is in the kernel, not what is wanted', () => {
  const { virtualServers, realServers, addresses } = directorStatus(FACTS, [], 'now');
  assert.deepEqual([virtualServers, realServers, addresses], [1, 2, 1]);
  const nothing = { ...OBSERVED, virtualServers: undefined, addresses: undefined };
  const empty = directorStatus({ ...FACTS, observed: nothing }, [], 'now');
  assert.deepEqual([empty.virtualServers, empty.realServers, empty.addresses], [0, 0, 0]);
  const owned = { ...OBSERVED.owned, addresses: new Set<never>() };
  const status = directorStatus({ ...FACTS, observed: { ...OBSERVED, owned } }, [], 'x');
  assert.equal(status.addresses, 0);
});

test('conditions by phase and failure', () => {
  assert.deepEqual(conditionsOf({ phase: 'starting' }), [
    'Ready False Starting now',
    'Programmed Unknown Starting now',
  ]);
  assert.deepEqual(conditionsOf({ phase: 'stopped' })[0], 'Ready False Stopped now');
  assert.deepEqual(conditionsOf({}), ['Ready True Running now', 'Programmed True Programmed now']);
  assert.equal(conditionsOf({ nodeProblems: ['no'] })[1], 'Programmed False KernelError now');
  const purged = conditionsOf({ purgeProblem: 'again' })[1];
  assert.equal(purged, 'Programmed False PurgedByKubeProxy now');
});

test('virtual servers of somebody else are named, a few of them, and are no failure', () => {
  const servers = ['a (x)', 'b (x)', 'c (x)', 'd (x)', 'e (x)', 'f (x)'];
  const shown = (count: number): Condition | undefined => {
    const foreignServers = servers.slice(0, count);
    return directorStatus({ ...FACTS, foreignServers }, [], 'now').conditions[1];
  };
  for (const count of [1, 5, 6]) {
    const { status, reason, message = '' } = shown(count) ?? {};
    assert.equal(`${status} ${reason}`, 'True ForeignVirtualServer');
    const named = servers.slice(0, Math.min(count, 5)).join(', ');
    assert.ok(message.endsWith(`: ${named}${count > 5 ? ' and more' : ''}`), message);
  }
  assert.equal(shown(0)?.reason, 'Programmed');
  const failing = conditionsOf({ foreignServers: servers, nodeProblems: ['no'] });
  assert.equal(failing[1], 'Programmed False KernelError now', 'what fails comes first');
});

test('the time of a condition moves with its status only', () => {
  const shown = directorStatus(FACTS, [], 'before').conditions;
  assert.deepEqual(conditionsOf({ nodeProblems: ['no'] }, shown), [
    'Ready True Running before',
    'Programmed False KernelError now',
  ]);
});

function many(length: number, reason: string): DirectorFacts['failing'] {
  return new Map(
    Array.from({ length }, (_, i) => {
      const service = `x/${String((i * 37) % length).padStart(4, '0')}`;
      return [service, { service, reason, message: 'no' }] as const;
    }),
  );
}

test('what fails is listed by name, and no more than fits', () => {
  const failing = many(FAILED_MAX + 1, 'KernelError');
  const status = directorStatus({ ...FACTS, failing }, [], 'now');
  assert.equal(status.failedServices, FAILED_MAX + 1);
  assert.equal(status.failed?.length, FAILED_MAX);
  assert.equal(status.failed[0]?.service, 'x/0000');
  assert.equal(status.conditions[1]?.message, '101 Services, first x/0000: no');
  const [one] = failing;
  const single = directorStatus({ ...FACTS, failing: new Map([one ?? assert.fail()]) }, [], 'now');
  assert.match(single.conditions[1]?.message ?? '', /^1 Service, first/);
});

test('warnings are no failure', () => {
  const object = { kind: 'Service' as const, name: 'web' };
  const warning = {
    object,
    reason: 'NoEndpoints' as const,
    message: 'none',
    isWarning: true as const,
  };
  const error = { object, reason: 'KernelError' as const, message: 'no' };
  assert.equal(failureOf('x/web', undefined), undefined);
  assert.equal(failureOf('x/web', { isProgrammed: true, problems: [warning] }), undefined);
  assert.deepEqual(failureOf('x/web', { isProgrammed: false, problems: [warning, error] }), {
    service: 'x/web',
    reason: 'KernelError',
    message: 'no',
  });
  assert.equal(failureOf('x/web', { isProgrammed: false, problems: [] })?.reason, 'KernelError');
});

test('what nobody here can see is listed by name, no more than fits, and is no failure', () => {
  assert.equal(directorStatus(FACTS, [], 'now').unchecked, undefined);
  const unchecked = many(UNCHECKED_MAX + 1, 'RealServersUnchecked');
  const status = directorStatus({ ...FACTS, unchecked }, [], 'now');
  assert.equal(status.failedServices, 0);
  assert.equal(status.unchecked?.length, UNCHECKED_MAX);
  assert.equal(status.unchecked[0]?.service, 'x/0000');
  const programmed = status.conditions[1];
  assert.equal(`${programmed?.status} ${programmed?.reason}`, 'True RealServersUnchecked');
  const text = 'every Service is in the kernel; 33 Services, first x/0000: no';
  assert.equal(programmed?.message, text);
  const foreign = directorStatus({ ...FACTS, unchecked, foreignServers: ['y'] }, [], 'now');
  assert.equal(foreign.conditions[1]?.reason, 'ForeignVirtualServer');
  assert.match(foreign.conditions[1].message, /: y; 33 Services, first/);
});

test('of a Service what is unchecked is said once, also beside what fails; other warnings pass', () => {
  const object = { kind: 'Service' as const, name: 'web' };
  const passing = {
    object,
    reason: 'NoEndpoints' as const,
    message: 'none',
    isWarning: true as const,
  };
  const unchecked = { ...passing, reason: 'RealServersUnchecked' as const, message: 'who knows' };
  const error = { object, reason: 'KernelError' as const, message: 'no' };
  const told = { service: 'x/web', reason: 'RealServersUnchecked', message: 'who knows' };
  const programmed = { isProgrammed: true, problems: [passing, unchecked, unchecked] };
  assert.deepEqual(uncheckedOf('x/web', programmed), told);
  assert.equal(uncheckedOf('x/web', { isProgrammed: true, problems: [passing] }), undefined);
  assert.equal(uncheckedOf('x/web', undefined), undefined);
  const failing = { isProgrammed: false, problems: [unchecked, passing, error] };
  assert.equal(uncheckedOf('x/web', failing), undefined);
  assert.equal(failureOf('x/web', failing)?.message, 'no; who knows');
});

test('it announces while it holds any group', () => {
  const isAnnouncing = (held: DirectorFacts['held']): boolean =>
    directorStatus({ ...FACTS, held }, [], 'now').announcing;
  assert.equal(isAnnouncing({ groups: new Set(['one of several']) }), true);
  assert.equal(isAnnouncing(NONE_HELD), false);
});
