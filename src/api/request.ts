// What a Service asks for: pool, addresses and sharing, from annotations (ours and aliases) and spec.loadBalancerIP.
// Every key that is there must say the same; two that disagree are a problem that names both, never a guess.
import { AddressError, orAddressError, parseIp, quoted, type IpAddress } from '../net/address.ts';
import { specialUseOf } from '../net/special.ts';
import { REQUEST_KEYS } from './annotations.ts';
import type { Service } from './kubernetes.ts';
import { ADDRESSES_ASKED_MAX, POOLS_MAX, SHARING_KEY_MAX } from './limits.ts';
import { serviceRef, type Problem } from './problem.ts';
import type { Reason } from './reasons.ts';

export interface AddressRequest {
  /** Name of a Pool, or of several separated by commas: one for each family, where no single one has both. */
  readonly pool: string | undefined;
  /** In the order written, no duplicates; empty where the Service names none. */
  readonly addresses: readonly IpAddress[];
  readonly sharingKey: string | undefined;
  /** Sorted. `*` names every namespace. */
  readonly sharingNamespaces: readonly string[];
  /** The annotation keys and fields that were read, in a fixed order: `metallb.io/address-pool`, `spec.loadBalancerIP`. */
  readonly sources: readonly string[];
  /** With a problem the request cannot be granted: what the Service holds, it keeps. */
  readonly problems: readonly Problem[];
}

const KEYS: ReadonlySet<string> = new Set(Object.values(REQUEST_KEYS).flat());

function namesAnyKey(annotations: Readonly<Record<string, string>> | undefined): boolean {
  for (const key in annotations) if (KEYS.has(key)) return true;
  return false;
}

type Report = (reason: Reason, message: string) => void;

/** One key that is there, and its value. */
interface Source {
  readonly key: string;
  readonly text: string;
}

const LOAD_BALANCER_IP = 'spec.loadBalancerIP';
/** What a Service without any of the keys asks for: most Services; one object for all of them. */
const NO_REQUEST: AddressRequest = {
  pool: undefined,
  addresses: [],
  sharingKey: undefined,
  sharingNamespaces: [],
  sources: [],
  problems: [],
};

export function resolveRequest(service: Service): AddressRequest {
  const { annotations } = service.metadata;
  const { loadBalancerIP } = service.spec;
  if (loadBalancerIP === undefined && !namesAnyKey(annotations)) return NO_REQUEST;
  const problems: Problem[] = [];
  const report: Report = (reason, message) => {
    problems.push({ object: serviceRef(service), reason, message });
  };
  const sources: string[] = [];
  const read = (
    keys: readonly string[],
    field: Record<string, string | undefined> = {},
  ): Source[] => {
    const found = Object.entries({ ...pick(annotations ?? {}, keys), ...field }).flatMap(
      ([key, value]) => (value === undefined || value.trim() === '' ? [] : [{ key, text: value }]),
    );
    sources.push(...found.map(({ key }) => key));
    return found;
  };
  const agreed = <T>(found: readonly Source[], parse: (source: Source) => T, same: Same<T>) =>
    agree(found, parse, same, report);

  const pool = agreed(read(REQUEST_KEYS.pool), (source) => parsePools(source, report), sameText);
  const addresses = agreed(
    read(REQUEST_KEYS.addresses, { [LOAD_BALANCER_IP]: loadBalancerIP }),
    (source) => parseAddresses(source, report),
    sameList,
  );
  const sharingKey = agreed(
    read(REQUEST_KEYS.sharingKey),
    (source) => parseSharingKey(source, report),
    sameText,
  );
  const sharingNamespaces = agreed(
    read(REQUEST_KEYS.sharingNamespaces),
    ({ text }) => sortedUnique(listOf(text)),
    sameList,
  );
  return {
    pool,
    addresses: addresses ?? [],
    sharingKey,
    sharingNamespaces: sharingNamespaces ?? [],
    sources,
    problems,
  };
}

/** The Pools that are asked for, in the order written; empty where none is. */
export function poolsNamed({ pool }: Pick<AddressRequest, 'pool'>): readonly string[] {
  return pool === undefined ? [] : pool.split(',');
}

