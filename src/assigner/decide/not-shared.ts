// What a Service is told that asks to share, has an address for itself, and so would think its wish granted. Pure.
import { familyOf, type IpAddress } from '../../net/address.ts';
import { claimKey } from '../holders/ip-object.ts';
import type { WaitKey } from '../holders/waiting.ts';
import { addressRefusal, limitRefusal, poolRefusal, ruleWaits } from './rules.ts';
import type { Refusal, ServiceCase } from './case-parts.ts';

export interface NotShared {
  /** Undefined: nobody else has the key, or somebody shares this address. */
  readonly text: string | undefined;
  readonly waits: readonly WaitKey[];
}

/** Why the Service stands alone on this address, while others have theirs under the same key. */
export function whyNotShared(serviceCase: ServiceCase, address: IpAddress): NotShared {
  const { holders } = serviceCase.view;
  const { sharingKey, addresses } = serviceCase.request;
  // an address that is asked for is shared by whoever else asks for it
  if (sharingKey === undefined || addresses.includes(address)) return NOTHING;
  const waits: WaitKey[] = [`ip:${address}`, `first:${sharingKey}`];
  const isShared = holders.claimsOn(address).some((claim) => claimKey(claim) !== serviceCase.key);
  if (isShared) return { text: undefined, waits };
  const texts: string[] = [];
  for (const other of holders.firstUnder(sharingKey, familyOf(address))) {
    if (other === address) continue;
    const refusal = whyNot(serviceCase, other);
    texts.push(refusal.message);
    waits.push(...refusal.waits);
  }
  return { text: texts.length === 0 ? undefined : `not shared: ${texts.join('; ')}`, waits };
}

const NOTHING: NotShared = { text: undefined, waits: [] };

function whyNot(serviceCase: ServiceCase, other: IpAddress): Refusal {
  const { pools, view } = serviceCase;
  const entry = view.holders.pools.poolOf(other);
  const waits: readonly WaitKey[] = [`ip:${other}`];
  if (entry === undefined) {
    return { reason: 'AddressNotInPool', message: `${other} is in no usable Pool`, waits };
  }
  if (pools.length > 0 && !pools.includes(entry.name)) {
    const message = `${other} is of Pool ${entry.name}, which the Service does not ask for`;
    return { reason: 'ConflictingRequest', message, waits };
  }
  const ofAddress = addressRefusal(serviceCase, entry, other);
  const ofPool =
    poolRefusal(serviceCase, entry, pools.length === 0) ??
    limitRefusal(serviceCase, entry, other, []);
  const message =
    ofAddress?.message ??
    (ofPool === undefined
      ? `${other} could be shared, but an address that is assigned stays: ask for ${other} with vipvs.io/addresses`
      : `${other} is of Pool ${entry.name}: ${ofPool.message}`);
  const waitsOfRules = [...(ofPool?.waits ?? []), ...ruleWaits(serviceCase, entry)];
  return {
    reason: 'SharingRefused',
    message,
    waits: [...waits, ...(ofAddress?.waits ?? []), ...waitsOfRules],
  };
}
