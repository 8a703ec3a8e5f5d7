// The reader of ipvsadm's syntax: the inverse of ipvsadm.ts, and whatever else `ipvsadm -R` takes for a rule.
// A line that it cannot read is an error with its number; nothing is guessed.
import { AddressError, orAddressError, parseIp, quoted, type IpAddress } from './address.ts';
import {
  METHODS,
  PROTOCOLS,
  realServerKey,
  SCHEDULERS,
  virtualServerKey,
  type Method,
  type Protocol,
  type RealServer,
  type RealServerKey,
  type Tunnel,
  type TunnelChecksum,
  type VirtualServer,
  type VirtualServerAddress,
  type VirtualServerKey,
} from './ipvs.ts';
import { CHECKSUM_OPTIONS, METHOD_OPTIONS, PROTOCOL_OPTIONS } from './ipvsadm.ts';
import { parseSchedulerFlags } from './scheduler-flags.ts';

export interface ParsedRule {
  readonly server: VirtualServer;
  readonly realServers: ReadonlyMap<RealServerKey, RealServer>;
}

export interface NumberedText {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

export interface ParsedRules {
  readonly rules: ReadonlyMap<VirtualServerKey, ParsedRule>;
  /** Rules that are valid but outside our vocabulary (firewall marks, port 0): never ours. */
  readonly foreign: readonly NumberedText[];
  /** Lines that are no ipvsadm rule at all, for the caller: `ip address add …`. */
  readonly rest: readonly NumberedText[];
  /** One message for each line that cannot be read. */
  readonly errors: readonly NumberedText[];
}

/** Reads rules, one a line, with or without a leading `ipvsadm`. Empty lines and lines that start with # are skipped. */
export function parseRules(text: string): ParsedRules {
  const rules = new Map<VirtualServerKey, MutableRule>();
  const foreign: NumberedText[] = [];
  const rest: NumberedText[] = [];
  const errors: NumberedText[] = [];
  for (const [i, raw] of text.split('\n').entries()) {
    const line = i + 1;
    const trimmed = raw.trim();
    const rule = trimmed.replace(/^ipvsadm\s+(?=-)/, '');
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    if (!rule.startsWith('-')) {
      rest.push({ line, text: trimmed });
      continue;
    }
    const outcome = orAddressError(() => readRule(rule.split(/\s+/), rules));
    if (outcome instanceof AddressError) errors.push({ line, text: outcome.message });
    else if (outcome === 'foreign') foreign.push({ line, text: trimmed });
  }
  return { rules, foreign, rest, errors };
}

interface MutableRule {
  readonly server: VirtualServer;
  readonly realServers: Map<RealServerKey, RealServer>;
}

/** Long names of the options, which -R takes too. */
const SHORT: Readonly<Record<string, string>> = {
  '--add-service': '-A',
  '--add-server': '-a',
  '--tcp-service': '-t',
  '--udp-service': '-u',
  '--fwmark-service': '-f',
  '--scheduler': '-s',
  '--persistent': '-p',
  '--netmask': '-M',
  '--sched-flags': '-b',
  '--ops': '-o',
  '--ipv6': '-6',
  '--real-server': '-r',
  '--masquerading': '-m',
  '--gatewaying': '-g',
  '--ipip': '-i',
  '--weight': '-w',
  '--u-threshold': '-x',
  '--l-threshold': '-y',
};
const WITH_VALUE = new Set([
  '-t', '-u', '--sctp-service', '-f', '-s', '-M', '-b', '--pe', '-r', '-w', '-x', '-y', '--tun-type', '--tun-port',
]); // prettier-ignore
const WITHOUT_VALUE = new Set([
  '-o',
  '-6',
  '-m',
  '-g',
  '-i',
  '--tun-nocsum',
  '--tun-csum',
  '--tun-remcsum',
]);

type Options = ReadonlyMap<string, string>;

function readRule(
  words: readonly string[],
  rules: Map<VirtualServerKey, MutableRule>,
): 'ours' | 'foreign' {
  const [first = '', ...others] = words;
  const command = SHORT[first] ?? first;
  if (command !== '-A' && command !== '-a') {
    throw new AddressError(
      `${quoted(first)} is not a rule; allowed: -A (add service), -a (add server)`,
    );
  }
  const options = readOptions(others);
  const address = readAddress(options);
  if (address === undefined) return 'foreign';
  const key = virtualServerKey(address);
  const rule = rules.get(key);
  if (command === '-A') {
    if (rule !== undefined) throw new AddressError(`virtual server ${key} is there already`);
    rules.set(key, { server: readVirtualServer(address, options), realServers: new Map() });
    return 'ours';
  }
  if (rule === undefined) throw new AddressError(`no virtual server ${key} above this line`);
  const real = readRealServer(address, options);
  const realKey = realServerKey(real);
  if (rule.realServers.has(realKey)) {
    throw new AddressError(`real server ${realKey} of ${key} is there already`);
  }
  rule.realServers.set(realKey, real);
  return 'ours';
}

/** ipvsadm.c: `-p` alone means 360 s. */
const DEFAULT_PERSISTENCE = '360';

function readOptions(words: readonly string[]): Options {
  const options = new Map<string, string>();
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    const option = SHORT[word] ?? word;
    if (options.has(option)) throw new AddressError(`${word} is there twice`);
    if (option === '-p') {
      const hasValue = queue[0] !== undefined && !queue[0].startsWith('-');
      options.set(option, (hasValue ? queue.shift() : undefined) ?? DEFAULT_PERSISTENCE);
    } else if (WITH_VALUE.has(option)) {
      const value = queue.shift();
      if (value === undefined) throw new AddressError(`${word} needs a value`);
      options.set(option, value);
    } else if (WITHOUT_VALUE.has(option)) options.set(option, '');
    else throw new AddressError(`option ${quoted(word)} is not known`);
  }
  return options;
}

