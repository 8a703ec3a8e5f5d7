// A CIDR whose address is not the first of its network: what it covers begins below the address that was written.
import { bitsOf, familyOf, ipFromBigInt, ipToBigInt, parseIp } from '../net/address.ts';
import { formatRange, rangeSize, type IpRange } from '../net/range.ts';

/**
 * `range`: what the text was read as; `takesRanges`: whether `first-last` may be written there, too. Undefined where the
 * text says what it covers.
 */
export function hostBitsText(
  text: string,
  range: IpRange,
  takesRanges: boolean,
): string | undefined {
  if (!text.includes('/')) return undefined;
  const [addressText = ''] = text.trim().split('/');
  const address = parseIp(addressText);
  const value = ipToBigInt(address);
  if (value === range.first) return undefined;
  const family = familyOf(address);
  const end = value + rangeSize(range) - 1n;
  const isRange = takesRanges && end < 1n << BigInt(bitsOf(family));
  const single = `${address}/${bitsOf(family)}`;
  const meant = isRange ? `${address}-${ipFromBigInt(family, end)} or ${single}` : single;
  const [first, last] = [ipFromBigInt(family, range.first), ipFromBigInt(family, range.last)];
  return `${text.trim()} is ${formatRange(range)}, ${first} to ${last}; did you mean ${meant}?`;
}
