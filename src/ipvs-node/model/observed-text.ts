// The text that `vipvs dump` prints, read back as an Observed: ipvsadm-save lines, `ip address add` lines, and the
// `sysctl -w` lines of `plan -o rules`. Text says nothing about ownership, so the caller does.
import { AddressError, bitsOf, familyOf, parseIp, type IpAddress } from '../../net/address.ts';
import { parseRules, type NumberedText } from '../../net/ipvsadm-parse.ts';
import type { RealServerKey, VirtualServerKey } from '../../net/ipvs.ts';
import { parseSysctlLine } from './format.ts';
import { bindingKey, type BindingKey, type ObservedAddress } from './owned.ts';
import {
  SYSCTLS,
  type Observed,
  type ObservedRealServer,
  type ObservedVirtualServer,
} from './state.ts';

export interface ParsedObserved {
  readonly observed: Observed;
  /** One message for each line that cannot be read. */
  readonly errors: readonly NumberedText[];
}

/** A kernel that holds nothing, with its settings as they are at boot. */
export const EMPTY_KERNEL: Observed = {
  virtualServers: new Map(),
  addresses: new Map(),
  firewall: 'absent',
  sysctls: new Map(SYSCTLS.map((key) => [key, 0])),
  owned: { virtualServers: new Set(), addresses: new Set() },
};

/** How an address of ours is told from one of the host that lies in a Pool. */
export interface AddressMarks {
  /** IFA_PROTO of ours, as `vipvs dump` prints it: `proto 76`. */
  readonly tag: number;
  /** Text of another origin, and kernels before 5.18, have no tags. */
  readonly isOurUntagged: (address: IpAddress, hasVirtualServer: boolean) => boolean;
}

/**
 * `isOurs`: whether vipvs would have made what stands on the address; of addresses `marks` say more. Connections are not in the text: none are assumed.
 * Sysctls that are not in the text are not known, so the plan leaves them alone.
 */
export function parseObserved(
  text: string,
  isOurs: (vip: IpAddress) => boolean,
  marks?: AddressMarks,
): ParsedObserved {
  const { rules, rest, errors } = parseRules(text);
  const virtualServers = new Map<VirtualServerKey, ObservedVirtualServer>();
  const owned = { virtualServers: new Set<VirtualServerKey>(), addresses: new Set<BindingKey>() };
  for (const [key, { server, realServers }] of rules) {
    const observed = new Map<RealServerKey, ObservedRealServer>();
    for (const [realKey, real] of realServers) {
      observed.set(realKey, { ...real, activeConnections: 0, inactiveConnections: 0 });
    }
    virtualServers.set(key, { server, realServers: observed });
    if (isOurs(server.vip)) owned.virtualServers.add(key);
  }
  const served = new Set([...rules.values()].map(({ server }) => server.vip));
  const addresses = new Map<IpAddress, ObservedAddress[]>();
  const sysctls = new Map<string, number>();
  const allErrors = [...errors];
  for (const { line, text: lineText } of rest) {
    const sysctl = parseSysctlLine(lineText);
    if (sysctl !== undefined) {
      sysctls.set(sysctl.key, sysctl.value);
      continue;
    }
    const read = parseAddressLine(lineText);
    if (typeof read === 'string') {
      allErrors.push({ line, text: read });
      continue;
    }
    const { address, interface: name, isSingle, tag } = read;
    const isMarked =
      tag === undefined
        ? (marks?.isOurUntagged(address, served.has(address)) ?? true)
        : tag === marks?.tag;
    const mark = isSingle ? 'plain' : 'network';
    addresses.set(address, [...(addresses.get(address) ?? []), { address, interface: name, mark }]);
    if (isSingle && isMarked && isOurs(address)) owned.addresses.add(bindingKey(address, name));
  }
  const observed = { virtualServers, addresses, firewall: 'absent' as const, sysctls, owned };
  return { observed, errors: allErrors.sort((a, b) => a.line - b.line) };
}

interface AddressLine {
  readonly address: IpAddress;
  readonly interface: string;
  /** A /32 or /128, which is how VIPs are bound. */
  readonly isSingle: boolean;
  /** IFA_PROTO, where the line has one. */
  readonly tag: number | undefined;
}

function parseAddressLine(text: string): AddressLine | string {
  const match =
    /^ip(?: -[46])? a(?:ddr(?:ess)?)? add ([^\s/]+)(?:\/(\d+))? dev (\S+)(?: .*)?$/.exec(text);
  const [, ip, prefix, name] = match ?? [];
  if (ip === undefined || name === undefined) {
    return 'not an ipvsadm rule, and not "ip address add ADDRESS/PREFIX dev INTERFACE" or "sysctl -w KEY=VALUE"';
  }
  try {
    const address = parseIp(ip);
    const bits = bitsOf(familyOf(address));
    const isSingle = prefix === undefined || Number(prefix) === bits;
    const [, tag] = / proto (0x[\da-f]+|\d+)(?= |$)/.exec(text) ?? [];
    return {
      address,
      interface: name,
      isSingle,
      tag: tag === undefined ? undefined : Number(tag),
    };
  } catch (error) {
    if (error instanceof AddressError) return error.message;
    throw error;
  }
}