/** `from annotation metallb.io/address-pool and spec.loadBalancerIP`: for the condition; empty without a request. */
export function describeSources(request: AddressRequest): string {
  if (request.sources.length === 0) return '';
  const names = request.sources.map((key) =>
    key === LOAD_BALANCER_IP ? key : `annotation ${key}`,
  );
  return `from ${names.join(' and ')}`;
}

/** Whether sharing across the two namespaces is agreed by both sides. */
export function namespacesAgree(
  a: { readonly namespace: string; readonly sharingNamespaces: readonly string[] },
  b: { readonly namespace: string; readonly sharingNamespaces: readonly string[] },
): boolean {
  return (
    a.namespace === b.namespace ||
    (namesNamespace(a.sharingNamespaces, b.namespace) &&
      namesNamespace(b.sharingNamespaces, a.namespace))
  );
}

export function namesNamespace(list: readonly string[], namespace: string): boolean {
  return list.includes(namespace) || list.includes('*');
}

function pick(
  annotations: Readonly<Record<string, string>>,
  keys: readonly string[],
): Record<string, string | undefined> {
  return Object.fromEntries(keys.map((key) => [key, annotations[key]]));
}

type Same<T> = (a: T, b: T) => boolean;

/** The value that all sources give; undefined without a source, or when two differ (which is reported). */
function agree<T>(
  found: readonly Source[],
  parse: (source: Source) => T,
  same: Same<T>,
  report: Report,
): T | undefined {
  const [first, ...others] = found.map((source) => ({ source, value: parse(source) }));
  if (first === undefined) return undefined;
  const other = others.find(({ value }) => !same(first.value, value));
  if (other === undefined) return first.value;
  report(
    'ConflictingRequest',
    `${showSource(first.source)} and ${showSource(other.source)} disagree; remove one of them or make them equal`,
  );
  return undefined;
}

function showSource({ key, text }: Source): string {
  return `${key}: ${quoted(text)}`;
}

function sameText(a: string | undefined, b: string | undefined): boolean {
  return a === b;
}

/** Equal as sets. */
function sameList(a: readonly string[], b: readonly string[]): boolean {
  const others = new Set(b);
  return a.length === b.length && a.every((item) => others.has(item));
}

function listOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function sortedUnique(items: readonly string[]): readonly string[] {
  return [...new Set(items)].sort();
}

/** Names that no Pool can have are taken, too: that it does not exist is what is wrong with them. */
function parsePools({ key, text }: Source, report: Report): string | undefined {
  const names = [...new Set(listOf(text))];
  if (names.length > 0 && names.length <= POOLS_MAX) return names.join(',');
  report(
    'InvalidAnnotation',
    `${key}: names ${names.length} Pools; allowed: at most ${POOLS_MAX} names, separated by commas`,
  );
  return undefined;
}

function parseSharingKey({ key, text }: Source, report: Report): string | undefined {
  const sharingKey = text.trim();
  if (sharingKey.length <= SHARING_KEY_MAX) return sharingKey;
  report(
    'InvalidAnnotation',
    `${key}: has ${sharingKey.length} characters; allowed: at most ${SHARING_KEY_MAX}`,
  );
  return undefined;
}

function parseAddresses({ key, text }: Source, report: Report): readonly IpAddress[] {
  const items = [...new Set(listOf(text))];
  if (items.length > ADDRESSES_ASKED_MAX) {
    report(
      'InvalidAnnotation',
      `${key}: names ${items.length} addresses; allowed: at most ${ADDRESSES_ASKED_MAX}, separated by commas`,
    );
    return [];
  }
  const addresses = new Set<IpAddress>();
  for (const item of items) {
    const ip = parseRequested(item, key, report);
    if (ip !== undefined) addresses.add(ip);
  }
  return [...addresses];
}

function parseRequested(item: string, key: string, report: Report): IpAddress | undefined {
  const ip = orAddressError(() => parseIp(item));
  if (ip instanceof AddressError) {
    report('InvalidAnnotation', `${key}: ${ip.message}; allowed: addresses separated by commas`);
    return undefined;
  }
  const use = specialUseOf(ip);
  if (use === undefined) return ip;
  report('InvalidAnnotation', `${key}: ${ip} is ${use}; no VIP can have it`);
  return undefined;
}
