// The image that test/image/build.sh builds by `make image`, once for each state of what goes into it.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { objectAt, type JsonObject } from '../../src/kube/json.ts';

const SCRIPT = `${import.meta.dirname}/../image/build.sh`;
/** Of the script: it can't be built here. */
const NOT_HERE = 3;

export interface BuiltImage {
  /** Its file system. */
  readonly rootfs: string;
  /** User, Entrypoint, Env, Labels, as an engine reads them. */
  readonly config: JsonObject;
}

export async function findImage(): Promise<BuiltImage | { readonly reason: string }> {
  let folder: string;
  try {
    folder = (await promisify(execFile)(SCRIPT)).stdout.trim();
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: unknown };
    if (code === NOT_HERE) return { reason: String(stderr).trim() };
    throw error;
  }
  const inspected: unknown = JSON.parse(await readFile(`${folder}/inspect.json`, 'utf8'));
  const config = objectAt(objectAt(inspected, 'OCIv1'), 'config');
  if (config === undefined) throw new Error(`${folder}/inspect.json has no configuration`);
  return { rootfs: `${folder}/rootfs`, config };
}
