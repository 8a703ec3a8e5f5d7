// Keeps a sink equal to the API server's objects of one kind: list once, then watch from there, resume where a watch
// ended, and list again only when the server has forgotten that place. A list after the first is compared with what the
// sink has, so that the sink hears only differences; one that lacks very much is confirmed by a second list before
// anything is deleted (list-doubt.ts). Rules: client-go tools/cache/reflector.go.
// Invariants: nothing is deleted unless the server said so in a complete list or an event; after the signal is
// aborted the sink is never touched; resourceVersions are opaque and never compared except for equality.
import { Backoff, WATCH_BACKOFF } from '../runtime/backoff.ts';
import { ApiError, errorOfStatus, explainReading } from './errors.ts';
import { readList, type Listed } from './list.ts';
import { objectAt, textAt } from './json.ts';
import { LineSplitter } from './lines.ts';
import { CONFIRM_AFTER_MS, ListDoubt } from './list-doubt.ts';
import { isAborted, type Clock, type Log, type Random } from './ports.ts';
import type { Message } from './protobuf.ts';
import {
  collectionPath,
  identityOf,
  resourceName,
  withTypeMeta,
  type Resource,
} from './resource.ts';
import type { ApiClient, Query } from './transport.ts';
import { badEvent, linesOf, parseEvent, type WatchEvent } from './watch-event.ts';

export interface ReflectorSink<T> {
  /** Once: every object of the first complete list, by key. */
  onSync(objects: ReadonlyMap<string, T>): void;
  onUpsert(key: string, object: T): void;
  /** `uid`: of the object that went; there may be another of its name by now. */
  onDelete(key: string, uid: string): void;
  /** After a later list, of which the differences were told: all keys in it. What came and went since the last is not told. */
  onRelist?(keys: Pick<ReadonlySet<string>, 'has'>): void;
}

export interface ReflectorOptions<T> {
  readonly client: ApiClient;
  readonly resource: Resource;
  readonly namespace?: string;
  /** labelSelector, fieldSelector */
  readonly query?: Query;
  /**
   * The parts of an object that the sink keeps; undefined: none, it is not for us. It may throw on an object it cannot
   * read: that is logged, and the sink keeps the object as it was.
   */
  readonly project: (raw: unknown) => T | undefined;
  /** Lists may come in protobuf, with these fields; watches are JSON. */
  readonly protobuf?: Message | undefined;
  /** An API server that does not know the kind has none of it: that is no failure, and asked again now and then. */
  readonly isOptional?: boolean;
  readonly sink: ReflectorSink<T>;
  /** A list lacked so much that it has to be confirmed; the text is for people. */
  readonly onDoubt?: (message: string) => void;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
}

/** Why a watch or a list was started again: a closed set, for metrics. */
export type RestartReason = 'ended' | 'stalled' | ApiError['code'];

export interface ReflectorProblem {
  readonly code: ApiError['code'] | 'stalled';
  /** What failed and what would help, for people. */
  readonly message: string;
  /** Monotonic clock. */
  readonly sinceMs: number;
}

/** A moment's picture, for readiness and metrics. */
export interface ReflectorState {
  readonly resource: string;
  readonly phase: 'listing' | 'watching' | 'waiting' | 'stopped';
  readonly synced: boolean;
  /** Set while the last try failed. */
  readonly problem: ReflectorProblem | undefined;
  readonly objects: number;
  readonly lists: number;
  readonly watches: number;
  readonly events: number;
  readonly watchBytes: number;
  /** Objects that `project` could not read. */
  readonly unreadable: number;
  readonly restarts: ReadonlyMap<RestartReason, number>;
}

const WATCH_MIN_SECONDS = 300;
/** The server ends a watch at its timeoutSeconds; one that has not ended this long after is on a dead connection. */
const STALL_GRACE_MS = 60_000;
/** A watch that ends sooner, with no event, was refused in disguise. */
const SHORT_WATCH_MS = 1000;
/** A kind that is not installed yet is asked for at least this often: someone is waiting for it. */
const MISSING_KIND_MAX_MS = 4000;
/** An optional one comes with an upgrade of the API server. */
const OPTIONAL_KIND_MS = 60_000;

interface Tracked {
  readonly uid: string;
  readonly resourceVersion: string;
}

