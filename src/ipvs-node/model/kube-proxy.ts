// The kube-proxy beside the agent, as far as it concerns a director.
export const KUBE_PROXY_MODES = ['iptables', 'ipvs', 'nftables'] as const;
export type KubeProxyMode = (typeof KUBE_PROXY_MODES)[number];

/** The kube-proxy of a node, as it answers for itself. */
export interface KubeProxy {
  /** Undefined: it runs, and does not say how. */
  readonly mode: KubeProxyMode | undefined;
  /** CIDRs of --ipvs-exclude-cidrs; undefined: not told. */
  readonly excludeCidrs: readonly string[] | undefined;
  readonly strictArp: boolean | undefined;
}
