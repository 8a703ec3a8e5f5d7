// Foreign data as it was parsed. Pure.

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object under the key; an empty one where there is none. */
export function childOf(value: JsonObject, key: string): JsonObject {
  const child = value[key];
  return isObject(child) ? child : {};
}

/** The list under the key; an empty one where there is none. */
export function listOf(value: JsonObject, key: string): readonly unknown[] {
  const child = value[key];
  return Array.isArray(child) ? child : [];
}

/** The text under the key. */
export function textOf(value: JsonObject, key: string): string | undefined {
  const child = value[key];
  return typeof child === 'string' ? child : undefined;
}

/** Deeper than any manifest that a person writes; what is below is not looked at. */
const DEPTH_MAX = 100;

/** Every value in the value, itself first. `path`: the keys that lead to it. */
export function walk(
  value: unknown,
  visit: (value: unknown, path: readonly (string | number)[]) => void,
  path: readonly (string | number)[] = [],
): void {
  visit(value, path);
  if (path.length >= DEPTH_MAX) return;
  if (Array.isArray(value)) value.forEach((item, i) => walk(item, visit, [...path, i]));
  else if (isObject(value)) {
    for (const [key, item] of Object.entries(value)) walk(item, visit, [...path, key]);
  }
}
