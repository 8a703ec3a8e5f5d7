// Label selectors, meta/v1 LabelSelector: all matchLabels and all matchExpressions must hold; an empty one selects all.
import type { LabelSelector } from './label-selector.ts';

type Labels = Readonly<Record<string, string>>;
type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

export function selectorMatches(selector: LabelSelector, labels: Labels = {}): boolean {
  return (
    Object.entries(selector.matchLabels ?? {}).every(
      ([key, value]) => valueOf(labels, key) === value,
    ) &&
    (selector.matchExpressions ?? []).every((expression) => expressionMatches(expression, labels))
  );
}

function expressionMatches(expression: Expression, labels: Labels): boolean {
  const value = valueOf(labels, expression.key);
  const values = expression.values ?? [];
  switch (expression.operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
  }
}

/** Of the labels themselves: every object has a `constructor` that it was not given. */
function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
