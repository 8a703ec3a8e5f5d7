// Cuts a list of operations into runs that one executor takes as a batch, in order. Pure.
import type { AddressOp } from './addresses/address-watch.ts';
import {
  isFirewallOp,
  isServerOp,
  type FirewallOp,
  type Op,
  type ServerOp,
} from '../model/kernel.ts';

export type AnnounceOp = Extract<Op, { op: 'vip.announce' }>;
export type SysctlOp = Extract<Op, { op: 'sysctl.set' }>;

export type Group =
  | { readonly kind: 'ipvs'; readonly ops: readonly ServerOp[] }
  | { readonly kind: 'address'; readonly ops: readonly AddressOp[] }
  | { readonly kind: 'announce'; readonly ops: readonly AnnounceOp[] }
  | { readonly kind: 'firewall'; readonly ops: readonly FirewallOp[] }
  | { readonly kind: 'sysctl'; readonly ops: readonly SysctlOp[] };

/** The longest run of operations from `start` on that one executor takes. */
export function groupAt(ops: readonly Op[], start: number): Group {
  const take = <T extends Op>(isMember: (op: Op) => op is T): readonly T[] => {
    if (start === 0 && areAll(ops, isMember)) return ops;
    const taken: T[] = [];
    for (let i = start; i < ops.length; i++) {
      const op = ops[i];
      if (op === undefined || !isMember(op)) break;
      taken.push(op);
    }
    return taken;
  };
  const first = ops[start];
  if (first === undefined || isServerOp(first)) return { kind: 'ipvs', ops: take(isServerOp) };
  switch (first.op) {
    case 'vip.add':
    case 'vip.del':
      return { kind: 'address', ops: take(isAddressOp) };
    case 'vip.announce':
      return { kind: 'announce', ops: take((op) => op.op === 'vip.announce') };
    case 'fw.add':
    case 'fw.del':
      return { kind: 'firewall', ops: take(isFirewallOp) };
    case 'sysctl.set':
      return { kind: 'sysctl', ops: take((op) => op.op === 'sysctl.set') };
  }
}

/** One large batch is the rule, and it need not be copied. */
function areAll<T extends Op>(
  ops: readonly Op[],
  isMember: (op: Op) => op is T,
): ops is readonly T[] {
  return ops.every(isMember);
}

function isAddressOp(op: Op): op is AddressOp {
  return op.op === 'vip.add' || op.op === 'vip.del';
}
