// The nft table at work: masquerade for real servers whose replies do not come back through the director, source ranges,
// closed ports of a VIP, ICMP. The director itself runs a server on every address: it must not answer on a VIP.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';

import { cleanUp } from '../../src/ipvs-node/host/cleanup.ts';
import { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import { familyOf, type IpAddress } from '../../src/net/address.ts';
import {
  SELF,
  buildTopology,
  countAnswers,
  ip,
  run,
  startServers,
  stop,
  type Answers,
  type Topology,
} from '../lab/topology.ts';
import { PROTOCOLS, RUN, VIPS, bindAll, mustRun, opsFor, raiseSettings } from './forwarding-lab.ts';
import { SETS_OF } from '../../src/ipvs-node/model/firewall.ts';
import { parseRange } from '../../src/net/range.ts';
import { addElement, deleteElement } from '../contract/firewall-op.ts';

const OTHER_SOURCE = { 4: '10.9.0.77', 6: 'fd09::77' } as const;
const LAN = parseRange('10.0.0.0/24');
let lab: Topology;
let kernel: LinuxKernel;
let host: readonly ChildProcess[];

before(async () => {
  lab = await buildTopology({ repliesVia: 'router' });
  await startServers(lab.backends);
  host = await startServers([{ name: SELF, v4: '10.0.0.11', v6: 'fd00::11' }], [80, 2222]);
  await ip('client', [
    `address add ${OTHER_SOURCE[4]}/24 dev eth0`,
    `address add ${OTHER_SOURCE[6]}/64 dev eth0 nodad preferred_lft 0`,
  ]);
  kernel = await LinuxKernel.open({ runDirectory: RUN });
});

afterEach(async () => {
  await kernel.close();
  await cleanUp({ runDirectory: RUN, dryRun: false });
  kernel = await LinuxKernel.open({ runDirectory: RUN });
});

after(async () => {
  for (const child of host) await stop(child);
  await kernel.close();
});

async function forwardAll(): Promise<void> {
  const rules = VIPS.flatMap((vip) =>
    PROTOCOLS.flatMap((protocol) => opsFor({ vip, protocol, method: 'masquerade' }, lab.backends)),
  );
  await mustRun(kernel, [...raiseSettings(), ...rules, ...bindAll(VIPS)]);
}

const EVENLY: Answers = { be1: 1, be2: 1, be3: 1 };

test('masquerade brings replies back that would go another way', async () => {
  await forwardAll();
  for (const vip of VIPS) {
    for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
      assert.deepEqual(
        await countAnswers('client', protocol, vip, 80, 3),
        EVENLY,
        `${protocol} ${vip}`,
      );
    }
  }
});

test('without masquerade they do not come back', async () => {
  await forwardAll();
  await mustRun(kernel, [addElement('local4', LAN)]);
  assert.deepEqual(await countAnswers('client', 'tcp', VIPS[0], 80, 1), { errors: 1 });
  await mustRun(kernel, [deleteElement('local4', LAN)]);
  assert.deepEqual(await countAnswers('client', 'tcp', VIPS[0], 80, 3), EVENLY);
});

test('a port of a VIP that is no Service refuses, though the host listens there', async () => {
  await forwardAll();
  for (const vip of VIPS) {
    const own = familyOf(vip) === 4 ? '10.0.0.11' : 'fd00::11';
    assert.deepEqual(await countAnswers('client', 'tcp', own, 2222, 1), { self: 1 });
    for (const protocol of ['tcp', 'udp'] as const) {
      assert.deepEqual(await countAnswers('client', protocol, vip, 2222, 1), { errors: 1 });
    }
    // refused, not dropped: the client does not have to wait for its timeout
    const connect = ['timeout', '10', 'bash', '-c', `exec 3<>/dev/tcp/${vip}/2222`];
    const { stderr } = await run('client', connect, { mayFail: true });
    assert.match(stderr, /Connection refused/);
  }
});

test('a VIP answers ping', async () => {
  await forwardAll();
  for (const vip of VIPS) await run('client', ['ping', '-c', '1', '-W', '2', vip]);
});

test('source ranges let in whom they name, and nobody else', async () => {
  await forwardAll();
  for (const vip of VIPS) {
    const family = familyOf(vip);
    const key = { vip, protocol: 'TCP' as const, port: 80 };
    const source = parseRange(OTHER_SOURCE[family]);
    await mustRun(kernel, [
      addElement(SETS_OF[family].sources, { port: key, source }),
      addElement(SETS_OF[family].ranged, key),
    ]);
    const ask = (source?: string): Promise<Answers> =>
      countAnswers('client', 'tcp', vip, 80, source === undefined ? 1 : 3, source);
    assert.deepEqual(await ask(OTHER_SOURCE[family]), EVENLY, `${vip} from inside`);
    assert.deepEqual(await ask(), { errors: 1 }, `${vip} from outside`);
    assert.deepEqual(await countAnswers('client', 'udp', vip, 80, 3), EVENLY, 'other ports: open');
    await widen(vip);
    assert.deepEqual(await countAnswers('client', 'tcp', vip, 80, 3), EVENLY, 'a wider range');
  }
});

async function widen(vip: IpAddress): Promise<void> {
  const key = { vip, protocol: 'TCP' as const, port: 80 };
  const family = familyOf(vip);
  const source = parseRange(family === 4 ? '10.0.0.0/8' : 'fd09::/64');
  await mustRun(kernel, [addElement(SETS_OF[family].sources, { port: key, source })]);
}
