// A zod schema as structural schema of a CRD (apiextensions/v1): every node has a type, and pruning takes the place
// of additionalProperties: false.
import { z } from 'zod';

export interface CrdSchema {
  readonly description?: string;
  readonly type: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, CrdSchema>>;
  readonly items?: CrdSchema;
  readonly additionalProperties?: CrdSchema;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  /** lengths, pattern, CEL rules */
  readonly [keyword: string]: unknown;
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** What users write, so with defaults optional. */
export function structuralSchema(schema: z.ZodType): CrdSchema {
  return structural(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }));
}

/** Keywords that go over as they are, in the order in which they are printed. */
const KEYWORDS = [
  'enum', 'default', 'minLength', 'maxLength', 'pattern', 'minimum', 'maximum', 'minItems', 'maxItems',
  'maxProperties', 'x-kubernetes-validations',
]; // prettier-ignore

function structural(node: JsonSchema | boolean): CrdSchema {
  if (typeof node === 'boolean' || typeof node.type !== 'string') {
    throw new Error(`schema without a type: ${JSON.stringify(node)}`);
  }
  const { type, description, required, properties = {}, items, additionalProperties } = node;
  const fields = Object.entries(properties).map(
    ([name, field]) => [name, structural(field)] as const,
  );
  const kept = KEYWORDS.flatMap((keyword) => {
    const value = node[keyword];
    return value === undefined || isSafeIntegerBound(value) ? [] : [[keyword, value] as const];
  });
  return {
    ...(description === undefined ? {} : { description }),
    type,
    ...(isNode(additionalProperties)
      ? { additionalProperties: structural(additionalProperties) }
      : {}),
    ...(required === undefined ? {} : { required }),
    ...Object.fromEntries(kept),
    ...(isNode(items) ? { items: structural(items) } : {}),
    ...(fields.length === 0 ? {} : { properties: Object.fromEntries(fields) }),
  };
}

/** additionalProperties: false is the parser's strictness, which the API server has by pruning. */
function isNode(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** zod bounds every integer by ±(2^53-1). */
function isSafeIntegerBound(value: unknown): boolean {
  return value === Number.MAX_SAFE_INTEGER || value === Number.MIN_SAFE_INTEGER;
}
