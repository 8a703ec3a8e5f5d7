// The schema of a label selector, meta/v1 LabelSelector, within bounds that CEL rules need.
import { z } from 'zod';
import { celRules } from './cel.ts';
import {
  LABEL_KEY_MAX,
  LABEL_VALUE_MAX,
  SELECTOR_EXPRESSIONS_MAX,
  SELECTOR_VALUES_MAX,
} from './limits.ts';
import type { DeepReadonly } from './readonly.ts';

const VALUES_TEXT = 'In and NotIn need values, Exists and DoesNotExist have none';

const expressionSchema = z
  .strictObject({
    key: z.string().min(1).max(LABEL_KEY_MAX),
    operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
    values: z.array(z.string().max(LABEL_VALUE_MAX)).max(SELECTOR_VALUES_MAX).optional(),
  })
  .refine(
    ({ operator, values = [] }) =>
      values.length > 0 === (operator === 'In' || operator === 'NotIn'),
    VALUES_TEXT,
  )
  .meta(
    celRules({
      rule: "(has(self.values) && size(self.values) > 0) == (self.operator in ['In', 'NotIn'])",
      message: VALUES_TEXT,
    }),
  );

export const labelSelectorSchema = z.strictObject({
  matchLabels: z.record(z.string(), z.string().max(LABEL_VALUE_MAX)).optional().meta({
    description: 'Every label here must be there with this value.',
  }),
  matchExpressions: z.array(expressionSchema).max(SELECTOR_EXPRESSIONS_MAX).optional().meta({
    description: 'Every expression must hold.',
  }),
});
export type LabelSelector = DeepReadonly<z.infer<typeof labelSelectorSchema>>;
