// The text of the nft table `inet vipvs`: its layout, the commands that change its sets, and what `nft -j list table`
// says. Pure. The only place where an element is text of nft.
import { AddressError, orAddressError, tryParseIp, type IpAddress } from '../../../net/address.ts';
import type { Protocol, VirtualServerAddress } from '../../../net/ipvs.ts';
import { formatRange, parseRange, type IpRange } from '../../../net/range.ts';
import {
  elementKey,
  FIREWALL_SETS,
  type ElementKey,
  type FirewallElement,
  type FirewallElements,
  type FirewallSet,
  type FirewallState,
} from '../../model/firewall.ts';
import type { FirewallOp } from '../../model/kernel.ts';

export const NFT_FAMILY = 'inet';
export const NFT_TABLE = 'vipvs';
const TABLE = `${NFT_FAMILY} ${NFT_TABLE}`;
/** Elements in one command; nft's parser takes any number, a line of it should still be readable in a log. */
const ELEMENTS_PER_COMMAND = 500;

function setType(set: FirewallSet): string {
  const address = set.endsWith('4') ? 'ipv4_addr' : 'ipv6_addr';
  const port = `${address} . inet_proto . inet_service`;
  switch (set) {
    case 'vips4':
    case 'vips6':
      return `type ${address};`;
    case 'local4':
    case 'local6':
      return `type ${address}; flags interval;`;
    case 'ports4':
    case 'ports6':
    case 'ranged4':
    case 'ranged6':
      return `type ${port};`;
    case 'sources4':
    case 'sources6':
      return `type ${port} . ${address}; flags interval;`;
  }
}

interface Chain {
  readonly name: string;
  readonly hook?: string;
  readonly rules: readonly string[];
}

/** ICMP that a VIP needs: echo, and errors about connections that conntrack does not know (direct, tunnel). */
const ICMP4 =
  'icmp type { echo-request, destination-unreachable, time-exceeded, parameter-problem }';
/** As above, and neighbour discovery (RFC 4861): unicast probes are sent to the VIP itself. */
const ICMP6 =
  'icmpv6 type { echo-request, destination-unreachable, packet-too-big, time-exceeded, parameter-problem, ' +
  'nd-neighbor-solicit, nd-neighbor-advert }';

function vipChain(family: 4 | 6): Chain {
  const ip = family === 4 ? 'ip' : 'ip6';
  const target = `${ip} daddr . meta l4proto . th dport`;
  return {
    name: `vip${family}`,
    rules: [
      // before connections that are open: one ends when the source range that let it in is taken away
      `${target} @ranged${family} ${target} . ${ip} saddr != @sources${family} drop`,
      'ct state established,related accept',
      `${family === 4 ? ICMP4 : ICMP6} accept`,
      `${target} @ports${family} accept`,
      'meta l4proto tcp reject with tcp reset',
      'reject with icmpx type port-unreachable',
    ],
  };
}

/** IPVS changes only the reply tuple of a connection: `ct original` still holds the VIP (ipvs.md 3.3). */
function masqueradeRules(family: 4 | 6): readonly string[] {
  const ip = family === 4 ? 'ip' : 'ip6';
  const toVip = `ct original ${ip} daddr @vips${family}`;
  return [
    // direct routing leaves the VIP as destination: there the client's address must stay
    `${toVip} ${ip} daddr != @vips${family} ${ip} daddr != @local${family} masquerade fully-random`,
    // a local pod that reaches itself or its neighbour: the answer must come back through this host
    `${toVip} ${ip} saddr @local${family} ${ip} daddr @local${family} masquerade fully-random`,
  ];
}

/** The chains run before IPVS does: its hooks stand at LOCAL_IN 98 and 99 (linux/netfilter_ipv4.h NF_IP_PRI_NAT_SRC). */
const CHAINS: readonly Chain[] = [
  vipChain(4),
  vipChain(6),
  {
    name: 'input',
    hook: 'type filter hook input priority filter; policy accept;',
    rules: ['ip daddr @vips4 jump vip4', 'ip6 daddr @vips6 jump vip6'],
  },
  {
    name: 'postrouting',
    hook: 'type nat hook postrouting priority srcnat; policy accept;',
    rules: [...masqueradeRules(4), ...masqueradeRules(6)],
  },
];

function chainText(chain: Chain): string {
  const hook = chain.hook === undefined ? '' : `    ${chain.hook}\n`;
  return `  chain ${chain.name} {\n${hook}${chain.rules.map((rule) => `    ${rule}\n`).join('')}  }\n`;
}

