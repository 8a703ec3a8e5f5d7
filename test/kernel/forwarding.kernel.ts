// Real packets through rules that the product's own adapter wrote: NAT without masquerade, direct routing and tunnels,
// TCP, UDP and SCTP, IPv4 and IPv6. The nft table is in place all the time: it must not hinder any of them.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { cleanUp } from '../../src/ipvs-node/host/cleanup.ts';
import { LinuxKernel } from '../../src/ipvs-node/kernel/linux.ts';
import type { Op } from '../../src/ipvs-node/model/kernel.ts';
import { parseIp } from '../../src/net/address.ts';
import type { Method, Tunnel } from '../../src/net/ipvs.ts';
import { addElement } from '../contract/firewall-op.ts';
import {
  addVipsToBackends,
  buildTopology,
  countAnswers,
  openTunnels,
  start,
  startServers,
  stop,
  type Topology,
} from '../lab/topology.ts';
import { until } from './adapter-lab.ts';
import { PROTOCOLS, RUN, VIPS, bindAll, mustRun, opsFor, raiseSettings } from './forwarding-lab.ts';

let lab: Topology;
let kernel: LinuxKernel;

before(async () => {
  lab = await buildTopology({ repliesVia: 'director' });
  await startServers(lab.backends);
  kernel = await LinuxKernel.open({ runDirectory: RUN });
});

afterEach(async () => {
  await kernel.close();
  await cleanUp({ runDirectory: RUN, dryRun: false });
  kernel = await LinuxKernel.open({ runDirectory: RUN });
});

after(async () => {
  await kernel.close();
});

async function forward(method: Method, tunnel?: Tunnel): Promise<void> {
  const rules = VIPS.flatMap((vip) =>
    PROTOCOLS.flatMap((protocol) =>
      opsFor({ vip, protocol, method, ...(tunnel === undefined ? {} : { tunnel }) }, lab.backends),
    ),
  );
  await mustRun(kernel, [
    ...raiseSettings(),
    // the backends are this node's own: their replies come back through it, the client's address stays
    ...lab.backends.flatMap((node): readonly Op[] => [
      addElement('local4', parseIp(node.v4)),
      addElement('local6', parseIp(node.v6)),
    ]),
    ...rules,
    ...bindAll(VIPS),
  ]);
}

async function assertSpread(address: string, only = PROTOCOLS): Promise<void> {
  for (const protocol of only) {
    const lower = protocol.toLowerCase() as Lowercase<typeof protocol>;
    assert.deepEqual(
      await countAnswers('client', lower, address, 80, 6),
      { be1: 2, be2: 2, be3: 2 },
      `${protocol} ${address}`,
    );
  }
}

test('neighbours hear of a new VIP three times within two seconds', async () => {
  const [vip, vip6] = VIPS;
  const filter = `(arp and host ${vip}) or (icmp6 and ip6[40] = 136 and dst host ff02::1)`;
  const listener = start('be1', ['tcpdump', '-lnni', 'eth0', filter]);
  try {
    let heard = '';
    listener.stdout?.setEncoding('utf8').on('data', (text: string) => (heard += text));
    let ready = '';
    listener.stderr?.setEncoding('utf8').on('data', (text: string) => (ready += text));
    await until('tcpdump listens', () => ready.includes('listening'));
    await mustRun(kernel, bindAll(VIPS));
    const count = (pattern: RegExp): number => heard.match(pattern)?.length ?? 0;
    const requests = new RegExp(`ARP, Request who-has ${vip}.* tell ${vip}`, 'g');
    const replies = new RegExp(`ARP, Reply ${vip} is-at`, 'g');
    const advertisements = new RegExp(`neighbor advertisement, tgt is ${vip6}`, 'g');
    await until('three of each', () =>
      [requests, replies, advertisements].every((pattern) => count(pattern) >= 3),
    );
  } finally {
    await stop(listener);
  }
});

test('masquerade method, real servers of this node', async () => {
  await forward('masquerade');
  for (const vip of VIPS) await assertSpread(vip);
});

test('direct routing: replies go past the director', async () => {
  await addVipsToBackends(lab.backends, VIPS);
  await forward('direct');
  for (const vip of VIPS) await assertSpread(vip);
});

test('tunnels: ipip', async () => {
  await openTunnels(lab.backends);
  await forward('tunnel');
  for (const vip of VIPS) await assertSpread(vip);
});

test('tunnels: gue and gre', async () => {
  const [vip] = VIPS;
  await forward('tunnel', { type: 'gue', port: 6080, checksum: 'none' });
  await assertSpread(vip);
  const server = { vip, port: 80, protocol: 'TCP' as const };
  await mustRun(
    kernel,
    lab.backends.map((node) => ({
      op: 'rs.set',
      server,
      real: {
        address: node.v4 as typeof vip,
        port: 80,
        method: 'tunnel',
        weight: 1,
        tunnel: { type: 'gre', checksum: 'none' },
      },
    })),
  );
  assert.deepEqual(await countAnswers('client', 'tcp', vip, 80, 6), { be1: 2, be2: 2, be3: 2 });
});
