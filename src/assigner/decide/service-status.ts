// What the assigner writes into a Service: status.loadBalancer and one condition. Pure.
// Invariant: conditions of others and fields of others stay as they are, and a status that says the same already is
// not written again.
import {
  ADDRESS_ASSIGNED,
  datedCondition,
  PROGRAMMED,
  programmedSaid,
  saysTheSame,
  type Shortcoming,
} from '../../api/conditions.ts';
import type {
  Condition,
  LoadBalancerIngress,
  Service,
  ServiceStatus,
} from '../../api/kubernetes.ts';
import type { Reason } from '../../api/reasons.ts';
import type { IpAddress } from '../../net/address.ts';
import { formatPort, portTexts, type Ports } from './ports.ts';

/** Addresses and what the user is told. */
export interface Outcome {
  readonly addresses: readonly ServedAddress[];
  /** Entries of the status that stay as they are: nobody knows yet whose they are. */
  readonly unknown?: readonly LoadBalancerIngress[];
  readonly reason: Reason;
  readonly message: string;
  /** Whether the directors serve it; undefined: the condition Programmed is left as it is. */
  readonly programmed?: { readonly shortcoming: Shortcoming | undefined };
}

export interface ServedAddress {
  readonly address: IpAddress;
  /** Ports that another Service has on a shared address. */
  readonly refused: Ports;
}

/** PortStatus.error: a domain-qualified CamelCase name (Kubernetes API, core/v1 PortStatus). */
const PORT_CONFLICT_ERROR = 'vipvs.io/PortConflict';

/** The status that the Service should have; undefined where it has it. */
export function assignedStatus(
  service: Service,
  ports: Ports,
  outcome: Outcome,
  timestamp: string | undefined,
): ServiceStatus | undefined {
  const served = outcome.addresses.map((each) => ingressOf(each, ports));
  const ingress = [...served, ...(outcome.unknown ?? [])];
  const old = service.status ?? {};
  const oldCondition = conditionOf(service);
  const status = ingress.length > 0 ? 'True' : 'False';
  const said = { status, reason: outcome.reason, message: outcome.message } as const;
  const isSameCondition = saysTheSame(oldCondition, said);
  const oldProgrammed = old.conditions?.find(({ type }) => type === PROGRAMMED);
  const programmed = programmedCondition(oldProgrammed, outcome, timestamp);
  if (
    isSameCondition &&
    programmed === oldProgrammed &&
    sameIngress(old.loadBalancer?.ingress ?? [], ingress)
  ) {
    return undefined;
  }
  const condition =
    oldCondition !== undefined && isSameCondition
      ? oldCondition
      : datedCondition(ADDRESS_ASSIGNED, said, oldCondition, timestamp);
  const others = (old.conditions ?? []).filter(
    ({ type }) => type !== ADDRESS_ASSIGNED && type !== PROGRAMMED,
  );
  return {
    ...old,
    loadBalancer: ingress.length > 0 ? { ingress } : {},
    conditions: [...others, condition, ...(programmed === undefined ? [] : [programmed])].sort(
      byType,
    ),
  };
}

function byType(a: Condition, b: Condition): number {
  if (a.type === b.type) return 0;
  return a.type < b.type ? -1 : 1;
}

export function conditionOf(service: Service): Condition | undefined {
  return service.status?.conditions?.find((condition) => condition.type === ADDRESS_ASSIGNED);
}

/** Only where a director has something to say, or had: nobody waits for a word about a healthy Service. */
function programmedCondition(
  old: Condition | undefined,
  { addresses, programmed }: Outcome,
  timestamp: string | undefined,
): Condition | undefined {
  if (programmed === undefined) return old;
  if (addresses.length === 0) return undefined;
  const { shortcoming } = programmed;
  if (shortcoming === undefined && old === undefined) return undefined;
  const now = programmedSaid(shortcoming);
  return saysTheSame(old, now) ? old : datedCondition(PROGRAMMED, now, old, timestamp);
}

/** ipMode Proxy: kube-proxy and CNIs leave the address to us (design decision 14). `ports`: all or none. */
function ingressOf({ address, refused }: ServedAddress, ports: Ports): LoadBalancerIngress {
  const taken = portTexts(refused);
  const statuses =
    taken.size === 0
      ? ports
      : ports.map((port) =>
          taken.has(formatPort(port)) ? { ...port, error: PORT_CONFLICT_ERROR } : port,
        );
  return { ip: address, ipMode: 'Proxy', ...(statuses.length === 0 ? {} : { ports: statuses }) };
}

function sameIngress(
  a: readonly LoadBalancerIngress[],
  b: readonly LoadBalancerIngress[],
): boolean {
  return a.length === b.length && a.map(entryText).join() === b.map(entryText).join();
}

function entryText({ ip, hostname, ipMode, ports = [] }: LoadBalancerIngress): string {
  const texts = ports.map(({ port, protocol, error }) => [port, protocol, error]);
  return JSON.stringify([ip, hostname, ipMode, texts]);
}

/**
 * The status of a Service that is ours no more, without what we wrote; undefined where nothing of it is there.
 * `isOurs` tells our addresses from those of the load balancer that has the Service now.
 */
export function cleanedStatus(
  service: Service,
  isOurs: (address: string) => boolean,
): ServiceStatus | undefined {
  const { conditions = [], loadBalancer, ...rest } = service.status ?? {};
  const othersConditions = conditions.filter(
    ({ type }) => type !== ADDRESS_ASSIGNED && type !== PROGRAMMED,
  );
  const ingress = loadBalancer?.ingress ?? [];
  const othersIngress = ingress.filter((entry) => entry.ip === undefined || !isOurs(entry.ip));
  const isClean =
    othersConditions.length === conditions.length && othersIngress.length === ingress.length;
  if (isClean) return undefined;
  return {
    ...rest,
    loadBalancer: othersIngress.length > 0 ? { ingress: othersIngress } : {},
    conditions: othersConditions,
  };
}