/** Undefined for a rule that we have no words for: a firewall mark, or port 0 (every port). */
function readAddress(options: Options): VirtualServerAddress | undefined {
  if (options.has('-f')) return undefined;
  const [found, another] = PROTOCOLS.flatMap((protocol: Protocol) => {
    const text = options.get(PROTOCOL_OPTIONS[protocol]);
    return text === undefined ? [] : [{ protocol, text }];
  });
  if (found === undefined || another !== undefined) {
    throw new AddressError('one of -t, -u, --sctp-service, -f is needed');
  }
  const { ip, port = 0 } = readEndpoint(found.text);
  if (port === 0) return undefined;
  return { vip: ip, port, protocol: found.protocol };
}

function readEndpoint(text: string): { readonly ip: IpAddress; readonly port: number | undefined } {
  const match = /^(?:\[(?<v6>[^\]]*)\]|(?<v4>[^:[\]]*))(?::(?<port>[^:]*))?$/.exec(text);
  const address = match?.groups?.['v6'] ?? match?.groups?.['v4'];
  if (address === undefined) {
    throw new AddressError(`${quoted(text)} is not ADDRESS:PORT or [ADDRESS]:PORT`);
  }
  const port = match?.groups?.['port'];
  return {
    ip: parseIp(address),
    port: port === undefined ? undefined : readNumber(port, 'port', 65535),
  };
}

function readNumber(text: string, what: string, max: number): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > max) {
    throw new AddressError(`${what} ${quoted(text)} is not a number from 0 to ${max}`);
  }
  return Number(text);
}

/** net/netfilter/ipvs/ip_vs_ctl.c keeps weights and timeouts in 32 bits. */
const INT_MAX = 2_147_483_647;

function readVirtualServer(address: VirtualServerAddress, options: Options): VirtualServer {
  const name = options.get('-s') ?? 'wlc';
  const scheduler = SCHEDULERS.find((known) => known === name);
  if (scheduler === undefined) throw new AddressError(`scheduler ${quoted(name)} is not known`);
  const flags = options.get('-b')?.split(',') ?? [];
  const schedulerFlags = parseSchedulerFlags(scheduler, flags);
  if (schedulerFlags === undefined) {
    throw new AddressError(`scheduler flags ${quoted(flags.join())} are not those of ${scheduler}`);
  }
  const persistenceSeconds = readNumber(options.get('-p') ?? '0', 'persistence', INT_MAX);
  return { ...address, scheduler, schedulerFlags, persistenceSeconds };
}

function readRealServer(server: VirtualServerAddress, options: Options): RealServer {
  const text = options.get('-r');
  if (text === undefined) throw new AddressError('-r is needed');
  const { ip: address, port } = readEndpoint(text);
  const methods = METHODS.filter((method) => options.has(METHOD_OPTIONS[method]));
  if (methods.length > 1) throw new AddressError('only one of -m, -g, -i is allowed');
  const method: Method = methods[0] ?? 'direct';
  const weight = readNumber(options.get('-w') ?? '1', 'weight', INT_MAX);
  const tunnel = readTunnel(options);
  if (tunnel !== undefined && method !== 'tunnel') throw new AddressError('--tun-type needs -i');
  return {
    address,
    // ipvsadm.c: direct routing and tunnels do not change the port
    port: method === 'masquerade' ? (port ?? server.port) : server.port,
    method,
    weight,
    ...(tunnel === undefined || tunnel.type === 'ipip' ? {} : { tunnel }),
  };
}

function readTunnel(options: Options): Tunnel | undefined {
  const type = options.get('--tun-type');
  const checksum = CHECKSUMS.find((kind) => options.has(CHECKSUM_OPTIONS[kind]));
  const port = options.get('--tun-port');
  if (type === 'gue') {
    if (port === undefined) throw new AddressError('--tun-type gue needs --tun-port');
    return { type, port: readNumber(port, 'tunnel port', 65535), checksum: checksum ?? 'none' };
  }
  if (port !== undefined) throw new AddressError('--tun-port needs --tun-type gue');
  if (type === 'gre' && checksum !== 'remote') return { type, checksum: checksum ?? 'none' };
  if (checksum !== undefined) {
    throw new AddressError(`${CHECKSUM_OPTIONS[checksum]} does not go with this tunnel type`);
  }
  if (type === 'ipip') return { type };
  if (type === undefined) return undefined;
  throw new AddressError(`tunnel type ${quoted(type)} is not one of ipip, gue, gre`);
}

const CHECKSUMS: readonly TunnelChecksum[] = ['none', 'full', 'remote'];