type WatchEnd = 'resume' | 'relist';

export class Reflector<T> {
  readonly #options: ReflectorOptions<T>;
  readonly #path: string;
  readonly #name: string;
  readonly #backoff: Backoff;
  /** What the sink holds. */
  readonly #tracked = new Map<string, Tracked>();
  readonly #restarts = new Map<RestartReason, number>();
  readonly #doubt = new ListDoubt();
  #resourceVersion = '';
  #phase: ReflectorState['phase'] = 'stopped';
  #problem: ReflectorProblem | undefined;
  #synced = false;
  #lists = 0;
  #watches = 0;
  #events = 0;
  #watchBytes = 0;
  #unreadable = 0;
  /** Cleared by a watch that works: the first `gone` lists again at once, a second one in a row waits. */
  #goneBefore = false;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#path = collectionPath(options.resource, options.namespace);
    this.#name = resourceName(options.resource);
    this.#backoff = new Backoff(WATCH_BACKOFF, options.random);
  }

  state(): ReflectorState {
    return {
      resource: this.#name,
      phase: this.#phase,
      synced: this.#synced,
      problem: this.#problem,
      objects: this.#tracked.size,
      lists: this.#lists,
      watches: this.#watches,
      events: this.#events,
      watchBytes: this.#watchBytes,
      unreadable: this.#unreadable,
      restarts: this.#restarts,
    };
  }

  /** Runs until the signal is aborted. Rejects only for a bug: a sink that throws. Runs once. */
  async run(signal: AbortSignal): Promise<void> {
    let next: WatchEnd = 'relist';
    while (!isAborted(signal)) {
      try {
        if (next === 'relist') {
          this.#phase = 'listing';
          await this.#list(signal);
        }
        this.#phase = 'watching';
        next = await this.#watch(signal);
      } catch (error) {
        if (isAborted(signal)) break;
        if (!(error instanceof ApiError)) throw error;
        const place: WatchEnd = this.#phase === 'listing' ? 'relist' : 'resume';
        next = await this.#afterFailure(error, place, signal);
      }
    }
    this.#phase = 'stopped';
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    const startMs = clock.nowMs();
    const items = await this.#read(signal);
    this.#lists += 1;
    if (this.#synced) this.#relisted(items.objects);
    else {
      const objects = new Map<string, T>();
      for (const [key, { object, uid, resourceVersion }] of items.objects) {
        if (object === undefined) continue;
        objects.set(key, object);
        this.#tracked.set(key, { uid, resourceVersion });
      }
      this.#options.sink.onSync(objects);
      this.#synced = true;
    }
    this.#resourceVersion = items.resourceVersion;
    this.#progress();
    const fields = { resource: this.#name, count: this.#tracked.size };
    log.debug({ ...fields, durMs: Math.round(clock.nowMs() - startMs) }, 'listed');
  }

  async #read(signal: AbortSignal): Promise<Listed<Item<T>>> {
    const { client, query, protobuf, log } = this.#options;
    return readList(
      {
        client,
        path: this.#path,
        query,
        protobuf,
        signal,
        onPages: ({ code, message }) => {
          this.#restarted(code);
          log.info({ resource: this.#name, code }, `${message}: reading it in pages`);
        },
      },
      (raw) => {
        const identity = identityOf(raw);
        if (identity === undefined) return undefined;
        const { key, uid, resourceVersion } = identity;
        const { object, unreadable } = this.#project(key, identity, raw);
        return [key, { uid, resourceVersion, object, unreadable }];
      },
    );
  }

  /** Tells the sink what a later list shows to be different, deletes first: a name may have moved to a new object. */
  #relisted(objects: ReadonlyMap<string, Item<T>>): void {
    this.#deleteMissing(objects);
    for (const key of [...this.#tracked.keys()]) {
      const item = objects.get(key);
      if (item !== undefined && item.object === undefined) this.#dropUnlessUnreadable(key, item);
    }
    for (const [key, item] of objects) {
      if (item.object === undefined) continue;
      if (this.#tracked.get(key)?.resourceVersion === item.resourceVersion) continue;
      this.#upsert(key, item, item.object);
    }
    if (this.#doubt.dueMs === undefined) this.#options.sink.onRelist?.(objects);
  }

  #deleteMissing(objects: ReadonlyMap<string, Item<T>>): void {
    const { clock, log, onDoubt } = this.#options;
    const missing = [...this.#tracked.keys()].filter((key) => !objects.has(key));
    const known = this.#tracked.size;
    const dueMs = this.#doubt.dueMs;
    const gone = this.#doubt.gone(known, missing, clock.nowMs());
    for (const key of gone) this.#delete(key);
    const fields = { resource: this.#name, known, missing: missing.length, deleted: gone.length };
    if (this.#doubt.dueMs !== undefined && this.#doubt.dueMs !== dueMs) {
      const message =
        `the API server's list lacks ${missing.length} of ${known} ${this.#name} that were there before: ` +
        `none is taken for deleted unless another list in ${CONFIRM_AFTER_MS / 1000} s lacks it, too`;
      log.warn(fields, message);
      onDoubt?.(message);
    } else if (dueMs !== undefined && this.#doubt.dueMs === undefined) {
      log.warn(fields, 'what a list lacked was looked for in a second one');
    }
  }

  async #watch(signal: AbortSignal): Promise<WatchEnd> {
    const { clock, client, random, query, log } = this.#options;
    const timeoutSeconds = Math.round(WATCH_MIN_SECONDS * (1 + random()));
    const stall = new AbortController();
    const confirm = this.#confirmation();
    const stopStall = clock.timer(timeoutSeconds * 1000 + STALL_GRACE_MS, () => stall.abort());
    const startMs = clock.nowMs();
    const eventsBefore = this.#events;
    const inner = AbortSignal.any([signal, stall.signal, confirm.signal]);
    this.#watches += 1;
    let stopHealthy = (): void => undefined;
    try {
      const chunks = await client.stream({
        path: this.#path,
        query: {
          ...query,
          watch: 1,
          allowWatchBookmarks: true,
          resourceVersion: this.#resourceVersion,
          timeoutSeconds,
        },
        signal: inner,
      });
      stopHealthy = clock.timer(SHORT_WATCH_MS, () => {
        this.#goneBefore = false;
        this.#progress();
      });
      await this.#consume(chunks, signal);
    } catch (error) {
      if (!isAborted(signal) && isAborted(confirm.signal)) return 'relist';
      if (isAborted(signal) || !isAborted(stall.signal)) throw error;
      this.#restarted('stalled');
      log.warn({ resource: this.#name, timeoutSeconds }, 'watch stalled: opening a new one');
      return 'resume';
    } finally {
      stopStall();
      stopHealthy();
      confirm.stop();
    }
    this.#restarted('ended');
    if (this.#events === eventsBefore && clock.nowMs() - startMs < SHORT_WATCH_MS) {
      throw new ApiError(`WATCH ${this.#path}: the server ended it at once`, {
        code: 'network',
        status: 0,
      });
    }
    return 'resume';
  }

  /** Ends the watch when the doubtful list is to be confirmed. */
  #confirmation(): { readonly signal: AbortSignal; readonly stop: () => void } {
    const due = new AbortController();
    const { dueMs } = this.#doubt;
    if (dueMs === undefined) return { signal: due.signal, stop: () => undefined };
    const waitMs = Math.max(0, dueMs - this.#options.clock.nowMs());
    return { signal: due.signal, stop: this.#options.clock.timer(waitMs, () => due.abort()) };
  }

  async #consume(chunks: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    const lines = new LineSplitter();
    for await (const chunk of chunks) {
      if (isAborted(signal)) return;
      this.#watchBytes += chunk.length;
      for (const line of linesOf(lines, chunk, this.#path)) {
        if (isAborted(signal)) return;
        this.#event(parseEvent(line, this.#path));
      }
    }
  }

  #event(event: WatchEvent): void {
    if (event.type === 'ERROR') {
      throw errorOfStatus(`WATCH ${this.#path}`, 500, event.object);
    }
    const identity = identityOf(event.object);
    const resourceVersion =
      identity?.resourceVersion ?? textAt(objectAt(event.object, 'metadata'), 'resourceVersion');
    if (resourceVersion === undefined)
      throw badEvent(this.#path, 'an object without resourceVersion');
    this.#events += 1;
    if (event.type !== 'BOOKMARK') {
      if (identity === undefined) throw badEvent(this.#path, 'an object without name');
      const { key, ...tracked } = identity;
      if (event.type === 'DELETED') {
        this.#delete(key);
      } else {
        const read = this.#project(key, tracked, event.object);
        if (read.object !== undefined) this.#upsert(key, tracked, read.object);
        else this.#dropUnlessUnreadable(key, { ...tracked, ...read });
      }
    }
    this.#resourceVersion = resourceVersion;
    this.#goneBefore = false;
    this.#progress();
  }

  #project(key: string, tracked: Tracked, raw: unknown): ReadResult<T> {
    try {
      const object = this.#options.project(withTypeMeta(raw, this.#options.resource));
      return { object, unreadable: false };
    } catch (err) {
      this.#unreadable += 1;
      this.#options.log.warn(
        { resource: this.#name, key, rv: tracked.resourceVersion, err },
        'cannot read this object: keeping what was known of it',
      );
      return { object: undefined, unreadable: true };
    }
  }

  #upsert(key: string, tracked: Tracked, object: T): void {
    const before = this.#tracked.get(key);
    // Deleted and made again while we did not look: whoever holds state for the old one must let go of it
    if (before !== undefined && before.uid !== tracked.uid) this.#delete(key);
    this.#tracked.set(key, { uid: tracked.uid, resourceVersion: tracked.resourceVersion });
    this.#options.sink.onUpsert(key, object);
  }

  #dropUnlessUnreadable(key: string, item: Item<T>): void {
    if (!item.unreadable || this.#tracked.get(key)?.uid !== item.uid) this.#delete(key);
  }

  #delete(key: string): void {
    const tracked = this.#tracked.get(key);
    if (tracked === undefined) return;
    this.#tracked.delete(key);
    this.#options.sink.onDelete(key, tracked.uid);
  }

  #progress(): void {
    if (this.#problem === undefined) return;
    const forMs = Math.round(this.#options.clock.nowMs() - this.#problem.sinceMs);
    this.#options.log.info({ resource: this.#name, forMs }, 'reading the API server again');
    this.#problem = undefined;
  }

  /** Waits as long as this failure asks for, and tells where to go on. */
  async #afterFailure(error: ApiError, place: WatchEnd, signal: AbortSignal): Promise<WatchEnd> {
    const { clock, log } = this.#options;
    this.#restarted(error.code);
    if (error.code === 'gone' && !this.#goneBefore) {
      this.#goneBefore = true;
      return 'relist';
    }
    if (error.code === 'not-found' && this.#options.isOptional === true) {
      await this.#withoutKind(signal);
      return 'relist';
    }
    const nowMs = clock.nowMs();
    let delayMs = this.#backoff.nextMs(nowMs, error.retryAfterMs);
    if (error.code === 'not-found') delayMs = Math.min(delayMs, MISSING_KIND_MAX_MS);
    const message = explainReading(error, place === 'relist' ? 'list' : 'watch', this.#name);
    const fields = { resource: this.#name, code: error.code, delayMs: Math.round(delayMs) };
    // One line per kind of failure, not one per try
    if (this.#problem?.message === message) log.debug(fields, message);
    else log.warn(fields, message);
    this.#problem = { code: error.code, message, sinceMs: this.#problem?.sinceMs ?? nowMs };
    this.#phase = 'waiting';
    await clock.sleep(delayMs, signal);
    return error.code === 'gone' || error.code === 'not-found' ? 'relist' : place;
  }

  /** What was known of the kind stays: an API server does not forget a kind while its objects are of use. */
  async #withoutKind(signal: AbortSignal): Promise<void> {
    const { clock, log, sink } = this.#options;
    if (!this.#synced) {
      log.info({ resource: this.#name }, 'the API server does not have this kind');
      sink.onSync(new Map());
      this.#synced = true;
    }
    this.#progress();
    this.#phase = 'waiting';
    await clock.sleep(OPTIONAL_KIND_MS, signal);
  }

  #restarted(reason: RestartReason): void {
    this.#restarts.set(reason, (this.#restarts.get(reason) ?? 0) + 1);
  }
}

interface ReadResult<T> {
  readonly object: T | undefined;
  readonly unreadable: boolean;
}

type Item<T> = Tracked & ReadResult<T>;
