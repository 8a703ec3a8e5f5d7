// The text of the record of when drains began: a header as the journal's, then a line for each real server,
// `192.0.2.10:80/TCP 10.0.0.1:8080 72310`. Times are milliseconds since the boot: every process of this boot shares that
// clock, and nobody can set it, which people and NTP do with the wall clock. Pure.
import { virtualServerKey, type RealServerKey, type VirtualServerKey } from '../../../net/ipvs.ts';
import { NOT_BEGUN, type DrainStarts } from '../../model/state.ts';
import { parseEndpoint, parseVirtualServerKey, type RecordScope } from './journal.ts';

const VERSION = 1;
const HEADER = /^vipvs-drains (\d+) (.*)$/;
const LINE = /^(\S+) (\S+) (\d{1,15})$/;

export interface ParsedDrains {
  /** On the clock that counts since the boot. */
  readonly starts: DrainStarts;
  /** What of it can't be read, and why. */
  readonly problem?: string;
}

function scopeText({ bootId, netnsInode }: RecordScope): string {
  return `boot ${bootId} netns ${netnsInode}`;
}

/** Of those that have begun; `offsetMs`: from their clock to the one since the boot. */
export function renderDrains(starts: DrainStarts, offsetMs: number, scope: RecordScope): string {
  let text = `vipvs-drains ${VERSION} ${scopeText(scope)}\n`;
  for (const [key, reals] of starts) {
    for (const [real, sinceMs] of reals) {
      if (sinceMs === NOT_BEGUN) continue;
      text += `${key} ${real} ${Math.max(0, Math.round(sinceMs + offsetMs))}\n`;
    }
  }
  return text;
}

/** Nothing is noted for a drain of another boot or network namespace: its kernel state is gone. */
export function parseDrains(text: string, scope: RecordScope): ParsedDrains {
  const starts = new Map<VirtualServerKey, Map<RealServerKey, number>>();
  const [header = '', ...lines] = text.split('\n');
  const [, version, about] = HEADER.exec(header) ?? [];
  if (version === undefined) return { starts, problem: 'its first line is not that of a record' };
  if (version !== String(VERSION)) {
    return { starts, problem: `it is of version ${version}, and this vipvs reads ${VERSION}` };
  }
  if (about !== scopeText(scope)) return { starts };
  // what follows the last newline is nothing, or the half of a line
  const torn = lines.pop() === '' ? 0 : 1;
  const unreadable = torn + lines.filter((line) => !takeLine(starts, line)).length;
  if (unreadable === 0) return { starts };
  return { starts, problem: `${unreadable} of its lines can not be read` };
}

function takeLine(
  starts: Map<VirtualServerKey, Map<RealServerKey, number>>,
  line: string,
): boolean {
  const [, name = '', real = '', at] = LINE.exec(line) ?? [];
  const server = parseVirtualServerKey(name);
  if (server === undefined || parseEndpoint(real) === undefined) return false;
  const key = virtualServerKey(server);
  const reals = starts.get(key) ?? new Map<RealServerKey, number>();
  starts.set(key, reals.set(real as RealServerKey, Number(at)));
  return true;
}
