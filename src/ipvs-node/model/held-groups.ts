// For which VIPs this director answers. VIPs move between directors in groups: a group has one holder, and which group a
// VIP is in follows from its address, so that directors need not agree on it. Pure.
import type { IpAddress } from '../../net/address.ts';

/** VIPs that move together. Unique on the node: two links never share one. */
export type VipGroup = string;

export interface HeldGroups {
  readonly groups: ReadonlySet<VipGroup>;
  /** Whether the VIP is bound on this node. */
  isHeldHere(vip: IpAddress): boolean;
}

export function heldGroups(
  groups: Iterable<VipGroup>,
  groupOf: (vip: IpAddress) => VipGroup,
): HeldGroups {
  const held: ReadonlySet<VipGroup> = new Set(groups);
  return { groups: held, isHeldHere: (vip) => held.has(groupOf(vip)) };
}

const THE_ONLY_GROUP: VipGroup = 'all';

/** Where all VIPs are one group, or nobody else could hold any. */
export const ALL_HELD: HeldGroups = heldGroups([THE_ONLY_GROUP], () => THE_ONLY_GROUP);
export const NONE_HELD: HeldGroups = heldGroups([], () => THE_ONLY_GROUP);
