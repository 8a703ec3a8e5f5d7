// Virtual servers of somebody else inside our Pools: which are named, and how the agent gets to know of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT_MS } from '../../../../src/ipvs-node/reconcile/agenda.ts';
import { foreignInPools, foreignTexts } from '../../../../src/ipvs-node/reconcile/foreign.ts';
import { resolvePools } from '../../../../src/api/pools.ts';
import { parseIp } from '../../../../src/net/address.ts';
import {
  virtualServerKey,
  type VirtualServer,
  type VirtualServerKey,
} from '../../../../src/net/ipvs.ts';
import { AgentUnderTest, SERVED, WEB } from './agent-under-test.ts';
import { observedOf } from '../kernel-text.ts';
import { pool, service, storeOf } from '../objects.ts';

const server = (vip: string): VirtualServer => ({
  vip: parseIp(vip),
  port: 80,
  protocol: 'TCP',
  scheduler: 'wlc',
  schedulerFlags: [],
  persistenceSeconds: 0,
});
const keyOf = (vip: string): VirtualServerKey => virtualServerKey(server(vip));
const INSIDE = '192.0.2.50';
const OUTSIDE = '203.0.113.50';
const NAMED = ['192.0.2.50:80/TCP (scheduler wlc, no real servers)'];

const CASES: readonly {
  readonly name: string;
  readonly vip: string;
  readonly wanted?: boolean;
  readonly want: boolean;
}[] = [
  { name: 'inside a Pool', vip: INSIDE, want: true },
  { name: 'outside every Pool', vip: OUTSIDE, want: false },
  { name: 'that a Service wants', vip: INSIDE, wanted: true, want: false },
];
const POOLS = resolvePools(storeOf(pool()).pools.values());
for (const { name, vip, wanted = false, want } of CASES) {
  test(`one ${name} is ${want ? 'named' : 'not named'}`, () => {
    const key = keyOf(vip);
    const services = new Map(wanted ? [[key, 'default/web']] : []);
    const found = foreignInPools([[key, parseIp(vip)]], services, POOLS);
    assert.deepEqual(found, want ? [key] : []);
  });
}

test('of very many a few are named', () => {
  const all = Array.from({ length: 200 }, (_, i) => {
    const vip = parseIp(`192.0.2.${i + 1}`);
    return [virtualServerKey({ vip, port: 80, protocol: 'TCP' }), vip] as const;
  });
  assert.equal(foreignInPools(all, new Map(), POOLS).length, 32);
});

test('they stand in order, each with what its owner may be known by', () => {
  const lines = [
    '-A -t 192.0.2.60:80 -s rr',
    '-A -t 192.0.2.50:80 -s wlc',
    '-a -t 192.0.2.50:80 -r 10.0.0.9:8080 -m -w 1',
  ];
  assert.deepEqual(foreignTexts(observedOf(lines).virtualServers ?? new Map()), [
    '192.0.2.50:80/TCP (scheduler wlc, 1 real server, first 10.0.0.9 port 8080)',
    '192.0.2.60:80/TCP (scheduler rr, no real servers)',
  ]);
});

test('one that is there at the start is named, and left alone', async () => {
  const under = new AgentUnderTest({ objects: WEB });
  for (const vip of [INSIDE, OUTSIDE]) {
    under.kernel.addForeign({ server: server(vip), realServers: new Map() });
  }
  under.agent.setSynced(true);
  await under.advance(10);
  assert.deepEqual(under.agent.foreignServers, NAMED);
  await under.advance(3 * AUDIT_MS);
  assert.deepEqual(under.agent.foreignServers, NAMED);
  assert.equal(under.foreign.length, 1, 'told once');
  assert.ok(under.kernel.virtualServers.has(keyOf(INSIDE)));
});

test('one that somebody makes later is named within an audit, and forgotten when it is gone', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  assert.deepEqual(under.agent.foreignServers, []);
  under.kernel.addForeign({ server: server(INSIDE), realServers: new Map() });
  await under.advance(AUDIT_MS + 5000);
  assert.deepEqual(under.agent.foreignServers, NAMED);
  under.kernel.virtualServers.delete(keyOf(INSIDE));
  await under.advance(AUDIT_MS + 5000);
  assert.deepEqual(under.agent.foreignServers, []);
  assert.deepEqual(under.foreign, [NAMED, []]);
  assert.equal(under.kernel.dump(), SERVED);
  assert.equal(under.kernel.observeCount, 1);
  assert.ok(under.rounds.every(({ drift }) => drift.size === 0));
});

test('where they can not be listed or read, what was known of them stays', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.addForeign({ server: server(INSIDE), realServers: new Map() });
  await under.advance(AUDIT_MS + 5000);
  under.kernel.listForeignServers = () => Promise.resolve(undefined);
  under.kernel.virtualServers.delete(keyOf(INSIDE));
  await under.advance(AUDIT_MS + 5000);
  assert.deepEqual(under.agent.foreignServers, NAMED);
  const other = keyOf('192.0.2.51');
  under.kernel.listForeignServers = () =>
    Promise.resolve(new Map([[other, parseIp('192.0.2.51')]]));
  const observe = under.kernel.observeVirtualServers.bind(under.kernel);
  under.kernel.observeVirtualServers = (keys) =>
    keys.includes(other) ? Promise.resolve(undefined) : observe(keys);
  await under.advance(AUDIT_MS + 5000);
  assert.deepEqual(under.agent.foreignServers, NAMED);
});

test('one that we made and nobody wants any more is none, though it can not be deleted', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.fault = ({ op }) => (op === 'vs.del' ? 'EPERM' : undefined);
  under.delete('Service', 'default/web');
  await under.advance(AUDIT_MS + 5000);
  assert.deepEqual(under.agent.foreignServers, []);
  assert.equal(under.kernel.virtualServers.size, 1);
});

test('a Service that gets such an address says so itself', async () => {
  const under = await AgentUnderTest.started({ objects: WEB });
  under.kernel.addForeign({ server: server(INSIDE), realServers: new Map() });
  await under.advance(AUDIT_MS + 5000);
  under.set(service({ name: 'new', ingress: [INSIDE] }));
  await under.advance(AUDIT_MS + 5000);
  assert.match(
    under.problems('default/new')?.join() ?? '',
    /ForeignVirtualServer: 192\.0\.2\.50:80/,
  );
  assert.deepEqual(under.agent.foreignServers, []);
});
