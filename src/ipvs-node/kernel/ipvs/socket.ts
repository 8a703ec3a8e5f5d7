// The kernel's IPVS table as an object: batches in, dumps out. Small batches run synchronously (a few milliseconds at
// most), large ones and all dumps on a worker thread, so that the event loop never stalls. A handle has two queues
// (operations, dumps) with one call in flight in each; later calls wait here, because the library does not lock.
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

import { SerialQueue } from '../../../runtime/serial-queue.ts';
import { encodeKey, encodeOp } from './codec.ts';
import { errnoName, kernelError } from '../errno.ts';
import { inBackground, library, type DumpCall, type Handle, type Library } from '../libvipvs.ts';
import { createRecords, type Records } from './records.ts';
import {
  decodeChunk,
  decodeDaemon,
  decodeDest,
  decodeDestKeyIndex,
  decodeInfo,
  decodeResult,
  decodeResultError,
  decodeService,
  decodeTimeouts,
  type Chunk,
} from './replies.ts';
import { NOT_SENT, OK, resultOf, type IpvsResult } from './result.ts';
import type {
  DumpedDest,
  DumpedService,
  IpvsInfo,
  IpvsOp,
  IpvsTimeouts,
  ServiceKey,
  SyncDaemon,
} from './values.ts';

export interface IpvsDump<T> {
  /**
   * False: answers were lost, cut or changed while they were read. What is not in the dump may exist all the same, so
   * nothing may be deleted because of it.
   */
  readonly complete: boolean;
  /** Why it is not complete: `ENOBUFS`, `EINTR`, …; empty where it is. */
  readonly errno: string;
  readonly entries: T;
}

/** Operations as they lie in memory, ready to be run. */
interface OpChunk {
  readonly records: Records;
  readonly count: number;
}

export interface RunOptions {
  /** Between two chunks of a large batch: room for the kernel's table resizer and for other users of its mutex. */
  readonly pauseMs?: number;
}

/** Batches up to this size run synchronously: 4 to 20 us for each operation. */
const SYNC_OPS_MAX = 512;
/** Operations in one call to the library; 180 kB of records. */
const CHUNK_OPS = 2048;
const DUMP_CHUNK = 2048;
const DEFAULT_TIMEOUT_MS = 5000;

export class IpvsSocket {
  readonly #lib: Library;
  readonly #handle: Handle;
  readonly #opsQueue = new SerialQueue();
  readonly #dumpQueue = new SerialQueue();
  readonly #ops = [createRecords('op', CHUNK_OPS), createRecords('op', CHUNK_OPS)] as const;
  readonly #results = createRecords('result', CHUNK_OPS);
  readonly #key = createRecords('key', 1);
  readonly #service = createRecords('service', 1);
  readonly #chunk = createRecords('chunk', 1);
  /** 229 kB, which an audit would else make anew for every 32 virtual servers. */
  readonly #dests = createRecords('dest', DUMP_CHUNK);
  #isClosed = false;

  private constructor(lib: Library, handle: Handle) {
    this.#lib = lib;
    this.#handle = handle;
  }

  /**
   * Opens the kernel's IPVS of this network namespace; loads its module where that is possible.
   * Throws OperationalError library-missing, ipvs-missing, not-permitted or kernel-failed.
   */
  static open(options: { readonly timeoutMs?: number } = {}): IpvsSocket {
    const lib = library();
    const error = new Uint32Array(1);
    const handle = lib.open(options.timeoutMs ?? DEFAULT_TIMEOUT_MS, error);
    if (handle === null) throw kernelError('IPVS', error[0] ?? 0);
    return new IpvsSocket(lib, handle);
  }

