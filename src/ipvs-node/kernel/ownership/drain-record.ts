// When drains began, on disk beside the ownership record, so that a restart of the agent begins none anew: five restarts
// would make 1,500 seconds of 300. Times are of the clock that counts since the boot, which every process shares.
// Losing the file makes drains longer, never shorter: whatever can't be read is taken for not noted.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import path from 'node:path';

import type { RealServerKey, VirtualServerKey } from '../../../net/ipvs.ts';
import { NOT_BEGUN, type DrainStarts } from '../../model/state.ts';
import type { RecordScope } from './journal.ts';

/** Milliseconds since the boot. */
const sinceBootMs = (): number => uptime() * 1000;

export class DrainRecord {
  readonly #file: string;
  readonly #scope: RecordScope;
  readonly #bootMs: () => number;
  #written = '';

  constructor(directory: string, scope: RecordScope, bootMs: () => number = sinceBootMs) {
    this.#file = path.join(directory, `drains-${scope.netnsInode}`);
    this.#scope = scope;
    this.#bootMs = bootMs;
  }

  /** On the clock of `nowMs`. Empty where there is no record of this boot. */
  load(nowMs: number): DrainStarts {
    const starts = new Map<VirtualServerKey, Map<RealServerKey, number>>();
    for (const [key, real, atMs] of this.#read()) {
      const reals = starts.get(key) ?? new Map<RealServerKey, number>();
      // never in the future: a drain is not longer than its time
      const sinceMs = atMs === null ? NOT_BEGUN : Math.min(nowMs, nowMs - (this.#bootMs() - atMs));
      starts.set(key, reals.set(real, sinceMs));
    }
    return starts;
  }

  /** Writes what changed since the last time. Throws what the file system throws. */
  save(starts: DrainStarts, nowMs: number): void {
    const offsetMs = this.#bootMs() - nowMs;
    const entries: Noted[] = [];
    for (const [key, reals] of starts) {
      for (const [real, sinceMs] of reals) {
        entries.push([key, real, sinceMs === NOT_BEGUN ? null : Math.round(sinceMs + offsetMs)]);
      }
    }
    // the two clocks drift by less than a second, which is no news
    const text = JSON.stringify(entries.map(([key, real, atMs]) => [key, real, atMs === null]));
    if (text === this.#written) return;
    mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o755 });
    const next = `${this.#file}.new`;
    writeFileSync(next, JSON.stringify({ ...this.#scope, drains: entries }), { mode: 0o644 });
    renameSync(next, this.#file);
    this.#written = text;
  }

  #read(): readonly Noted[] {
    let found: unknown;
    try {
      found = JSON.parse(readFileSync(this.#file, 'utf8'));
    } catch {
      return []; // none yet, or torn: drains begin anew, which only makes them longer
    }
    if (typeof found !== 'object' || found === null || !('drains' in found)) return [];
    if (!('bootId' in found) || found.bootId !== this.#scope.bootId) return [];
    return Array.isArray(found.drains) ? found.drains.filter(isNoted) : [];
  }
}

/** Virtual server, real server, milliseconds since the boot; null: not begun. */
type Noted = readonly [VirtualServerKey, RealServerKey, number | null];

function isNoted(entry: unknown): entry is Noted {
  if (!Array.isArray(entry) || entry.length !== 3) return false;
  const [key, real, atMs] = entry as readonly unknown[];
  return (
    typeof key === 'string' &&
    typeof real === 'string' &&
    (atMs === null || (typeof atMs === 'number' && Number.isFinite(atMs)))
  );
}
