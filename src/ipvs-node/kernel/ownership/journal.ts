// The text of the ownership record: which virtual servers and addresses this host's vipvs made, and what the sysctls were
// before. Pure. A journal of lines, each written before the kernel is changed, so that a crash never leaves a thing
// of ours that the record does not know; the other way round (recorded, never made) is harmless.
import {
  familyOf,
  ipFromBigInt,
  ipToBigInt,
  tryParseIp,
  type IpAddress,
} from '../../../net/address.ts';
import {
  formatEndpoint,
  PROTOCOLS,
  virtualServerKey,
  type VirtualServerAddress,
  type VirtualServerKey,
} from '../../../net/ipvs.ts';
import { bindingKey, type BindingKey } from '../../model/owned.ts';

export type Entry =
  | { readonly kind: 'virtualServer'; readonly key: VirtualServerKey }
  | { readonly kind: 'address'; readonly address: IpAddress; readonly interface: string };

const MOST_PORT = 65_535;

/** The kernel state that a record is about: it ends with the boot and with the network namespace. */
export interface RecordScope {
  readonly bootId: string;
  readonly netnsInode: string;
}

export interface Binding {
  readonly address: IpAddress;
  readonly interface: string;
}

export interface OwnedRecord {
  readonly virtualServers: Set<VirtualServerKey>;
  readonly addresses: Map<BindingKey, Binding>;
  /** Values from before the first change, by key. */
  readonly sysctls: Map<string, number>;
}

export function emptyRecord(): OwnedRecord {
  return { virtualServers: new Set(), addresses: new Map(), sysctls: new Map() };
}

export function headerLine(scope: RecordScope): string {
  return `vipvs-owned 1 boot ${scope.bootId} netns ${scope.netnsInode}\n`;
}

export function entryLine(sign: '+' | '-', entry: Entry): string {
  return entry.kind === 'virtualServer'
    ? `${sign}vs ${entry.key}\n`
    : `${sign}address ${entry.address} ${entry.interface}\n`;
}

export function sysctlLine(key: string, value: number): string {
  return `sysctl ${key} ${value}\n`;
}

/** `192.0.2.10:80/TCP`, `[2001:db8::1]:80/TCP`; undefined for any other text. */
export function parseVirtualServerKey(text: string): VirtualServerAddress | undefined {
  const slash = text.lastIndexOf('/');
  const protocol = PROTOCOLS.find((known) => known === text.slice(slash + 1));
  const endpoint = parseEndpoint(text.slice(0, slash));
  if (endpoint === undefined || protocol === undefined) return undefined;
  return { vip: endpoint.address, port: endpoint.port, protocol };
}

/** `10.0.0.1:8080`, `[2001:db8::1]:8080`, as they are written here; undefined for any other text. */
export function parseEndpoint(
  text: string,
): { readonly address: IpAddress; readonly port: number } | undefined {
  const match = /^(?:\[([0-9a-f:]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(text);
  const address = tryParseIp(match?.[1] ?? match?.[2] ?? '');
  const port = Number(match?.[3]);
  if (address === undefined || port > MOST_PORT) return undefined;
  return formatEndpoint(address, port) === text ? { address, port } : undefined;
}

export function applyEntry(record: OwnedRecord, sign: '+' | '-', entry: Entry): void {
  if (entry.kind === 'virtualServer') {
    if (sign === '-') record.virtualServers.delete(entry.key);
    else record.virtualServers.add(entry.key);
    return;
  }
  const id = bindingKey(entry.address, entry.interface);
  if (sign === '-') record.addresses.delete(id);
  else record.addresses.set(id, { address: entry.address, interface: entry.interface });
}

export interface ParsedRecord {
  readonly record: OwnedRecord;
  /** `stale`: of another boot or namespace, whose kernel state is gone. */
  readonly state: 'current' | 'stale';
  /** Lines that can't be read; a half line at the end is not among them. */
  readonly unreadable: number;
}

/** Reads what a crash may have left: the last line counts only with its newline. */
export function parseRecord(text: string, scope: RecordScope): ParsedRecord {
  const record = emptyRecord();
  const [header, ...lines] = text.split('\n').slice(0, -1);
  if (header === undefined || `${header}\n` !== headerLine(scope)) {
    return { record, state: 'stale', unreadable: 0 };
  }
  const unreadable = lines.filter((line) => !applyLine(record, line)).length;
  return { record, state: 'current', unreadable };
}

function applyLine(record: OwnedRecord, line: string): boolean {
  const [verb = '', subject = '', detail = '', ...more] = line.split(' ');
  if (more.length > 0) return false;
  const sign = verb[0] === '-' ? '-' : '+';
  switch (verb) {
    case '+vs':
    case '-vs': {
      const server = parseVirtualServerKey(subject);
      if (server === undefined || detail !== '') return false;
      applyEntry(record, sign, { kind: 'virtualServer', key: virtualServerKey(server) });
      return true;
    }
    case '+address':
    case '-address': {
      const address = tryParseIp(subject);
      if (address === undefined || detail === '') return false;
      // a copy: what was cut out of the file's text would keep all of it in memory
      const copy = ipFromBigInt(familyOf(address), ipToBigInt(address));
      applyEntry(record, sign, { kind: 'address', address: copy, interface: detail });
      return true;
    }
    case 'sysctl': {
      if (!/^-?\d+$/.test(detail)) return false;
      // the first one is the value from before us
      if (!record.sysctls.has(subject)) record.sysctls.set(subject, Number(detail));
      return true;
    }
    default:
      return false;
  }
}

/** The shortest journal with the same meaning. */
export function renderRecord(record: OwnedRecord, scope: RecordScope): string {
  let text = headerLine(scope);
  for (const [key, value] of record.sysctls) text += sysctlLine(key, value);
  for (const key of record.virtualServers) {
    text += entryLine('+', { kind: 'virtualServer', key });
  }
  for (const held of record.addresses.values())
    text += entryLine('+', { kind: 'address', ...held });
  return text;
}
