// Our own kinds at the API server.
import { GROUP, VERSION } from '../api/pool.ts';
import type { Resource } from './resource.ts';

export const POOLS: Resource = kindOf('pools', 'Pool');
export const IPS: Resource = kindOf('ips', 'IP');
export const DIRECTORS: Resource = kindOf('directors', 'Director');

function kindOf(plural: string, kind: string): Resource {
  return { group: GROUP, version: VERSION, plural, kind, namespaced: false };
}
