// kube-keepalived-vip: a ConfigMap whose keys are VIPs and whose values are `namespace/service[:NAT|DR|PROXY]`, or empty
// for a VIP without forwarding. There is no Pool and no type LoadBalancer: both are made here. Pure.
// Facts (kube-keepalived-vip, keepalived.tmpl): scheduler wlc, persistence_timeout 1800 for every virtual server.
import { ANNOTATIONS } from '../api/annotations.ts';
import { tryParseIp } from '../net/address.ts';
import { Fields } from './fields.ts';
import { childOf } from './json.ts';
import { attempt, guarded, SourceError, type Notes } from './notes.ts';
import { canBeVip } from './pool-spec.ts';
import {
  labelOf,
  type AddressUse,
  type Converted,
  type Note,
  type PoolDraft,
  type ServiceWish,
  type SourceObject,
} from './model.ts';
import { readAddress } from './ranges.ts';

const VALUE = /^([a-z0-9-]+)\/([a-z0-9.-]+)(?::([A-Za-z]+))?$/;
const POOL_NAME = 'kube-keepalived-vip';
const PERSISTENCE_SECONDS = 1800;

export function isKeepalivedVip({ group, kind, raw }: SourceObject): boolean {
  if (group !== '' || kind !== 'ConfigMap') return false;
  const data = Object.entries(childOf(raw, 'data'));
  const vips = data.filter(([key]) => tryParseIp(key) !== undefined);
  return (
    vips.some(([, value]) => typeof value === 'string' && value.includes('/')) ||
    (vips.length === data.length && vips.some(([, value]) => value === ''))
  );
}

export function convertKeepalivedVip(objects: readonly SourceObject[]): Converted {
  const notes: Note[] = [];
  const pools: PoolDraft[] = [];
  const uses: AddressUse[] = [];
  const wishes: ServiceWish[] = [];
  for (const object of objects) {
    guarded(notes, object, (about) => {
      const entries = readEntries(object, about);
      uses.push(...entries.map(({ use }) => use));
      wishes.push(...entries.flatMap(({ wish }) => wish ?? []));
      const addresses = entries.map(({ use }) => use.address).filter(canBeVip);
      if (addresses.length === 0) return;
      pools.push({
        system: 'kube-keepalived-vip',
        name: POOL_NAME,
        origin: labelOf(object),
        where: object.where,
        spec: {
          addresses,
          autoAssign: false,
          defaults: { scheduler: 'wlc', persistenceSeconds: PERSISTENCE_SECONDS },
        },
      });
      const text = `the Pool keeps scheduler wlc and persistence of ${PERSISTENCE_SECONDS} s, which kube-keepalived-vip had for all; take spec.defaults out if you do not want them`;
      about.add('ambiguous', text);
    });
  }
  return { pools, uses, wishes, notes };
}

interface Entry {
  readonly use: AddressUse;
  readonly wish: ServiceWish | undefined;
}

/** A wrong entry is named, and the others go on: that is what kube-keepalived-vip does. */
function readEntries(object: SourceObject, notes: Notes): readonly Entry[] {
  const raw = childOf(object.raw, 'data');
  const data = new Fields(raw, 'data', notes);
  return Object.keys(raw)
    .sort()
    .flatMap((key): readonly Entry[] => {
      const value = data.has(key) ? data.text(key) : '';
      if (value === undefined) return []; // no text, and named as such
      const read = (): Entry => readEntry(object, key, value, notes);
      const entry = attempt(notes, 'the entry', read);
      return entry === undefined ? [] : [entry];
    });
}

function readEntry(object: SourceObject, key: string, value: string, notes: Notes): Entry {
  const field = `data[${key}]`;
  const address = readAddress(key, field);
  const { where } = object;
  const use = { system: 'kube-keepalived-vip' as const, address, origin: labelOf(object), where };
  const text = value.trim();
  if (text === '') {
    const what =
      'a VIP without forwarding: the address is kept out of use, but vipvs binds no address without a Service';
    notes.add('no-equivalent', what, field);
    return { use: { ...use, retain: true }, wish: undefined };
  }
  const [, namespace = '', name = '', method = 'NAT'] = VALUE.exec(text) ?? [];
  if (namespace === '') {
    throw new SourceError(
      `${JSON.stringify(text)} must be namespace/service[:NAT|DR|PROXY]`,
      field,
    );
  }
  if (!['NAT', 'DR', 'PROXY'].includes(method)) {
    throw new SourceError(`method ${method} must be NAT, DR or PROXY`, field);
  }
  if (method === 'PROXY') {
    const what =
      'the PROXY protocol needs a proxy that speaks it; vipvs forwards packets: forwarding nat is used, backends must not expect the header';
    notes.add('no-equivalent', what, field);
  }
  const service = { namespace, name };
  return {
    use: { ...use, service },
    wish: {
      service,
      ...(method === 'DR' ? { annotations: { [ANNOTATIONS.forwarding]: 'dr' } } : {}),
      makeLoadBalancer: true,
      why: 'kube-keepalived-vip serves any type, vipvs type LoadBalancer',
    },
  };
}
