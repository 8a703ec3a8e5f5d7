// This host as a Node object, so that Pools never give away an address that the host has itself. Pure.
import { compareIp, tryParseIp, type IpAddress } from '../net/address.ts';
import type { Node } from '../api/kubernetes.ts';

/** node:os networkInterfaces(), as much of it as is used. */
export type Interfaces = Readonly<
  Record<string, readonly { readonly address: string; readonly internal: boolean }[] | undefined>
>;

/** `vips`: addresses that are on the interfaces because we put them there. */
export function ownAddresses(
  interfaces: Interfaces,
  vips: { has(address: IpAddress): boolean },
): readonly IpAddress[] {
  const found = new Set<IpAddress>();
  for (const addresses of Object.values(interfaces)) {
    for (const { address } of addresses ?? []) {
      const ip = tryParseIp(address.replace(/%.*$/, '')); // link-local addresses come with a zone
      if (ip !== undefined && !vips.has(ip)) found.add(ip);
    }
  }
  return [...found].sort(compareIp);
}

export function ownNode(name: string, addresses: readonly IpAddress[]): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}
