// Judges manifests offline, with the very functions that the running programs use: nothing here knows a rule of its
// own but which finding is a warning. Pure.
import { ClusterStore, keyOf, objectKey, type ClusterObject } from '../api/cluster.ts';
import { clusterIps, nodeIps, podCidrRanges, serviceCidrRanges } from '../api/cluster-ranges.ts';
import { ADDRESS_ASSIGNED, LOAD_BALANCER_CLASS } from '../api/conditions.ts';
import { SERVICE_NAME_LABEL, type EndpointSlice, type Service } from '../api/kubernetes.ts';
import { resolvePools } from '../api/pools.ts';
import { formatRef, type Problem } from '../api/problem.ts';
import { simulate } from '../assigner/simulate.ts';
import type { Reason } from '../api/reasons.ts';
import type { Manifests } from '../files/manifests.ts';
import type { ManifestProblem } from '../files/parse-document.ts';
import { desiredNode } from '../ipvs-node/desired/all-services.ts';
import { printable } from '../net/address.ts';

/** SKIP: no manifest, so nothing was judged. */
export type CheckLevel = 'PASS' | 'WARN' | 'FAIL' | 'SKIP';

export interface Finding {
  readonly level: CheckLevel;
  /** `examples/pool.yaml:2:1` */
  readonly where: string;
  /** `Service default/web`; absent where the text is too broken to tell. */
  readonly object?: string;
  /** A key of REASONS. */
  readonly reason?: string;
  readonly message?: string;
}

/** Stands for any director: no finding depends on which one it is. */
const ANY_NODE = { name: 'any', bindInterface: 'any', hasKubeProxy: false } as const;

/** In the order of the files; an object without a finding of its own is a PASS. */
export function checkManifests(manifests: Manifests, handleUnset: boolean): readonly Finding[] {
  const places = new Map(
    manifests.loaded.map(({ object, file, line }) => [objectKey(object), `${file}:${line}`]),
  );
  const findings = [
    ...manifests.problems.map((problem) => findingOf('FAIL', problem, 'InvalidObject')),
    ...manifests.remarks.map((problem) => findingOf('WARN', problem, 'NoEffect')),
    ...manifests.skipped.map((problem) => findingOf('SKIP', problem, undefined)),
  ];
  if (findings.length === 0 && manifests.loaded.length === 0 && manifests.ignored.size === 0) {
    findings.push({
      level: 'WARN',
      where: manifests.files.join(', ') || 'no file',
      message: EMPTY,
    });
  }
  for (const judged of judge(manifests.objects, handleUnset)) {
    findings.push({ ...judged, where: places.get(judged.object) ?? '' });
  }
  const wrong = new Set(findings.map(({ object }) => object));
  for (const [object, where] of places) {
    if (!wrong.has(object)) findings.push({ level: 'PASS', where, object });
  }
  return findings.sort(byPlace);
}

const EMPTY = 'there is nothing to check: the input is empty';

function findingOf(
  level: CheckLevel,
  { file, line, column, object, message }: ManifestProblem,
  reason: Reason | undefined,
): Finding {
  const where = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
  return {
    level,
    where,
    ...(object === undefined ? {} : { object }),
    ...(reason === undefined ? {} : { reason }),
    message,
  };
}

interface Judged {
  readonly level: CheckLevel;
  readonly object: string;
  readonly reason: string;
  readonly message: string;
}

function judge(objects: readonly ClusterObject[], handleUnset: boolean): readonly Judged[] {
  const before = new ClusterStore();
  for (const object of objects) before.set(object);
  const config = { loadBalancerClass: LOAD_BALANCER_CLASS, handleUnset, holdSeconds: 0 };
  const after = new ClusterStore();
  for (const object of simulate(objects, config).objects) after.set(object);
  // without slices the input is meant for a cluster, which makes them itself
  const hasSlices = before.endpointSlices.size > 0;
  const ofNode = desiredNode(withoutLocal(after), ANY_NODE).problems.filter(
    ({ reason }) => hasSlices || reason !== 'NoEndpoints',
  );
  return unique([
    ...poolProblems(before).map(judgeProblem),
    ...[...after.services.values()].flatMap((service) => judgeService(service, before)),
    ...judgeIps(before, after),
    ...ofNode.map(judgeProblem),
    ...(hasSlices ? [...after.services.values()].flatMap((each) => judgeLocal(each, after)) : []),
    ...[...before.endpointSlices.values()].flatMap((slice) => judgeSlice(slice, before)),
  ]);
}

/** Which node serves a Service with externalTrafficPolicy Local is not the question here, but whether one could. */
function withoutLocal(store: ClusterStore): ClusterStore {
  const result = new ClusterStore();
  for (const object of store.objects()) {
    if (object.kind !== 'Service') result.set(object);
    else result.set({ ...object, spec: { ...object.spec, externalTrafficPolicy: 'Cluster' } });
  }
  return result;
}

