// The rules that the planner and the agent build on, as one suite for every Kernel: the fake of the tests and the real
// one in the lab. A rule that is only in one of them would make the other tests lie.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { parseIp } from '../../src/net/address.ts';
import {
  realServerKey,
  virtualServerKey,
  type RealServer,
  type VirtualServer,
} from '../../src/net/ipvs.ts';
import type { Kernel, Op, OpResult } from '../../src/ipvs-node/model/kernel.ts';
import { sameRealServer } from '../../src/ipvs-node/plan/plan.ts';
import {
  elementKey,
  FIREWALL_SETS,
  type FirewallElement,
  type FirewallSet,
} from '../../src/ipvs-node/model/firewall.ts';
import { parseRange } from '../../src/net/range.ts';
import { addElement, deleteElement } from './firewall-op.ts';
import { bindingKey } from '../../src/ipvs-node/model/owned.ts';
import { NOT_BEGUN, type Reading } from '../../src/ipvs-node/model/state.ts';

export interface KernelUnderTest {
  readonly kernel: Kernel;
  /** An interface that exists and is up. */
  readonly interface: string;
  /** A virtual server made by somebody else, by other means: `ipvsadm -A -t … -s rr`. */
  readonly addForeign: (server: VirtualServer) => Promise<void>;
  /** `ipvsadm -C` */
  readonly flush: () => Promise<void>;
  /** `ip address add ADDRESS/32 dev …`, without our tag. */
  readonly addForeignAddress: (address: string) => Promise<void>;
  /** `ip address del` */
  readonly removeAddress: (address: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

const VIP4 = parseIp('198.18.0.10');
const VIP6 = parseIp('2001:db8:18::10');

function virtualServer(overrides: Partial<VirtualServer> = {}): VirtualServer {
  return {
    vip: VIP4,
    port: 80,
    protocol: 'TCP',
    scheduler: 'rr',
    schedulerFlags: [],
    persistenceSeconds: 0,
    ...overrides,
  };
}

function realServer(address: string, overrides: Partial<RealServer> = {}): RealServer {
  return { address: parseIp(address), port: 8080, method: 'masquerade', weight: 1, ...overrides };
}

/** `ok` or the errno of each result. */
function errnos(results: readonly OpResult[]): readonly string[] {
  return results.map((result) => (result.ok ? 'ok' : result.errno));
}

export function kernelContract(name: string, makeKernel: () => Promise<KernelUnderTest>): void {
  describe(`kernel contract: ${name}`, { concurrency: false }, () => {
    let under: KernelUnderTest;
    before(async () => {
      under = await makeKernel();
    });
    after(async () => {
      await under.close();
    });

    const run = async (...ops: readonly Op[]): Promise<readonly string[]> =>
      errnos(await under.kernel.run(ops));

    async function virtualServers(): Promise<NonNullable<Reading['virtualServers']>> {
      const { virtualServers: found } = await under.kernel.observe();
      assert.ok(found !== undefined, 'the dump is complete');
      return found;
    }

    test('virtual servers: add, change in place, delete; every protocol, both families', async () => {
      const servers = (['TCP', 'UDP', 'SCTP'] as const).flatMap((protocol) => [
        virtualServer({ protocol }),
        virtualServer({ protocol, vip: VIP6, persistenceSeconds: 600 }),
      ]);
      const adds = servers.map((server): Op => ({ op: 'vs.add', server }));
      assert.deepEqual(
        await run(...adds),
        adds.map(() => 'ok'),
      );
      const changed = virtualServer({ scheduler: 'wrr', persistenceSeconds: 300 });
      assert.deepEqual(await run({ op: 'vs.set', server: changed }), ['ok']);
      const found = await virtualServers();
      assert.deepEqual(found.get(virtualServerKey(changed))?.server, changed);
      for (const server of servers.slice(1)) {
        assert.deepEqual(found.get(virtualServerKey(server))?.server, server);
      }
      const deletes = servers.map((server): Op => ({ op: 'vs.del', server }));
      assert.deepEqual(
        await run(...deletes),
        deletes.map(() => 'ok'),
      );
      assert.equal((await virtualServers()).size, 0);
    });

    test('scheduler flags survive', async () => {
      const server = virtualServer({ scheduler: 'sh', schedulerFlags: ['flag-1', 'flag-2'] });
      assert.deepEqual(await run({ op: 'vs.add', server }), ['ok']);
      assert.deepEqual((await virtualServers()).get(virtualServerKey(server))?.server, server);
      assert.deepEqual(await run({ op: 'vs.del', server }), ['ok']);
    });

    test('errors of virtual servers', async () => {
      const server = virtualServer();
      assert.deepEqual(
        await run(
          { op: 'vs.set', server },
          { op: 'vs.del', server },
          { op: 'rs.add', server, real: realServer('198.18.1.1') },
          { op: 'vs.add', server },
          { op: 'vs.add', server },
          { op: 'vs.add', server: virtualServer({ port: 81, scheduler: 'twos' }) },
          { op: 'vs.set', server: virtualServer({ scheduler: 'twos' }) },
          { op: 'vs.del', server },
        ),
        ['ESRCH', 'ESRCH', 'ESRCH', 'ok', 'EEXIST', 'ENOENT', 'ENOENT', 'ok'],
      );
    });

    test('real servers: add, change in place, delete; errors do not stop what follows', async () => {
      const server = virtualServer();
      const one = realServer('198.18.1.1');
      const two = realServer('198.18.1.2', { weight: 7 });
      const routed = realServer('198.18.1.3', { method: 'direct', port: 80 });
      const tunnel = realServer('198.18.1.4', {
        method: 'tunnel',
        port: 80,
        tunnel: { type: 'gue', port: 6080, checksum: 'none' },
      });
      assert.deepEqual(
        await run(
          { op: 'vs.add', server },
          { op: 'rs.add', server, real: one },
          { op: 'rs.add', server, real: one },
          { op: 'rs.set', server, real: two },
          { op: 'rs.del', server, real: two },
          { op: 'rs.add', server, real: two },
          { op: 'rs.add', server, real: routed },
          { op: 'rs.add', server, real: tunnel },
          { op: 'rs.set', server, real: { ...one, weight: 0 } },
        ),
        ['ok', 'ok', 'EEXIST', 'ENOENT', 'ENOENT', 'ok', 'ok', 'ok', 'ok'],
      );
      const found = (await virtualServers()).get(virtualServerKey(server))?.realServers;
      assert.equal(found?.size, 4);
      for (const real of [{ ...one, weight: 0 }, two, routed, tunnel]) {
        const seen = found.get(realServerKey(real));
        assert.ok(seen !== undefined && sameRealServer(seen, real), realServerKey(real));
        assert.deepEqual([seen.activeConnections, seen.inactiveConnections], [0, 0]);
      }
      assert.deepEqual(
        await run(
          { op: 'rs.set', server, real: { ...one, method: 'tunnel', port: 8080 } },
          { op: 'rs.set', server, real: one },
          { op: 'rs.del', server, real: two },
          { op: 'vs.del', server },
        ),
        ['EINVAL', 'ok', 'ok', 'ok'],
      );
    });

    test('real servers that the kernel refuses', async () => {
      const four = virtualServer();
      const six = virtualServer({ vip: VIP6 });
      assert.deepEqual(
        await run(
          { op: 'vs.add', server: four },
          { op: 'vs.add', server: six },
          { op: 'rs.add', server: four, real: realServer('224.0.0.1') },
          { op: 'rs.add', server: four, real: realServer('0.0.0.0') },
          { op: 'rs.add', server: six, real: realServer('fe80::1') },
          { op: 'rs.add', server: four, real: realServer('198.18.1.1', { method: 'direct' }) },
          { op: 'rs.add', server: six, real: realServer('2001:db8:18:1::1') },
          { op: 'vs.del', server: four },
          { op: 'vs.del', server: six },
        ),
        ['ok', 'ok', 'EINVAL', 'EINVAL', 'EINVAL', 'EINVAL', 'ok', 'ok', 'ok'],
      );
    });

    test('the cheap reads see single virtual servers', async () => {
      const server = virtualServer();
      const other = virtualServer({ port: 81 });
      const real = realServer('198.18.1.1');
      await run({ op: 'vs.add', server }, { op: 'rs.add', server, real });
      const keys = [virtualServerKey(server), virtualServerKey(other)];
      const found = await under.kernel.observeVirtualServers(keys);
      assert.deepEqual([...(found?.keys() ?? [])], [virtualServerKey(server)]);
      const seen = found?.get(virtualServerKey(server))?.realServers.get(realServerKey(real));
      assert.ok(seen !== undefined && sameRealServer(seen, real));
      assert.equal(await under.kernel.canary(virtualServerKey(server)), true);
      assert.equal(await under.kernel.canary(virtualServerKey(other)), false);
      await under.flush();
      assert.equal(await under.kernel.canary(virtualServerKey(server)), false);
      assert.deepEqual(await run({ op: 'rs.add', server, real }), ['ESRCH']);
    });

    test('readings leave alone what is ours; what they prove to be gone is given up by settle()', async () => {
      const [server, other] = [virtualServer(), virtualServer({ port: 81 })];
      const [key, otherKey] = [virtualServerKey(server), virtualServerKey(other)];
      await run({ op: 'vs.add', server }, { op: 'vs.add', server: other });
      await under.flush();
      const { addresses } = await under.kernel.observe();
      await under.kernel.observeHost();
      assert.equal((await under.kernel.observeVirtualServers([key]))?.size, 0);
      const { owned } = under.kernel;
      assert.deepEqual([...owned.virtualServers.keys()].sort(), [key, otherKey]);
      under.kernel.settle({ gone: [], addresses });
      assert.equal(owned.virtualServers.size, 2);
      under.kernel.settle({ gone: [key], addresses: undefined });
      assert.deepEqual([...owned.virtualServers.keys()], [otherKey]);
      await under.addForeign(server);
      assert.deepEqual(await run({ op: 'vs.add', server }), ['EEXIST']);
      assert.equal(owned.virtualServers.has(key), false, 'made anew by somebody else');
      await under.flush();
      under.kernel.settle({ gone: [otherKey], addresses: undefined });
    });

    test('the host without its virtual servers reads as the same host with them', async () => {
      const at = { address: VIP4, interface: under.interface };
      await run({ op: 'vip.add', ...at }, addElement('vips4', VIP4));
      const { virtualServers: all, ...host } = await under.kernel.observe();
      assert.equal(all?.size, 0);
      assert.deepEqual(await under.kernel.observeHost(), host);
      await run({ op: 'vip.del', ...at });
      assert.equal((await under.kernel.observeHost()).addresses?.has(VIP4), false);
    });

    test('ours is what we made, or changed', async () => {
      const server = virtualServer();
      const foreign = virtualServer({ port: 81 });
      await under.addForeign(foreign);
      assert.deepEqual(await run({ op: 'vs.add', server }, { op: 'vs.add', server: foreign }), [
        'ok',
        'EEXIST',
      ]);
      const { owned } = under.kernel;
      const { virtualServers: found } = await under.kernel.observe();
      assert.deepEqual(
        [virtualServerKey(server), virtualServerKey(foreign)].map((key) => [
          found?.has(key),
          owned.virtualServers.has(key),
        ]),
        [
          [true, true],
          [true, false],
        ],
      );
      const listed = await under.kernel.listForeignServers();
      assert.deepEqual([...(listed ?? [])], [[virtualServerKey(foreign), VIP4]]);
      assert.deepEqual(await run({ op: 'vs.set', server: foreign }), ['ok']);
      assert.equal((await under.kernel.listForeignServers())?.size, 0);
      assert.ok(owned.virtualServers.has(virtualServerKey(foreign)), 'adopted by a set');
      await run({ op: 'vs.del', server }, { op: 'vs.del', server: foreign });
      assert.equal(owned.virtualServers.has(virtualServerKey(server)), false);
    });

    test('addresses: add, announce, delete, and whose they are', async () => {
      const name = under.interface;
      for (const address of [VIP4, VIP6]) {
        const at = { address, interface: name };
        assert.deepEqual(
          await run(
            { op: 'vip.add', ...at },
            { op: 'vip.add', ...at },
            { op: 'vip.announce', ...at },
          ),
          ['ok', 'EEXIST', 'ok'],
        );
        const key = bindingKey(address, name);
        const { owned } = under.kernel;
        let { addresses } = await under.kernel.observe();
        assert.deepEqual(addresses?.get(address), [{ ...at, mark: 'tagged' }]);
        assert.ok(owned.addresses.has(key));
        assert.deepEqual(await run({ op: 'vip.del', ...at }, { op: 'vip.del', ...at }), [
          'ok',
          'EADDRNOTAVAIL',
        ]);
        ({ addresses } = await under.kernel.observe());
        assert.equal(addresses?.get(address), undefined);
        assert.equal(owned.addresses.has(key), false);
      }
      assert.deepEqual(await run({ op: 'vip.add', address: VIP4, interface: 'nosuch0' }), [
        'ENODEV',
      ]);
      await under.addForeignAddress('198.18.0.77');
      const { addresses } = await under.kernel.observe();
      const entries = addresses?.get(parseIp('198.18.0.77'));
      assert.deepEqual(
        entries?.map(({ mark }) => mark),
        ['plain'],
      );
      await under.removeAddress('198.18.0.77');
    });

    test('an address that somebody takes away is told, one that we take away is not', async () => {
      const at = { address: VIP4, interface: under.interface };
      const told: string[] = [];
      const first = Promise.withResolvers<undefined>();
      under.kernel.onChange((change) => {
        if (change.kind !== 'address.removed') return;
        told.push(`${change.address} ${change.interface}`);
        first.resolve(undefined);
      });
      await run({ op: 'vip.add', ...at }, { op: 'vip.del', ...at }, { op: 'vip.add', ...at });
      await under.removeAddress(VIP4);
      await first.promise;
      assert.deepEqual(told, [`${VIP4} ${under.interface}`]);
      const key = bindingKey(VIP4, under.interface);
      assert.equal(under.kernel.owned.addresses.has(key), false, 'and is not ours any more');
      assert.equal((await under.kernel.observe()).addresses?.get(VIP4), undefined);
      await under.addForeignAddress(VIP4);
      assert.deepEqual(await run({ op: 'vip.add', ...at }), ['EEXIST']);
      const { addresses } = await under.kernel.observe();
      under.kernel.settle({ gone: [], addresses });
      assert.equal(under.kernel.owned.addresses.has(key), false, 'put there by somebody else');
      await under.removeAddress(VIP4);
    });

    test('of addresses, those are given up that a reading lacks', async () => {
      const at = { address: VIP4, interface: under.interface };
      const key = bindingKey(VIP4, under.interface);
      await run({ op: 'vip.add', ...at });
      const { addresses } = await under.kernel.observeHost();
      const { owned } = under.kernel;
      under.kernel.settle({ gone: [], addresses });
      assert.ok(owned.addresses.has(key));
      under.kernel.settle({ gone: [], addresses: undefined });
      assert.ok(owned.addresses.has(key), 'not read is not gone');
      under.kernel.settle({ gone: [], addresses: new Map() });
      assert.equal(owned.addresses.has(key), false);
      under.kernel.settle({ gone: [], addresses });
      assert.ok(owned.addresses.has(key), 'known by its tag');
      const prefixed = { ...at, mark: 'network' } as const;
      under.kernel.settle({ gone: [], addresses: new Map([[VIP4, [prefixed]]]) });
      assert.equal(owned.addresses.has(key), false, 'a network of the host, not a VIP');
      under.kernel.settle({ gone: [], addresses });
      assert.deepEqual(await run({ op: 'vip.del', ...at }), ['ok']);
      assert.equal(owned.addresses.has(key), false);
    });

    test('firewall sets: elements come and go', async () => {
      const { firewall } = await under.kernel.observe();
      if (firewall === 'absent') return;
      const port = { vip: VIP4, port: 80, protocol: 'TCP' } as const;
      const port6 = { vip: VIP6, port: 53, protocol: 'UDP' } as const;
      const elements: Partial<Record<FirewallSet, readonly FirewallElement[]>> = {
        vips4: [VIP4],
        ports4: [port, { ...port, protocol: 'SCTP' }],
        ranged4: [port],
        sources4: ['198.51.100.0/24', '192.0.2.1', '10.0.0.1-10.0.0.9'].map((text) => {
          return { port, source: parseRange(text) };
        }),
        local4: [parseIp('10.1.0.1'), parseRange('10.2.0.0/16')],
        ports6: [port6],
        sources6: [{ port: port6, source: parseRange('2001:db8:99::/48') }],
        local6: [parseIp('2001:db8:18:1::1')],
      };
      const each = (make: typeof addElement): readonly Op[] =>
        Object.entries(elements).flatMap(([set, list]) =>
          list.map((element) => make(set as FirewallSet, element)),
        );
      assert.deepEqual(
        await run(...each(addElement)),
        each(addElement).map(() => 'ok'),
      );
      const seen = await under.kernel.observe();
      const sets = typeof seen.firewall === 'object' ? seen.firewall.sets : undefined;
      for (const set of FIREWALL_SETS) {
        const wanted = new Map((elements[set] ?? []).map((each) => [elementKey(each), each]));
        assert.deepEqual(sets?.get(set), wanted, set);
      }
      assert.deepEqual(
        await run(...each(deleteElement)),
        each(deleteElement).map(() => 'ok'),
      );
      assert.deepEqual(await run(deleteElement('ports4', port)), ['ENOENT']);
    });

    test('sysctls are read and set', async () => {
      const key = 'net/ipv4/vs/expire_nodest_conn';
      assert.deepEqual(await run({ op: 'sysctl.set', key, value: 1 }), ['ok']);
      const { sysctls } = await under.kernel.observe();
      assert.equal(sysctls.get(key), 1);
    });

    test('when drains began is found by the next process, whose clock is another one', () => {
      const server = virtualServerKey(virtualServer());
      const begun = realServerKey(realServer('10.77.0.2'));
      const serving = realServerKey(realServer('10.77.0.3'));
      const noted = new Map([
        [begun, -500],
        [serving, NOT_BEGUN],
      ]);
      const record = under.kernel.drainRecord;
      assert.equal(record.save(new Map([[server, noted]]), 0), undefined);
      const { starts, problem } = record.load(0);
      assert.deepEqual([problem, [...starts.keys()]], [undefined, [server]]);
      assert.deepEqual([...(starts.get(server)?.keys() ?? [])], [begun]);
      // time goes on, and the clock that counts since the boot has hundredths of a second
      assert.ok((starts.get(server)?.get(begun) ?? 0) <= -400);
      assert.equal(record.save(new Map(), 0), undefined);
      assert.equal(record.load(0).starts.size, 0);
    });

    test('a batch of thousands is answered one by one', async () => {
      const servers = Array.from({ length: 2000 }, (_, i) => virtualServer({ port: 10_000 + i }));
      const adds = servers.map((server): Op => ({ op: 'vs.add', server }));
      const results = await run(...adds, ...adds.slice(0, 1));
      const allOk = servers.map(() => 'ok');
      assert.deepEqual(results.slice(0, -1), allOk);
      assert.equal(results.at(-1), 'EEXIST');
      assert.equal((await virtualServers()).size, 2000);
      const deletes = servers.map((server): Op => ({ op: 'vs.del', server }));
      assert.deepEqual(await run(...deletes), allOk);
    });
  });
}
