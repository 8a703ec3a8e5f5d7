// What the cluster itself uses of the address space: no new VIP may be there. Pure.
import { AddressError, orAddressError, tryParseIp, type IpAddress } from '../net/address.ts';
import { parseRange, type IpRange } from '../net/range.ts';
import type { Node, Service, ServiceCidr } from './kubernetes.ts';

export interface ClusterRange extends IpRange {
  /** `Service CIDR 10.96.0.0/12` */
  readonly what: string;
}

export function serviceCidrRanges({ metadata, spec }: ServiceCidr): readonly ClusterRange[] {
  const { name } = metadata;
  return spec.cidrs.map((text) => {
    return { ...parseRange(text), what: `Service CIDR ${text} (${name})` };
  });
}

export function podCidrRanges({ metadata, spec }: Node): readonly ClusterRange[] {
  const { name } = metadata;
  return (spec?.podCIDRs ?? []).flatMap((text) => {
    const range = orAddressError(() => parseRange(text));
    // the API server has checked it: what is no CIDR is none
    if (range instanceof AddressError) return [];
    return [{ ...range, what: `pod CIDR ${text} of node ${name}` }];
  });
}

/** The node's own addresses; host names stand in the same list. */
export function nodeIps({ status }: Node): readonly IpAddress[] {
  return ipsIn((status?.addresses ?? []).map(({ address }) => address));
}

/** The Service's ClusterIPs; a headless one has `None`. */
export function clusterIps({ spec }: Service): readonly IpAddress[] {
  const { clusterIP, clusterIPs } = spec;
  if (clusterIPs !== undefined) return ipsIn(clusterIPs);
  return clusterIP === undefined ? NO_IPS : ipsIn([clusterIP]);
}

const NO_IPS: readonly IpAddress[] = [];

function ipsIn(texts: readonly string[]): readonly IpAddress[] {
  return texts.map(tryParseIp).filter((ip) => ip !== undefined);
}
