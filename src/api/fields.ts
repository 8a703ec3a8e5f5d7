// Which fields of each kind vipvs reads, and who reads them: the one place that says so. From it come the protobuf reader
// (kube/list-message.ts) and what is kept of objects (`keeperOf`); the schemas, the projections written out for speed and
// what the decisions look at are checked against it in the unit tier, the numbers on a real API server in the cluster tier.
// A field that nobody reads is here because the schemas keep it: `vipvs simulate` prints what it was given.
// Pools and Directors are few, and read whole. apiVersion and kind belong to every object, and to no row.
// Numbers: generated.proto of k8s.io/api core/v1 and discovery/v1 and of apimachinery meta/v1 (ServiceCIDR: networking/v1); they never change.
import { HELD_UNTIL, LAST_SERVICE, REQUEST_KEYS, TRAFFIC_KEYS, WEIGHT } from './annotations.ts';
import { SERVICE_NAME_LABEL, SERVICE_PROXY_LABEL } from './kubernetes.ts';

/** `watch`: the reflector, which tells one object of a kind from another (kube/resource.ts identityOf). */
export type Reader = 'watch' | 'assigner' | 'node';

export type ValueType =
  /** `omitempty` in Go: empty is not there. */
  | 'text'
  /** A pointer in Go: there may be an empty one. */
  | 'optional-text'
  | 'number'
  | 'boolean'
  /** meta/v1 Time, as RFC 3339 text */
  | 'time'
  /** util/intstr IntOrString */
  | 'number-or-text';

interface Row {
  /** In protobuf; 0 in a custom resource, which has no such form. */
  readonly number: number;
}
export interface ValueRow extends Row {
  readonly type: ValueType;
  readonly isList: boolean;
  readonly readers: readonly Reader[];
}
/** A map of texts. */
export interface MapRow extends Row {
  /** Which of its keys somebody reads. */
  readonly keys: Readonly<Partial<Record<Reader, (key: string) => boolean>>>;
}
/** An object with fields of its own. */
export interface PartRow extends Row {
  readonly fields: Fields;
  readonly isList: boolean;
}
export type FieldRow = ValueRow | MapRow | PartRow;
export type Fields = Readonly<Record<string, FieldRow>>;

const value =
  (type: ValueType, isList = false) =>
  (number: number, ...readers: readonly Reader[]): ValueRow => ({ number, type, isList, readers });
const text = value('text');
const optionalText = value('optional-text');
const texts = value('text', true);
const number = value('number');
const boolean = value('boolean');
const time = value('time');
const numberOrText = value('number-or-text');
const part = (at: number, fields: Fields): PartRow => ({ number: at, fields, isList: false });
const parts = (at: number, fields: Fields): PartRow => ({ number: at, fields, isList: true });
const map = (at: number, keys: MapRow['keys'] = {}): MapRow => ({ number: at, keys });

const everyKey = (): boolean => true;
const oneOf = (keys: readonly string[]): ((key: string) => boolean) => {
  const known = new Set(keys);
  return (key) => known.has(key);
};

interface MetaReaders {
  readonly namespace?: readonly Reader[];
  readonly uid?: readonly Reader[];
  readonly resourceVersion?: readonly Reader[];
  readonly creationTimestamp?: readonly Reader[];
  readonly deletionTimestamp?: readonly Reader[];
}

/** Whoever keeps an object keeps its name; the readers of the rest are named. */
function metadata(
  readers: MetaReaders,
  labels: MapRow['keys'] = {},
  annotations: MapRow['keys'] = {},
): PartRow {
  const { namespace = [], uid = [], resourceVersion = [] } = readers;
  const { creationTimestamp = [], deletionTimestamp = [] } = readers;
  return part(1, {
    name: text(1, 'watch', 'assigner', 'node'),
    namespace: text(3, 'watch', ...namespace),
    uid: text(5, 'watch', ...uid),
    resourceVersion: text(6, 'watch', ...resourceVersion),
    generation: number(7),
    creationTimestamp: time(8, ...creationTimestamp),
    deletionTimestamp: time(9, ...deletionTimestamp),
    labels: map(11, labels),
    annotations: map(12, annotations),
    finalizers: texts(14),
  });
}

const SERVICE_META = metadata(
  {
    namespace: ['assigner', 'node'],
    uid: ['assigner', 'node'],
    resourceVersion: ['assigner'],
    creationTimestamp: ['assigner', 'node'],
    deletionTimestamp: ['assigner'],
  },
  // a Pool may select Services by any label
  { assigner: everyKey, node: oneOf([SERVICE_PROXY_LABEL]) },
  { assigner: oneOf(Object.values(REQUEST_KEYS).flat()), node: oneOf(TRAFFIC_KEYS) },
);

const CONDITION: Fields = {
  type: text(1, 'assigner'),
  status: text(2, 'assigner'),
  observedGeneration: number(3, 'assigner'),
  lastTransitionTime: time(4, 'assigner'),
  reason: text(5, 'assigner'),
  message: text(6, 'assigner'),
};

