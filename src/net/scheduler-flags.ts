// Scheduler flags: three bits of the kernel with names of their own for sh and mh, as ipvsadm prints them.
import { SCHEDULER_FLAGS, type Scheduler, type SchedulerFlag } from './ipvs.ts';

/** The names of a flag for one scheduler. linux/ip_vs.h: IP_VS_SVC_F_SCHED_SH_FALLBACK = SCHED1, _SH_PORT = SCHED2. */
function namesOf(scheduler: Scheduler, flag: SchedulerFlag): readonly string[] {
  if (scheduler !== 'sh' && scheduler !== 'mh') return [flag];
  if (flag === 'flag-1') return [flag, `${scheduler}-fallback`];
  if (flag === 'flag-2') return [flag, `${scheduler}-port`];
  return [flag];
}

/** `['mh-port']` -> `['flag-2']`, sorted, without duplicates. Undefined where a name is not one of the scheduler's. */
export function parseSchedulerFlags(
  scheduler: Scheduler,
  names: readonly string[],
): readonly SchedulerFlag[] | undefined {
  const isKnown = (name: string): boolean =>
    SCHEDULER_FLAGS.some((flag) => namesOf(scheduler, flag).includes(name));
  if (!names.every(isKnown)) return undefined;
  return SCHEDULER_FLAGS.filter((flag) =>
    namesOf(scheduler, flag).some((name) => names.includes(name)),
  );
}

/**
 * What `ipvsadm-save` prints after `-b`: `mh-fallback,mh-port`, `flag-1,flag-3`; empty without flags. (Of sh and mh
 * it leaves out flag-3, which means nothing to them; `ipvsadm -R` takes it.)
 */
export function formatSchedulerFlags(
  scheduler: Scheduler,
  flags: readonly SchedulerFlag[],
): string {
  return SCHEDULER_FLAGS.filter((flag) => flags.includes(flag))
    .map((flag) => namesOf(scheduler, flag).at(-1))
    .join(',');
}
