// Addresses in foreign objects -> ranges; a wrong one ends its entry, or its object. Pure.
import { AddressError, orAddressError, parseIp, type IpAddress } from '../net/address.ts';
import { parseRange, type IpRange } from '../net/range.ts';
import { SourceError } from './notes.ts';
import { variableHint } from './variables.ts';

export function readRange(text: string, field: string): IpRange {
  const range = orAddressError(() => parseRange(text));
  if (range instanceof AddressError)
    throw new SourceError(`${range.message}${variableHint(text)}`, field);
  return range;
}

export function readAddress(text: string, field: string): IpAddress {
  const ip = orAddressError(() => parseIp(text.trim()));
  if (ip instanceof AddressError)
    throw new SourceError(`${ip.message}${variableHint(text)}`, field);
  return ip;
}
