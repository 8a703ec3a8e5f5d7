// Each issue that zod finds as one clear message: where, what is wrong, what is allowed.
import { z } from 'zod';
import { quoted, shownName } from '../net/address.ts';
import { closest } from './suggest.ts';

export interface Issue {
  /** `['spec', 'addresses', 0]` */
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

type ZodIssue = z.ZodError['issues'][number];

/** `spec.addresses[0]` */
function formatPath(path: readonly PropertyKey[]): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${shownName(String(key))}`))
    .join('')
    .replace(/^\./, '');
}

/** `spec.addresses[0]: must be text` */
export function formatIssue({ path, message }: Issue): string {
  return path.length === 0 ? message : `${formatPath(path)}: ${message}`;
}

export function explain(error: z.ZodError, schema: z.ZodType): readonly Issue[] {
  return error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? unknownFields(issue, schema)
      : [{ path: issue.path, message: messageOf(issue) }],
  );
}

function unknownFields(
  issue: z.core.$ZodIssueUnrecognizedKeys,
  schema: z.ZodType,
): readonly Issue[] {
  const known = fieldsAt(schema, issue.path);
  return issue.keys.map((key) => {
    const meant = closest(key, known);
    const allowed = known.length === 0 ? 'remove it' : `allowed: ${known.join(', ')}`;
    const hint = meant === undefined ? allowed : `did you mean ${meant}?`;
    return { path: [...issue.path, key], message: `unknown field; ${hint}` };
  });
}

/** The names of the fields of an object, or of each item of a list; undefined below what has no fixed fields. */
export type Fields = ReadonlyMap<string, Fields | undefined>;

export function schemaFields(schema: unknown): Fields | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault) {
    return schemaFields(schema.unwrap());
  }
  if (schema instanceof z.ZodArray) return schemaFields(schema.element);
  if (!(schema instanceof z.ZodObject)) return undefined;
  const shape: Readonly<Record<string, unknown>> = schema.shape;
  return new Map(Object.entries(shape).map(([name, field]) => [name, schemaFields(field)]));
}

/** The fields that the schema knows at a path; none below what has no fixed fields. */
function fieldsAt(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  let fields = schemaFields(schema);
  for (const key of path) if (typeof key === 'string') fields = fields?.get(key);
  return [...(fields?.keys() ?? [])];
}

/** zod's names of types, in words. */
const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of fields',
  record: 'a mapping of names to text',
};

function messageOf(issue: Exclude<ZodIssue, z.core.$ZodIssueUnrecognizedKeys>): string {
  if (issue.input === undefined) return 'is required';
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${TYPES[issue.expected] ?? issue.expected}, is ${shown(issue.input)}${quoteHint(issue)}`;
    case 'invalid_value':
      return oneOfText(issue.values.map(String), issue.input);
    case 'invalid_union':
      return `must be a whole number or text, is ${shown(issue.input)}`;
    case 'too_small':
      return `must ${bound(issue.origin, 'at least', issue.minimum)}, is ${shown(issue.input)}`;
    case 'too_big':
      return `must ${bound(issue.origin, 'at most', issue.maximum)}, is ${shown(issue.input)}`;
    case 'custom':
      return issue.message;
    case 'invalid_format':
    case 'invalid_element':
    case 'invalid_key':
    case 'not_multiple_of':
      // the message is the schema's own
      return `${issue.message}, is ${shown(issue.input)}`;
  }
}

function quoteHint(issue: z.core.$ZodIssueInvalidType): string {
  const isScalar = typeof issue.input === 'number' || typeof issue.input === 'boolean';
  return issue.expected === 'string' && isScalar ? '; write it in quotes' : '';
}

/** `must be one of TCP, UDP, is "tcp"; did you mean TCP?` */
export function oneOfText(allowed: readonly string[], input: unknown): string {
  const meant = typeof input === 'string' ? closest(input, allowed) : undefined;
  const hint = meant === undefined ? '' : `; did you mean ${meant}?`;
  return `must be ${allowed.length > 1 ? 'one of ' : ''}${allowed.join(', ')}, is ${shown(input)}${hint}`;
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'string') return `have ${relation} ${limit} ${plural(limit, 'character')}`;
  if (origin === 'array') return `have ${relation} ${limit} ${plural(limit, 'item')}`;
  return `be ${relation} ${limit}`;
}

function plural(count: number | bigint, word: string): string {
  return Number(count) === 1 ? word : `${word}s`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value))
    return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  return typeof value === 'object' && value !== null ? 'a mapping' : String(value);
}
