// The words of a migration: what is read (source objects), what a source system answers (drafts of Pools, addresses in
// use, what a Service needs), and what the user is told (notes). Data only; convert.ts says how they meet. Pure.
import type { PoolSpec } from '../api/pool.ts';
import type { IpAddress } from '../net/address.ts';
import type { JsonObject } from './json.ts';

export const SYSTEMS = [
  'metallb',
  'kube-vip',
  'purelb',
  'openelb',
  'cilium',
  'inwinstack',
  'kube-keepalived-vip',
  'kube-loadbalancer',
] as const;
export type System = (typeof SYSTEMS)[number];
/** Where a Pool or an address comes from; `services`: Services have it, and no source object says more. */
export type Origin = System | 'services';

/** One object as it was read, whatever its kind. */
export interface SourceObject {
  /** `''` is the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly raw: JsonObject;
  /** `file:line`, or `cluster`. */
  readonly where: string;
  /** Undefined for what comes from the cluster. */
  readonly file?: string;
  /** The cluster was read: what the object does not say, it does not have. */
  readonly isLive?: true;
}

/** `IPAddressPool metallb-system/public` */
export function labelOf(object: Pick<SourceObject, 'kind' | 'namespace' | 'name'>): string {
  const { kind, namespace, name } = object;
  return `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
}

export interface ServiceName {
  readonly namespace: string;
  readonly name: string;
}

export function keyOfName({ namespace, name }: ServiceName): string {
  return `${namespace}/${name}`;
}

export const NOTE_KINDS = ['error', 'no-equivalent', 'ambiguous', 'converted'] as const;
/**
 * `error`: the object could not be read, or a Service would not keep its address. `no-equivalent`: vipvs has nothing
 * that does it. `ambiguous`: there were several readings, and the message says which was taken.
 */
export type NoteKind = (typeof NOTE_KINDS)[number];

export interface Note {
  readonly kind: NoteKind;
  /** What it is about: `IPAddressPool metallb-system/public`, `Service default/web`. */
  readonly object: string;
  /** `spec.nodeSelectors`, where it is about one field. */
  readonly field?: string;
  /** One line. */
  readonly message: string;
  readonly where?: string;
}

/** Pool.spec as far as a source says it; what is absent gets the default. */
export type PoolSpecDraft = Pick<PoolSpec, 'addresses'> & Partial<Omit<PoolSpec, 'addresses'>>;

/** Identity matters: wishes refer to the draft, and its Pool may end under another name. */
export interface PoolDraft {
  readonly system: Origin;
  readonly name: string;
  /** Where it comes from, as a note names it. */
  readonly origin: string;
  /** The place of it. */
  readonly where: string;
  readonly spec: PoolSpecDraft;
  /** Of a kind that the source system replaced by another: where both have an address, the newer one keeps it. */
  readonly isOlder?: true;
  /**
   * The source system lets other namespaces ask for the Pool, too; serviceAllocation of a Pool does not. So the
   * namespaces of those who have addresses of it are added.
   */
  readonly isOpen?: true;
}

/** An address that somebody has. */
export interface AddressUse {
  readonly system: Origin;
  readonly address: IpAddress;
  /** Whose it is. Neither: nobody may have it unless he asks for it. */
  readonly service?: ServiceName;
  /** It is kept for any Service of this namespace. */
  readonly forNamespace?: string;
  /** Where it says so: `Eip public: status.used`. */
  readonly origin: string;
  readonly where: string;
  /** Keep it when its Service goes. */
  readonly retain?: true;
  /** A Service whose name can't be told has it: then it is reserved for no other by name. */
  readonly isUnnamed?: true;
}

/** What a Service needs so that vipvs does for it what the source system did. */
export interface ServiceWish {
  readonly service: ServiceName;
  readonly pool?: PoolDraft;
  readonly annotations?: Readonly<Record<string, string>>;
  /** The source system serves it whatever its type; vipvs serves type LoadBalancer. */
  readonly makeLoadBalancer?: true;
  readonly why: string;
}

/** What one source system makes of its objects. */
export interface Converted {
  readonly pools: readonly PoolDraft[];
  readonly uses: readonly AddressUse[];
  readonly wishes: readonly ServiceWish[];
  readonly notes: readonly Note[];
}

/** By code units: the same everywhere. */
export function compareText(a: string, b: string): number {
  return Number(a > b) - Number(a < b);
}
