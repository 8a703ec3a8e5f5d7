// What a source system may ask for beside its own objects. Pure: the YAML parser comes in as a function.
import type { ServiceFacts } from './services.ts';

export interface SystemContext {
  /** Some systems keep YAML inside a ConfigMap. Never throws. */
  readonly parseYaml: (text: string) => unknown;
  readonly services: readonly ServiceFacts[];
}
