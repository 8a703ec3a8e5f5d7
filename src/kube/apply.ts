// Writing objects. What can happen by another writer's doing (it exists, it changed, it is gone) is an outcome that
// the caller must handle; everything else rejects with ApiError. No write here can overwrite what its caller has not
// seen: create refuses an existing name, update and delete carry a resourceVersion or uid, and server-side apply owns
// only its own fields.
import { isApiError } from './errors.ts';
import { textAt, objectAt } from './json.ts';
import { collectionPath, objectPath, type ObjectName, type Resource } from './resource.ts';
import type { ApiClient } from './transport.ts';

export type CreateOutcome =
  { readonly outcome: 'created'; readonly object: unknown } | { readonly outcome: 'exists' };

export type UpdateOutcome =
  | { readonly outcome: 'updated'; readonly object: unknown }
  /** Somebody wrote since the resourceVersion: read again. */
  | { readonly outcome: 'conflict' }
  | { readonly outcome: 'gone' };

export interface ToCreate {
  readonly metadata: { readonly name: string; readonly namespace?: string | undefined };
}

export interface ToUpdate {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly resourceVersion: string;
  };
}

export interface CallOptions {
  /** For the whole call; default 30 s. */
  readonly timeoutMs?: number;
}

function timeoutOf({ timeoutMs }: CallOptions): CallOptions {
  return timeoutMs === undefined ? {} : { timeoutMs };
}

/** POST. The name is the lock: of two writers one gets `exists`. */
export async function createObject(
  client: ApiClient,
  resource: Resource,
  body: ToCreate,
  signal: AbortSignal,
): Promise<CreateOutcome> {
  const path = collectionPath(resource, body.metadata.namespace);
  try {
    return {
      outcome: 'created',
      object: await client.call({ method: 'POST', path, body, signal }),
    };
  } catch (error) {
    if (isApiError(error, 'already-exists')) return { outcome: 'exists' };
    throw error;
  }
}

/** GET; undefined when there is none. */
export async function readObject(
  client: ApiClient,
  resource: Resource,
  at: ObjectName,
  signal: AbortSignal,
  options: CallOptions = {},
): Promise<unknown> {
  try {
    const path = objectPath(resource, at);
    return await client.call({ method: 'GET', path, signal, ...timeoutOf(options) });
  } catch (error) {
    if (isApiError(error, 'not-found')) return undefined;
    throw error;
  }
}

/** PUT of the whole object as it was read, at the resourceVersion it was read at. */
export async function updateObject(
  client: ApiClient,
  resource: Resource,
  body: ToUpdate,
  signal: AbortSignal,
  options: CallOptions & { readonly subresource?: 'status' } = {},
): Promise<UpdateOutcome> {
  const path = objectPath(resource, body.metadata, options.subresource);
  return updated(client.call({ method: 'PUT', path, body, signal, ...timeoutOf(options) }));
}

export interface MergePatch {
  readonly at: ObjectName;
  readonly subresource?: 'status';
  /** Given: the write happens only if the object is still at this version. */
  readonly resourceVersion?: string | undefined;
  /** RFC 7396: null removes, arrays are replaced whole. */
  readonly patch: Readonly<Record<string, unknown>>;
}

export async function mergePatchObject(
  client: ApiClient,
  resource: Resource,
  { at, subresource, resourceVersion, patch }: MergePatch,
  signal: AbortSignal,
): Promise<UpdateOutcome> {
  const path = objectPath(resource, at, subresource);
  const metadata = { ...objectAt(patch, 'metadata'), resourceVersion };
  const body = resourceVersion === undefined ? patch : { ...patch, metadata };
  return updated(client.call({ method: 'PATCH', path, body, contentType: 'mergePatch', signal }));
}

/** Merge patch of `status` alone. */
export function patchStatus(
  client: ApiClient,
  resource: Resource,
  at: ObjectName,
  status: unknown,
  signal: AbortSignal,
  resourceVersion?: string,
): Promise<UpdateOutcome> {
  const patch = { status };
  return mergePatchObject(
    client,
    resource,
    { at, subresource: 'status', patch, resourceVersion },
    signal,
  );
}

export interface Apply {
  /** With apiVersion, kind, metadata.name and exactly the fields that we own. */
  readonly body: ToCreate;
  readonly fieldManager: string;
  /** Take fields that another manager owns. Without it such a field is outcome `conflict`. */
  readonly force: boolean;
  readonly subresource?: 'status';
}

export type ApplyOutcome =
  | { readonly outcome: 'applied'; readonly object: unknown }
  /** Fields of ours that others own, as the API server words it. */
  | { readonly outcome: 'conflict'; readonly message: string }
  /** Only with a subresource: apply creates the object itself. */
  | { readonly outcome: 'gone' };

/** Server-side apply: fields that we applied before and leave out now are removed. */
export async function applyObject(
  client: ApiClient,
  resource: Resource,
  { body, fieldManager, force, subresource }: Apply,
  signal: AbortSignal,
): Promise<ApplyOutcome> {
  const path = objectPath(resource, body.metadata, subresource);
  try {
    const query = { fieldManager, force: force ? true : undefined };
    const object = await client.call({
      method: 'PATCH',
      path,
      query,
      body,
      contentType: 'apply',
      signal,
    });
    return { outcome: 'applied', object };
  } catch (error) {
    if (isApiError(error, 'conflict')) return { outcome: 'conflict', message: error.message };
    if (isApiError(error, 'not-found') && subresource !== undefined) return { outcome: 'gone' };
    throw error;
  }
}

export interface DeletePreconditions {
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** `deleted`: gone, or on its way (finalizers). At least one precondition is wanted, so that no successor is hit. */
export async function deleteObject(
  client: ApiClient,
  resource: Resource,
  at: ObjectName,
  preconditions: DeletePreconditions,
  signal: AbortSignal,
): Promise<'deleted' | 'conflict' | 'gone'> {
  try {
    await client.call({
      method: 'DELETE',
      path: objectPath(resource, at),
      body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions },
      signal,
    });
    return 'deleted';
  } catch (error) {
    if (isApiError(error, 'conflict')) return 'conflict';
    if (isApiError(error, 'not-found')) return 'gone';
    throw error;
  }
}

/** The version that the answer to a write carries, for the next conditional write. */
export function resourceVersionOf(object: unknown): string | undefined {
  return textAt(objectAt(object, 'metadata'), 'resourceVersion');
}

async function updated(call: Promise<unknown>): Promise<UpdateOutcome> {
  try {
    return { outcome: 'updated', object: await call };
  } catch (error) {
    if (isApiError(error, 'conflict')) return { outcome: 'conflict' };
    if (isApiError(error, 'not-found')) return { outcome: 'gone' };
    throw error;
  }
}
