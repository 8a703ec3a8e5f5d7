// Watched directories and files of manifests as a source of objects. Every event leads to a look at the files themselves,
// and only what changed there is parsed again: editors' renames, links swapped under a ConfigMap mount and lost events
// all end the same way.
// Invariants: nothing is reported as gone unless all that was named was listed whole; what is away is no news about its
// objects. Whatever one file does to its reader is that file's fault; a change stays until the listener has taken it.
import { watch as chokidarWatch } from 'chokidar';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FileIndex, type SourceChange } from './file-index.ts';
import { isErrno, isManifestName, Listing, refuseAllButFiles } from './listing.ts';
import { messageOf } from '../runtime/errors.ts';
import { fileFailure, readManifestFile } from './manifests.ts';
import type { LoadedObject, ManifestProblem } from './parse-document.ts';

/** Events of one save come within a few milliseconds; a truncated file gets its text in this time. */
const DEBOUNCE_MS = 50;
/** A directory that is away is looked for this often. */
const RETRY_MS = 1000;
/** Links to files elsewhere have no events; the whole tree is compared this often. */
const AUDIT_MS = 30_000;
/** A file emptied by somebody who is about to write it: its objects stay that long. */
const EMPTY_GRACE_MS = 1000;

export interface SourceStatus {
  /** All that was named was listed and every file tried since something of it was last away. */
  readonly isSynced: boolean;
  /** Why not. */
  readonly failure: string | undefined;
}

export interface DirectoryListener {
  /** All changes of one look, in one call. */
  readonly onChange: (changes: readonly SourceChange[]) => void;
  /** After every look that changed anything, and when something that was named went or came back. */
  readonly onStatus: (status: SourceStatus) => void;
  /** A bug or a watcher's failure; the periodic look goes on. */
  readonly onError: (error: unknown) => void;
}

export interface DirectoryPorts {
  readonly timer: (delayMs: number, callback: () => void) => () => void;
  readonly wallMs: () => number;
}

export class DirectorySource {
  readonly index = new FileIndex();
  /** Absolute paths of directories and files. */
  readonly #roots: readonly string[];
  readonly #listener: DirectoryListener;
  readonly #ports: DirectoryPorts;
  /** File -> its identity when it was last read. */
  readonly #signatures = new Map<string, string>();
  #watcher: { readonly identity: string; readonly close: () => Promise<void> } | undefined;
  #dirty = new Set<string>();
  /** What was found and the listener has not taken yet. */
  #changes: SourceChange[] = [];
  #isTreeDirty = true;
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #looking: Promise<void> | undefined;
  #status: SourceStatus = { isSynced: false, failure: 'not read yet' };
  #isClosed = false;

  constructor(roots: readonly string[], listener: DirectoryListener, ports: DirectoryPorts) {
    this.#roots = roots;
    this.#listener = listener;
    this.#ports = ports;
  }

  get status(): SourceStatus {
    return this.#status;
  }

  problems(): readonly ManifestProblem[] {
    return this.index.problems();
  }

  /** What has no effect in objects that are used. */
  remarks(): readonly ManifestProblem[] {
    return this.index.remarks();
  }

