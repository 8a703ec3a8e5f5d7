// A module of its own, loaded on demand: in the bundle a dynamic import of the package itself has no named exports.
import { parse } from 'yaml';

export function parseYaml(text: string): unknown {
  const value: unknown = parse(text);
  return value;
}
