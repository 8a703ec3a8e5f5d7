// The manifests under files and directories, in name order, each file and each directory once even where links go in a
// circle or a path is named twice.
import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const EXTENSIONS = ['.yaml', '.yml', '.json'];

/** Hidden files and what editors leave behind are not manifests. */
export function isManifestName(name: string): boolean {
  return !name.startsWith('.') && EXTENSIONS.some((extension) => name.endsWith(extension));
}

export interface ListedFile {
  readonly path: string;
  /** As the user wrote it. */
  readonly shown: string;
  readonly stats: Stats;
}

/** There is something of this name, but it can't be read to its end. */
export class KindError extends Error {
  override readonly name = 'KindError';
}

/** Linux: major 1, minor 3. */
const NULL_DEVICE = 0x103;

/** A device other than /dev/null may have no end. A pipe has one: it is what a shell makes of `<(command)`. */
export function refuseDevice(stats: Stats): void {
  const isDevice = stats.isCharacterDevice() || stats.isBlockDevice();
  if (isDevice && stats.rdev !== NULL_DEVICE) {
    throw new KindError('is a device; allowed: a file, a directory, a pipe, or - for stdin');
  }
}

/** For who reads again and again: a pipe gives what it has once, and waits for its writer. */
export function refuseAllButFiles(stats: Stats): void {
  if (!stats.isFile())
    throw new KindError('is a pipe, a socket or a device; allowed: a file or a directory');
}

export class Listing {
  readonly #take: (file: ListedFile) => void;
  readonly #onUnreadable: (path: string, error: Error) => void;
  readonly #seen = new Set<string>();

  /** `onUnreadable`: a child that is there and can't be looked at; it may throw. */
  constructor(
    take: (file: ListedFile) => void,
    onUnreadable: (path: string, error: Error) => void,
  ) {
    this.#take = take;
    this.#onUnreadable = onUnreadable;
  }

  /** A file of any name, or a directory with its sub-directories. Throws where it can't be looked at. */
  async add(path: string, shown: string): Promise<void> {
    const stats = await stat(path);
    if (!this.#isNew(stats)) return;
    if (!stats.isDirectory()) {
      this.#take({ path, shown, stats });
      return;
    }
    const names = await readdir(path);
    for (const name of names.sort()) {
      // hidden ones, also ..data of a ConfigMap mount: its files are linked beside it
      if (!name.startsWith('.')) await this.#addChild(join(path, name), join(shown, name), name);
    }
  }

  async #addChild(path: string, shown: string, name: string): Promise<void> {
    try {
      const stats = await stat(path);
      if (stats.isDirectory()) await this.add(path, shown);
      else if (stats.isFile() && isManifestName(name) && this.#isNew(stats)) {
        this.#take({ path, shown, stats });
      }
    } catch (error) {
      if (!isErrno(error)) throw error;
      if (!isNowhere(error)) this.#onUnreadable(path, error);
    }
  }

  #isNew({ dev, ino }: Stats): boolean {
    const identity = `${dev}:${ino}`;
    if (this.#seen.has(identity)) return false;
    this.#seen.add(identity);
    return true;
  }
}

/** Gone since it was listed, a link to nothing, a link to itself: there is nothing to read. */
function isNowhere(error: NodeJS.ErrnoException): boolean {
  return error.code === 'ENOENT' || error.code === 'ELOOP';
}

export function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'code' in error;
}
