// What an object says that it is: the kinds that are read, and those that were meant but mistyped. A kind of somebody else
// is passed over; one letter must not turn a Service into one.
import { shownName } from '../net/address.ts';
import type { Issue } from './parse-issues.ts';
import { API_VERSION, GROUP } from './pool.ts';
import { closest } from './suggest.ts';

const CORE = 'v1';
const API_VERSIONS: ReadonlyMap<string, string> = new Map([
  ['Pool', API_VERSION],
  ['IP', API_VERSION],
  ['Director', API_VERSION],
  ['Service', CORE],
  ['Node', CORE],
  ['Namespace', CORE],
  ['List', CORE],
  ['EndpointSlice', 'discovery.k8s.io/v1'],
  ['ServiceCIDR', 'networking.k8s.io/v1'],
]);
/** Those of our own kinds that people write. */
const OUR_KINDS = ['Pool', 'IP'];

/** Whether somebody who writes this kind means one that is read here. */
export function isKnownKind(kind: string): boolean {
  return API_VERSIONS.has(kind);
}

/** For a type that no schema reads: what is wrong with it; undefined where it is of no concern here. */
export function typeIssues(apiVersion: string, kind: string): readonly Issue[] | undefined {
  const version = API_VERSIONS.get(kind);
  if (version === apiVersion) {
    return kind === 'List' ? [{ path: ['items'], message: 'must be a list' }] : undefined;
  }
  const group = groupOf(apiVersion);
  if (version !== undefined && isMeant(group, groupOf(version))) {
    return [{ path: ['apiVersion'], message: `must be ${version}, is ${shownName(apiVersion)}` }];
  }
  if (group === GROUP) return [ourKindIssue(kind)];
  const near = [...API_VERSIONS].filter(([, each]) => isMeant(group, groupOf(each)));
  const meant = closest(
    kind,
    near.map(([each]) => each),
  );
  if (meant === undefined) return undefined;
  return [{ path: ['kind'], message: `${shownName(kind)} is not known; did you mean ${meant}?` }];
}

function ourKindIssue(kind: string): Issue {
  const meant = closest(kind, OUR_KINDS);
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return {
    path: ['kind'],
    message: `must be one of ${OUR_KINDS.join(', ')}, is ${shownName(kind)}${hint}`,
  };
}

function groupOf(apiVersion: string): string {
  return apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
}

/** Groups without a dot are Kubernetes' own; Knative's Service is in one with dots and is no mistake. */
function isMeant(group: string, wanted: string): boolean {
  return !group.includes('.') || closest(group, [wanted]) !== undefined;
}

const HEAD = ['apiVersion', 'kind'];

/** Which fields of an object were meant to be its apiVersion or its kind. */
export function misspeltHead(raw: object): readonly Issue[] {
  const fields = Object.keys(raw);
  if (![...HEAD, 'metadata'].some((name) => fields.includes(name))) return [];
  return HEAD.filter((meant) => !fields.includes(meant)).flatMap((meant) =>
    fields
      .filter((field) => closest(field, [meant]) !== undefined)
      .map((field) => ({ path: [field], message: `unknown field; did you mean ${meant}?` })),
  );
}
