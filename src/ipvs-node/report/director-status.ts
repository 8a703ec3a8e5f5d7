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
import { FAILED_MAX, FAILED_MESSAGE_MAX } from '../../api/limits.ts';
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
  const failed = [...failing.values()].sort((a, b) => (a.service < b.service ? -1 : 1));
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
  const conditions = [readyCondition(facts.phase), programmedCondition(facts, failed)];
  return {
    announcing: facts.held.groups.size > 0,
    virtualServers,
    realServers,
    addresses,
    failedServices: failed.length,
    failed: failed.slice(0, FAILED_MAX),
    versions: facts.versions,
    conditions: conditions.map((said) => {
      const old = previous.find(({ type }) => type === said.type);
      return datedCondition(said.type, said, old, now);
    }),
  };
}

/** undefined: nothing of the Service failed. */
export function failureOf(
  service: string,
  report: ServiceReport | undefined,
): FailedService | undefined {
  if (report === undefined || report.isProgrammed) return undefined;
  const errors = report.problems.filter(({ isWarning }) => isWarning !== true);
  const message = errors.map((problem) => problem.message).join('; ');
  const reason: Reason = errors[0]?.reason ?? 'KernelError';
  return { service, reason, message: cutText(message, FAILED_MESSAGE_MAX) };
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
): Condition {
  const type = DIRECTOR_PROGRAMMED;
  if (phase === 'starting') return made(type, 'Unknown', 'Starting', 'the kernel is not read yet');
  const [first] = failed;
  if (first !== undefined) {
    const count = failed.length === 1 ? '1 Service' : `${failed.length} Services`;
    const text = `${count}, first ${first.service}: ${first.message}`;
    return made(type, 'False', 'ServicesFailed', text);
  }
  if (nodeProblems.length > 0) return made(type, 'False', 'KernelError', nodeProblems.join('; '));
  if (purgeProblem !== undefined) return made(type, 'False', 'PurgedByKubeProxy', purgeProblem);
  const all = 'every Service is in the kernel';
  if (foreignServers.length === 0) return made(type, 'True', 'Programmed', all);
  const named = foreignServers.slice(0, FOREIGN_NAMED).join(', ');
  const more = foreignServers.length > FOREIGN_NAMED ? ' and more' : '';
  const text = `${all}; somebody else has virtual servers inside our Pools, which no Service can have there: ${named}${more}`;
  return made(type, 'True', 'ForeignVirtualServer', text);
}

function made(
  type: string,
  status: Condition['status'],
  reason: Reason,
  message: string,
): Condition {
  return { type, status, reason, message };
}
