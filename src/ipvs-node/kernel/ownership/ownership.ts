// What is ours: the one set that planner, mirror and adapter ask, and its record on disk (in the run directory, a tmpfs).
// Invariant: claim() returns only when the lines are in the file; where they can't be, nothing may be done to the kernel.
// Plain write() is enough: the page cache survives kill -9, and a crash of the host takes the kernel state with it.
import {
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';

import type { VirtualServerAddress } from '../../../net/ipvs.ts';
import { messageOf, OperationalError } from '../../../runtime/errors.ts';
import {
  applyEntry,
  emptyRecord,
  entryLine,
  headerLine,
  parseRecord,
  parseVirtualServerKey,
  renderRecord,
  sysctlLine,
  type Binding,
  type Entry,
  type OwnedRecord,
  type RecordScope,
} from './journal.ts';
import type { Evidence } from '../../model/kernel.ts';
import { bindingKey, type Owned } from '../../model/owned.ts';
import type { Reading } from '../../model/state.ts';

export const DEFAULT_RUN_DIRECTORY = '/run/vipvs';
/** The journal is rewritten when it has grown to this many times the lines that it needs. */
const COMPACT_AT = 4;
const COMPACT_LEAST_LINES = 1_000;
/** Lines that are written at once. */
const PIECE_LINES = 512;

/** The lines could not be written: the operation must not be done. */
export class UnrecordedError extends Error {
  override readonly name = 'UnrecordedError';
  /** `ENOSPC`, `EROFS`, … */
  readonly errno: string;

  constructor(file: string, cause: unknown) {
    super(`not done, because it can not be recorded in ${file}: ${messageOf(cause)}`, { cause });
    this.errno = errnoOf(cause) ?? 'EIO';
  }
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

export function currentScope(): RecordScope {
  return {
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    netnsInode: /\d+/.exec(readlinkSync('/proc/self/ns/net'))?.[0] ?? 'unknown',
  };
}

/** As write(2): answers how many bytes it took, which may be less than there are. */
type Write = ((descriptor: number, text: string) => number) &
  ((descriptor: number, bytes: Uint8Array, from: number) => number);

/** Answers the bytes of the text. The usual write takes all of it, and then needs no buffer. */
function writeWhole(write: Write, descriptor: number, text: string): number {
  const written = write(descriptor, text);
  const bytes = Buffer.byteLength(text);
  if (written === bytes) return bytes;
  const whole = Buffer.from(text);
  for (let at = written; at < bytes;) at += write(descriptor, whole, at);
  return bytes;
}

type SeenAddresses = NonNullable<Reading['addresses']>;

function isSeen(held: Binding, addresses: SeenAddresses): boolean {
  const places = addresses.get(held.address) ?? [];
  return places.some((each) => each.interface === held.interface && each.mark !== 'network');
}

function* taggedOf(addresses: SeenAddresses): Generator<Entry> {
  for (const places of addresses.values()) {
    for (const { address, interface: name, mark } of places) {
      if (mark === 'tagged') yield { kind: 'address', address, interface: name };
    }
  }
}

export class Ownership {
  readonly #file: string;
  readonly #scope: RecordScope;
  readonly #write: Write;
  #record: OwnedRecord = emptyRecord();
  #lines = 0;
  /** The file does not hold exactly the record: a write failed. The next one writes all of it. */
  #isBroken = false;
  #descriptor: number | undefined;
  #bytes = 0;
  #unreadable = 0;

  /** Reads the record that is there, if any; writes nothing until the first claim. Throws OperationalError. */
  constructor(directory: string, scope: RecordScope = currentScope(), write: Write = writeSync) {
    this.#scope = scope;
    this.#write = write;
    // one run directory may serve several network namespaces
    this.#file = path.join(directory, `owned-${scope.netnsInode}`);
    this.#read();
  }

  get file(): string {
    return this.#file;
  }

  /** Lines of the file that could not be read when it was opened: what they held is taken for foreign. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Live. */
  get owned(): Owned {
    return this.#record;
  }

  get virtualServers(): readonly VirtualServerAddress[] {
    return [...this.#record.virtualServers].flatMap((key) => parseVirtualServerKey(key) ?? []);
  }

  get addresses(): readonly Binding[] {
    return [...this.#record.addresses.values()];
  }

  /** Values from before our first change. */
  get sysctls(): ReadonlyMap<string, number> {
    return this.#record.sysctls;
  }

  has(entry: Entry): boolean {
    return entry.kind === 'virtualServer'
      ? this.#record.virtualServers.has(entry.key)
      : this.#record.addresses.has(bindingKey(entry.address, entry.interface));
  }

  /** Before the kernel is changed. Throws UnrecordedError, and then records none of the entries. */
  claim(entries: readonly Entry[]): void {
    const fresh = entries.every((entry) => !this.has(entry))
      ? entries
      : entries.filter((entry) => !this.has(entry));
    if (fresh.length === 0) return;
    this.#append('+', fresh);
    for (const entry of fresh) applyEntry(this.#record, '+', entry);
  }

  /** After the kernel has it no more. A failed write is caught up by the next settle(). */
  release(entries: readonly Entry[]): void {
    const held = entries.filter((entry) => this.has(entry));
    if (held.length === 0) return;
    for (const entry of held) applyEntry(this.#record, '-', entry);
    try {
      this.#append('-', held);
    } catch (error) {
      if (!(error instanceof UnrecordedError)) throw error;
    }
  }

  /** Keeps the value from before the first change of a sysctl. Throws UnrecordedError. */
  rememberSysctl(key: string, value: number): void {
    if (this.#record.sysctls.has(key)) return;
    this.#appendLines([value], (each) => sysctlLine(key, each));
    this.#record.sysctls.set(key, value);
  }

  /**
   * Drops what a reading shows to be gone, takes what carries our tag and, where it pays, rewrites the file. Throws
   * UnrecordedError where it has to be rewritten and can't be.
   */
  settle({ gone, addresses }: Evidence): void {
    const released: Entry[] = gone.map((key) => ({ kind: 'virtualServer', key }));
    if (addresses !== undefined) {
      for (const held of this.#record.addresses.values()) {
        if (!isSeen(held, addresses)) released.push({ kind: 'address', ...held });
      }
      // their tag is a record of its own: the file has their lines when it is written anew
      for (const tagged of taggedOf(addresses)) applyEntry(this.#record, '+', tagged);
    }
    this.release(released);
    const needed = this.#record.virtualServers.size + this.#record.addresses.size;
    const isLong = this.#lines > COMPACT_LEAST_LINES && this.#lines > COMPACT_AT * needed;
    if (this.#isBroken || isLong || this.#isRemoved()) this.#rewrite();
  }

  /** Removes the file: nothing is owned any more. */
  remove(): void {
    this.close();
    this.#record = emptyRecord();
    this.#lines = 0;
    try {
      unlinkSync(this.#file);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #read(): void {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      // first start, or first since the boot; a directory that can't be one shows with the first claim
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return;
      throw new OperationalError(
        'state-unreadable',
        `the record of what vipvs made can not be read: ${messageOf(error)}`,
        error,
      );
    }
    const parsed = parseRecord(text, this.#scope);
    this.#record = parsed.record;
    this.#unreadable = parsed.unreadable;
    this.#isBroken = true; // a half line may stand at its end: write all of it before adding to it
  }

  #append(sign: '+' | '-', entries: readonly Entry[]): void {
    this.#appendLines(entries, (entry) => entryLine(sign, entry));
  }

  /** All of the lines or none. In pieces: the text of 20,000 entries need not be in memory at once. */
  #appendLines<T>(items: readonly T[], lineOf: (item: T) => string): void {
    try {
      if (this.#isRemoved()) this.#isBroken = true;
      if (this.#isBroken) this.#rewrite();
      const descriptor = this.#openForAppend();
      let bytes = 0;
      for (let from = 0; from < items.length; from += PIECE_LINES) {
        let lines = '';
        for (const item of items.slice(from, from + PIECE_LINES)) lines += lineOf(item);
        bytes += writeWhole(this.#write, descriptor, lines);
      }
      this.#bytes += bytes;
      this.#lines += items.length;
    } catch (error) {
      this.#undoHalfLine();
      throw error instanceof UnrecordedError ? error : new UnrecordedError(this.#file, error);
    }
  }

  /** Somebody deleted the file that we write to. */
  #isRemoved(): boolean {
    return this.#descriptor !== undefined && fstatSync(this.#descriptor).nlink === 0;
  }

  #openForAppend(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o755 });
    const descriptor = openSync(this.#file, 'w', 0o644);
    this.#descriptor = descriptor;
    this.#bytes = writeWhole(this.#write, descriptor, headerLine(this.#scope));
    return descriptor;
  }

  /** A full disk may have taken half of the lines. */
  #undoHalfLine(): void {
    if (this.#descriptor === undefined) return;
    try {
      ftruncateSync(this.#descriptor, this.#bytes);
      // the position of the descriptor is behind the end now: start anew
      this.close();
    } finally {
      this.#isBroken = true;
    }
  }

  #rewrite(): void {
    const next = `${this.#file}.new`;
    let descriptor: number | undefined;
    let bytes = 0;
    try {
      mkdirSync(path.dirname(this.#file), { recursive: true, mode: 0o755 });
      descriptor = openSync(next, 'w', 0o644);
      bytes = writeWhole(this.#write, descriptor, renderRecord(this.#record, this.#scope));
      renameSync(next, this.#file);
    } catch (error) {
      if (descriptor !== undefined) closeSync(descriptor);
      throw new UnrecordedError(this.#file, error);
    }
    this.close();
    this.#descriptor = descriptor;
    this.#bytes = bytes;
    this.#lines = this.#record.virtualServers.size + this.#record.addresses.size;
    this.#isBroken = false;
  }
}
