// The nft table at work: masquerade for real servers whose replies do not come back through the director, source ranges,
// closed ports of a VIP, ICMP. The director itself runs a server on every address: it must not answer on a VIP.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';

import { cleanUp } from '../../src/ipvs-node/host/cleanup.ts';
import { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import { familyOf, type IpAddress } from '../../src/net/address.ts';
import {
  SELF,
  buildTopology,
  clientCommand,
  clientWords,
  countAnswers,
  ip,
  run,
  start,
  startServers,
  stop,
  type Answers,
  type Topology,
} from '../lab/topology.ts';
import { PROTOCOLS, RUN, VIPS, bindAll, mustRun, opsFor, raiseSettings } from './forwarding-lab.ts';
import { SETS_OF, type FirewallElement } from '../../src/ipvs-node/model/firewall.ts';
import { parseRange } from '../../src/net/range.ts';
import { addElement, deleteElement } from '../contract/firewall-op.ts';

const CLIENT = { 4: '10.9.0.2', 6: 'fd09::2' } as const;
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

/** A TCP connection from the client that is used all the time; `open` when the first answer came. */
function stream(source: string, vip: IpAddress, seconds: number) {
  const child = start('client', clientCommand('-s', source, 'stream', vip, 80, seconds, 50));
  const first = Promise.withResolvers<undefined>();
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    first.resolve(undefined);
  });
  const end = once(child, 'close').then(() => clientWords(text)['end'] ?? text);
  return { open: first.promise, end };
}

test('a source range that is taken away ends the connections from it, and no others', async () => {
  await forwardAll();
  const sourcesOf = (vip: IpAddress): readonly FirewallElement[] => {
    const port = { vip, protocol: 'TCP' as const, port: 80 };
    const family = familyOf(vip);
    const texts = [OTHER_SOURCE[family], CLIENT[family]];
    return texts.map((text) => ({ port, source: parseRange(text) }));
  };
  await mustRun(
    kernel,
    VIPS.flatMap((vip) => {
      const { sources, ranged } = SETS_OF[familyOf(vip)];
      const listed = sourcesOf(vip).map((source) => addElement(sources, source));
      return [...listed, addElement(ranged, { vip, protocol: 'TCP', port: 80 })];
    }),
  );
  const streams = VIPS.map((vip) => ({
    taken: stream(OTHER_SOURCE[familyOf(vip)], vip, 12),
    kept: stream(CLIENT[familyOf(vip)], vip, 12),
  }));
  for (const { taken, kept } of streams) await Promise.all([taken.open, kept.open]);
  await mustRun(
    kernel,
    VIPS.flatMap((vip) => {
      const [first = assert.fail()] = sourcesOf(vip);
      return [deleteElement(SETS_OF[familyOf(vip)].sources, first)];
    }),
  );
  for (const [i, { taken, kept }] of streams.entries()) {
    assert.deepEqual([await taken.end, await kept.end], ['stalled', 'ok'], VIPS[i]);
  }
});

test('a port that gets source ranges ends the connections of all others', async () => {
  await forwardAll();
  const [vip] = VIPS;
  const [first, second] = [stream(OTHER_SOURCE[4], vip, 8), stream(CLIENT[4], vip, 8)];
  await Promise.all([first.open, second.open]);
  const port = { vip, protocol: 'TCP' as const, port: 80 };
  await mustRun(kernel, [
    addElement('sources4', { port, source: parseRange(CLIENT[4]) }),
    addElement('ranged4', port),
  ]);
  assert.deepEqual([await first.end, await second.end], ['stalled', 'ok']);
});

async function widen(vip: IpAddress): Promise<void> {
  const key = { vip, protocol: 'TCP' as const, port: 80 };
  const family = familyOf(vip);
  const source = parseRange(family === 4 ? '10.0.0.0/8' : 'fd09::/64');
  await mustRun(kernel, [addElement(SETS_OF[family].sources, { port: key, source })]);
}
