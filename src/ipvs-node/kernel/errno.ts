// Names of errno values, and the operational errors that the calls into native/ end in.
import { constants } from 'node:os';

import { OperationalError } from '../../runtime/errors.ts';

const ERRNO_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno)
    // EWOULDBLOCK and EOPNOTSUPP are second names: the first one listed stays
    .reverse()
    .map(([name, number]) => [number, name]),
);

export function errnoName(errno: number): string {
  return ERRNO_NAMES.get(errno) ?? `errno ${errno}`;
}

export function kernelError(what: string, errno: number): OperationalError {
  const name = errnoName(errno);
  if (name === 'EPERM' || name === 'EACCES') {
    return new OperationalError(
      'not-permitted',
      `${what}: ${name}; CAP_NET_ADMIN in the initial user namespace is needed`,
    );
  }
  // ENOENT from generic netlink itself: the family is gone or was never there
  if (name === 'ENOENT') {
    return new OperationalError(
      'ipvs-missing',
      `${what}: the kernel has no IPVS; load it with: modprobe ip_vs`,
    );
  }
  return new OperationalError('kernel-failed', `${what}: ${name}`);
}
