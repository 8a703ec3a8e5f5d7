// Reads and raises kernel settings below /proc/sys. A setting is named by its path there: `net/ipv4/vs/conntrack`.
// Invariant: nothing is ever lowered here, and nothing is written that already has the value.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export const SYSCTL_ROOT = '/proc/sys';

export type SysctlRead = { readonly value: number } | { readonly errno: string };

const KEY = /^net\/[a-z0-9_]+(\/[A-Za-z0-9_.@:-]+)+$/;

function fileOf(root: string, key: string): string {
  if (!KEY.test(key) || key.split('/').includes('..')) throw new Error(`bug: sysctl key ${key}`);
  return path.join(root, key);
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'EIO';
}

/** `ENOENT`: the kernel does not have it, or not yet: `net/ipv4/vs/` appears when ip_vs is loaded. */
export function readSysctl(key: string, root: string = SYSCTL_ROOT): SysctlRead {
  const file = fileOf(root, key);
  try {
    const text = readFileSync(file, 'utf8').trim();
    return /^-?\d+$/.test(text) ? { value: Number(text) } : { errno: 'EINVAL' };
  } catch (error) {
    return { errno: errnoOf(error) };
  }
}

/** undefined: written. Else the errno: EROFS and EACCES where the container may not, EINVAL for a value out of range. */
export function writeSysctl(
  key: string,
  value: number,
  root: string = SYSCTL_ROOT,
): string | undefined {
  const file = fileOf(root, key);
  try {
    writeFileSync(file, `${value}\n`, { flag: 'r+' });
    return undefined;
  } catch (error) {
    return errnoOf(error);
  }
}

/** One line for a person, with what to do. */
export function sysctlProblem(key: string, value: number, errno: string): string {
  const dotted = key.replaceAll('/', '.');
  if (errno === 'ENOENT') return `the kernel has no setting ${dotted}`;
  return `it can not be written from here; set it by hand: sysctl -w ${dotted}=${value}`;
}
