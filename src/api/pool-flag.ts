// The annotations of a Pool that are true or false. Pure.
import { ALLOW_NODE_ADDRESS, ALLOW_RENUMBER } from './annotations.ts';
import type { Pool } from './pool.ts';

type Flag = typeof ALLOW_RENUMBER | typeof ALLOW_NODE_ADDRESS;
const FLAGS: readonly Flag[] = [ALLOW_RENUMBER, ALLOW_NODE_ADDRESS];

/** False, too, where the text is neither true nor false: `unreadFlags` names it. */
export function poolFlag(pool: Pool, key: Flag): boolean {
  return flagIn(pool.metadata.annotations?.[key] ?? '') === true;
}

/** Those that are neither true nor false. */
export function unreadFlags({
  metadata,
}: Pool): readonly { readonly key: Flag; readonly text: string }[] {
  return FLAGS.flatMap((key) => {
    const text = metadata.annotations?.[key] ?? '';
    return flagIn(text) === undefined ? [{ key, text }] : [];
  });
}

/** In any case of letters; false where it is empty. */
function flagIn(text: string): boolean | undefined {
  switch (text.trim().toLowerCase()) {
    case 'true':
      return true;
    case 'false':
    case '':
      return false;
    default:
      return undefined;
  }
}
