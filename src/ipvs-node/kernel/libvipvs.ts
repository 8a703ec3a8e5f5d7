// The only door to koffi: finds native/build/libvipvs.so, refuses it unless its ABI version and every record size are
// the ones of ipvs/records.ts, and gives its functions types. Each takes flat buffers, so that one call carries a whole
// batch. Errors come back in results, never through errno, which another thread would overwrite.
import { load, type KoffiFunc, type LibraryHandle } from 'koffi';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { OperationalError, messageOf } from '../../runtime/errors.ts';
import { ABI_VERSION, RECORD_BYTES } from './ipvs/records.ts';

export type Handle = bigint;
type Bytes = Uint8Array<ArrayBuffer>;

export interface Library {
  readonly open: KoffiFunc<(timeoutMs: number, error: Uint32Array) => Handle | null>;
  readonly close: KoffiFunc<(handle: Handle) => void>;
  readonly run: KoffiFunc<(handle: Handle, ops: Bytes, count: number, results: Bytes) => number>;
  readonly getService: KoffiFunc<(handle: Handle, key: Bytes, out: Bytes) => number>;
  readonly getTimeouts: KoffiFunc<(handle: Handle, out: Bytes) => number>;
  readonly getInfo: KoffiFunc<(handle: Handle, out: Bytes) => number>;
  readonly dumpServices: DumpCall;
  readonly dumpDaemons: DumpCall;
  readonly dumpDests: KoffiFunc<
    (
      handle: Handle,
      keys: Bytes,
      keyCount: number,
      out: Bytes,
      capacity: number,
      chunk: Bytes,
    ) => number
  >;
  readonly announce: KoffiFunc<(ifindex: number, list: Bytes, count: number) => number>;
  readonly tuneNetlink: KoffiFunc<(fd: number, receiveBytes: number) => number>;
}
export type DumpCall = KoffiFunc<
  (handle: Handle, out: Bytes, capacity: number, chunk: Bytes) => number
>;

/** Seen from this folder of a checkout, and from dist of the package. */
const LIBRARY_PLACES = ['../../../native/build', '../native/build'];

/** VIPVS_LIBRARY, else the library that `make -C native` left beside this program. */
function libraryPath(): string {
  const places = LIBRARY_PLACES.map((place) =>
    path.resolve(import.meta.dirname, place, 'libvipvs.so'),
  );
  return process.env['VIPVS_LIBRARY'] ?? places.find((file) => existsSync(file)) ?? places[0] ?? '';
}

let loaded: Library | undefined;

export function library(): Library {
  loaded ??= loadLibrary(libraryPath());
  return loaded;
}

function loadLibrary(file: string): Library {
  let lib: LibraryHandle;
  try {
    lib = load(file);
  } catch (error) {
    throw new OperationalError(
      'library-missing',
      `${file} can not be loaded: ${messageOf(error)}; build it with: make -C native`,
      error,
    );
  }
  checkAbi(lib, file);
  const handle = 'void *v';
  return {
    open: lib.func('void *vipvs_open(uint32_t timeout_ms, uint32_t *error)'),
    close: lib.func(`void vipvs_close(${handle})`),
    run: lib.func(`int vipvs_run(${handle}, const void *ops, uint32_t count, void *results)`),
    getService: lib.func(`int vipvs_get_service(${handle}, const void *key, void *out)`),
    getTimeouts: lib.func(`int vipvs_get_timeouts(${handle}, void *out)`),
    getInfo: lib.func(`int vipvs_get_info(${handle}, void *out)`),
    dumpServices: lib.func(
      `int vipvs_dump_services(${handle}, void *out, uint32_t n, void *chunk)`,
    ),
    dumpDaemons: lib.func(`int vipvs_dump_daemons(${handle}, void *out, uint32_t n, void *chunk)`),
    dumpDests: lib.func(
      `int vipvs_dump_dests(${handle}, const void *keys, uint32_t k, void *out, uint32_t n, void *chunk)`,
    ),
    announce: lib.func('int vipvs_announce(uint32_t ifindex, void *list, uint32_t count)'),
    tuneNetlink: lib.func('int vipvs_tune_netlink(int fd, uint32_t receive_bytes)'),
  };
}

function checkAbi(lib: LibraryHandle, file: string): void {
  let version: number;
  const sizes = new Uint32Array(Object.keys(RECORD_BYTES).length);
  try {
    const readVersion: () => number = lib.func('uint32_t vipvs_abi_version()');
    const readSizes: (sizes: Uint32Array) => void = lib.func('void vipvs_abi_sizes(uint32_t *s)');
    version = readVersion();
    if (version === ABI_VERSION) readSizes(sizes);
  } catch (error) {
    throw new OperationalError('library-missing', `${file} is not libvipvs`, error);
  }
  const expected = Object.values(RECORD_BYTES);
  if (version !== ABI_VERSION || expected.some((bytes, i) => bytes !== sizes[i])) {
    throw new OperationalError(
      'library-missing',
      `${file} is of ABI ${version} (records ${sizes.join(' ')}), this program needs ABI ${ABI_VERSION} ` +
        `(records ${expected.join(' ')}); build it again with: make -C native`,
    );
  }
}

/**
 * Lets glibc give freed memory in the middle of its heap back to the system (malloc_trim(3): 12 MB after 10,000 Services,
 * in 2 ms). False with other C libraries, which have no such function; nothing depends on it.
 */
export function trimAllocator(): boolean {
  let trim: (pad: number) => number;
  try {
    trim = load(null).func('int malloc_trim(size_t pad)');
  } catch {
    return false;
  }
  trim(0);
  return true;
}

/** The library call on a worker thread of libuv's pool. */
export function inBackground(
  start: (done: (error: unknown, value: number) => void) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null || error === undefined) resolve(value);
      else reject(error instanceof Error ? error : new Error(messageOf(error)));
    });
  });
}
