// This host as a Node object, so that Pools never give away an address that the host has itself. Pure.
import type { Node } from '../api/kubernetes.ts';
import type { IpAddress } from '../net/address.ts';

export function ownNode(name: string, addresses: readonly IpAddress[]): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}
