// How the traffic of a Service is balanced: scheduler, forwarding, persistence and drain time, from its
// annotations, its sessionAffinity and the defaults of its pool. A value that cannot be read is a problem that
// says what is allowed; the default stands in for it, so that traffic goes on.
import { quoted } from '../net/address.ts';
import { SCHEDULERS, type Scheduler, type SchedulerFlag } from '../net/ipvs.ts';
import { parseSchedulerFlags } from '../net/scheduler-flags.ts';
import { ANNOTATIONS } from './annotations.ts';
import type { Service } from './kubernetes.ts';
import { DRAIN_SECONDS_MAX, PERSISTENCE_SECONDS_MAX } from './limits.ts';
import { FORWARDINGS, type Forwarding, type PoolSpec } from './pool.ts';
import { serviceRef, type Problem } from './problem.ts';

export interface TrafficPolicy {
  readonly scheduler: Scheduler;
  /** Sorted. */
  readonly schedulerFlags: readonly SchedulerFlag[];
  readonly forwarding: Forwarding;
  /** 0 = off */
  readonly persistenceSeconds: number;
  readonly drainSeconds: number;
  readonly problems: readonly Problem[];
}

/**
 * Round robin, not wlc: least-connection schedulers send every new connection to a real server that has just
 * come (it has none yet) until it has caught up, which floods it. docs/reference/annotations.md says more.
 */
export const DEFAULT_SCHEDULER: Scheduler = 'rr';
const DEFAULT_FORWARDING: Forwarding = 'nat';
/** kube-apiserver fills this into sessionAffinityConfig (core/v1 DefaultClientIPServiceAffinitySeconds). */
const CLIENT_IP_SECONDS = 10_800;
/** Long enough for most downloads, short enough that a dead node's connections do not stay for ever. */
export const DEFAULT_DRAIN_SECONDS = 300;

type Report = (key: string, value: string, allowed: string) => void;

export function resolveTraffic(
  service: Service,
  poolDefaults: PoolSpec['defaults'] = {},
): TrafficPolicy {
  const problems: Problem[] = [];
  const report: Report = (key, value, allowed) => {
    problems.push({
      object: serviceRef(service),
      reason: 'InvalidAnnotation',
      message: `${key}: ${quoted(value)} is not allowed; allowed: ${allowed}`,
    });
  };
  const annotations = service.metadata.annotations ?? {};
  const seconds = (key: string, max: number): number | undefined =>
    parseSeconds(key, annotations[key], max, report);
  return {
    ...(parseScheduler(annotations[ANNOTATIONS.scheduler], report) ?? {
      scheduler: poolDefaults.scheduler ?? DEFAULT_SCHEDULER,
      schedulerFlags: [],
    }),
    forwarding:
      parseForwarding(annotations[ANNOTATIONS.forwarding], report) ??
      poolDefaults.forwarding ??
      DEFAULT_FORWARDING,
    persistenceSeconds:
      seconds(ANNOTATIONS.persistenceSeconds, PERSISTENCE_SECONDS_MAX) ??
      affinitySeconds(service, report) ??
      poolDefaults.persistenceSeconds ??
      0,
    drainSeconds:
      seconds(ANNOTATIONS.drainSeconds, DRAIN_SECONDS_MAX) ??
      poolDefaults.drainSeconds ??
      DEFAULT_DRAIN_SECONDS,
    problems,
  };
}

function parseScheduler(
  text: string | undefined,
  report: Report,
): Pick<TrafficPolicy, 'scheduler' | 'schedulerFlags'> | undefined {
  if (text === undefined) return undefined;
  const [name, ...flags] = text.split(',').map((part) => part.trim());
  const scheduler = SCHEDULERS.find((known) => known === name);
  if (scheduler === undefined) {
    report(ANNOTATIONS.scheduler, text, `one of ${SCHEDULERS.join(', ')}, then flags (mh,mh-port)`);
    return undefined;
  }
  const schedulerFlags = parseSchedulerFlags(scheduler, flags);
  if (schedulerFlags === undefined) {
    const named =
      scheduler === 'mh' || scheduler === 'sh' ? `${scheduler}-port, ${scheduler}-fallback, ` : '';
    report(
      ANNOTATIONS.scheduler,
      text,
      `${scheduler} with the flags ${named}flag-1, flag-2, flag-3`,
    );
    return undefined;
  }
  return { scheduler, schedulerFlags };
}

function parseForwarding(text: string | undefined, report: Report): Forwarding | undefined {
  const forwarding = FORWARDINGS.find((known) => known === text?.trim());
  if (text !== undefined && forwarding === undefined) {
    report(ANNOTATIONS.forwarding, text, FORWARDINGS.join(', '));
  }
  return forwarding;
}

function parseSeconds(
  key: string,
  text: string | undefined,
  max: number,
  report: Report,
): number | undefined {
  if (text === undefined) return undefined;
  const trimmed = text.trim();
  if (/^\d{1,9}$/.test(trimmed) && Number(trimmed) <= max) return Number(trimmed);
  report(key, text, `whole seconds, 0 to ${max}`);
  return undefined;
}

function affinitySeconds(service: Service, report: Report): number | undefined {
  if (service.spec.sessionAffinity !== 'ClientIP') return undefined;
  const seconds = service.spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
  if (seconds === undefined) return CLIENT_IP_SECONDS;
  if (Number.isInteger(seconds) && seconds >= 1 && seconds <= PERSISTENCE_SECONDS_MAX) {
    return seconds;
  }
  const path = 'spec.sessionAffinityConfig.clientIP.timeoutSeconds';
  report(path, String(seconds), `whole seconds, 1 to ${PERSISTENCE_SECONDS_MAX}`);
  return CLIENT_IP_SECONDS;
}
