// What an errno of one operation means for the agent. Facts: ipvs.md 1.6 (identical on 6.1, 6.12 and 7.2).
import type { Op, OpResult } from '../model/kernel.ts';

export type Outcome =
  | 'done'
  /** What was asked for is so already: somebody else was here. */
  | 'drift'
  /** Nobody knows what the kernel holds now: read it again. */
  | 'resync'
  /** The kernel will not have it: a problem of that Service, tried again later. */
  | 'refused';

/** Replies lost, or the kernel too busy to answer: the operation may have happened. */
const UNSURE = new Set([
  'unknown', 'ENOBUFS', 'EBUSY', 'EINTR', 'EAGAIN', 'ENOMEM', 'EMSGSIZE', 'ETIMEDOUT', 'EIO',
]); // prettier-ignore
const GONE = new Set(['ENOENT', 'ESRCH', 'EADDRNOTAVAIL']);
/** netlink answers a deletion of an address on a link that has gone, too. */
const GONE_WITH_LINK = new Set(['ENODEV', 'ENXIO']);

/** Whether the operation may have happened all the same. */
export function isAnswerLost(errno: string): boolean {
  return UNSURE.has(errno);
}

export function outcomeOf(op: Op, result: OpResult): Outcome {
  if (result.ok) return 'done';
  const { errno } = result;
  if (isAnswerLost(errno)) return 'resync';
  switch (op.op) {
    case 'vs.del':
    case 'rs.del':
    case 'fw.del':
      return GONE.has(errno) ? 'drift' : 'refused';
    case 'vip.del':
      return GONE.has(errno) || GONE_WITH_LINK.has(errno) ? 'drift' : 'refused';
    case 'vs.add':
    case 'vs.set':
      // ENOENT is the scheduler here, a missing virtual server is ESRCH
      return errno === 'EEXIST' || errno === 'ESRCH' ? 'resync' : 'refused';
    case 'rs.add':
    case 'rs.set':
    case 'fw.add':
    case 'vip.add':
      return errno === 'EEXIST' || errno === 'ESRCH' || errno === 'ENOENT' ? 'resync' : 'refused';
    case 'vip.announce':
    case 'sysctl.set':
      return 'refused';
  }
}
