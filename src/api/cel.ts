// CEL rules of the CRDs as metadata of a zod schema: z.toJSONSchema passes them through, the parser ignores them.
// The API server prices every rule by maxItems and maxLength around it and refuses a CRD that costs too much.

export interface CelRule {
  readonly rule: string;
  readonly message: string;
}

export function celRules(...rules: readonly CelRule[]): { 'x-kubernetes-validations': CelRule[] } {
  return { 'x-kubernetes-validations': [...rules] };
}
