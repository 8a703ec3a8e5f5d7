// What somebody else changed and the agent repaired is counted; what we did ourselves, and what is found at the start, is not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AUDIT_MS } from '../../../../src/ipvs-node/reconcile/agenda.ts';
import { ALL_HELD, NONE_HELD } from '../../../../src/ipvs-node/model/held-groups.ts';
import { parseIp } from '../../../../src/net/address.ts';
import type { RealServerKey, VirtualServerKey } from '../../../../src/net/ipvs.ts';
import type { FakeKernel } from '../../../contract/fake-kernel.ts';
import { AgentUnderTest, SERVED, WEB } from './agent-under-test.ts';
import { elementKey } from '../../../../src/ipvs-node/model/firewall.ts';
import { service, slice } from '../objects.ts';

const KEY = '192.0.2.10:80/TCP' as VirtualServerKey;
const REAL = '10.0.0.1:8080' as RealServerKey;
const VIP = parseIp('192.0.2.10');
const LOCAL = [...WEB.slice(0, 2), slice(['10.0.0.1@n1', '10.0.0.2'])];

type Server = NonNullable<ReturnType<FakeKernel['virtualServers']['get']>>;

function served(kernel: FakeKernel): Server {
  const found = kernel.virtualServers.get(KEY);
  if (found === undefined) throw new Error('not served');
  return found;
}

/** Counts of all rounds, but for zeros. */
function driftOf({ rounds }: AgentUnderTest): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { drift } of rounds) {
    for (const [kind, count] of drift) sums[kind] = (sums[kind] ?? 0) + count;
  }
  return sums;
}

const STRANGER = parseIp('192.0.2.99');

const HANDS: readonly {
  readonly name: string;
  readonly does: (kernel: FakeKernel) => void;
  readonly want: Readonly<Record<string, number>>;
}[] = [
  {
    name: 'ipvsadm -C',
    does: (kernel) => kernel.flush(),
    want: { virtual_server: 1, real_server: 2 },
  },
  {
    name: 'a virtual server deleted',
    does: (kernel) => void kernel.virtualServers.delete(KEY),
    want: { virtual_server: 1, real_server: 2 },
  },
  {
    name: 'another scheduler',
    does: (kernel) => {
      const found = served(kernel);
      found.server = { ...found.server, scheduler: 'wlc' };
    },
    want: { virtual_server: 1 },
  },
  {
    name: 'a real server deleted',
    does: (kernel) => void served(kernel).realServers.delete(REAL),
    want: { real_server: 1 },
  },
  {
    name: 'another weight',
    does: (kernel) => {
      const { realServers } = served(kernel);
      const real = realServers.get(REAL);
      if (real !== undefined) realServers.set(REAL, { ...real, weight: 7 });
    },
    want: { real_server: 1 },
  },
  {
    name: 'a real server more',
    does: (kernel) => {
      const { realServers } = served(kernel);
      const real = realServers.get(REAL);
      const address = parseIp('10.0.0.99');
      if (real !== undefined)
        realServers.set('10.0.0.99:8080' as RealServerKey, { ...real, address });
    },
    want: { real_server: 1 },
  },
  {
    name: 'a VIP deleted',
    does: (kernel) => kernel.removeAddress(VIP, 'eth0'),
    want: { address: 1 },
  },
  {
    name: 'a VIP deleted, and nobody heard',
    does: (kernel) => void kernel.addresses.delete(VIP),
    want: { address: 1 },
  },
  {
    name: 'a VIP moved',
    does: (kernel) =>
      void kernel.addresses.set(VIP, [{ address: VIP, interface: 'eth1', mark: 'tagged' }]),
    want: { address: 2 },
  },
  {
    name: 'the nft table deleted',
    does: (kernel) => {
      for (const elements of kernel.firewall.values()) elements.clear();
    },
    want: { firewall: 3 },
  },
  {
    name: 'an element more',
    does: (kernel) => void kernel.firewall.get('vips4')?.set(elementKey(STRANGER), STRANGER),
    want: { firewall: 1 },
  },
  {
    name: 'a setting reset',
    does: (kernel) => void kernel.sysctls.set('net/ipv4/vs/conntrack', 0),
    want: { sysctl: 1 },
  },
];
for (const { name, does, want } of HANDS) {
  test(`${name}: counted, once`, async () => {
    const under = await AgentUnderTest.started({ objects: LOCAL });
    assert.deepEqual(driftOf(under), {}, 'what the first round makes is no drift');
    does(under.kernel);
    await under.advance(2 * AUDIT_MS + 5000);
    assert.equal(under.kernel.dump(), SERVED);
    assert.deepEqual(driftOf(under), want);
  });
}

