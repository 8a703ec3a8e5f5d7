// Which kinds an API server has: versions of a group, kinds of a version.
import { isApiError } from './errors.ts';
import { arrayAt, objectAt, textAt } from './json.ts';
import type { Resource } from './resource.ts';
import type { ApiClient } from './transport.ts';

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
