// What kube-proxy takes on every node that it runs on: spec.externalIPs of any Service, and addresses in the status of
// one whose ipMode is not Proxy. A VIP of ours among them cannot be served by IPVS there. Rules as in Kubernetes 1.36,
// pkg/proxy/serviceport.go and util/utils.go. Memory only.
// Invariant: `of` answers what adding every Service anew would give.
import type { KubeProxy, KubeProxyMode } from '../model/kube-proxy.ts';
import { namespacedName, SERVICE_PROXY_LABEL, type Service } from '../../api/kubernetes.ts';
import { Index } from '../../api/many-to-many.ts';
import { tryParseIp, type IpAddress } from '../../net/address.ts';
import type { Protocol } from '../../net/ipvs.ts';
import { mergeRanges, subtractRanges } from '../../net/range-set.ts';
import { formatRange, parseCidr, type IpRange } from '../../net/range.ts';
import type { ResolvedPools } from '../../api/pools.ts';

export interface KubeProxyClaim {
  /** `namespace/name` */
  readonly service: string;
  readonly field: 'spec.externalIPs' | 'status.loadBalancer.ingress without ipMode Proxy';
  readonly ports: readonly { readonly port: number; readonly protocol: Protocol }[];
}

const NOTHING: readonly never[] = [];

function claimsOnAddress(
  service: Service,
): readonly (readonly [IpAddress, KubeProxyClaim['field']])[] {
  const { spec, status, metadata } = service;
  const isSkipped =
    metadata.labels?.[SERVICE_PROXY_LABEL] !== undefined ||
    spec.clusterIP === 'None' ||
    spec.type === 'ExternalName';
  if (isSkipped) return NOTHING;
  const found: (readonly [IpAddress, KubeProxyClaim['field']])[] = [];
  for (const text of spec.externalIPs ?? NOTHING) {
    const address = tryParseIp(text);
    if (address !== undefined) found.push([address, 'spec.externalIPs']);
  }
  for (const { ip, ipMode = 'VIP' } of status?.loadBalancer?.ingress ?? NOTHING) {
    const address = ipMode === 'VIP' ? tryParseIp(ip ?? '') : undefined;
    if (address === undefined || found.some(([other]) => other === address)) continue;
    found.push([address, 'status.loadBalancer.ingress without ipMode Proxy']);
  }
  return found.length === 0 ? NOTHING : found;
}

/** Holds only Services that take something: few, in most clusters none. */
export class KubeProxyClaims {
  readonly #byAddress = new Index<IpAddress, KubeProxyClaim>();
  readonly #byService = new Map<string, ReadonlyMap<IpAddress, KubeProxyClaim>>();

  /** Answers the addresses for which something changed; `service` undefined: it is gone. */
  set(key: string, service: Service | undefined): readonly IpAddress[] {
    const before = this.#byService.get(key) ?? NO_CLAIMS;
    const ports = service?.spec.ports ?? NOTHING;
    const fields = service === undefined ? NOTHING : claimsOnAddress(service);
    if (before.size === 0 && fields.length === 0) return NOTHING;
    const after = new Map(
      fields.map(([address, field]) => [address, { service: key, field, ports }]),
    );
    for (const [address, claim] of before) this.#byAddress.delete(address, claim);
    for (const [address, claim] of after) this.#byAddress.add(address, claim);
    if (after.size === 0) this.#byService.delete(key);
    else this.#byService.set(key, after);
    return [...new Set([...before.keys(), ...after.keys()])];
  }

  /** By name of the Service. */
  of(address: IpAddress): readonly KubeProxyClaim[] {
    const claims = this.#byAddress.get(address);
    return claims.length < 2
      ? claims
      : [...claims].sort((a, b) => (a.service < b.service ? -1 : 1));
  }
}

const NO_CLAIMS: ReadonlyMap<IpAddress, KubeProxyClaim> = new Map();

/** For whom it is a problem that somebody takes the port. */
export function kubeProxyClaimProblem(
  { service, field }: KubeProxyClaim,
  own: Service,
  what: string,
  mode: KubeProxyMode | undefined,
): string {
  const whose =
    service === namespacedName(own.metadata)
      ? `the Service has it in ${field}`
      : `Service ${service} has it in ${field}`;
  const effect =
    mode === 'ipvs'
      ? 'makes virtual servers of its own for it, and vipvs leaves them alone'
      : 'forwards its packets before IPVS sees them';
  const modeText = mode === undefined ? '' : ` (mode ${mode})`;
  return `${what}: kube-proxy on this node${modeText} ${effect}, because ${whose}`;
}

/**
 * In mode ipvs kube-proxy deletes every virtual server that it does not know, at every sync, but for those in its
 * excludeCIDRs. Answers what of the Pools is not in there; undefined: nothing to say.
 */
export function purgeProblem(
  kubeProxy: KubeProxy | undefined,
  pools: ResolvedPools,
): string | undefined {
  if (kubeProxy?.mode !== 'ipvs') return undefined;
  const excluded = mergeRanges((kubeProxy.excludeCidrs ?? []).flatMap((text) => cidr(text)));
  const open = pools.owned
    .filter(({ owner }) => owner.pool.spec.driver === 'ipvs')
    .flatMap(({ owner, ...range }) =>
      subtractRanges(range, excluded).map((rest) => `${formatRange(rest)} of Pool ${owner.name}`),
    );
  const [first] = open;
  if (first === undefined) return undefined;
  const more = open.length === 1 ? '' : ` and ${open.length - 1} more`;
  const known =
    kubeProxy.excludeCidrs === undefined
      ? 'whether they are in its ipvs.excludeCIDRs can not be read'
      : `add them to its ipvs.excludeCIDRs`;
  return (
    `kube-proxy runs here in mode ipvs and deletes virtual servers that it does not know at every sync ` +
    `(vipvs puts them back within two seconds): ${first}${more}: ${known}`
  );
}

function cidr(text: string): readonly IpRange[] {
  try {
    return [parseCidr(text)];
  } catch {
    return []; // kube-proxy has taken it: it can only be one that excludes nothing for us
  }
}