test('an edit that a change of ours runs into is counted, too', async () => {
  const under = await AgentUnderTest.started({ objects: LOCAL });
  under.kernel.flush();
  under.set(slice(['10.0.0.1@n1', '10.0.0.2', '10.0.0.3']));
  await under.advance(5000);
  assert.equal(served(under.kernel).realServers.size, 3);
  assert.deepEqual(driftOf(under), { virtual_server: 1, real_server: 2 });
});

test('what is deleted twice is counted: somebody was there before us', async () => {
  const under = await AgentUnderTest.started({ objects: LOCAL });
  under.kernel.flush();
  under.delete('Service', 'default/web');
  await under.advance(100);
  assert.deepEqual(driftOf(under), { virtual_server: 1 });
});

test('a VIP that is deleted and wanted no more is forgotten', async () => {
  const under = await AgentUnderTest.started({ objects: LOCAL });
  under.kernel.fault = (op) => (op.op === 'vip.add' ? 'EPERM' : undefined);
  under.kernel.removeAddress(VIP, 'eth0');
  await under.advance(100);
  under.kernel.fault = undefined;
  void under.agent.setHeld(NONE_HELD);
  await under.advance(100);
  void under.agent.setHeld(ALL_HELD);
  await under.advance(100);
  assert.equal(under.kernel.dump(), SERVED);
  assert.deepEqual(driftOf(under), {});
});

test('what we do ourselves is no drift', async () => {
  const under = await AgentUnderTest.started({ objects: LOCAL });
  under.kernel.setConnections(KEY, REAL, 1);
  under.set(slice(['10.0.0.2']), service({ name: 'new', ingress: ['192.0.2.11'] }));
  await under.advance(1000);
  under.delete('Service', 'default/new');
  under.set(slice(['10.0.0.1', '10.0.0.2']));
  await under.advance(1000);
  under.agent.audit();
  await under.advance(AUDIT_MS + 5000);
  assert.deepEqual(driftOf(under), {});
});

test('an operation of ours whose answer was lost is no drift', async () => {
  const under = await AgentUnderTest.started({ objects: LOCAL });
  const { kernel } = under;
  const run = kernel.run.bind(kernel);
  let isLost = true;
  kernel.run = async (ops) => {
    const results = await run(ops);
    if (!isLost) return results;
    isLost = false;
    return results.map(() => ({ ok: false, errno: 'unknown', message: 'lost' }));
  };
  under.set(slice(['10.0.0.1@n1', '10.0.0.2', '10.0.0.3']));
  await under.advance(60);
  // before the kernel is read anew it is wanted no more
  under.set(LOCAL[2] ?? slice([]));
  await under.advance(5000);
  assert.equal(kernel.dump(), SERVED);
  assert.deepEqual(driftOf(under), {});
});

test('another agent takes over: what it finds is no drift', async () => {
  const first = await AgentUnderTest.started({ objects: LOCAL });
  await first.agent.stop();
  first.kernel.flush();
  const second = await AgentUnderTest.started({ objects: LOCAL, kernel: first.kernel });
  assert.equal(second.kernel.dump(), SERVED);
  assert.deepEqual(driftOf(second), {});
});
