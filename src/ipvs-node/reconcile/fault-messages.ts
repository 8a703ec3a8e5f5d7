// Failed operations and planned refusals as faults: for whom, and in the words of the condition.
import type { IpAddress } from '../../net/address.ts';
import { vipOfElement } from '../model/firewall.ts';
import type { Execution, Failure } from './execute.ts';
import type { Fault } from './retries.ts';
import { isServerOp, serverKeyOf, type Op } from '../model/kernel.ts';
import type { PlanProblem } from '../plan/plan.ts';
import type { NodeState } from '../model/state.ts';
import type { KubeProxyMode } from '../model/kube-proxy.ts';

/** All that an execution could not reach, and what waits for it. */
export function faultsOf(
  { failures, waiting, problems }: Pick<Execution, 'failures' | 'waiting' | 'problems'>,
  desired: NodeState,
  servicesOfAddress: (address: IpAddress) => Iterable<string>,
  kubeProxyMode: KubeProxyMode | undefined,
): readonly Fault[] {
  return [
    ...failures.map((each) => faultOf(each, desired, servicesOfAddress)),
    ...waiting.map((target): Fault => ({ target, services: [], problem: undefined })),
    ...problems.map((each) => faultOfPlan(each, kubeProxyMode)),
  ];
}

/** A failure with the Services that suffer from it. An answer that was lost is no problem of theirs yet. */
export function faultOf(
  failure: Failure,
  desired: NodeState,
  servicesOfAddress: (address: IpAddress) => Iterable<string>,
): Fault {
  const { target, op } = failure;
  return {
    target,
    services: servicesOf(op, desired, servicesOfAddress),
    problem: failure.isRefused ? problemOf(failure) : undefined,
  };
}

function servicesOf(
  op: Op,
  desired: NodeState,
  servicesOfAddress: (address: IpAddress) => Iterable<string>,
): readonly string[] {
  if (isServerOp(op)) {
    const service = desired.virtualServers.get(serverKeyOf(op))?.service;
    return service === undefined ? [] : [service];
  }
  switch (op.op) {
    case 'vip.add':
    case 'vip.del':
    case 'vip.announce':
      return [...servicesOfAddress(op.address)].sort();
    case 'fw.add':
    case 'fw.del': {
      const vip = vipOfElement(op.element);
      return vip === undefined ? [] : [...servicesOfAddress(vip)].sort();
    }
    case 'sysctl.set':
      return [];
  }
}

/** Errors of rtnetlink and of a send when the link is not there, or is down. */
const LINK_ERRNOS = new Set(['ENODEV', 'ENXIO', 'ENETDOWN']);

function problemOf({ op, errno, message }: Failure): NonNullable<Fault['problem']> {
  const what = `cannot ${VERBS[op.op]} ${subjectOf(op)}`;
  if (errno === 'ENOENT' && (op.op === 'vs.add' || op.op === 'vs.set')) {
    return {
      reason: 'SchedulerMissing',
      message: `${what}: the kernel has no scheduler ${op.server.scheduler} (module ip_vs_${op.server.scheduler}); it is tried again`,
    };
  }
  if ('interface' in op && LINK_ERRNOS.has(errno)) {
    const why = errno === 'ENETDOWN' ? 'is down' : 'is missing';
    return {
      reason: 'InterfaceMissing',
      message: `${what}: the interface ${why} (${errno}); it is tried again`,
    };
  }
  const text = message === errno ? errno : `${message} (${errno})`;
  return { reason: 'KernelError', message: `${what}: ${text}; it is tried again` };
}

const VERBS: Readonly<Record<Op['op'], string>> = {
  'vs.add': 'add',
  'vs.set': 'change',
  'vs.del': 'delete',
  'rs.add': 'add',
  'rs.set': 'change',
  'rs.del': 'delete',
  'vip.add': 'add',
  'vip.del': 'delete',
  'vip.announce': 'announce',
  'fw.add': 'add',
  'fw.del': 'delete',
  'sysctl.set': 'set',
};

function subjectOf(op: Op): string {
  switch (op.op) {
    case 'vs.add':
    case 'vs.set':
    case 'vs.del':
      return `virtual server ${serverKeyOf(op)}`;
    case 'rs.add':
    case 'rs.set':
    case 'rs.del':
      return `real server ${op.real.address} port ${op.real.port} of ${serverKeyOf(op)}`;
    case 'vip.add':
    case 'vip.del':
    case 'vip.announce':
      return `address ${op.address} on ${op.interface}`;
    case 'fw.add':
    case 'fw.del':
      return `nft element ${op.key} of set ${op.set}`;
    case 'sysctl.set':
      return `sysctl ${op.key} to ${op.value}`;
  }
}

/** `kubeProxyMode`: in mode ipvs it may be the one who was there first. */
export function faultOfPlan(
  { target, services, reason, message }: PlanProblem,
  kubeProxyMode: KubeProxyMode | undefined,
): Fault {
  const isItsKind = reason === 'ForeignVirtualServer' || reason === 'AddressOfHost';
  const hint =
    isItsKind && kubeProxyMode === 'ipvs'
      ? '; kube-proxy runs here in mode ipvs and makes such for node ports, external IPs and cluster IPs'
      : '';
  return { target, services, problem: { reason, message: message + hint } };
}
