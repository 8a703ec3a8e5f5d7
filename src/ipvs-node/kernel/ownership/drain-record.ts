// When drains began, on disk beside the ownership record, so that a restart of the agent begins none anew: five restarts
// made 1,200 seconds of 300. There is a file while something drains.
// Invariant: losing it makes drains longer, never shorter. What can't be read is taken for not noted, and a file that can't
// be brought up to date is removed.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import path from 'node:path';

import type { RealServerKey, VirtualServerKey } from '../../../net/ipvs.ts';
import { messageOf } from '../../../runtime/errors.ts';
import type { DrainRecordPort, NotedDrains } from '../../model/kernel.ts';
import { NOT_BEGUN, type DrainStarts } from '../../model/state.ts';
import { parseDrains, renderDrains } from './drain-lines.ts';
import type { RecordScope } from './journal.ts';
import { currentScope, errnoOf } from './ownership.ts';

/** Milliseconds since the boot. */
const sinceBootMs = (): number => uptime() * 1000;

export class DrainRecord implements DrainRecordPort {
  readonly #file: string;
  readonly #scope: RecordScope;
  readonly #bootMs: () => number;

  constructor(directory: string, scope: RecordScope = currentScope(), bootMs = sinceBootMs) {
    // one run directory may serve several network namespaces
    this.#file = path.join(directory, `drains-${scope.netnsInode}`);
    this.#scope = scope;
    this.#bootMs = bootMs;
  }

  get file(): string {
    return this.#file;
  }

  load(nowMs: number): NotedDrains {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      const isNone = errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR';
      return { starts: new Map(), problem: isNone ? undefined : this.#unread(messageOf(error)) };
    }
    const { starts, problem } = parseDrains(text, this.#scope);
    return {
      starts: shifted(starts, nowMs - this.#bootMs(), nowMs),
      problem: problem && this.#unread(`${this.#file}: ${problem}`),
    };
  }

  save(starts: DrainStarts, nowMs: number): string | undefined {
    const text = hasBegun(starts)
      ? renderDrains(starts, this.#bootMs() - nowMs, this.#scope)
      : undefined;
    try {
      if (text === undefined) this.remove();
      else this.#write(text);
      return undefined;
    } catch (error) {
      return `${messageOf(error)}: after a restart of vipvs, drains count from then`;
    }
  }

  /** Removes the file. Throws what the file system throws. */
  remove(): void {
    rmSync(this.#file, { force: true });
    rmSync(`${this.#file}.new`, { force: true });
  }

  #write(text: string): void {
    const next = `${this.#file}.new`;
    try {
      mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o755 });
      writeFileSync(next, text, { mode: 0o644 });
      renameSync(next, this.#file);
    } catch (error) {
      // a server that came back and leaves again would be cut short by its old line; a full disk still removes files
      this.#tryRemove();
      throw error;
    }
  }

  #tryRemove(): void {
    try {
      this.remove();
    } catch {
      // of a file system that is read-only; the write that failed has said so
    }
  }

  #unread(why: string): string {
    return `${why}; drains whose start is not read count from now`;
  }
}

function hasBegun(starts: DrainStarts): boolean {
  for (const reals of starts.values()) {
    for (const sinceMs of reals.values()) if (sinceMs !== NOT_BEGUN) return true;
  }
  return false;
}

/** On another clock; none of them in its future, or a drain would be longer than its time. */
function shifted(starts: DrainStarts, offsetMs: number, nowMs: number): DrainStarts {
  const moved = new Map<VirtualServerKey, ReadonlyMap<RealServerKey, number>>();
  for (const [key, reals] of starts) {
    const entries = new Map<RealServerKey, number>();
    for (const [real, atMs] of reals) entries.set(real, Math.min(nowMs, atMs + offsetMs));
    moved.set(key, entries);
  }
  return moved;
}
