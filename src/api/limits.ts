// How much of everything an object may hold: one table for the schemas, from which the CRDs are made, and for the code,
// which must never write what the API server would refuse. An API server counts the characters of a text;
// bounded-text.ts cuts by bytes in UTF-8, of which a text has at least as many.

/** Names of objects: RFC 1123 subdomain. */
export const NAME_MAX = 253;
/** Names of namespaces and Services: RFC 1123 label. */
export const LABEL_NAME_MAX = 63;
export const UID_MAX = 64;
/** RFC 3339 takes 20; more is left for fractions. */
export const TIME_MAX = 64;
/** Kubernetes: 253 characters of prefix, a slash, 63 of name. */
export const LABEL_KEY_MAX = 317;
export const LABEL_VALUE_MAX = 63;
export const SELECTOR_EXPRESSIONS_MAX = 16;
export const SELECTOR_VALUES_MAX = 64;
/** meta/v1 Condition: `message` has at most 32768 bytes (k8s.io/apimachinery, meta/v1/validation). */
export const CONDITION_MESSAGE_MAX = 32_768;
/** Bytes of an Event's note (pkg/apis/core/validation, NoteLengthLimit). */
export const EVENT_NOTE_MAX = 1024;
/** Reasons of Pools and IPs. */
export const REASON_MAX = 4096;

// Pool
/** Two IPv6 addresses and a dash are 79 characters. */
export const RANGE_TEXT_MAX = 100;
export const POOL_ADDRESSES_MAX = 256;
export const POOL_FILTERS_MAX = 1024;
export const POOL_NAMESPACES_MAX = 256;
export const POOL_SELECTORS_MAX = 16;
export const PRIORITY_MAX = 1_000_000;
export const NAMESPACE_ADDRESSES_MAX = 1_000_000_000;
/** IFNAMSIZ - 1, linux/if.h */
export const INTERFACE_NAME_MAX = 15;
/** 31 days: ip_vs_ctl.c keeps the timeout in jiffies as unsigned int; longer stickiness is a configuration error. */
export const PERSISTENCE_SECONDS_MAX = 2_678_400;
export const DRAIN_SECONDS_MAX = 86_400;

// IP
/** Eight groups of four digits are 39 characters, with a dotted quad 45. */
export const ADDRESS_TEXT_MAX = 45;
export const HOLD_SECONDS_MAX = 31_536_000;
export const SHARING_KEY_MAX = 253;
/** Pools that one Service asks for. */
export const POOLS_MAX = 16;
/** Addresses that one Service asks for: it gets one of each family. */
export const ADDRESSES_ASKED_MAX = 16;
/** Services on one address. */
export const IP_SERVICES_MAX = 256;
/** Ports of one Service on one address. */
export const SERVICE_PORTS_MAX = 1024;
/** Ports of all Services on one address, at 40 bytes each: etcd takes 1.5 MB for an object. */
export const IP_PORTS_MAX = 16_384;

// Director
/** So many failing Services are listed: the object must stay small however much is wrong. */
export const FAILED_MAX = 100;
/** And so many that are served, but not as far as a director can see. */
export const UNCHECKED_MAX = 32;
export const FAILED_MESSAGE_MAX = 1024;
/** `namespace/name` */
export const FAILED_SERVICE_MAX = 320;
export const FAILED_REASON_MAX = 128;
export const VERSION_MAX = 64;
export const KERNEL_VERSION_MAX = 128;
export const DIRECTOR_CONDITIONS_MAX = 8;
