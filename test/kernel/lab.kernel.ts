// The lab itself: its network forwards by NAT, DR and TUN with rules that ipvsadm wrote, in both families.
// What the other kernel tests stand on; if this fails, look here first.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import {
  SELF,
  type Topology,
  addVipsToBackends,
  buildTopology,
  countAnswers,
  ip,
  openTunnels,
  run,
  startServers,
} from '../lab/topology.ts';

const VIPS = { v4: '10.0.0.100', v6: 'fd00::100' };
const FORWARDING = { nat: '-m', dr: '-g', tun: '-i' };

let lab: Topology;

before(async () => {
  lab = await buildTopology();
  await startServers(lab.backends);
  await ip(SELF, [
    `address add ${VIPS.v4}/32 dev eth0`,
    // not preferred: the kernel must not take the VIP as the source of its tunnels
    `address add ${VIPS.v6}/128 dev eth0 nodad preferred_lft 0`,
  ]);
});

async function forward(flag: string): Promise<void> {
  const rules = ['t', 'u', '-sctp-service'].flatMap((protocol) =>
    (['v4', 'v6'] as const).flatMap((family) => {
      const bracket = (text: string): string => (family === 'v6' ? `[${text}]` : text);
      const key = `-${protocol} ${bracket(VIPS[family])}:80`;
      return [
        `-A ${key} -s rr`,
        ...lab.backends.map((node) => `-a ${key} -r ${bracket(node[family])}:80 ${flag}`),
      ];
    }),
  );
  await run(SELF, ['ipvsadm', '-C']);
  await run(SELF, ['ipvsadm', '-R'], { input: `${rules.join('\n')}\n` });
}

for (const [name, flag] of Object.entries(FORWARDING)) {
  test(`${name} reaches every backend over TCP, UDP and SCTP, IPv4 and IPv6`, async () => {
    if (name === 'dr') await addVipsToBackends(lab.backends, Object.values(VIPS));
    if (name === 'tun') await openTunnels(lab.backends);
    await forward(flag);
    for (const address of Object.values(VIPS)) {
      for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
        assert.deepEqual(
          await countAnswers('client', protocol, address, 80, 6),
          { be1: 2, be2: 2, be3: 2 },
          `${protocol} ${address}`,
        );
      }
    }
  });
}

test('a refused port is counted as an error', async () => {
  assert.deepEqual(await countAnswers('client', 'tcp', VIPS.v4, 9, 2), { errors: 2 });
});

test('a command that is not installed is an error, even where a command may fail', async () => {
  const missing = run('client', ['no-such-command'], { mayFail: true });
  await assert.rejects(missing, /exec of "no-such-command" failed/);
  assert.equal((await run('client', ['false'], { mayFail: true })).code, 1);
});
