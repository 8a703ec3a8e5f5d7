// The proof that comes with every migration: the assigner, run on what was made and on the Services as they are after
// the patches, must give each Service what it had; once with its status, and once as if the old controller had cleared it.
// The assigner comes in as a function. Pure.
import type { ClusterObject } from '../api/cluster.ts';
import { namespacedName, type Service } from '../api/kubernetes.ts';
import { parseObject } from '../api/parse.ts';
import { tryParseIp } from '../net/address.ts';
import type { Migration } from './convert.ts';
import { invariant } from '../runtime/errors.ts';
import { isKnownClass } from './holdings.ts';
import { keyOfName } from './model.ts';
import { patched, type ServicePatch } from './patches.ts';
import { isUnknown } from './service-notes.ts';

export interface Lost {
  readonly service: string;
  readonly address: string;
  /** What happens instead, as the end of a sentence. */
  readonly why: string;
}

export interface Verification {
  /** Services that have an address and are in the input. */
  readonly services: number;
  readonly kept: number;
  readonly lost: readonly Lost[];
  /** Services of which the input does not say what they have. */
  readonly unknown: number;
}

/** Runs the assigner until nothing changes; answers all objects as they end. */
export type Simulate = (objects: readonly ClusterObject[]) => readonly ClusterObject[];

/** `around`: Namespaces and Nodes, which Pools look at. */
export function verify(
  migration: Migration,
  around: readonly ClusterObject[],
  simulate: Simulate,
): Verification {
  const made = [...migration.pools, ...migration.ips].map(parsed);
  const run = (given: readonly Service[]): ReadonlyMap<string, Service> => {
    const ended = simulate([...around, ...made, ...given]);
    const found = ended.filter((object): object is Service => object.kind === 'Service');
    return new Map(found.map((service) => [namespacedName(service.metadata), service]));
  };
  const asTheyAre = run(patchedServices(migration, 'required').map(ofOurClass));
  const cleared = run(patchedServices(migration, 'safety').map(ofOurClass).map(withoutStatus));
  let kept = 0;
  const lost: Lost[] = [];
  const keepers = migration.holdings.keepers.filter(({ facts }) => facts !== undefined);
  for (const { name, addresses } of keepers) {
    const service = keyOfName(name);
    for (const address of addresses) {
      const first = whyLost(asTheyAre.get(service), address);
      const second = whyLost(cleared.get(service), address);
      if (first !== undefined) lost.push({ service, address, why: first });
      else if (second !== undefined) {
        lost.push({ service, address, why: `once its status is cleared: ${second}` });
      } else kept++;
    }
  }
  const services = keepers.filter(({ addresses }) => addresses.length > 0).length;
  return { services, kept, lost, unknown: keepers.filter(isUnknown).length };
}

/** Every Service of the input as it is after the patches that are needed, or after all of them. */
export function patchedServices(
  { services, patches }: Migration,
  upTo: ServicePatch['need'],
): readonly Service[] {
  const applied = patches.filter(({ need }) => upTo === 'safety' || need === 'required');
  const byKey = new Map(applied.map((patch) => [keyOfName(patch.service), patch]));
  return services.map((facts) => patched(facts, byKey.get(facts.key)));
}

/** A class can't be patched: the report says what to do about it, and the simulation takes it as done. */
function ofOurClass(service: Service): Service {
  const { loadBalancerClass, ...spec } = service.spec;
  return isKnownClass(loadBalancerClass) ? { ...service, spec } : service;
}

function parsed(manifest: object): ClusterObject {
  const result = parseObject(manifest);
  invariant(
    result.kind === 'object',
    `the import made what is not valid: ${JSON.stringify(result)}`,
  );
  return result.object;
}

function withoutStatus({ apiVersion, kind, metadata, spec }: Service): Service {
  return { apiVersion, kind, metadata, spec };
}

function whyLost(service: Service | undefined, address: string): string | undefined {
  const ingress = service?.status?.loadBalancer?.ingress ?? [];
  const has = ingress.flatMap(({ ip }) => tryParseIp(ip ?? '') ?? []);
  if (has.some((ip) => ip === address)) return undefined;
  const [condition] = service?.status?.conditions ?? [];
  const told = condition === undefined ? 'it is not of our class' : condition.message;
  return `${has.length === 0 ? 'it gets none' : `it gets ${has.join(', ')}`} (${told})`;
}
