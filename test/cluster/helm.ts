// The real helm: from PATH, or built once into the cache by test/controlplane/build-helm.sh.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const SCRIPT = `${import.meta.dirname}/../controlplane/build-helm.sh`;
/** Of the script: it can't be built here. */
const NO_GO = 3;

/** The path of helm, or why there is none. */
export async function findHelm(): Promise<{ readonly path: string } | { readonly reason: string }> {
  try {
    const { stdout } = await promisify(execFile)(SCRIPT);
    return { path: stdout.trim() };
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: unknown };
    if (code === NO_GO) return { reason: String(stderr).trim() };
    throw error;
  }
}
