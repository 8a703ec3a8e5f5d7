// One raw object (JSON from the API server or from a manifest) -> an object of ours, or what is wrong with it.
// The schemas are built once; an object that is right costs one pass, one that is wrong is looked at again to say why.
import { z } from 'zod';
import { AddressError, objectNameOf, orAddressError, parseIp, shownName } from '../net/address.ts';
import type { ClusterObject } from './cluster.ts';
import { ipSchema, type IP } from './ip.ts';
import { misspeltHead, typeIssues } from './kinds.ts';
import {
  endpointSliceSchema,
  namespaceSchema,
  nodeSchema,
  serviceCidrSchema,
  serviceSchema,
  type Service,
} from './kubernetes.ts';
import { manifestIssues, nameIssues } from './manifest-rules.ts';
import { explain, type Issue } from './parse-issues.ts';
import { API_VERSION, poolSchema } from './pool.ts';
import { remarksOn } from './remarks.ts';
import { unknownFields } from './unknown-fields.ts';

export type ParseResult =
  | {
      readonly kind: 'object';
      readonly object: ClusterObject;
      /** What has no effect in it. */
      readonly remarks: readonly Issue[];
    }
  /** Not ours: `apps/v1 Deployment`. */
  | { readonly kind: 'ignored'; readonly what: string }
  | { readonly kind: 'issues'; readonly issues: readonly Issue[] };

export interface ParseOptions {
  /**
   * `refuse` (default) is for manifests, written by hand: typing errors are found, and what an API server would refuse is
   * refused. `drop` is for objects from the API server, which has checked and pruned them already: a field that is left is
   * from a newer CRD than this program.
   */
  readonly unknownFields?: 'refuse' | 'drop';
}

const SCHEMAS: ReadonlyMap<string, z.ZodType<ClusterObject>> = new Map<
  string,
  z.ZodType<ClusterObject>
>([
  [`${API_VERSION} Pool`, poolSchema],
  [`${API_VERSION} IP`, ipSchema],
  ['v1 Service', serviceSchema],
  ['v1 Node', nodeSchema],
  ['v1 Namespace', namespaceSchema],
  ['networking.k8s.io/v1 ServiceCIDR', serviceCidrSchema],
  ['discovery.k8s.io/v1 EndpointSlice', endpointSliceSchema],
]);

const typeSchema = z.looseObject({ apiVersion: z.string(), kind: z.string() });

export function parseObject(raw: unknown, options: ParseOptions = {}): ParseResult {
  const type = typeSchema.safeParse(raw, { reportInput: true });
  if (!type.success) {
    const head = typeof raw === 'object' && raw !== null ? misspeltHead(raw) : [];
    return issues([...explain(type.error, typeSchema), ...head]);
  }
  const { apiVersion, kind } = type.data;
  const schema = SCHEMAS.get(`${apiVersion} ${kind}`);
  if (schema !== undefined) return parseAs(schema, raw, options);
  const wrong = typeIssues(apiVersion, kind);
  if (wrong !== undefined) return issues(wrong);
  return { kind: 'ignored', what: `${shownName(apiVersion)} ${shownName(kind)}` };
}

function parseAs(
  schema: z.ZodType<ClusterObject>,
  raw: unknown,
  options: ParseOptions,
  isDense = false,
): ParseResult {
  const parsed = schema.safeParse(raw, { reportInput: true });
  if (parsed.success) {
    return judged(parsed.data, raw, options);
  }
  // as in the API server, a field that is null is a field that is not there (`labels:` and nothing below it)
  if (!isDense) return parseAs(schema, withoutNulls(raw), options, true);
  if (options.unknownFields === 'drop') {
    const known = withoutUnknown(raw, parsed.error);
    if (known !== undefined) return parseAs(schema, known, options, true);
  }
  return issues(explain(parsed.error, schema));
}

/** So many of one object are told: its reader mends the first and looks again. */
const TOLD_MAX = 50;

function issues(found: readonly Issue[]): ParseResult {
  if (found.length <= TOLD_MAX) return { kind: 'issues', issues: found };
  const more = { path: [], message: `and ${found.length - TOLD_MAX} more mistakes in this object` };
  return { kind: 'issues', issues: [...found.slice(0, TOLD_MAX), more] };
}

function judged(object: ClusterObject, raw: unknown, options: ParseOptions): ParseResult {
  const isManifest = options.unknownFields !== 'drop';
  const found = contradictions(object);
  if (found.length > 0) return issues(found);
  const names = isManifest || object.kind === 'Pool' ? nameIssues(raw) : [];
  if (!isManifest && names.length === 0) return { kind: 'object', object, remarks: [] };
  const wrong = [...names, ...(isManifest ? manifestIssues(object) : [])];
  if (wrong.length > 0) return issues(wrong);
  const remarks = [...unknownFields(object.kind, raw), ...remarksOn(object)];
  return { kind: 'object', object, remarks };
}

/** What a schema cannot say: fields that contradict each other. */
function contradictions(object: ClusterObject): readonly Issue[] {
  if (object.kind === 'IP') return ipIssues(object);
  return object.kind === 'Service' ? duplicatePorts(object) : [];
}

function ipIssues(object: IP): readonly Issue[] {
  const path = ['spec', 'address'];
  const ip = orAddressError(() => parseIp(object.spec.address));
  if (ip instanceof AddressError) return [{ path, message: ip.message }];
  if (ip !== object.spec.address) return [{ path, message: `write it in canonical form: ${ip}` }];
  const name = objectNameOf(ip);
  if (name === object.metadata.name) return [];
  return [{ path: ['metadata', 'name'], message: `must be ${name}, the name for address ${ip}` }];
}

function duplicatePorts(service: Service): readonly Issue[] {
  const seen = new Set<string>();
  return (service.spec.ports ?? []).flatMap(({ port, protocol }, i) => {
    const key = `${port}/${protocol}`;
    if (seen.has(key)) return [{ path: ['spec', 'ports', i], message: `${key} is there twice` }];
    seen.add(key);
    return [];
  });
}

type Change = (key: string | number, field: unknown) => unknown;

/** A copy with each field or item changed; a field that becomes undefined is left out. */
function mapFields(value: unknown, change: Change): unknown {
  if (Array.isArray(value)) return value.map((item: unknown, i) => change(i, item));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, field]) => [key, change(key, field)] as const);
  return Object.fromEntries(entries.filter(([, field]) => field !== undefined));
}

function withoutNulls(value: unknown): unknown {
  return mapFields(value, (_, field) => (field === null ? undefined : withoutNulls(field)));
}

/** The object without the fields that the schema does not know; undefined if that is not all that is wrong. */
function withoutUnknown(raw: unknown, error: z.ZodError): unknown {
  let known = raw;
  for (const issue of error.issues) {
    if (issue.code !== 'unrecognized_keys') return undefined;
    known = withoutKeys(known, issue.path, issue.keys);
  }
  return known;
}

function withoutKeys(
  value: unknown,
  [first, ...rest]: readonly PropertyKey[],
  keys: readonly string[],
): unknown {
  return mapFields(value, (key, field) => {
    if (first === undefined) return keys.includes(String(key)) ? undefined : field;
    return key === first ? withoutKeys(field, rest, keys) : field;
  });
}
