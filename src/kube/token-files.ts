// Users of a kubeconfig whose token is in a file. client-node 2.0.1 drops `tokenFile` (it looks for `token-file`, which
// kubectl never writes).
import { resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node/dist/config.js';
import { arrayAt, objectAt, textAt } from './json.ts';

/**
 * Replaces each such user by one with the library's own token file reader. `text`: what the config was read from;
 * `directory`: where it lies, to which its paths are relative.
 */
export async function addTokenFiles(
  config: KubeConfig,
  text: string,
  directory: string,
): Promise<void> {
  if (!/\btokenFile["']?\s*:/.test(text)) return;
  const { parseYaml } = await import('./yaml.ts'); // only here: a Pod has no kubeconfig
  for (const entry of arrayAt(parseYaml(text), 'users')) {
    const tokenFile = textAt(objectAt(entry, 'user'), 'tokenFile');
    const index = config.users.findIndex((user) => user.name === textAt(entry, 'name'));
    const user = config.users[index];
    if (tokenFile === undefined || user === undefined) continue;
    const path = resolve(directory, tokenFile);
    config.users[index] = {
      ...user,
      authProvider: { name: 'tokenFile', config: { tokenFile: path } },
    };
  }
}
