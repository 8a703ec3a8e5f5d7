// Both sides of a plan as text, in the language of ipvsadm and ip, so that tests read as an operator would.
import {
  elementKey,
  FIREWALL_SETS,
  type FirewallElement,
  type FirewallSet,
  type FirewallState,
} from '../../../src/ipvs-node/model/firewall.ts';
import { formatOp } from '../../../src/ipvs-node/model/format.ts';
import { isFirewallOp, type Op } from '../../../src/ipvs-node/model/kernel.ts';
import { parseObserved } from '../../../src/ipvs-node/model/observed-text.ts';
import {
  type DesiredVirtualServer,
  type NodeState,
  type Observed,
  type SysctlKey,
} from '../../../src/ipvs-node/model/state.ts';
import type { IpAddress } from '../../../src/net/address.ts';
import type { RealServerKey, VirtualServerKey } from '../../../src/net/ipvs.ts';

type Elements = Partial<Record<FirewallSet, readonly FirewallElement[]>>;

export interface SideExtras {
  readonly firewall?: Elements | 'absent' | 'unread';
  readonly sysctls?: Partial<Record<SysctlKey, number>>;
}

function setsOf(elements: Elements): FirewallState['sets'] {
  return new Map(
    FIREWALL_SETS.map((set) => [
      set,
      new Map((elements[set] ?? []).map((each) => [elementKey(each), each])),
    ]),
  );
}

export function firewallOf(elements: Elements): FirewallState {
  return { sets: setsOf(elements) };
}

/** `fw.add ports4 192.0.2.10:80/TCP`; of all else the line that an operator would type. */
export function opText(op: Op): string {
  return isFirewallOp(op) ? `${op.op} ${op.set} ${op.key}` : formatOp(op);
}

const ORDINARY = (): boolean => true;

/** What a node should hold, each virtual server from a Service of its own, with this drain time. */
export function desiredOf(
  lines: readonly string[],
  drainSeconds = 60,
  extras: Pick<SideExtras, 'sysctls'> & { readonly firewall?: Elements } = {},
): NodeState {
  const { observed, errors } = parseObserved(lines.join('\n'), ORDINARY);
  if (errors[0] !== undefined) throw new Error(errors[0].text);
  const virtualServers = new Map<VirtualServerKey, DesiredVirtualServer>();
  for (const [key, { server, realServers }] of observed.virtualServers ?? []) {
    const reals = [...realServers].map(([realKey, { address, port, method, weight, tunnel }]) => {
      const real = { address, port, method, weight, ...(tunnel && { tunnel }) };
      return [realKey, real] as const;
    });
    const service = `default/${key}`;
    virtualServers.set(key, { server, realServers: new Map(reals), drainSeconds, service });
  }
  const addresses = new Map(
    [...(observed.addresses?.values() ?? [])].flat().map((each) => {
      const keys = [...virtualServers].filter(([, { server }]) => server.vip === each.address);
      const { address, interface: name } = each;
      const behind = keys.map(([key]) => key);
      return [address, { address, interface: name, virtualServers: behind }] as const;
    }),
  );
  const sysctls = Object.entries(extras.sysctls ?? {}) as readonly (readonly [SysctlKey, number])[];
  return {
    virtualServers,
    addresses,
    firewall: { sets: setsOf(extras.firewall ?? {}) },
    sysctls: new Map(sysctls),
  };
}

/** What a kernel holds. `isOurs`: whose it is, by VIP. */
export function observedOf(
  lines: readonly string[],
  isOurs: (vip: IpAddress) => boolean = ORDINARY,
  extras: SideExtras = {},
): Observed {
  const { observed, errors } = parseObserved(lines.join('\n'), isOurs);
  if (errors[0] !== undefined) throw new Error(errors[0].text);
  const { firewall = 'absent' } = extras;
  return {
    ...observed,
    firewall:
      firewall === 'unread'
        ? undefined
        : firewall === 'absent'
          ? firewall
          : { sets: setsOf(firewall) },
    sysctls: new Map(Object.entries(extras.sysctls ?? {})),
  };
}

/** The same with so many active connections at one real server. */
export function withConnections(
  observed: Observed,
  server: string,
  real: string,
  activeConnections: number,
): Observed {
  const virtualServers = new Map(observed.virtualServers);
  for (const [key, entry] of virtualServers) {
    if (key !== server) continue;
    const realServers = new Map(
      [...entry.realServers].map(([realKey, each]): [RealServerKey, typeof each] =>
        realKey === real ? [realKey, { ...each, activeConnections }] : [realKey, each],
      ),
    );
    virtualServers.set(key, { server: entry.server, realServers });
  }
  return { ...observed, virtualServers };
}
