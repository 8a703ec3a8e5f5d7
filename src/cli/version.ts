// `vipvs --version`: the package's version, the commit of a checkout, the library's ABI, Node and the kernel.
import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';

/** The bundle lies in dist/, this file in src/cli/: the package is one or two levels up. */
const ROOTS = [join(import.meta.dirname, '..'), join(import.meta.dirname, '..', '..')];
const COMMIT_CHARS = 12;

export interface Versions {
  readonly version: string;
  readonly commit: string | undefined;
  readonly libraryAbi: string | undefined;
}

/** Reads what can be read; nothing here fails the program. */
export async function readVersions(roots: readonly string[] = ROOTS): Promise<Versions> {
  for (const root of roots) {
    const manifest = await readText(join(root, 'package.json'));
    const version = /"version":\s*"([^"]+)"/.exec(manifest ?? '')?.[1];
    if (version === undefined) continue;
    const header = await readText(join(root, 'native', 'vipvs.h'));
    return {
      version,
      commit: await commitOf(join(root, '.git')),
      libraryAbi: /#define VIPVS_ABI (\d+)/.exec(header ?? '')?.[1],
    };
  }
  return { version: 'unknown', commit: undefined, libraryAbi: undefined };
}

/** Follows HEAD through one symbolic reference, packed or loose; undefined outside a checkout. */
async function commitOf(gitDir: string): Promise<string | undefined> {
  const head = (await readText(join(gitDir, 'HEAD')))?.trim();
  const reference = /^ref: (\S+)$/.exec(head ?? '')?.[1];
  if (reference === undefined) return head?.slice(0, COMMIT_CHARS);
  const loose = (await readText(join(gitDir, reference)))?.trim();
  if (loose !== undefined) return loose.slice(0, COMMIT_CHARS);
  const packed = (await readText(join(gitDir, 'packed-refs'))) ?? '';
  const line = packed.split('\n').find((each) => each.endsWith(` ${reference}`));
  return line?.slice(0, COMMIT_CHARS);
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // absent in this kind of installation
  }
}

export async function versionText(): Promise<string> {
  const { version, commit, libraryAbi } = await readVersions();
  return [
    `vipvs ${version}${commit === undefined ? '' : ` (${commit})`}`,
    ...(libraryAbi === undefined ? [] : [`library ABI ${libraryAbi}`]),
    `node ${process.versions.node}`,
    `kernel ${release()}`,
  ].join(', ');
}