  /**
   * Runs operations in order and answers for each one. A failed one does not stop those behind it; a lost answer does:
   * the outcome of its neighbours is then `unknown`, that of all later ones `not-sent`.
   */
  run(ops: readonly IpvsOp[], options: RunOptions = {}): Promise<readonly IpvsResult[]> {
    return this.#enter(this.#opsQueue, async () => {
      // most answers are this one: no list that grows, and nothing is made for them
      const results = new Array<IpvsResult>(ops.length).fill(OK);
      let done = 0;
      let chunk = this.#encodeChunk(this.#ops[0], ops, 0);
      let spare = this.#ops[1];
      while (chunk !== undefined) {
        const call = this.#startChunk(chunk, ops.length <= SYNC_OPS_MAX);
        // the kernel works on a thread of its own: the next chunk is written meanwhile
        const next = this.#encodeChunk(spare, ops, done + chunk.count);
        const status = await call;
        this.#takeFailures(ops, results, done, chunk.count);
        done += chunk.count;
        if (status < 0) {
          results.fill(resultOf(errnoName(-status), NOT_SENT), done);
          break;
        }
        if (next !== undefined && options.pauseMs !== undefined) await delay(options.pauseMs);
        spare = chunk.records;
        chunk = next;
      }
      return results;
    });
  }

  #encodeChunk(records: Records, ops: readonly IpvsOp[], from: number): OpChunk | undefined {
    const count = Math.min(CHUNK_OPS, ops.length - from);
    for (let i = 0; i < count; i++) {
      const op = ops[from + i];
      if (op !== undefined) encodeOp(records, i, op);
    }
    return count > 0 ? { records, count } : undefined;
  }

  #startChunk({ records, count }: OpChunk, isSmall: boolean): number | Promise<number> {
    if (isSmall) return this.#lib.run(this.#handle, records.bytes, count, this.#results.bytes);
    return inBackground((done) => {
      this.#lib.run.async(this.#handle, records.bytes, count, this.#results.bytes, done);
    });
  }

  #takeFailures(ops: readonly IpvsOp[], into: IpvsResult[], from: number, count: number): void {
    for (let i = 0; i < count; i++) {
      if (decodeResultError(this.#results, i) === 0) continue;
      const { error, detail } = decodeResult(this.#results, i);
      into[from + i] = resultOf(errnoName(error), detail, ops[from + i]?.op);
    }
  }

  /** One virtual server, or undefined where there is none with this key. */
  getService(key: ServiceKey): Promise<DumpedService | undefined> {
    return this.#enter(this.#opsQueue, () => {
      encodeKey(this.#key, 0, key);
      const status = this.#lib.getService(this.#handle, this.#key.bytes, this.#service.bytes);
      if (status === -constants.errno.ESRCH) return undefined;
      if (status < 0) throw kernelError('reading a virtual server', -status);
      return decodeService(this.#service, 0);
    });
  }

  timeouts(): Promise<IpvsTimeouts> {
    return this.#enter(this.#opsQueue, () => {
      const out = createRecords('timeouts', 1);
      const status = this.#lib.getTimeouts(this.#handle, out.bytes);
      if (status < 0) throw kernelError('reading the IPVS timeouts', -status);
      return decodeTimeouts(out);
    });
  }

  info(): Promise<IpvsInfo> {
    return this.#enter(this.#opsQueue, () => {
      const out = createRecords('info', 1);
      const status = this.#lib.getInfo(this.#handle, out.bytes);
      if (status < 0) throw kernelError('reading the IPVS version', -status);
      return decodeInfo(out);
    });
  }

  /** All virtual servers, in the kernel's order; one may appear twice where others are added meanwhile. */
  async dumpServices(): Promise<IpvsDump<readonly DumpedService[]>> {
    return this.#dumpAll('service', this.#lib.dumpServices, decodeService);
  }

  /** The connection synchronisation daemons: none, one or two. */
  async daemons(): Promise<IpvsDump<readonly SyncDaemon[]>> {
    return this.#dumpAll('daemon', this.#lib.dumpDaemons, decodeDaemon);
  }

  #dumpAll<T>(
    record: 'service' | 'daemon',
    call: DumpCall,
    decode: (records: Records, index: number) => T,
  ): Promise<IpvsDump<readonly T[]>> {
    return this.#enter(this.#dumpQueue, async () => {
      const out = createRecords(record, DUMP_CHUNK);
      const entries: T[] = [];
      const end = await this.#readChunks(
        (done) => {
          call.async(this.#handle, out.bytes, DUMP_CHUNK, this.#chunk.bytes, done);
        },
        (index) => entries.push(decode(out, index)),
      );
      return { complete: end.error === 0, errno: nameOrEmpty(end.error), entries };
    });
  }

  /**
   * The real servers of many virtual servers; entries[i] belongs to keys[i] and is undefined where it was not read to
   * its end. A virtual server that does not exist has no real servers: the kernel does not tell the two apart.
   */
  dumpDests(
    keys: readonly ServiceKey[],
  ): Promise<IpvsDump<readonly (readonly DumpedDest[] | undefined)[]>> {
    return this.#enter(this.#dumpQueue, async () => {
      const keyRecords = createRecords('key', Math.max(1, keys.length));
      const out = this.#dests;
      keys.forEach((key, i) => {
        encodeKey(keyRecords, i, key);
      });
      const entries: (DumpedDest[] | undefined)[] = keys.map(() => []);
      const end = await this.#readChunks(
        (done) => {
          this.#lib.dumpDests.async(
            this.#handle,
            keyRecords.bytes,
            keys.length,
            out.bytes,
            DUMP_CHUNK,
            this.#chunk.bytes,
            done,
          );
        },
        (index) => {
          entries[decodeDestKeyIndex(out, index)]?.push(decodeDest(out, index));
        },
      );
      if (end.error !== 0) entries.fill(undefined, end.nextKey);
      return { complete: end.error === 0, errno: nameOrEmpty(end.error), entries };
    });
  }

  async #readChunks(
    start: (done: (error: unknown, value: number) => void) => void,
    take: (index: number) => void,
  ): Promise<Chunk> {
    for (;;) {
      const status = await inBackground(start);
      const chunk = decodeChunk(this.#chunk);
      // The library could not even open a new socket: not a dump that was lost, but a handle that is
      if (status < 0 && chunk.error === 0) throw kernelError('reading the IPVS table', -status);
      if (isRefusal(chunk.error)) throw kernelError('reading the IPVS table', chunk.error);
      for (let i = 0; i < chunk.count; i++) take(i);
      if (!chunk.more) return chunk;
    }
  }

  #enter<T>(queue: SerialQueue, task: () => T | Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new Error('bug: this IPVS socket is closed'));
    return queue.run(task);
  }

  /** Waits for the calls in flight; later calls are refused. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#opsQueue.settle();
    await this.#dumpQueue.settle();
    this.#lib.close(this.#handle);
  }
}

/** Answers that say that no dump will ever succeed, unlike those that ask for another try. */
function isRefusal(errno: number): boolean {
  return errno === constants.errno.EPERM || errno === constants.errno.ENOENT;
}

function nameOrEmpty(errno: number): string {
  return errno === 0 ? '' : errnoName(errno);
}
