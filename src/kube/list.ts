// One complete list of a kind, in pages: for commands that look once. Programs that stay use the reflector.
import { isApiError } from './errors.ts';
import { arrayAt, objectAt, textAt, type JsonObject } from './json.ts';
import { collectionPath, withTypeMeta, type Resource } from './resource.ts';
import type { ApiClient } from './transport.ts';

const PAGE = 500;
/** A continue token lives for five minutes (etcd compaction): a list that breaks that often will not end. */
const RESTARTS_MAX = 3;

export interface ListOptions {
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/** Rejects with ApiError; `not-found` where the API server does not serve the kind. */
export async function listObjects(
  client: ApiClient,
  resource: Resource,
  signal: AbortSignal,
  options: ListOptions = {},
): Promise<readonly JsonObject[]> {
  for (let restarts = 0; ; restarts++) {
    try {
      return await listPages(client, resource, signal, options);
    } catch (error) {
      if (!isApiError(error, 'gone') || restarts === RESTARTS_MAX) throw error;
    }
  }
}

async function listPages(
  client: ApiClient,
  resource: Resource,
  signal: AbortSignal,
  options: ListOptions,
): Promise<readonly JsonObject[]> {
  const objects: JsonObject[] = [];
  let token: string | undefined;
  do {
    const answer = await client.call({
      method: 'GET',
      path: collectionPath(resource),
      query: { ...options, limit: PAGE, continue: token },
      signal,
    });
    for (const item of arrayAt(answer, 'items')) {
      const object = withTypeMeta(item, resource);
      if (object !== undefined) objects.push(object);
    }
    token = textAt(objectAt(answer, 'metadata'), 'continue');
  } while (token !== undefined && token !== '');
  return objects;
}

/** Versions of an API group that are served, the preferred one first; empty where the group is not there. */
export async function groupVersions(
  client: ApiClient,
  group: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const answer = await client.call({ method: 'GET', path: `/apis/${group}`, signal });
    const preferred = textAt(objectAt(answer, 'preferredVersion'), 'version');
    const all = arrayAt(answer, 'versions').flatMap((entry) => textAt(entry, 'version') ?? []);
    return [...new Set([...(preferred === undefined ? [] : [preferred]), ...all])];
  } catch (error) {
    if (isApiError(error, 'not-found')) return [];
    throw error;
  }
}

/** The kinds that a group version serves, by plural; subresources are left out. */
export async function resourcesOf(
  client: ApiClient,
  group: string,
  version: string,
  signal: AbortSignal,
): Promise<readonly Resource[]> {
  const answer = await client.call({ method: 'GET', path: `/apis/${group}/${version}`, signal });
  return arrayAt(answer, 'resources').flatMap((entry) => {
    const plural = textAt(entry, 'name');
    const kind = textAt(entry, 'kind');
    if (plural === undefined || kind === undefined || plural.includes('/')) return [];
    // only for reading: whether it has namespaces does not matter for a list of all
    return [{ group, version, plural, kind, namespaced: true }];
  });
}
