// Reads a list completely: in one piece, and in pages where that takes too long. 10,000 IPs in pages of 500 take
// kube-apiserver 1.4 s, in one piece 0.35 s, and us a third of the CPU (docs/decisions/0010). client-go's informers ask
// for one piece, too (tools/cache/reflector.go).
import { isApiError, type ApiError } from './errors.ts';
import { objectAt, textAt, type JsonObject } from './json.ts';
import type { Message } from './protobuf.ts';
import { collectionPath, identityOf, withTypeMeta, type Resource } from './resource.ts';
import type { ApiClient, Query } from './transport.ts';
import { notAList } from './watch-event.ts';

export interface ListRequest {
  readonly client: ApiClient;
  readonly path: string;
  readonly query?: Query | undefined;
  readonly protobuf?: Message | undefined;
  readonly signal: AbortSignal;
  /** The list in one piece took too long. */
  readonly onPages?: (why: ApiError) => void;
}

export interface ListQuery {
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/** undefined: the item has no identity, so this is no list. */
type ReadItem<T> = (raw: unknown) => readonly [key: string, T] | undefined;

export interface Listed<T> {
  readonly objects: ReadonlyMap<string, T>;
  readonly resourceVersion: string;
}

/** A continue token lives for five minutes (etcd compaction): a list that breaks that often will not end. */
const RESTARTS_MAX = 3;
/** kubectl's and client-go's page. */
const PAGE_SIZE = 500;

/** Rejects with ApiError; with `gone` where the place between two pages was lost: then it has to begin anew. */
export async function readList<T>(request: ListRequest, read: ReadItem<T>): Promise<Listed<T>> {
  try {
    return await readPages(request, undefined, read);
  } catch (error) {
    if (!isApiError(error, 'timeout')) throw error;
    request.onPages?.(error);
  }
  return readPages(request, PAGE_SIZE, read);
}

/**
 * For commands that look once: the objects of a kind with their type, which the items of a list leave out. Rejects with
 * ApiError; `not-found` where the API server does not serve the kind.
 */
export async function listObjects(
  client: ApiClient,
  resource: Resource,
  signal: AbortSignal,
  query: ListQuery = {},
): Promise<readonly JsonObject[]> {
  const request = { client, path: collectionPath(resource), query: { ...query }, signal };
  for (let restarts = 0; ; restarts++) {
    try {
      const { objects } = await readList(request, (raw) => {
        const object = withTypeMeta(raw, resource);
        const key = identityOf(raw)?.key;
        return object === undefined || key === undefined ? undefined : [key, object];
      });
      return [...objects.values()];
    } catch (error) {
      if (!isApiError(error, 'gone') || restarts === RESTARTS_MAX) throw error;
    }
  }
}

async function readPages<T>(
  { client, path, query, protobuf, signal }: ListRequest,
  limit: number | undefined,
  read: ReadItem<T>,
): Promise<Listed<T>> {
  const objects = new Map<string, T>();
  const items = new ItemReader(path, read, objects);
  let token: string | undefined;
  for (;;) {
    const page = await client.call({
      method: 'GET',
      path,
      query: { ...query, limit, continue: token },
      signal,
      list: { onItem: (raw) => items.take(raw), protobuf },
    });
    signal.throwIfAborted();
    items.check();
    const metadata = objectAt(page, 'metadata');
    const resourceVersion = textAt(metadata, 'resourceVersion');
    if (resourceVersion === undefined) throw notAList(path);
    token = textAt(metadata, 'continue');
    if (token === undefined || token === '') return { objects, resourceVersion };
  }
}

/** The client must hear of no error of ours: it would take it for one of the connection. */
class ItemReader<T> {
  readonly #path: string;
  readonly #read: ReadItem<T>;
  readonly #objects: Map<string, T>;
  #failure: { readonly error: unknown } | undefined;

  constructor(path: string, read: ReadItem<T>, objects: Map<string, T>) {
    this.#path = path;
    this.#read = read;
    this.#objects = objects;
  }

  take(raw: unknown): void {
    if (this.#failure !== undefined) return;
    try {
      const item = this.#read(raw);
      if (item === undefined) throw notAList(this.#path);
      this.#objects.set(...item);
    } catch (error) {
      this.#failure = { error };
    }
  }

  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
