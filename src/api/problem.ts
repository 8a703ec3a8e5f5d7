// A problem is a user's object that is wrong or can't be satisfied. It is a value: it becomes a condition, an
// Event and one line of text; nothing is thrown, and the other objects go on.
import { printable } from '../net/address.ts';
import type { Service } from './kubernetes.ts';
import type { Reason } from './reasons.ts';

export interface ObjectRef {
  readonly kind: 'Pool' | 'IP' | 'Service' | 'EndpointSlice' | 'Node' | 'Namespace' | 'ServiceCIDR';
  readonly namespace?: string;
  readonly name: string;
}

export interface Problem {
  readonly object: ObjectRef;
  /** A key of REASONS, src/api/reasons.ts. */
  readonly reason: Reason;
  /** One line: what, where, what is allowed. */
  readonly message: string;
  /** The object works nevertheless. */
  readonly isWarning?: true;
}

export function serviceRef(service: Service): ObjectRef {
  return {
    kind: 'Service',
    namespace: service.metadata.namespace ?? 'default',
    name: service.metadata.name,
  };
}

export function formatRef(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace === undefined ? '' : `${ref.namespace}/`}${ref.name}`;
}

export function formatProblem(problem: Problem): string {
  return printable(`${formatRef(problem.object)}: ${problem.reason}: ${problem.message}`);
}
