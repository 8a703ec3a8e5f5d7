// Annotations of Services: our own keys, and the same keys of other load balancers read as aliases, so that
// manifests move here unchanged. Nothing is ever written under somebody else's key.
// The pages of the aliases are listed in docs/reference/annotations.md, which a test checks against this file.

export const ANNOTATIONS = {
  pool: 'vipvs.io/pool',
  addresses: 'vipvs.io/addresses',
  sharingKey: 'vipvs.io/sharing-key',
  sharingNamespaces: 'vipvs.io/sharing-namespaces',
  scheduler: 'vipvs.io/scheduler',
  forwarding: 'vipvs.io/forwarding',
  persistenceSeconds: 'vipvs.io/persistence-seconds',
  drainSeconds: 'vipvs.io/drain-seconds',
} as const;

/** On a Pool: addresses that it no longer covers may be taken away from their Services. */
export const ALLOW_RENUMBER = 'vipvs.io/allow-renumber';
/** On a Pool: it may hand out the addresses of nodes, as a cluster of one node wants it. */
export const ALLOW_NODE_ADDRESS = 'vipvs.io/allow-node-address';
/** On an EndpointSlice: weight of its endpoints, 1 to 65535; 1 when absent. */
export const WEIGHT = 'vipvs.io/weight';

/** On an IP without holder: `namespace/name` of the Service that held it last and gets it back if it returns. */
export const LAST_SERVICE = 'vipvs.io/last-service';
/**
 * Beside it: when the address is free again. It is written with the release and never moved, so that a hold can neither
 * get lost while a node has the address nor begin a second time.
 */
export const HELD_UNTIL = 'vipvs.io/held-until';

/** What a Service says about its traffic, for the nodes. */
export const TRAFFIC_KEYS: readonly string[] = [
  ANNOTATIONS.scheduler,
  ANNOTATIONS.forwarding,
  ANNOTATIONS.persistenceSeconds,
  ANNOTATIONS.drainSeconds,
];

/** The keys of each part of a request, ours first; all of them must agree. */
export const REQUEST_KEYS = {
  pool: [
    ANNOTATIONS.pool,
    'metallb.io/address-pool',
    'metallb.universe.tf/address-pool',
    'purelb.io/service-group',
  ],
  addresses: [
    ANNOTATIONS.addresses,
    'metallb.io/loadBalancerIPs',
    'metallb.universe.tf/loadBalancerIPs',
    'kube-vip.io/loadbalancerIPs',
    'lbipam.cilium.io/ips',
    'io.cilium/lb-ipam-ips',
    'purelb.io/addresses',
  ],
  sharingKey: [
    ANNOTATIONS.sharingKey,
    'metallb.io/allow-shared-ip',
    'metallb.universe.tf/allow-shared-ip',
    'lbipam.cilium.io/sharing-key',
    'io.cilium/lb-ipam-sharing-key',
    'purelb.io/allow-shared-ip',
  ],
  sharingNamespaces: [
    ANNOTATIONS.sharingNamespaces,
    'lbipam.cilium.io/sharing-cross-namespace',
    'io.cilium/lb-ipam-sharing-cross-namespace',
  ],
} as const;

const ON_SERVICE: readonly string[] = [
  ...new Set([...Object.values(ANNOTATIONS), ...Object.values(REQUEST_KEYS).flat()]),
];
/** The keys that mean something on a kind that people annotate; what is on others, vipvs wrote. */
export const KEYS_OF_KIND: Readonly<Record<string, readonly string[]>> = {
  Service: ON_SERVICE,
  EndpointSlice: [WEIGHT],
  Pool: [ALLOW_RENUMBER, ALLOW_NODE_ADDRESS],
};
