// `vipvs dump`: what the kernel holds, ours or not, in the lines that an operator would type. Reads only, and works
// beside a running vipvs; `vipvs plan --observed` takes the text back.
import { observedVirtualServers } from '../ipvs-node/kernel/ipvs/observed.ts';
import { isOurKindOfKey } from '../ipvs-node/kernel/ipvs/observed.ts';
import { IpvsSocket } from '../ipvs-node/kernel/ipvs/socket.ts';
import { ADDRESS_TAG } from '../ipvs-node/kernel/addresses/rtnetlink-codec.ts';
import { RtNetlink } from '../ipvs-node/kernel/addresses/rtnetlink.ts';
import { compareIp } from '../net/address.ts';
import { formatRules } from '../net/ipvsadm.ts';
import { OperationalError } from '../runtime/errors.ts';
import { defineCommand, EXIT_FAILED, EXIT_OK } from './command.ts';

/** A dump that others change meanwhile is torn and read again. */
const ATTEMPTS = 5;

export const dumpCommand = defineCommand({
  summary: 'print what the kernel holds, in ipvsadm-save and ip syntax',
  details:
    'Prints every virtual server and every address, not only those of vipvs, whose addresses say proto 76. Needs root\n(CAP_NET_ADMIN).',
  flags: {},
  run: async (io) => {
    try {
      const { rules, unprintable } = await readRules();
      io.stdout(rules);
      io.stdout(await readAddresses());
      if (unprintable > 0) {
        io.stderr(
          `vipvs: left out ${unprintable} virtual servers by firewall mark or without a port\n`,
        );
      }
      return EXIT_OK;
    } catch (error) {
      if (!(error instanceof OperationalError)) throw error;
      io.stderr(`vipvs: ${error.message}\n`);
      return EXIT_FAILED;
    }
  },
});

async function readRules(): Promise<{ readonly rules: string; readonly unprintable: number }> {
  const ipvs = IpvsSocket.open();
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const services = await ipvs.dumpServices();
      const printable = services.entries.filter(({ key }) => isOurKindOfKey(key));
      const dests = await ipvs.dumpDests(printable.map(({ key }) => key));
      const observed = observedVirtualServers(printable, dests.entries);
      if (!services.complete || observed === undefined) continue;
      const rules = formatRules(
        [...observed.values()].map(({ server, realServers }) => ({
          server,
          realServers: [...realServers.values()],
        })),
      );
      return { rules, unprintable: services.entries.length - printable.length };
    }
  } finally {
    await ipvs.close();
  }
  throw new OperationalError(
    'kernel-failed',
    `the virtual servers changed during each of ${ATTEMPTS} readings; try again`,
  );
}

async function readAddresses(): Promise<string> {
  const route = new RtNetlink();
  try {
    const names = new Map((await route.links()).map(({ ifindex, name }) => [ifindex, name]));
    const addresses = [...(await route.addresses())].sort(
      (a, b) => compareIp(a.ip, b.ip) || a.ifindex - b.ifindex,
    );
    return addresses
      .map(({ ip, prefixLength, ifindex, protocol }) => {
        const name = names.get(ifindex) ?? `if${ifindex}`;
        const tag = protocol === ADDRESS_TAG ? ` proto ${protocol}` : '';
        return `ip address add ${ip}/${prefixLength} dev ${name}${tag}\n`;
      })
      .join('');
  } finally {
    route.close();
  }
}