  /** `kept`: what malformed files held in an earlier run. */
  start(kept: readonly LoadedObject[]): void {
    this.#changes.push(...this.index.restore(kept));
    this.#tellChanges();
    this.#schedule(0);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelTimer?.();
    await this.#looking;
    await this.#closeWatcher();
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed || this.#looking !== undefined) return;
    const atMs = this.#ports.wallMs() + delayMs;
    if (this.#cancelTimer !== undefined) {
      if (this.#timerAtMs <= atMs) return;
      this.#cancelTimer();
    }
    this.#timerAtMs = atMs;
    this.#cancelTimer = this.#ports.timer(delayMs, () => {
      this.#cancelTimer = undefined;
      this.#looking = this.#look()
        .catch((error: unknown) => {
          this.#isTreeDirty = true;
          this.#listener.onError(error);
          return RETRY_MS;
        })
        .then((nextMs) => {
          this.#looking = undefined;
          this.#schedule(this.#dirty.size > 0 || this.#isTreeDirty ? DEBOUNCE_MS : nextMs);
        });
    });
  }

  /** One look at what is dirty; answers when the next one is due. */
  async #look(): Promise<number> {
    const isAudit = this.#dirty.size === 0;
    const paths = [...this.#dirty];
    const isTree = this.#isTreeDirty || isAudit;
    this.#dirty = new Set();
    this.#isTreeDirty = false;
    const seen = isTree ? await this.#listTree() : new Map<string, FileStat>();
    if (seen === undefined) return RETRY_MS;
    let nextMs = AUDIT_MS;
    for (const path of isTree ? seen.keys() : paths) {
      const outcome = await this.#lookAt(path, seen.get(path));
      if (outcome === 'later') nextMs = EMPTY_GRACE_MS;
    }
    if (isTree) this.#removeMissing(seen);
    this.#report();
    return nextMs;
  }

  /** Lists all that was named and watches it; undefined while something of it is away. */
  async #listTree(): Promise<Map<string, FileStat> | undefined> {
    const files = new Map<string, FileStat>();
    let root = '';
    try {
      await this.#watchCurrent((path) => void (root = path));
      const listing = new Listing(
        ({ path, stats }) => {
          refuseAllButFiles(stats);
          files.set(path, toFileStat(stats));
        },
        (path, error) => this.#keepAll(path, error, files),
      );
      for (root of this.#roots) await listing.add(root, root);
      return files;
    } catch (error) {
      await this.#closeWatcher();
      this.#setStatus({ isSynced: false, failure: `${root}: ${fileFailure(error)}` });
      return undefined;
    }
  }

  /**
   * Watches before it is listed: a change in between is an event, not a loss. Throws where something is away, after it told
   * what it looked at.
   */
  async #watchCurrent(onLook: (root: string) => void): Promise<void> {
    const directories = new Map<string, boolean>();
    let identity = '';
    for (const root of this.#roots) {
      onLook(root);
      const isDirectory = (await stat(root)).isDirectory();
      const directory = isDirectory ? root : dirname(root);
      const { dev, ino } = await stat(directory);
      identity += `${dev}:${ino} `;
      directories.set(directory, isDirectory || directories.get(directory) === true);
    }
    if (this.#watcher?.identity === identity) return;
    await this.#closeWatcher(); // it watches a directory that was moved away
    this.#watcher = { identity, close: await this.#watch(directories) };
  }

  async #closeWatcher(): Promise<void> {
    const old = this.#watcher;
    this.#watcher = undefined;
    await old?.close();
  }

  /** A sub-directory or file that can't be looked at: what it held is neither gone nor changed. */
  #keepAll(path: string, error: unknown, files: Map<string, FileStat>): void {
    for (const file of this.index.files()) {
      if (file === path || file.startsWith(`${path}/`)) files.set(file, UNKNOWN);
    }
    this.#listener.onError(new Error(`${path}: ${fileFailure(error)}; its objects stay`));
  }

  async #lookAt(path: string, known: FileStat | undefined): Promise<'done' | 'later'> {
    if (known === UNKNOWN) return 'done';
    try {
      const file = known ?? (await fileStat(path));
      if (file === undefined) {
        this.#isTreeDirty = true; // gone, or its directory is: only a whole listing tells
        return 'done';
      }
      if (this.#signatures.get(path) === file.signature) return 'done';
      const isBeingWritten = file.size === 0 && this.index.holdsObjects(path) && !this.#isOld(file);
      if (isBeingWritten) return 'later';
      const parsed = await readManifestFile(path, path);
      const after = await fileStat(path);
      if (after?.signature !== file.signature) {
        this.#dirty.add(path); // somebody wrote while we read
        return 'done';
      }
      this.#changes.push(...this.index.update(path, parsed));
      this.#signatures.set(path, file.signature);
    } catch (error) {
      if (isErrno(error) && error.code === 'ENOENT') this.#isTreeDirty = true;
      else {
        this.#changes.push(...this.index.fail(path, faultText(error)));
        this.#signatures.delete(path);
      }
    }
    return 'done';
  }

  #isOld(file: FileStat): boolean {
    return this.#ports.wallMs() - (file.mtimeMs ?? 0) >= EMPTY_GRACE_MS;
  }

  #removeMissing(seen: ReadonlyMap<string, FileStat>): void {
    for (const file of [...this.index.files()]) {
      if (seen.has(file)) continue;
      this.#signatures.delete(file);
      this.#changes.push(...this.index.remove(file));
    }
  }

  #problemsText = '';

  /** Of what the listener throws at, nothing is lost: it gets it again with the next look. */
  #tellChanges(): boolean {
    if (this.#changes.length === 0) return false;
    this.#listener.onChange(this.#changes);
    this.#changes = [];
    return true;
  }

  #report(): void {
    const hasChanged = this.#tellChanges();
    const problemsText = JSON.stringify([this.index.problems(), this.index.remarks()]);
    const isNews = problemsText !== this.#problemsText || hasChanged;
    this.#problemsText = problemsText;
    if (!this.#status.isSynced) this.#setStatus({ isSynced: true, failure: undefined });
    else if (isNews) this.#listener.onStatus(this.#status);
  }

  #setStatus(status: SourceStatus): void {
    const isNews =
      status.isSynced !== this.#status.isSynced || status.failure !== this.#status.failure;
    this.#status = status;
    if (isNews) this.#listener.onStatus(status);
  }

  /**
   * `directories`: whether all below counts, too, or only some files in it. Watches directories only (one watch each, whose raw events name the files in them): a watch for every one of
   * 20,000 files costs memory and changes nothing.
   */
  async #watch(directories: ReadonlyMap<string, boolean>): Promise<() => Promise<void>> {
    const isBelow = (path: string): boolean =>
      [...directories].some(
        ([root, isWhole]) => path === root || (isWhole && path.startsWith(`${root}/`)),
      );
    const watcher = chokidarWatch([...directories.keys()], {
      ignoreInitial: true,
      ignored: (path, stats) => stats?.isFile() === true || !isBelow(path),
    });
    watcher.on('raw', (_event, name, details: unknown) => {
      const watched = watchedPath(details);
      if (watched !== undefined && typeof name === 'string') this.#onEvent(watched, name);
      else this.#markTree();
    });
    watcher.on('all', () => this.#markTree());
    watcher.on('error', (error) => {
      this.#markTree();
      this.#listener.onError(error);
    });
    await new Promise<void>((resolve) => void watcher.once('ready', resolve));
    return () => watcher.close();
  }

  #onEvent(watched: string, name: string): void {
    const path = join(watched, name);
    if (isManifestName(name) && this.index.has(path)) {
      this.#dirty.add(path);
      this.#schedule(DEBOUNCE_MS);
    } else this.#markTree(); // a new file, a directory, the ..data link
  }

  #markTree(): void {
    this.#isTreeDirty = true;
    this.#schedule(DEBOUNCE_MS);
  }
}

interface FileStat {
  readonly signature: string;
  readonly size: number;
  readonly mtimeMs?: number;
}

/** It is there, and nothing more is known. */
const UNKNOWN: FileStat = { signature: '', size: 0 };

function watchedPath(details: unknown): string | undefined {
  const path: unknown =
    typeof details === 'object' && details !== null && 'watchedPath' in details
      ? details.watchedPath
      : undefined;
  return typeof path === 'string' ? path : undefined;
}

async function fileStat(path: string): Promise<FileStat | undefined> {
  try {
    const stats = await stat(path);
    return stats.isFile() ? toFileStat(stats) : undefined;
  } catch (error) {
    if (isErrno(error) && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

interface Identity {
  readonly size: number;
  readonly ino: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
}

function toFileStat(stats: Identity): FileStat {
  const { size, ino, mtimeMs, ctimeMs } = stats;
  // a rename changes ctime, a write ctime and mtime, a link swapped the inode
  return { signature: [ino, size, ctimeMs].join('.'), size, mtimeMs };
}

/** What reading a file ended with: the file system's word, or whatever its text did to a parser. */
function faultText(error: unknown): string {
  return isErrno(error) ? fileFailure(error) : `cannot be read: ${messageOf(error)}`;
}
