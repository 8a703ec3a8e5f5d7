// What an action leaves in a store whose writes always succeed: simulate, standalone and the tests carry actions out so.
// Beside an API server write/ does. Pure but for the store that it is given.
import type { ClusterStore, Kind } from '../api/cluster.ts';
import type { Action } from './decide/decision.ts';

export function applyAction(store: ClusterStore, action: Action): void {
  switch (action.do) {
    case 'ip.create':
    case 'ip.update':
    case 'ip.status':
      store.set(action.ip);
      return;
    case 'ip.delete':
      store.delete('IP', action.ip.metadata.name);
      return;
    case 'service.status': {
      const service = store.services.get(action.service);
      if (service !== undefined) store.set({ ...service, status: action.status });
      return;
    }
    case 'pool.status': {
      const pool = store.pools.get(action.pool);
      if (pool !== undefined) store.set({ ...pool, status: action.status });
    }
  }
}

/** The object that the action writes. */
export function targetOf(action: Action): { readonly kind: Kind; readonly key: string } {
  switch (action.do) {
    case 'service.status':
      return { kind: 'Service', key: action.service };
    case 'pool.status':
      return { kind: 'Pool', key: action.pool };
    case 'ip.create':
    case 'ip.update':
    case 'ip.status':
    case 'ip.delete':
      return { kind: 'IP', key: action.ip.metadata.name };
  }
}
