// The catalogue of machine reasons: every `reason` of a condition, an Event or a Problem is a key of it, and
// docs/reference/conditions.md (checked by a test) shows its text. A reason never changes its meaning.

export const REASONS = {
  // Service: condition vipvs.io/AddressAssigned
  Assigned: 'The Service has the addresses that it asks for.',
  AssignedOneFamily:
    'PreferDualStack, and no pool that it may use has the other family to give: it follows when there is one.',
  RequestNotGranted:
    'The Service keeps its address, which is still valid: what it asks for now cannot be granted. The message says why.',
  AddressOutsidePool:
    'No pool covers the address any more. It is kept; annotate the Pool with vipvs.io/allow-renumber=true to let it go.',
  PortConflict:
    'A port of the Service is taken on the shared address by another Service. The other ports are served.',
  AddressOfCluster:
    'The address is also a ClusterIP. It is in use, so it stays; no new one is given there.',
  AddressGivenUp:
    'The status showed an address that no usable pool holds, and the Service has no claim on it. The Event names it.',
  InvalidAnnotation:
    'An annotation or spec field cannot be read; the message says which, and what is allowed.',
  ConflictingRequest: 'Two annotations, or an annotation and spec.loadBalancerIP, disagree.',
  NoPool: 'No pool may give this Service an address; the message goes through them one by one.',
  PoolNotFound: 'The pool that the Service names does not exist.',
  PoolNotUsable: 'The pool is Failed, disabled, Terminating, empty, or not for this Service.',
  PoolExhausted: 'The pool has no free address of a family that the Service needs.',
  AddressNotInPool: 'The address that the Service names is in no pool that it may use.',
  AddressInUse: 'Another Service holds the address, and sharing is not agreed on both sides.',
  AddressReserved: 'The address is reserved for somebody else.',
  AddressHeld:
    'The address was released a moment ago and is kept back until the time that the message names.',
  LimitReached:
    'With one more address the namespace would have more than perNamespaceLimit allows.',
  NamespaceIgnored: 'The pool ignores the namespace of the Service (spec.ignoreNamespaces).',
  FamilyNotAvailable: 'RequireDualStack, or a family in ipFamilies, that the pool does not have.',
  SharingRefused:
    'The sharing key, the namespaces or the ports do not allow these Services to share the address.',
  NoPorts: 'The Service has no ports.',
  TooManyPorts: 'The Service has more ports than an IP object can name.',
  WriteRefused: 'The API server refuses what has to be written for the Service; it is tried again.',
  Released: 'The address was given back.',
  // Service: condition vipvs.io/Programmed
  Programmed: 'Every port has its virtual server in the kernel.',
  Announced:
    'A director bound the address and announced it; the Event names both. Said whenever another director takes over.',
  NoEndpoints: 'No endpoint is ready: clients get an immediate refusal.',
  InvalidEndpoint: 'An endpoint has an address that no packet can be sent to; it is left out.',
  PortsDiffer:
    'Direct routing and tunnels do not change the port: targetPort must be the port of the Service.',
  ForwardingNotPossible: 'The forwarding method cannot work on this node; the message says why.',
  RealServersUnchecked:
    'With dr and tunnel the nodes must have the VIP themselves; vipvs cannot see whether they do. See docs/forwarding.md.',
  SchedulerMissing: 'The kernel does not have the scheduler; it is tried again.',
  InterfaceMissing: 'The interface for the address is missing or down; it is tried again.',
  AddressOfHost:
    'The address is on an interface of this node and vipvs did not put it there. It is left alone.',
  ForeignVirtualServer:
    'Somebody else has a virtual server on this address and port, or (Director) inside a Pool. It is left alone.',
  TakenByKubeProxy:
    'kube-proxy on this node takes the address for itself: it is in spec.externalIPs of a Service, or in a status without ipMode Proxy. The message says whose.',
  KernelError: 'The kernel refused an operation; it is tried again.',
  InvalidSourceRange:
    'spec.loadBalancerSourceRanges has an entry that cannot be read: it lets nobody in, the others work.',
  // Pool
  Active: 'The pool hands out addresses.',
  InvalidPool: 'A field of the Pool is wrong; the pool is Failed, its addresses in use stay.',
  PoolOverlap:
    'Another, older pool has some of the addresses; this one is Failed, its addresses in use stay.',
  OverlapInPool: 'Two items of spec.addresses overlap; each address counts once.',
  HostBits:
    'A CIDR is written with an address inside of its network: the whole network counts, from its first address on.',
  NodeAddressInPool: 'The address of a node is inside the pool; it is left out.',
  ClusterRangeInPool:
    'The pool overlaps a Service CIDR or the pod CIDR of a node; that is left out.',
  ClusterIpInPool: 'A ClusterIP is inside the pool; it is left out.',
  EmptyPool: 'The pool has no address to hand out; the message says what leaves none.',
  AddressesOutsidePool: 'Addresses in use are no longer covered by the pool; they are kept.',
  Terminating: 'The Pool is being deleted and waits until its last address is released.',
  // IP
  InvalidIp: 'A field of the IP object is wrong, or its name is not its address.',
  AddressConflict: 'The address answers on the network, or two objects claim it.',
  // Director
  Starting: 'The first full round against the kernel is not done yet.',
  Running: 'The agent runs, and its kernel holds what the Services want as far as it can.',
  Stopped: 'The agent was stopped; the kernel goes on forwarding as it was.',
  PurgedByKubeProxy:
    'kube-proxy in mode ipvs deletes our virtual servers at every sync, because a Pool is not in its ipvs.excludeCIDRs; they are put back.',
  ServicesFailed: 'Some Services are not wholly in the kernel; status.failed lists them.',
  // Lease of the assigner, Director
  ListDoubted:
    'A list of the API server lacks very many objects that were there before: nothing is taken for deleted until a second list lacks them, too.',
  // any kind
  NoEffect:
    'Something in the object has no effect, such as a misspelt field or annotation; the message says which.',
  InvalidObject: 'The object cannot be read; the message says which field, and what is allowed.',
} as const;

export type Reason = keyof typeof REASONS;
