// This host as a Node object, so that Pools never give away an address that the host has itself. Pure.
import type { Node } from '../api/kubernetes.ts';
import type { Observed } from '../ipvs-node/model/state.ts';
import { compareIp, type IpAddress } from '../net/address.ts';

/** The addresses on this host that vipvs did not put there; undefined while they are not known. */
export function hostAddresses(addresses: Observed['addresses']): readonly IpAddress[] | undefined {
  if (addresses === undefined) return undefined;
  const found: IpAddress[] = [];
  for (const [address, places] of addresses) {
    if (!places.some(({ ours }) => ours)) found.push(address);
  }
  return found.sort(compareIp);
}

export function ownNode(name: string, addresses: readonly IpAddress[]): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}
