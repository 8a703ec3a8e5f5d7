// Reads a list completely: in one piece where it is small enough, else in pages. 10,000 IPs in pages of 500 take
// kube-apiserver 1.4 s, in one piece 0.35 s, and us a third of the CPU (docs/decisions/0010). client-go's informers ask
// for one piece, too (tools/cache/reflector.go).
import { setImmediate as turn } from 'node:timers/promises';
import { isApiError, type ApiError } from './errors.ts';
import { itemsOf, objectAt, textAt, type JsonObject } from './json.ts';
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
  /** The list in one piece is too large, or took too long. */
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

/** 30,000 EndpointSlices. A program's memory must not depend on how much others put into the cluster. */
const WHOLE_MAX_BYTES = 32 << 20;
/** A continue token lives for five minutes (etcd compaction): a list that breaks that often will not end. */
const RESTARTS_MAX = 3;
/** kubectl's and client-go's page; also how many objects are read before others have a turn: 3 ms. */
const PAGE_SIZE = 500;

/** Rejects with ApiError; with `gone` where the place between two pages was lost: then it has to begin anew. */
export async function readList<T>(request: ListRequest, read: ReadItem<T>): Promise<Listed<T>> {
  try {
    return await readPages(request, { maxBytes: WHOLE_MAX_BYTES }, read);
  } catch (error) {
    if (!isApiError(error, 'too-large', 'timeout')) throw error;
    request.onPages?.(error);
  }
  return readPages(request, { limit: PAGE_SIZE }, read);
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
  { limit, maxBytes }: { readonly limit?: number; readonly maxBytes?: number },
  read: ReadItem<T>,
): Promise<Listed<T>> {
  const objects = new Map<string, T>();
  let token: string | undefined;
  for (;;) {
    const page = await client.call({
      method: 'GET',
      path,
      query: { ...query, limit, continue: token },
      signal,
      ...(protobuf === undefined ? {} : { protobuf }),
      ...(maxBytes === undefined ? {} : { maxBytes }),
    });
    signal.throwIfAborted();
    const metadata = objectAt(page, 'metadata');
    const resourceVersion = textAt(metadata, 'resourceVersion');
    if (resourceVersion === undefined) throw notAList(path);
    for (const raw of itemsOf(page)) {
      const item = read(raw);
      if (item === undefined) throw notAList(path);
      objects.set(...item);
      if (objects.size % PAGE_SIZE === 0) {
        await turn();
        signal.throwIfAborted();
      }
    }
    token = textAt(metadata, 'continue');
    if (token === undefined || token === '') return { objects, resourceVersion };
  }
}
