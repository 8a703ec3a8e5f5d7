// What has no effect, or another one than it looks like, in an object that is used all the same: for whoever wrote it.
import { parseRange } from '../net/range.ts';
import { AddressError, orAddressError, quoted } from '../net/address.ts';
import { KEYS_OF_KIND } from './annotations.ts';
import type { ClusterObject } from './cluster.ts';
import { LOAD_BALANCER_CLASS } from './conditions.ts';
import { hostBitsText } from './host-bits.ts';
import type { EndpointSlice, Service } from './kubernetes.ts';
import type { Issue } from './parse-issues.ts';
import { GROUP } from './pool.ts';
import { closest } from './suggest.ts';

export function remarksOn(object: ClusterObject): readonly Issue[] {
  const found = annotationRemarks(object);
  if (object.kind === 'Service') return [...found, ...serviceRemarks(object)];
  return object.kind === 'EndpointSlice' ? [...found, ...sliceRemarks(object)] : found;
}

function annotationRemarks({ kind, metadata }: ClusterObject): readonly Issue[] {
  const known = KEYS_OF_KIND[kind];
  if (known === undefined) return [];
  return Object.keys(metadata.annotations ?? {}).flatMap((key) => {
    const text = known.includes(key) ? undefined : unknownKeyText(key, kind, known);
    return text === undefined ? [] : [{ path: ['metadata', 'annotations', key], message: text }];
  });
}

/** So many letters make somebody else's key one that is read: those that load balancers have beside it differ by more. */
const ALIAS_EDITS_MAX = 2;

function unknownKeyText(key: string, kind: string, known: readonly string[]): string | undefined {
  const [prefix = '', name = ''] = key.split('/', 2);
  const isOurs = closest(prefix, [GROUP]) !== undefined;
  const candidates = known.filter((each) => each.startsWith(`${isOurs ? GROUP : prefix}/`));
  const names = candidates.map((each) => each.slice(each.indexOf('/') + 1));
  const nearest = closest(name, names, isOurs ? undefined : ALIAS_EDITS_MAX);
  const meant = nearest === undefined ? undefined : candidates[names.indexOf(nearest)];
  if (meant !== undefined) return `has no effect; did you mean ${meant}?`;
  // vipvs writes keys of its own on Pools
  if (prefix !== GROUP || kind === 'Pool') return undefined;
  const owner = Object.entries(KEYS_OF_KIND).find(([, keys]) => keys.includes(key));
  if (owner !== undefined) return `has no effect on kind ${kind}; it is for kind ${owner[0]}`;
  return `has no effect; allowed: ${candidates.join(', ')}`;
}

function serviceRemarks({ metadata, spec }: Service): readonly Issue[] {
  const { type = 'ClusterIP', loadBalancerClass, loadBalancerSourceRanges = [] } = spec;
  const found = loadBalancerSourceRanges.flatMap((text, i): readonly Issue[] => {
    const range = orAddressError(() => parseRange(text));
    const message = range instanceof AddressError ? undefined : hostBitsText(text, range, false);
    return message === undefined
      ? []
      : [{ path: ['spec', 'loadBalancerSourceRanges', i], message }];
  });
  if (type !== 'LoadBalancer') {
    const ours = Object.keys(metadata.annotations ?? {}).filter((key) =>
      key.startsWith(`${GROUP}/`),
    );
    const message = `has no effect: the Service is of type ${type}, not LoadBalancer`;
    return [...found, ...ours.map((key) => ({ path: ['metadata', 'annotations', key], message }))];
  }
  if (loadBalancerClass === undefined || loadBalancerClass === LOAD_BALANCER_CLASS) return found;
  if (closest(loadBalancerClass, [LOAD_BALANCER_CLASS]) === undefined) return found;
  const message = `${quoted(loadBalancerClass)} is no class of vipvs, so the Service is left alone; did you mean ${LOAD_BALANCER_CLASS}?`;
  return [...found, { path: ['spec', 'loadBalancerClass'], message }];
}

function sliceRemarks({ endpoints }: EndpointSlice): readonly Issue[] {
  return endpoints.flatMap(({ addresses }, i): readonly Issue[] => {
    const [first = '', ...others] = addresses;
    if (others.length === 0) return [];
    const message = `has ${addresses.length} addresses, of which only the first, ${quoted(first)}, is used; make an endpoint of each`;
    return [{ path: ['endpoints', i, 'addresses'], message }];
  });
}
