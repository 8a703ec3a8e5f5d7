// The configuration of MetalLB up to 0.12, which Cilium 1.10 to 1.15 read, too (ConfigMap kube-system/bgp-config): pools and
// peers as YAML inside a ConfigMap. Pure.
// Facts: `cidr` for `addresses`, and protocol arp and ndp, up to MetalLB 0.2 (release notes of 0.3.0).
import { Fields } from './fields.ts';
import { childOf, isObject, textOf } from './json.ts';
import { labelOf, type PoolDraft, type SourceObject, type System } from './model.ts';
import { attempt, nameText, SourceError, type Notes } from './notes.ts';
import { cautious, poolAddresses } from './pool-spec.ts';
import type { SystemContext } from './system.ts';

export const BGP_ADVICE =
  'vipvs does not speak BGP: let a BGP daemon on the directors announce the VIPs, which are addresses of an interface there';

const POOLS = /(^|[\s{,"'])address-pools["']?\s*:/;
const PEERS = /(^|[\s{,"'])peers["']?\s*:/;

/** The ConfigMap's key that holds such a configuration; undefined for any other ConfigMap. */
export function configKeyOf(
  { group, kind, namespace = '', raw }: SourceObject,
  key: string,
): string | undefined {
  const text = textOf(childOf(raw, 'data'), key);
  if (group !== '' || kind !== 'ConfigMap' || text === undefined) return undefined;
  // other programs have peers, too
  const isOurs = POOLS.test(text) || (/metallb|kube-system/.test(namespace) && PEERS.test(text));
  return isOurs ? key : undefined;
}

export function readConfig(
  object: SourceObject,
  key: string,
  system: System,
  notes: Notes,
  context: SystemContext,
): readonly PoolDraft[] {
  const path = `data.${key}`;
  const data = new Fields(childOf(object.raw, 'data'), 'data', notes);
  const parsed = context.parseYaml(data.required(key));
  if (parsed instanceof Error) throw new SourceError(parsed.message, path);
  if (!isObject(parsed)) throw new SourceError('must be an object', path);
  data.end();
  const config = new Fields(parsed, path, notes);
  for (const each of ['peers', 'peer-autodiscovery', 'bgp-communities', 'bfd-profiles']) {
    config.unsupported(each, BGP_ADVICE);
  }
  const pools = config.objects('address-pools');
  config.end();
  return pools.flatMap(
    (pool) => attempt(notes, 'the pool', () => readPool(pool, object, system, notes)) ?? [],
  );
}

function readPool(
  pool: Fields,
  object: SourceObject,
  system: System,
  notes: Notes,
): PoolDraft | undefined {
  const before = notes.damages;
  const name = pool.text('name');
  const key = !pool.has('addresses') && pool.has('cidr') ? 'cidr' : 'addresses';
  const entries = pool.entries(key);
  noteProtocol(pool.text('protocol'), pool.pathOf('protocol'), notes);
  const autoAssign = pool.flag('auto-assign');
  const avoidBuggyIPs = pool.flag('avoid-buggy-ips');
  pool.unsupported('bgp-advertisements', BGP_ADVICE);
  pool.unsupported('advertisements', BGP_ADVICE);
  pool.end();
  const field = pool.pathOf(key);
  const addresses = poolAddresses(entries, field, notes);
  if (addresses === undefined) return undefined;
  if (name === undefined || name.trim() === '') {
    throw new SourceError('is missing', pool.pathOf('name'));
  }
  const spec = {
    addresses,
    ...(autoAssign === false ? { autoAssign } : {}),
    ...(avoidBuggyIPs === true ? { avoidBuggyIPs } : {}),
  };
  return {
    system,
    name,
    origin: `${labelOf(object)}, pool ${nameText(name)}`,
    where: object.where,
    spec: cautious(spec, notes.damages > before, notes),
  };
}

export function noteProtocol(protocol: string | undefined, field: string, notes: Notes): void {
  if (protocol === 'bgp') notes.add('no-equivalent', BGP_ADVICE, field);
}
