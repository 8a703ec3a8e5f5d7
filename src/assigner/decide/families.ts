// Which address families a Service wants, and how badly. Pure.
// Fact (Kubernetes API defaulting): an API server always fills ipFamilies and clusterIPs; a manifest written by
// hand has neither, so there the request, then what the Pool has, decides.
import type { Service } from '../../api/kubernetes.ts';
import { familyOf, tryParseIp, type Family, type IpAddress } from '../../net/address.ts';

export interface WantedFamilies {
  /** The first is the primary one. */
  readonly families: readonly Family[];
  /** `one`: exactly one of families; `all`: one address each; `most`: as many as the Pool can give, at least one. */
  readonly mode: 'one' | 'all' | 'most';
}

const BOTH: readonly Family[] = [4, 6];

/** `known`: families of the addresses that are asked for or, without a request, held. */
export function wantedFamilies(service: Service, known: readonly Family[]): WantedFamilies {
  const policy = service.spec.ipFamilyPolicy;
  const named = namedFamilies(service);
  if (policy === 'RequireDualStack') return { families: withOther(named), mode: 'all' };
  if (policy === 'PreferDualStack') {
    // from an API server: a cluster with one family names one, and has no pods of the other
    const complete = service.spec.clusterIPs !== undefined && named.length > 0;
    return { families: complete ? named : withOther(named), mode: 'most' };
  }
  if (policy === undefined && named.length > 1) return { families: named, mode: 'all' };
  if (named.length > 0) return { families: named.slice(0, 1), mode: 'one' };
  if (known.length === 1) return { families: known, mode: 'one' };
  if (known.length > 1 && policy === undefined) return { families: BOTH, mode: 'all' };
  return { families: BOTH, mode: 'one' };
}

function namedFamilies(service: Service): readonly Family[] {
  const { ipFamilies, clusterIPs, clusterIP } = service.spec;
  if (ipFamilies !== undefined && ipFamilies.length > 0) {
    return unique(ipFamilies.map((family) => (family === 'IPv4' ? 4 : 6)));
  }
  const texts = clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP]);
  const addresses = texts.map(tryParseIp).filter((ip): ip is IpAddress => ip !== undefined);
  return unique(addresses.map(familyOf));
}

function withOther(named: readonly Family[]): readonly Family[] {
  return named[0] === 6 ? [6, 4] : BOTH;
}

function unique(families: readonly Family[]): readonly Family[] {
  return [...new Set(families)];
}
