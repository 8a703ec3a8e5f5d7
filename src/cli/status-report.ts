// The state file as a person reads it. Pure.
import { ADDRESS_ASSIGNED, PROGRAMMED } from '../api/conditions.ts';
import type { IP } from '../api/ip.ts';
import type { Condition } from '../api/kubernetes.ts';
import type { State, StateEvent, StatePool, StateService } from '../files/state.ts';
import { printable } from '../net/address.ts';
import { formatSince, formatTable } from './table.ts';

/** Events shown without -o wide. */
const EVENTS_SHOWN = 10;

export interface StatusView {
  readonly state: State;
  /** undefined: can't be told, for example from inside another container. */
  readonly isRunning: boolean | undefined;
  /** What was wrong with the state file itself. */
  readonly notices: readonly string[];
}

export function formatStatus(view: StatusView, nowMs: number, isWide: boolean): string {
  const { state } = view;
  const sections = [
    formatHead(view, nowMs),
    section('Pools', state.pools.length, formatPools(state.pools, nowMs)),
    section('Addresses', state.ips.length, formatIps(state.ips)),
    section('Services', state.services.length, formatServices(state, isWide)),
    section('Events', state.events.length, formatEvents(state.events, nowMs, isWide)),
  ];
  if (state.problems.length > 0) {
    sections.push(
      `Problems in the manifests:\n${state.problems.map((each) => `  ${printable(each)}\n`).join('')}`,
    );
  }
  return sections.join('\n');
}

function formatHead(view: StatusView, nowMs: number): string {
  const { process, savedAt } = view.state;
  const running = { true: 'is running', false: 'is not running', undefined: 'may be running' };
  const notices = view.notices.map((notice) => `warning: ${notice}\n`).join('');
  const since = formatSince(process.startedAt, nowMs);
  return `${notices}vipvs ${running[`${view.isRunning}`]} (node ${process.node}, pid ${process.pid}, started ${since} ago); state written ${formatSince(savedAt, nowMs)} ago\n`;
}

function section(title: string, count: number, table: string): string {
  return count === 0 ? `${title}: none\n` : table;
}

function formatPools(pools: readonly StatePool[], nowMs: number): string {
  const rows = pools.map(({ name, status, firstSeen }) => [
    name,
    numberText(status.allocatable),
    numberText(status.capacity),
    status.phase ?? '',
    formatSince(firstSeen, nowMs),
    ...(status.reason === undefined ? [''] : [status.reason]),
  ]);
  const hasReason = pools.some(({ status }) => status.reason !== undefined);
  const head = ['POOL', 'ALLOCATABLE', 'CAPACITY', 'STATUS', 'AGE', 'REASON'];
  return hasReason
    ? formatTable(head, rows)
    : formatTable(
        head.slice(0, -1),
        rows.map((row) => row.slice(0, -1)),
      );
}

function numberText(value: number | undefined): string {
  return value === undefined ? '' : String(value);
}

function formatIps(ips: readonly IP[]): string {
  const rows = ips.map(({ spec, status }) => [
    spec.address,
    spec.poolName,
    status?.phase ?? '',
    holdersOf({ spec, status })
      .map((each) => `${each.namespace}/${each.name}`)
      .join(','),
    holdersOf({ spec, status })
      .flatMap((each) => each.ports.map((port) => `${port.port}/${port.protocol}`))
      .join(','),
  ]);
  return formatTable(['IP', 'POOL', 'STATUS', 'SERVICE', 'PORTS'], rows);
}

function holdersOf(ip: { readonly spec: IP['spec']; readonly status: IP['status'] }) {
  return ip.status?.services ?? ip.spec.claims ?? [];
}

function formatServices(state: State, isWide: boolean): string {
  const rows = state.services.map((service) => {
    const conditions = service.status.conditions ?? [];
    const assigned = conditions.find((each) => each.type === ADDRESS_ASSIGNED);
    const programmed = conditions.find((each) => each.type === PROGRAMMED);
    const why = [assigned, programmed].filter((each) => isWide || each?.status !== 'True');
    return [
      service.key,
      addressesOf(service),
      assigned?.status ?? '',
      programmed?.status ?? '',
      why.flatMap((each) => (each === undefined ? [] : [reasonText(each)])).join('; '),
    ];
  });
  const head = ['SERVICE', 'EXTERNAL-IP', 'ASSIGNED', 'PROGRAMMED', 'REASON'];
  return rows.every((row) => row[4] === '')
    ? formatTable(
        head.slice(0, -1),
        rows.map((row) => row.slice(0, -1)),
      )
    : formatTable(head, rows);
}

function addressesOf({ status }: StateService): string {
  const ingress = status.loadBalancer?.ingress ?? [];
  return ingress.length === 0 ? '<pending>' : ingress.map((each) => each.ip ?? '').join(',');
}

function reasonText(condition: Condition): string {
  return condition.message === '' ? condition.reason : `${condition.reason}: ${condition.message}`;
}

function formatEvents(events: readonly StateEvent[], nowMs: number, isWide: boolean): string {
  const shown = isWide ? events : events.slice(-EVENTS_SHOWN);
  const rows = shown.map(({ time, type, reason, object, message, count }) => [
    formatSince(time, nowMs),
    type,
    reason,
    object,
    count === 1 ? message : `${message} (x${count})`,
  ]);
  return formatTable(['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'], rows);
}
