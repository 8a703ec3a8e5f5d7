// Condition types that vipvs writes, and what all writers of conditions share. docs/reference/conditions.md explains each
// type and reason.
import type { Condition } from './kubernetes.ts';

export const ADDRESS_ASSIGNED = 'vipvs.io/AddressAssigned';
export const PROGRAMMED = 'vipvs.io/Programmed';
export const LOAD_BALANCER_CLASS = 'vipvs.io/vipvs';

type Said = Pick<Condition, 'status' | 'reason' | 'message'>;

export function saysTheSame(a: Said | undefined, b: Said | undefined): boolean {
  return a?.status === b?.status && a?.reason === b?.reason && a?.message === b?.message;
}

/** lastTransitionTime moves only with the status (Kubernetes API conventions); without a clock there is none. */
export function datedCondition(
  type: string,
  { status, reason, message }: Said,
  old: Condition | undefined,
  timestamp: string | undefined,
): Condition {
  const time = old?.status === status ? (old.lastTransitionTime ?? timestamp) : timestamp;
  return {
    type,
    status,
    ...(time === undefined ? {} : { lastTransitionTime: time }),
    reason,
    message,
  };
}

/** Why a Service is not programmed; or, with `isWarning`, what has to be known of one that is. */
export interface Shortcoming {
  readonly reason: string;
  readonly message: string;
  readonly isWarning?: boolean;
}

/** What a Service's condition Programmed says; `shortcoming` undefined: all is well. */
export function programmedSaid(shortcoming: Shortcoming | undefined): Said {
  if (shortcoming === undefined) {
    return { status: 'True', reason: 'Programmed', message: 'every port is in the kernel' };
  }
  const { reason, message, isWarning = false } = shortcoming;
  return { status: isWarning ? 'True' : 'False', reason, message };
}
