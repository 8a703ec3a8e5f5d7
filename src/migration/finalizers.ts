// Finalizers that other load balancers put on Services. Once their controller is gone, nobody takes them off, and the Service
// can't be deleted: the report has the command for each. Pure.
import type { Keeper } from './holdings.ts';
import { CLEANUP_FINALIZER } from './node-addresses.ts';
import type { ServiceName } from './model.ts';

export interface FinalizerPatch {
  readonly service: ServiceName;
  readonly finalizers: readonly string[];
  /** A JSON patch (RFC 6902): nothing happens if the list is no longer as it was. */
  readonly patch: readonly object[];
}

const FOREIGN =
  /(^|\.|\/)(metallb\.(io|universe\.tf)|kube-vip\.io|purelb\.io|cilium\.io|loxilb\.io|kubesphere\.io|inwinstack\.com|cattle\.io)(\/|$)/;

export function finalizerPatchesOf(keepers: readonly Keeper[]): readonly FinalizerPatch[] {
  return keepers.flatMap(({ name, facts }): readonly FinalizerPatch[] => {
    const all = facts?.service.metadata.finalizers ?? [];
    const theirs = all.flatMap((finalizer, i) =>
      finalizer === CLEANUP_FINALIZER || FOREIGN.test(finalizer) ? [{ finalizer, i }] : [],
    );
    if (theirs.length === 0) return [];
    // from the end: what is taken out moves what follows
    const patch = theirs.reverse().flatMap(({ finalizer, i }) => {
      const path = `/metadata/finalizers/${i}`;
      return [
        { op: 'test', path, value: finalizer },
        { op: 'remove', path },
      ];
    });
    return [{ service: name, finalizers: theirs.map(({ finalizer }) => finalizer), patch }];
  });
}
