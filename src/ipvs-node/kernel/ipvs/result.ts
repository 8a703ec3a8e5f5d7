// What became of one operation, in words. The details are enum vipvs_detail of native/vipvs.h. Pure.
import type { IpvsOp } from './values.ts';

export type IpvsResult = { readonly ok: true } | IpvsFailure;
export interface IpvsFailure {
  readonly ok: false;
  /** `EEXIST`, `ESRCH`, `EINVAL`, … */
  readonly errno: string;
  /**
   * refused: it did not happen. unknown: it was sent, but the answer was lost, so read the state again. not-sent: an
   * earlier failure ended the batch.
   */
  readonly outcome: 'refused' | 'unknown' | 'not-sent';
  /** One line: what is wrong and what is allowed; the errno where nothing more is known. */
  readonly message: string;
}

export const OK: IpvsResult = { ok: true };

export const OUTCOME_UNKNOWN = 1;
export const NOT_SENT = 2;

const MESSAGES: ReadonlyMap<number, string> = new Map([
  [OUTCOME_UNKNOWN, 'the answer was lost, it may have happened'],
  [NOT_SENT, 'not sent, because the batch was ended by an earlier failure'],
  [10, 'no such kind of operation'],
  [11, 'the address family must be IPv4 or IPv6'],
  [12, 'the protocol must be TCP, UDP or SCTP'],
  [13, 'the port of a virtual server must be 1 to 65535 (0, all ports, only with persistence)'],
  [14, 'a scheduler is named by 1 to 15 characters of a-z, 0-9, - and _'],
  [15, 'a persistence engine is named by 1 to 15 characters of a-z, 0-9, - and _'],
  [16, 'only the flags persistent, one-packet and those of the scheduler may be set'],
  [17, 'persistence must be 1 to 2678400 seconds (31 days) with the flag set, 0 without it'],
  [18, 'the netmask of an IPv6 virtual server is a prefix length of 1 to 128'],
  [20, 'the family of a real server must be its virtual server’s, except with tunnel'],
  [21, 'the address of a real server must be unicast, and not link-local'],
  [
    22,
    'the port of a real server must be 1 to 65535, and the virtual server’s with direct and tunnel',
  ],
  [23, 'the method must be masquerade, direct or tunnel'],
  [24, 'the weight must be 0 to 65535'],
  [25, 'thresholds must be 0 to 2147483647, the lower one not above the upper one'],
  [26, 'the tunnel type must be ipip, gue or gre, and only with method tunnel'],
  [27, 'a tunnel port must be 1 to 65535 with gue, and absent with every other type'],
  [28, 'the tunnel checksum must be none with ipip, none or full with gre; others only with gue'],
  [30, 'a sync daemon is master or backup'],
  [31, 'the interface of a sync daemon is a name of 1 to 15 characters'],
  [32, 'the id of a sync daemon must be 0 to 255'],
  [33, 'the sync group must be a multicast address, its port below 65536, its ttl below 256'],
  [34, 'timeouts must be at most 2147483 seconds, and one of them not 0'],
]);

/** What the kernel's errno means for a virtual server, a real server and a sync daemon (ip_vs_ctl.c, ip_vs_sync.c). */
const KERNEL_MESSAGES: Readonly<Record<Subject, Readonly<Record<string, string>>>> = {
  service: {
    EEXIST: 'this virtual server exists already',
    ESRCH: 'there is no such virtual server',
    ENOENT: 'the kernel lacks this scheduler or persistence engine',
    EAFNOSUPPORT: 'the kernel lacks this address family',
  },
  dest: {
    EEXIST: 'this real server exists already',
    ESRCH: 'there is no such virtual server',
    ENOENT: 'there is no such real server',
    EINVAL:
      'the kernel refuses this real server: its address is not unicast, the interface lo is down, or a tunnel to ' +
      'another family while a sync daemon runs',
  },
  daemon: {
    EEXIST: 'this sync daemon runs already',
    ESRCH: 'this sync daemon does not run',
    ENODEV: 'there is no such interface',
    EINVAL:
      'the kernel refuses a sync daemon while a real server is of another family than its virtual server',
  },
  other: {},
};
type Subject = 'service' | 'dest' | 'daemon' | 'other';

const SUBJECTS: Readonly<Record<string, Subject>> = {
  vs: 'service',
  service: 'service',
  rs: 'dest',
  dest: 'dest',
  daemon: 'daemon',
};

/** `errno` is the name, `detail` a number of enum vipvs_detail, `op` the kind of the operation. */
export function resultOf(errno: string, detail: number, op?: IpvsOp['op']): IpvsFailure {
  const outcome =
    detail === OUTCOME_UNKNOWN ? 'unknown' : detail === NOT_SENT ? 'not-sent' : 'refused';
  const subject = SUBJECTS[op?.split('.')[0] ?? ''] ?? 'other';
  const said = detail === 0 ? KERNEL_MESSAGES[subject][errno] : MESSAGES.get(detail);
  return { ok: false, errno, outcome, message: said ?? errno };
}
