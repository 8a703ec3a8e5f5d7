// Every address that a Service names, shows or asks for, as far as it can be read, whatever else is wrong with it: what
// must not be given to somebody else while its owner can't be told. Pure.
import { REQUEST_KEYS } from '../api/annotations.ts';
import { tryParseIp, type IpAddress } from '../net/address.ts';
import { specialUseOf } from '../net/special.ts';
import { childOf, isObject, listOf, textOf, type JsonObject } from './json.ts';

const LIKE_ADDRESS = /^(?:\d+\.\d+\.\d+\.\d+|[\da-f.]*:[\da-f.]*:[\da-f.:]*)$/i;

/** Addresses separated by anything that people put between them. */
export function addressesIn(text: string): readonly IpAddress[] {
  const items = text.split(/[,;\s]+/).filter((item) => LIKE_ADDRESS.test(item)); // what is refused is dear
  const found = items.flatMap((item) => tryParseIp(item) ?? []);
  return found.filter((ip) => specialUseOf(ip) === undefined);
}

/** What it asks for, under every key that vipvs reads. */
export function addressesAsked(raw: JsonObject): readonly IpAddress[] {
  const annotations = childOf(childOf(raw, 'metadata'), 'annotations');
  const texts = REQUEST_KEYS.addresses.map((key) => textOf(annotations, key));
  const all = [...texts, textOf(childOf(raw, 'spec'), 'loadBalancerIP')];
  return [...new Set(all.flatMap((text) => addressesIn(text ?? '')))];
}

/** What its status shows. */
export function ingressOf(raw: JsonObject): readonly JsonObject[] {
  const balancer = childOf(childOf(raw, 'status'), 'loadBalancer');
  return listOf(balancer, 'ingress').filter(isObject);
}

export function addressesNamed(raw: JsonObject): readonly IpAddress[] {
  const shown = ingressOf(raw).flatMap((entry) => addressesIn(textOf(entry, 'ip') ?? ''));
  return [...new Set([...shown, ...addressesAsked(raw)])];
}
