// What a director says of itself in its Director object, out of what its agent knows. Pure.
import { cutText } from '../../api/bounded-text.ts';
import { datedCondition } from '../../api/conditions.ts';
import {
  DIRECTOR_PROGRAMMED,
  DIRECTOR_READY,
  type DirectorStatus,
  type FailedService,
} from '../../api/director.ts';
import type { Condition } from '../../api/kubernetes.ts';
import { FAILED_MAX, FAILED_MESSAGE_MAX, UNCHECKED_MAX } from '../../api/limits.ts';
import type { Problem } from '../../api/problem.ts';
import type { Reason } from '../../api/reasons.ts';
import type { HeldGroups } from '../model/held-groups.ts';
import type { ServiceReport } from '../reconcile/service-reports.ts';
import { isBoundByUs } from '../model/owned.ts';
import type { NodeState, Observed } from '../model/state.ts';

export interface DirectorFacts {
  readonly phase: 'starting' | 'running' | 'stopped';
  readonly held: Pick<HeldGroups, 'groups'>;
  readonly desired: Pick<NodeState, 'virtualServers' | 'addresses'>;
  readonly observed: Pick<Observed, 'virtualServers' | 'addresses' | 'owned'>;
  /** Services that are not wholly in the kernel. */
  readonly failing: ReadonlyMap<string, FailedService>;
  /** Services that are, and rest on what nobody here can see. */
  readonly unchecked: ReadonlyMap<string, FailedService>;
  /** What could not be reached and concerns no single Service. */
  readonly nodeProblems: readonly string[];
  /** Virtual servers of somebody else inside our Pools, one line each. */
  readonly foreignServers?: readonly string[];
  /** What kube-proxy deletes again and again. */
  readonly purgeProblem?: string | undefined;
  readonly versions: DirectorStatus['versions'];
}

/** `previous`: the conditions as they were shown last; their times stay while their status does. */
export function directorStatus(
  facts: DirectorFacts,
  previous: readonly Condition[],
  now: string,
): DirectorStatus {
  const { desired, observed, failing } = facts;
  const failed = byName(failing);
  const unchecked = byName(facts.unchecked);
  let virtualServers = 0;
  let realServers = 0;
  for (const key of desired.virtualServers.keys()) {
    const found = observed.virtualServers?.get(key);
    if (found === undefined) continue;
    virtualServers += 1;
    realServers += found.realServers.size;
  }
  let addresses = 0;
  for (const address of desired.addresses.keys()) {
    if (isBoundByUs(observed, address)) addresses += 1;
  }
  const conditions = [readyCondition(facts.phase), programmedCondition(facts, failed, unchecked)];
  return {
    announcing: facts.held.groups.size > 0,
    virtualServers,
    realServers,
    addresses,
    failedServices: failed.length,
    failed: failed.slice(0, FAILED_MAX),
    // absent where it is empty: a CRD of an earlier version refuses it
    unchecked: unchecked.length === 0 ? undefined : unchecked.slice(0, UNCHECKED_MAX),
    versions: facts.versions,
    conditions: conditions.map((said) => {
      const old = previous.find(({ type }) => type === said.type);
      return datedCondition(said.type, said, old, now);
    }),
  };
}

function byName(services: ReadonlyMap<string, FailedService>): readonly FailedService[] {
  return [...services.values()].sort((a, b) => (a.service < b.service ? -1 : 1));
}

/** undefined: nothing of the Service failed. */
export function failureOf(
  service: string,
  report: ServiceReport | undefined,
): FailedService | undefined {
  if (report === undefined || report.isProgrammed) return undefined;
  const errors = report.problems.filter(({ isWarning }) => isWarning !== true);
  const reason: Reason = errors[0]?.reason ?? 'KernelError';
  return entryOf(service, reason, [...errors, ...report.problems.filter(isUnchecked)]);
}

/** undefined: all of the Service was seen to. Other warnings pass, and are events only. */
export function uncheckedOf(
  service: string,
  report: ServiceReport | undefined,
): FailedService | undefined {
  if (report?.isProgrammed !== true) return undefined;
  const problems = report.problems.filter(isUnchecked);
  return problems.length === 0 ? undefined : entryOf(service, UNCHECKED, problems);
}

const UNCHECKED: Reason = 'RealServersUnchecked';

function isUnchecked({ reason }: Problem): boolean {
  return reason === UNCHECKED;
}

function entryOf(service: string, reason: Reason, problems: readonly Problem[]): FailedService {
  const texts = new Set(problems.map(({ message }) => message));
  return { service, reason, message: cutText([...texts].join('; '), FAILED_MESSAGE_MAX) };
}

function readyCondition(phase: DirectorFacts['phase']): Condition {
  switch (phase) {
    case 'starting':
      return made(DIRECTOR_READY, 'False', 'Starting', 'the kernel is not read yet');
    case 'running':
      return made(DIRECTOR_READY, 'True', 'Running', 'the agent runs');
    case 'stopped':
      return made(DIRECTOR_READY, 'False', 'Stopped', 'the agent was stopped; the kernel goes on');
  }
}

/** Virtual servers of somebody else: a few say who makes them. */
const FOREIGN_NAMED = 5;

function programmedCondition(
  { phase, nodeProblems, purgeProblem, foreignServers = [] }: DirectorFacts,
  failed: readonly FailedService[],
  unchecked: readonly FailedService[],
): Condition {
  const type = DIRECTOR_PROGRAMMED;
  if (phase === 'starting') return made(type, 'Unknown', 'Starting', 'the kernel is not read yet');
  if (failed.length > 0) return made(type, 'False', 'ServicesFailed', countedText(failed));
  if (nodeProblems.length > 0) return made(type, 'False', 'KernelError', nodeProblems.join('; '));
  if (purgeProblem !== undefined) return made(type, 'False', 'PurgedByKubeProxy', purgeProblem);
  const texts = ['every Service is in the kernel'];
  const reasons: Reason[] = [];
  if (foreignServers.length > 0) {
    reasons.push('ForeignVirtualServer');
    texts.push(foreignText(foreignServers));
  }
  if (unchecked.length > 0) {
    reasons.push(UNCHECKED);
    texts.push(countedText(unchecked));
  }
  return made(type, 'True', reasons[0] ?? 'Programmed', texts.join('; '));
}

function foreignText(servers: readonly string[]): string {
  const named = servers.slice(0, FOREIGN_NAMED).join(', ');
  const more = servers.length > FOREIGN_NAMED ? ' and more' : '';
  return `somebody else has virtual servers inside our Pools, which no Service can have there: ${named}${more}`;
}

/** The first stands for all. */
function countedText(services: readonly FailedService[]): string {
  const count = services.length === 1 ? '1 Service' : `${services.length} Services`;
  return services
    .slice(0, 1)
    .map(({ service, message }) => `${count}, first ${service}: ${message}`)
    .join();
}

function made(
  type: string,
  status: Condition['status'],
  reason: Reason,
  message: string,
): Condition {
  return { type, status, reason, message };
}