const BODY =
  FIREWALL_SETS.map((set) => `  set ${set} { ${setType(set)} }\n`).join('') +
  CHAINS.map(chainText).join('');

/** FNV-1a, 32 bits: tells one layout from another, no more. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/**
 * An empty chain whose name says which layout the table has, so that a restart and another version of vipvs see
 * whether the rules are theirs. A chain, because comments on tables need kernel 5.10 and nft 0.9.7.
 */
export const LAYOUT_CHAIN = `layout_${fingerprint(BODY)}`;

/** Makes the table new and empty, whatever stood there, as a part of the transaction that fills it. */
export const LAYOUT_SCRIPT =
  `table ${TABLE}\ndelete table ${TABLE}\n` +
  `table ${TABLE} {\n  chain ${LAYOUT_CHAIN} {\n  }\n${BODY}}\n`;

export const DELETE_TABLE_SCRIPT = `table ${TABLE}\ndelete table ${TABLE}\n`;
/** Only checked, never committed: does the kernel have the family? */
export const PROBE_SCRIPT = `table ${TABLE}_probe\n`;

/**
 * linux/in.h IPPROTO_*. Commands and listings carry the numbers: for each name nft reads /etc/protocols once more
 * (10,000 elements in the guest: 11 s instead of 0.5 s), and small container images have no such file.
 */
const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 };
const PROTOCOLS_READ: ReadonlyMap<unknown, Protocol> = new Map<unknown, Protocol>([
  [6, 'TCP'],
  [17, 'UDP'],
  [132, 'SCTP'],
  ['tcp', 'TCP'],
  ['udp', 'UDP'],
  ['sctp', 'SCTP'],
]);

function elementText(element: FirewallElement): string {
  if (typeof element === 'string') return element;
  if ('vip' in element) return portText(element);
  if ('first' in element) return formatRange(element);
  return `${portText(element.port)} . ${formatRange(element.source)}`;
}

function portText({ vip, protocol, port }: VirtualServerAddress): string {
  return `${vip} . ${PROTOCOL_NUMBERS[protocol]} . ${port}`;
}

function command({ op, set }: FirewallOp, given: readonly FirewallOp[]): string {
  const elements = given.map(({ element }) => elementText(element));
  return `${op === 'fw.add' ? 'add' : 'delete'} element ${TABLE} ${set} { ${elements.join(', ')} }\n`;
}

/** The changes in order, neighbours of the same kind joined into one command. */
export function renderChanges(changes: readonly FirewallOp[]): string {
  let script = '';
  let start = 0;
  while (start < changes.length) {
    const first = changes[start];
    if (first === undefined) break;
    let end = start + 1;
    while (end < changes.length && end - start < ELEMENTS_PER_COMMAND) {
      const next = changes[end];
      if (next?.op !== first.op || next.set !== first.set) break;
      end++;
    }
    script += command(first, changes.slice(start, end));
    start = end;
  }
  return script;
}

/** One change a line, so that the line of an error is the index of the change. */
export function renderOnePerLine(changes: readonly FirewallOp[]): readonly string[] {
  return changes.map((change) => command(change, [change]));
}

export interface NftError {
  /** From 1; undefined where nft names none. */
  readonly line: number | undefined;
  readonly errno: string;
  readonly message: string;
}

/** strerror texts that nft prints (src/mnl.c, src/libnftables.c), and its own words for overlapping intervals. */
const ERRNO_TEXTS: readonly (readonly [RegExp, string])[] = [
  [/No such file or directory/, 'ENOENT'],
  [/File exists|interval overlaps|conflicting intervals/, 'EEXIST'],
  [/Operation not permitted|must be root/, 'EPERM'],
  [/not supported/, 'EOPNOTSUPP'],
  [/Device or resource busy/, 'EBUSY'],
  [/No buffer space available/, 'ENOBUFS'],
  [/Cannot allocate memory/, 'ENOMEM'],
  [/Too many open files in system|No space left/, 'ENOSPC'],
];

/** What `nft -f -` wrote to stderr: `/dev/stdin:2:36-54: Error: Could not process rule: No such file or directory`. */
export function parseErrors(stderr: string): readonly NftError[] {
  const errors: NftError[] = [];
  for (const text of stderr.split('\n')) {
    const match = /^(?:[^:]+:(\d+):[\d-]+: )?Error: (.*)$/.exec(text);
    if (match === null) continue;
    const message = match[2] ?? '';
    const errno = ERRNO_TEXTS.find(([pattern]) => pattern.test(message))?.[1] ?? 'EINVAL';
    errors.push({ line: match[1] === undefined ? undefined : Number(match[1]), errno, message });
  }
  return errors;
}

