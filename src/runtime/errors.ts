// Operational failures: the environment did not do what was asked of it. A user's mistake is a Problem (api/problem)
// or a UsageError (flags), a bug is any other throw. docs/reference/errors.md is generated from this catalogue.

/**
 * backoff: trying again may help. never: somebody has to act, the process ends with exit code 1.
 */
export type Retry = 'backoff' | 'never';

export const ERROR_CODES = {
  'already-running': ['never', 'Another vipvs process owns the kernel state of this host.'],
  'interface-missing': ['backoff', 'The interface for the VIPs does not exist yet.'],
  'ipvs-missing': ['backoff', 'The kernel has no IPVS (module ip_vs).'],
  'kernel-failed': ['backoff', 'The kernel refused an operation.'],
  'library-missing': ['never', 'native/build/libvipvs.so is absent or of another version.'],
  'listen-failed': ['never', 'The address of --listen is in use or not on this host.'],
  'not-permitted': ['never', 'The process lacks CAP_NET_ADMIN.'],
  'source-unreadable': ['backoff', 'The directory of the manifests is gone or can not be read.'],
  'state-unreadable': ['never', 'The state file can not be read, or is of a newer version.'],
  'state-unwritable': ['backoff', 'The state file can not be written: disk full, read-only.'],
} as const satisfies Readonly<Record<string, readonly [Retry, string]>>;
export type ErrorCode = keyof typeof ERROR_CODES;

export class OperationalError extends Error {
  override readonly name = 'OperationalError';
  readonly code: ErrorCode;

  /** `message`: what failed, on which object, and what the user can do. */
  constructor(code: ErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }

  get retry(): Retry {
    return ERROR_CODES[this.code][0];
  }
}

/** A state that the code rules out was reached: a bug. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(`bug: ${message}`);
}

/** Text of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
