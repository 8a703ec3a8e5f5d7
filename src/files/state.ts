// The state file of standalone mode: everything that must outlive the process, in one JSON file with a checksum, and
// a copy of it beside. Each is written whole under another name and moved into place, one after the other.
// Invariant: at every moment at least one of the two is complete, whatever is cut off or full.
import { createHash } from 'node:crypto';
import { copyFile, mkdir, open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { IP } from '../api/ip.ts';
import type { ServiceStatus } from '../api/kubernetes.ts';
import type { PoolStatus } from '../api/pool.ts';
import type { LoadedObject } from './parse-document.ts';

export const STATE_FILE = 'state.json';
export const STATE_COPY = 'state.json.1';
const FORMAT = 'vipvs-state/1';

export interface StateEvent {
  /** RFC 3339 */
  readonly time: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  /** `Service default/web` */
  readonly object: string;
  readonly message: string;
  /** Times it was seen; `time` is the last one. */
  readonly count: number;
}

export interface StateProcess {
  readonly pid: number;
  /** Clock ticks since boot, from /proc/PID/stat: tells a process from a later one with its pid. */
  readonly startTicks: string | undefined;
  readonly node: string;
  readonly version: string;
  readonly startedAt: string;
}

export interface StateService {
  /** `namespace/name` */
  readonly key: string;
  readonly status: ServiceStatus;
  /** RFC 3339; its creation time where the manifest has none. */
  readonly firstSeen: string | undefined;
}

export interface StatePool {
  readonly name: string;
  readonly status: PoolStatus;
  readonly firstSeen: string | undefined;
}

export interface State {
  readonly savedAt: string;
  readonly process: StateProcess;
  readonly ips: readonly IP[];
  readonly services: readonly StateService[];
  readonly pools: readonly StatePool[];
  /** The newest last. */
  readonly events: readonly StateEvent[];
  /** Text of what is wrong in the manifests, with file and line. */
  readonly problems: readonly string[];
  /** What malformed files held before. */
  readonly kept: readonly LoadedObject[];
}

export interface LoadedState {
  /** undefined: there is none yet. */
  readonly state: State | undefined;
  /** What had to be said about it; empty: all was well. */
  readonly notices: readonly string[];
  /** Neither of the two files can be used, though there is one. */
  readonly isLost: boolean;
}

/** Reads the state, or its copy where the file is damaged. Throws what the file system throws, except ENOENT. */
export async function loadState(directory: string): Promise<LoadedState> {
  const notices: string[] = [];
  for (const name of [STATE_FILE, STATE_COPY]) {
    const path = join(directory, name);
    const text = await readOrUndefined(path);
    if (text === undefined) continue;
    const state = decodeState(text);
    if (typeof state !== 'string') return { state, notices, isLost: false };
    notices.push(
      `${path} is damaged (${state})${name === STATE_FILE ? '; its copy is used instead' : ''}`,
    );
  }
  return { state: undefined, notices, isLost: notices.length > 0 };
}

async function readOrUndefined(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const HEAD = `{"format":${JSON.stringify(FORMAT)},"content":`;
const TAIL = /,"sha256":"([0-9a-f]{64})"\}\n$/;

/** The state, or what is wrong with the text. */
export function decodeState(text: string): State | string {
  if (!text.startsWith(HEAD)) {
    return text.startsWith('{"format":"vipvs-state/')
      ? 'written by another version of vipvs'
      : 'not a state file';
  }
  const tail = TAIL.exec(text.slice(-TAIL_CHARS));
  if (tail === null) return 'cut off';
  const content = text.slice(HEAD.length, text.length - tail[0].length);
  if (createHash('sha256').update(content).digest('hex') !== tail[1]) {
    return 'its checksum does not match';
  }
  // written by us and unchanged, as the checksum says: the one place where a type is taken on trust
  return JSON.parse(content) as State;
}
/** `,"sha256":"<64>"}` and a line break. */
const TAIL_CHARS = 78;

/** The file's text in pieces, so that the state of 10,000 Services is never one string. */
export function* encodeState(state: State): Generator<string> {
  const hash = createHash('sha256');
  yield HEAD;
  for (const piece of contentPieces(state)) {
    hash.update(piece);
    yield piece;
  }
  yield `,"sha256":"${hash.digest('hex')}"}\n`;
}

function* contentPieces(state: State): Generator<string> {
  let separator = '{';
  for (const [name, value] of Object.entries(state) as [string, unknown][]) {
    yield `${separator}\n${JSON.stringify(name)}:`;
    separator = ',';
    if (!Array.isArray(value)) {
      yield JSON.stringify(value);
      continue;
    }
    let itemSeparator = '[';
    for (const item of value as unknown[]) {
      yield `${itemSeparator}\n${JSON.stringify(item)}`;
      itemSeparator = ',';
    }
    yield value.length === 0 ? '[]' : ']';
  }
  yield '}';
}

/** Pieces are joined up to this size before they are written. */
const WRITE_CHARS = 256 * 1024;

/** What is done to the disk; tests put a full one here. */
export interface StateDisk {
  open(path: string): Promise<StateFileHandle>;
  rename(from: string, to: string): Promise<void>;
  copy(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** Makes a rename in this directory survive a power cut. */
  syncDirectory(path: string): Promise<void>;
}
export interface StateFileHandle {
  write(text: string): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

const STATE_FILE_MODE = 0o640;

export const realDisk: StateDisk = {
  async open(path) {
    const file = await open(path, 'w', STATE_FILE_MODE);
    return {
      write: (text) => file.appendFile(text),
      sync: () => file.sync(),
      close: () => file.close(),
    };
  },
  rename,
  copy: copyAndSync,
  remove: (path) => rm(path, { force: true }),
  makeDirectory: async (path) => {
    await mkdir(path, { recursive: true, mode: 0o750 });
  },
  syncDirectory: (path) => withFile(path, 'r', (file) => file.sync()),
};

async function copyAndSync(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  await withFile(to, 'r+', (file) => file.sync());
}

async function withFile(
  path: string,
  flags: string,
  use: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags);
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

/** Writes state and copy. Throws what the file system throws; the files are then as they were. */
export async function saveState(directory: string, state: State, disk: StateDisk): Promise<void> {
  const path = join(directory, STATE_FILE);
  await disk.makeDirectory(directory);
  await replaceFile(disk, path, (temporary) => writePieces(disk, temporary, encodeState(state)));
  await disk.syncDirectory(directory);
  await replaceFile(disk, join(directory, STATE_COPY), (temporary) => disk.copy(path, temporary));
  await disk.syncDirectory(directory);
}

async function replaceFile(
  disk: StateDisk,
  path: string,
  write: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.tmp`;
  try {
    await write(temporary);
    await disk.rename(temporary, path);
  } catch (error) {
    await disk.remove(temporary).catch(() => undefined); // the first failure is the one to tell
    throw error;
  }
}

async function writePieces(disk: StateDisk, path: string, pieces: Iterable<string>): Promise<void> {
  const file = await disk.open(path);
  try {
    let pending = '';
    for (const piece of pieces) {
      pending += piece;
      if (pending.length < WRITE_CHARS) continue;
      await file.write(pending);
      pending = '';
    }
    await file.write(pending);
    await file.sync();
  } finally {
    await file.close();
  }
}