/** Endpoints without a node are on none, and so no node would serve them. */
function judgeLocal(service: Service, store: ClusterStore): readonly Judged[] {
  if (service.spec.externalTrafficPolicy !== 'Local') return [];
  const endpoints = store.endpointSlicesOf(keyOf(service)).flatMap((slice) => slice.endpoints);
  if (endpoints.length === 0 || endpoints.some(({ nodeName }) => nodeName !== undefined)) return [];
  const message =
    'externalTrafficPolicy is Local, and no endpoint has a nodeName: every node refuses clients';
  return [{ level: 'WARN', object: objectKey(service), reason: 'NoEndpoints', message }];
}

function unique(judged: readonly Judged[]): readonly Judged[] {
  const byText = new Map(judged.map((each) => [`${each.object}\n${each.message}`, each]));
  return [...byText.values()];
}

function poolProblems({ pools, nodes, serviceCidrs, services }: ClusterStore): readonly Problem[] {
  const ofNodes = [...nodes.values()];
  const ranges = [...serviceCidrs.values()].flatMap(serviceCidrRanges);
  return resolvePools(pools.values(), ofNodes.flatMap(nodeIps), {
    ranges: [...ranges, ...ofNodes.flatMap(podCidrRanges)],
    clusterIps: [...services.values()].flatMap(clusterIps),
  }).problems;
}

function judgeProblem(problem: Problem): Judged {
  const { reason, message, isWarning } = problem;
  const level = isWarning === true || reason === 'NoEndpoints' ? 'WARN' : 'FAIL';
  return { level, object: formatRef(problem.object), reason, message };
}

/** Without any Pool in the input nothing can be assigned: they may be in the cluster already. */
function judgeService(service: Service, before: ClusterStore): readonly Judged[] {
  const condition = service.status?.conditions?.find(({ type }) => type === ADDRESS_ASSIGNED);
  if (condition === undefined || condition.reason === 'Assigned') return [];
  const isRefused = condition.status !== 'True' && before.pools.size > 0;
  const { reason, message } = condition;
  return [{ level: isRefused ? 'FAIL' : 'WARN', object: objectKey(service), reason, message }];
}

function judgeIps(before: ClusterStore, after: ClusterStore): readonly Judged[] {
  return [...before.ips.keys()].flatMap((name): readonly Judged[] => {
    const ip = after.ips.get(name);
    const { phase, reason: message = '' } = ip?.status ?? {};
    if (ip === undefined || (phase !== 'Failed' && phase !== 'Conflict')) return [];
    const level = before.pools.size > 0 ? 'FAIL' : 'WARN';
    const reason = phase === 'Failed' ? 'InvalidIp' : 'AddressConflict';
    return [{ level, object: objectKey(ip), reason, message }];
  });
}

function judgeSlice(slice: EndpointSlice, store: ClusterStore): readonly Judged[] {
  const name = slice.metadata.labels?.[SERVICE_NAME_LABEL];
  const key = `${slice.metadata.namespace ?? 'default'}/${name ?? ''}`;
  if (name !== undefined && store.services.has(key)) return [];
  const message =
    name === undefined
      ? `has no label ${SERVICE_NAME_LABEL}: it belongs to no Service`
      : `its label ${SERVICE_NAME_LABEL} names Service ${key}, which is not here`;
  const object = `${slice.kind} ${keyOf(slice)}`;
  return [{ level: 'WARN', object, reason: 'NoService', message }];
}

/** File, then line as a number, then the text. */
function byPlace(a: Finding, b: Finding): number {
  const [left, right] = [placeOf(a.where), placeOf(b.where)];
  if (left.file !== right.file) return left.file < right.file ? -1 : 1;
  return left.line - right.line || compareText(a.message ?? '', b.message ?? '');
}

function placeOf(where: string): { readonly file: string; readonly line: number } {
  const match = /^(.*?)(?::(\d+))?(?::\d+)?$/.exec(where);
  return { file: match?.[1] ?? where, line: Number(match?.[2] ?? 0) };
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export interface CheckCounts {
  readonly passed: number;
  readonly warnings: number;
  readonly failed: number;
  /** Files with documents that are no manifests. */
  readonly skipped: number;
}

export function countFindings(findings: readonly Finding[]): CheckCounts {
  const count = (level: CheckLevel): number =>
    findings.filter((finding) => finding.level === level).length;
  return {
    passed: count('PASS'),
    warnings: count('WARN'),
    failed: count('FAIL'),
    skipped: count('SKIP'),
  };
}

/** `FAIL a.yaml:3:5: Pool public: InvalidPool: spec.addresses[0]: …`, one line whatever is in it. */
export function formatFinding({ level, where, object, reason, message }: Finding): string {
  if (level === 'PASS') return `${printable(`PASS ${where}: ${object ?? ''}`)}\n`;
  const parts = [where, object, reason === 'InvalidObject' ? undefined : reason, message];
  const text = parts.filter((part) => part !== undefined && part !== '').join(': ');
  return `${printable(`${level} ${text}`)}\n`;
}