export const SERVICE_FIELDS: Fields = {
  metadata: SERVICE_META,
  spec: part(2, {
    ports: parts(1, {
      name: text(1, 'node'),
      protocol: text(2, 'assigner', 'node'),
      port: number(3, 'assigner', 'node'),
      targetPort: numberOrText(4, 'node'),
    }),
    selector: map(2),
    clusterIP: text(3, 'assigner', 'node'),
    type: text(4, 'assigner', 'node'),
    externalIPs: texts(5, 'node'),
    sessionAffinity: text(7, 'node'),
    loadBalancerIP: text(8, 'assigner'),
    loadBalancerSourceRanges: texts(9, 'node'),
    externalTrafficPolicy: text(11, 'node'),
    sessionAffinityConfig: part(14, { clientIP: part(1, { timeoutSeconds: number(1, 'node') }) }),
    ipFamilyPolicy: text(17, 'assigner'),
    clusterIPs: texts(18, 'assigner', 'node'),
    ipFamilies: texts(19, 'assigner'),
    loadBalancerClass: text(21, 'assigner', 'node'),
  }),
  // the assigner writes both lists back whole
  status: part(3, {
    loadBalancer: part(1, {
      ingress: parts(1, {
        ip: text(1, 'assigner', 'node'),
        hostname: text(2, 'assigner'),
        ipMode: text(3, 'assigner', 'node'),
        ports: parts(4, {
          port: number(1, 'assigner', 'node'),
          protocol: text(2, 'assigner', 'node'),
          error: optionalText(3, 'assigner', 'node'),
        }),
      }),
    }),
    conditions: parts(2, CONDITION),
  }),
};

export const ENDPOINT_SLICE_FIELDS: Fields = {
  metadata: metadata(
    { namespace: ['node'] },
    { node: oneOf([SERVICE_NAME_LABEL]) },
    { node: oneOf([WEIGHT]) },
  ),
  endpoints: parts(2, {
    addresses: texts(1, 'node'),
    conditions: part(2, {
      ready: boolean(1, 'node'),
      serving: boolean(2, 'node'),
      terminating: boolean(3, 'node'),
    }),
    nodeName: text(6, 'node'),
  }),
  ports: parts(3, {
    name: optionalText(1, 'node'),
    protocol: text(2, 'node'),
    port: number(3, 'node'),
  }),
  addressType: text(4, 'node'),
};

export const NODE_FIELDS: Fields = {
  // the agent's Director names its Node as owner
  metadata: metadata({ uid: ['assigner', 'node'], resourceVersion: ['assigner'] }),
  // an API server fills in the list from the single one
  spec: part(2, { podCIDRs: texts(7, 'assigner') }),
  status: part(3, {
    conditions: parts(4, { type: text(1), status: text(2) }),
    addresses: parts(5, { type: text(1, 'node'), address: text(2, 'assigner', 'node') }),
  }),
};

export const SERVICE_CIDR_FIELDS: Fields = {
  metadata: metadata({ uid: ['assigner'], resourceVersion: ['assigner'] }),
  spec: part(2, { cidrs: texts(1, 'assigner') }),
};

export const NAMESPACE_FIELDS: Fields = {
  // a Pool may select namespaces by any label
  metadata: metadata({ uid: ['assigner'], resourceVersion: ['assigner'] }, { assigner: everyKey }),
};

/** A custom resource has no protobuf form. */
const NONE = 0;
const claims = (...readers: readonly Reader[]): PartRow =>
  parts(NONE, {
    namespace: text(NONE, ...readers),
    name: text(NONE, ...readers),
    uid: text(NONE, 'assigner'),
    sharingKey: text(NONE, 'assigner'),
    ports: parts(NONE, { port: number(NONE, 'assigner'), protocol: text(NONE, 'assigner') }),
  });

export const IP_FIELDS: Fields = {
  metadata: metadata(
    { uid: ['assigner'], resourceVersion: ['assigner'] },
    {},
    { assigner: oneOf([LAST_SERVICE, HELD_UNTIL]) },
  ),
  spec: part(NONE, {
    address: text(NONE, 'assigner', 'node'),
    poolName: text(NONE, 'assigner', 'node'),
    reservedFor: part(NONE, {
      namespace: text(NONE, 'assigner'),
      service: text(NONE, 'assigner'),
    }),
    retain: boolean(NONE, 'assigner', 'node'),
    holdSeconds: number(NONE, 'assigner'),
    // for the agent the ports are the assigner's business
    claims: claims('assigner', 'node'),
  }),
  status: part(NONE, {
    phase: text(NONE, 'assigner'),
    services: claims('assigner'),
    reason: text(NONE, 'assigner'),
    heldUntil: text(NONE, 'assigner'),
  }),
};
