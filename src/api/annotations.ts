// Annotations of Services: our own keys, and the same keys of other load balancers read as aliases.
// Facts about the aliases: docs/reference/annotations.md.

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
/** On an EndpointSlice: weight of its endpoints, 1 to 65535; 1 when absent. */
export const WEIGHT = 'vipvs.io/weight';