export type TableListing =
  | { readonly layout: 'ours'; readonly firewall: FirewallState }
  /** Another version's layout, or somebody removed chains or rules, or added elements of another kind: to be made anew. */
  | { readonly layout: 'other' };

/** Reads `nft -j -n list table`. Throws where the text is not what nft prints. */
export function parseListing(text: string): TableListing {
  const root: unknown = JSON.parse(text);
  const items = field(root, 'nftables');
  if (!Array.isArray(items)) throw new Error('nft -j printed no list `nftables`');
  const rulesOf = new Map<string, number>();
  const sets = new Map<FirewallSet, FirewallElements>();
  for (const item of items as readonly unknown[]) {
    const chain = field(field(item, 'chain'), 'name');
    if (typeof chain === 'string') rulesOf.set(chain, rulesOf.get(chain) ?? 0);
    const ruleChain = field(field(item, 'rule'), 'chain');
    if (typeof ruleChain === 'string') rulesOf.set(ruleChain, (rulesOf.get(ruleChain) ?? 0) + 1);
    const set = field(item, 'set');
    const name = FIREWALL_SETS.find((known) => known === field(set, 'name'));
    const elements = name && elementsOf(name, field(set, 'elem'));
    if (name !== undefined && elements !== undefined) sets.set(name, elements);
  }
  const complete =
    rulesOf.has(LAYOUT_CHAIN) &&
    CHAINS.every((chain) => rulesOf.get(chain.name) === chain.rules.length) &&
    FIREWALL_SETS.every((set) => sets.has(set));
  return complete ? { layout: 'ours', firewall: { sets } } : { layout: 'other' };
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const fields: Partial<Record<string, unknown>> = { ...value };
  return fields[name];
}

/** undefined: one of them is none of ours. */
function elementsOf(set: FirewallSet, listed: unknown): FirewallElements | undefined {
  const read = new Map<ElementKey, FirewallElement>();
  if (listed === undefined) return read;
  if (!Array.isArray(listed)) return undefined;
  const readElement = READERS[set.slice(0, -1)];
  for (const each of listed as readonly unknown[]) {
    const element = readElement?.(each);
    if (element === undefined) return undefined;
    read.set(elementKey(element), element);
  }
  return read;
}

type Reader = (listed: unknown) => FirewallElement | undefined;

const READERS: Readonly<Partial<Record<string, Reader>>> = {
  vips: readAddress,
  local: (listed) => readAddress(listed) ?? readRange(listed),
  ports: readPort,
  ranged: readPort,
  sources: readSource,
};

function readAddress(listed: unknown): IpAddress | undefined {
  return typeof listed === 'string' ? tryParseIp(listed) : undefined;
}

/** `{ prefix: { addr, len } }`, `{ range: [first, last] }` */
function readRange(listed: unknown): IpRange | undefined {
  const prefix = field(listed, 'prefix');
  const [address, length] = [field(prefix, 'addr'), field(prefix, 'len')];
  if (typeof address === 'string' && typeof length === 'number') {
    return tryRange(`${address}/${length}`);
  }
  const range = field(listed, 'range');
  return Array.isArray(range) ? tryRange((range as readonly unknown[]).join('-')) : undefined;
}

function tryRange(text: string): IpRange | undefined {
  const range = orAddressError(() => parseRange(text));
  return range instanceof AddressError ? undefined : range;
}

/** `{ concat: [vip, protocol, port] }` */
function readPort(listed: unknown): VirtualServerAddress | undefined {
  const parts = field(listed, 'concat');
  return Array.isArray(parts) && parts.length === 3 ? portOf(parts) : undefined;
}

function portOf([address, number, port]: readonly unknown[]): VirtualServerAddress | undefined {
  const vip = readAddress(address);
  const protocol = PROTOCOLS_READ.get(number);
  if (vip === undefined || protocol === undefined || typeof port !== 'number') return undefined;
  return { vip, port, protocol };
}

/** `{ concat: [vip, protocol, port, source] }` */
function readSource(listed: unknown): FirewallElement | undefined {
  const parts = field(listed, 'concat');
  if (!Array.isArray(parts) || parts.length !== 4) return undefined;
  const port = portOf(parts);
  const last: unknown = parts[3];
  const source = typeof last === 'string' ? tryRange(last) : readRange(last);
  return port && source && { port, source };
}
