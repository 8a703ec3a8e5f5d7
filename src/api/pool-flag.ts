// The annotations of a Pool that are true or false. Pure.
import type { Pool } from './pool.ts';

/** In any case of letters; false where it is not there or empty. Undefined: it is neither true nor false. */
export function poolFlag(pool: Pool, key: string): boolean | undefined {
  switch (pool.metadata.annotations?.[key]?.trim().toLowerCase() ?? '') {
    case 'true':
      return true;
    case 'false':
    case '':
      return false;
    default:
      return undefined;
  }
}
