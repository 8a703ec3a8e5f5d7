// Firewall elements and sysctls that a Service asks for.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterObject } from '../../../../src/api/cluster.ts';
import { desiredNode } from '../../../../src/ipvs-node/desired/all-services.ts';
import type { NodeView } from '../../../../src/ipvs-node/desired/service.ts';
import { formatNodeState } from '../../../../src/ipvs-node/model/format.ts';
import { FIREWALL_SETS, type FirewallSet } from '../../../../src/ipvs-node/model/firewall.ts';
import type { NodeState } from '../../../../src/ipvs-node/model/state.ts';
import { DR } from './desired-case.ts';
import { NODE, pool, service, slice, storeOf } from '../objects.ts';

function elements(state: NodeState): Partial<Record<FirewallSet, readonly string[]>> {
  const filled = FIREWALL_SETS.filter((set) => (state.firewall.sets.get(set)?.size ?? 0) > 0);
  return Object.fromEntries(
    filled.map((set) => [set, [...(state.firewall.sets.get(set)?.keys() ?? [])]]),
  );
}

const FIREWALL_CASES = [
  {
    name: 'open to all',
    spec: {},
    want: { ports4: ['192.0.2.10:80/TCP'] },
  },
  {
    name: 'source ranges: closed to all others, overlaps merged, families apart',
    spec: {
      loadBalancerSourceRanges: [' 10.0.0.0/8', '10.1.0.0/16', '192.0.2.1/32', '2001:db8::/32'],
    },
    want: {
      ports4: ['192.0.2.10:80/TCP'],
      ranged4: ['192.0.2.10:80/TCP'],
      sources4: ['192.0.2.10:80/TCP 10.0.0.0/8', '192.0.2.10:80/TCP 192.0.2.1'],
    },
  },
  {
    name: 'only the other family: closed',
    spec: { loadBalancerSourceRanges: ['2001:db8::/32'] },
    want: { ports4: ['192.0.2.10:80/TCP'], ranged4: ['192.0.2.10:80/TCP'] },
  },
  {
    name: 'an entry that cannot be read lets nobody in',
    spec: { loadBalancerSourceRanges: ['10.0.0.0/33'] },
    want: { ports4: ['192.0.2.10:80/TCP'], ranged4: ['192.0.2.10:80/TCP'] },
    problem: 'InvalidSourceRange',
  },
  {
    name: 'everybody',
    spec: { loadBalancerSourceRanges: ['10.0.0.0/8', '0.0.0.0/0'] },
    want: { ports4: ['192.0.2.10:80/TCP'] },
  },
];
for (const { name, spec, want, problem } of FIREWALL_CASES) {
  test(`firewall: ${name}`, () => {
    const store = storeOf(pool(), service({ spec }), slice(['10.0.0.1@n1', '10.0.0.2@n2']));
    const { state, problems } = desiredNode(store, NODE);
    assert.deepEqual(elements(state), { vips4: ['192.0.2.10'], local4: ['10.0.0.1'], ...want });
    assert.deepEqual(
      problems.map(({ reason }) => reason),
      problem === undefined ? [] : [problem],
    );
  });
}

const SYSCTL_CASES: readonly {
  readonly name: string;
  readonly given: readonly ClusterObject[];
  readonly kernelVersion?: NonNullable<NodeView['kernelVersion']>;
  readonly want: readonly string[];
}[] = [
  { name: 'nothing to serve', given: [], want: [] },
  {
    name: 'nat over IPv4',
    given: [service(), slice(['10.0.0.1'])],
    want: ['conntrack=1', 'expire_nodest_conn=1', 'expire_quiescent_template=1', 'ip_forward=1'],
  },
  {
    name: 'nat over IPv6',
    given: [
      service({ ingress: ['2001:db8::1'] }),
      slice(['2001:db8:1::1'], { addressType: 'IPv6' }),
    ],
    want: ['conntrack=1', 'expire_nodest_conn=1', 'expire_quiescent_template=1', 'forwarding=1'],
  },
  {
    name: 'dr needs neither conntrack nor forwarding',
    given: [DR, slice(['10.0.0.1'], { ports: [{ port: 80 }] })],
    want: ['expire_nodest_conn=1', 'expire_quiescent_template=1'],
  },
  ...[
    { kernelVersion: { major: 5, minor: 8 }, isOld: true },
    { kernelVersion: { major: 4, minor: 19 }, isOld: true },
    { kernelVersion: { major: 5, minor: 9 }, isOld: false },
    { kernelVersion: { major: 6, minor: 1 }, isOld: false },
  ].map(({ kernelVersion, isOld }) => ({
    name: `kernel ${kernelVersion.major}.${kernelVersion.minor}`,
    given: [service(), slice(['10.0.0.1'])],
    kernelVersion,
    want: [
      'conntrack=1',
      'expire_nodest_conn=1',
      'expire_quiescent_template=1',
      ...(isOld ? ['conn_reuse_mode=0'] : []),
      'ip_forward=1',
    ],
  })),
];
for (const { name, given, kernelVersion, want } of SYSCTL_CASES) {
  test(`sysctls: ${name}`, () => {
    const view = { ...NODE, ...(kernelVersion && { kernelVersion }) };
    const { state } = desiredNode(storeOf(pool(), ...given), view);
    const lines = formatNodeState(state).split('\n');
    const found = lines.filter((line) => line.startsWith('sysctl'));
    assert.deepEqual(
      found.map((line) => line.split('.').at(-1)),
      want,
    );
  });
}
