// inwinSTACK / kairen: Pool and IP of inwinstack.com in all their shapes (ipRange, address, addresses), and the annotations
// of both generations of ip-assigner. Our Pool kept their field names, so most go over one to one. Pure.
// Facts: talk generation: an IP is named as its Service and listed in its ownerReferences, and the Service has
// kairen.example.lb/address-pool. v0.4: an IP named as an address is the public address of the Services with that
// externalIPs[0]; IPs with a UUID for a name belong to their Namespace.
import { tryParseIp, type IpAddress } from '../net/address.ts';
import { Fields, type Entry } from './fields.ts';
import { childOf, isObject, listOf, textOf } from './json.ts';
import { guarded, nameText, Notes } from './notes.ts';
import { cautious, poolAddresses, poolFilters } from './pool-spec.ts';
import {
  keyOfName,
  labelOf,
  type AddressUse,
  type Converted,
  type Note,
  type PoolDraft,
  type ServiceWish,
  type SourceObject,
} from './model.ts';
import { readAddress } from './ranges.ts';
import type { ServiceFacts } from './services.ts';
import type { SystemContext } from './system.ts';
import { variableHint } from './variables.ts';

const GROUP = 'inwinstack.com';
const SYSTEM = 'inwinstack';
/** Not inwinstack.com/external-pool, which names the pool of the firewall's public address. */
const POOL_KEY = 'kairen.example.lb/address-pool';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export function isInwinstack({ group }: SourceObject): boolean {
  return group === GROUP;
}

export function convertInwinstack(
  objects: readonly SourceObject[],
  context: SystemContext,
): Converted {
  const notes: Note[] = [];
  const pools: PoolDraft[] = [];
  const uses: AddressUse[] = [];
  const allocated: { readonly object: SourceObject; readonly addresses: readonly string[] }[] = [];
  for (const object of objects) {
    guarded(notes, object, (about) => {
      if (object.kind === 'Pool' || object.kind === 'IPPool') {
        const pool = readPool(object, about);
        if (pool !== undefined) pools.push(pool);
        allocated.push({ object, addresses: allocatedOf(object) });
      } else if (object.kind === 'IP') uses.push(...readIp(object, context.services, about));
      else {
        about.add(
          'no-equivalent',
          'a kind of pa-controller or one that the import does not know; it is left out',
        );
      }
    });
  }
  for (const { object, addresses } of allocated) {
    guarded(notes, object, (about) => noteLeaks(addresses, uses, about));
  }
  const wishes = context.services.flatMap((facts) => wishOf(facts, pools, uses, notes) ?? []);
  return { pools, uses, wishes, notes };
}

function readPool(object: SourceObject, notes: Notes): PoolDraft | undefined {
  const spec = Fields.specOf(object, notes);
  const entries = [
    ...spec.entries('addresses'),
    ...textEntries(spec, ['address', 'ipRange', 'CIDR']),
  ];
  const filters = [...spec.entries('filterIPs'), ...textEntries(spec, ['gateway'])];
  const autoAssign =
    (spec.flag('assignToNamespace') ?? spec.flag('autoAssignToNamespace')) === true;
  const ignoreNamespaces = spec.texts('ignoreNamespaces');
  const avoidBuggyIPs = spec.flag('avoidBuggyIPs') === true;
  const avoidGatewayIPs = spec.flag('avoidGatewayIPs') === true;
  spec.ignore('assignToNamespace', 'autoAssignToNamespace', 'ignoreNamespaceAnnotation');
  spec.unsupported('nameservers', 'vipvs configures no hosts');
  spec.end();
  const addresses = poolAddresses(entries, 'spec.addresses', notes);
  if (addresses === undefined) return undefined;
  const filterIPs = poolFilters(filters, notes);
  const text = autoAssign
    ? 'set: the Pool has autoAssign: true, and Services get its addresses without asking'
    : 'not set: the Pool has autoAssign: false, and Services get its addresses when they ask for it';
  notes.add('ambiguous', text, 'spec.assignToNamespace');
  const draft = {
    addresses,
    ...(filterIPs.length === 0 ? {} : { filterIPs }),
    ...(avoidBuggyIPs ? { avoidBuggyIPs } : {}),
    ...(avoidGatewayIPs ? { avoidGatewayIPs } : {}),
    ...(ignoreNamespaces.length === 0 ? {} : { ignoreNamespaces }),
    ...(autoAssign ? {} : { autoAssign }),
  };
  return {
    system: SYSTEM,
    name: object.name,
    origin: labelOf(object),
    where: object.where,
    spec: cautious(draft, notes.damages > 0, notes),
  };
}

function textEntries(spec: Fields, keys: readonly string[]): readonly Entry[] {
  return keys.flatMap((key): readonly Entry[] => {
    const text = spec.text(key);
    return text === undefined || text === '' ? [] : [{ text, field: spec.pathOf(key) }];
  });
}

function allocatedOf({ raw }: SourceObject): readonly string[] {
  const status = childOf(raw, 'status');
  return listOf(status, 'allocatedIPs').filter((item) => typeof item === 'string');
}

/** ipam loses an address when it stops between its two writes. */
function noteLeaks(addresses: readonly string[], uses: readonly AddressUse[], notes: Notes): void {
  const used = new Set<string>(uses.map(({ address }) => address));
  const leaked = addresses.filter((address) => !used.has(address));
  if (leaked.length === 0) return;
  const text = `${leaked.join(', ')} without an IP object in the input: taken as leaked, free in the new Pool`;
  notes.add('ambiguous', text, 'status.allocatedIPs');
}

function readIp(
  object: SourceObject,
  services: readonly ServiceFacts[],
  notes: Notes,
): readonly AddressUse[] {
  const spec = Fields.specOf(object, notes);
  spec.ignore('poolName', 'updateNamespace', 'markNamespaceRefresh');
  const wanted = spec.text('wantedAddress');
  spec.unsupported('mac', 'vipvs uses the MAC address of the interface');
  spec.end();
  const status = childOf(object.raw, 'status');
  const text = textOf(status, 'address') ?? wanted;
  if (text === undefined || text === '') {
    notes.add('ambiguous', 'has no address yet: nothing to keep', 'status.address');
    return [];
  }
  const address = readAddress(text, 'status.address');
  const base = { system: SYSTEM, address, origin: labelOf(object), where: object.where } as const;
  const privateIp = tryParseIp(object.name);
  if (privateIp !== undefined) {
    notes.add(
      'no-equivalent',
      `${address} is the public address that a firewall maps to ${privateIp}: it is kept out of use; the Services keep ${privateIp}`,
    );
    return [{ ...base, retain: true }, ...privateUses(object, privateIp, services)];
  }
  const { namespace } = object;
  if (namespace === undefined) {
    notes.add('error', `has no namespace in the file: ${address} is kept out of use, for nobody`);
    return [{ ...base, retain: true }];
  }
  const owner = ownerOf(object) ?? object.name;
  const service = { namespace, name: owner };
  const isThere = services.some(({ key }) => key === keyOfName(service));
  if (UUID.test(object.name) && !isThere) {
    const taken = privateUses(object, address, services);
    return taken.length > 0 ? taken : [{ ...base, forNamespace: namespace, retain: true }];
  }
  if (!isThere) {
    notes.add('ambiguous', `kept for Service ${namespace}/${owner}, which is not in the input`);
  }
  return [{ ...base, service }];
}

function ownerOf({ raw }: SourceObject): string | undefined {
  const metadata = childOf(raw, 'metadata');
  const owners = listOf(metadata, 'ownerReferences').filter(isObject);
  const owner = owners.find(({ kind }) => kind === 'Service');
  return owner === undefined ? undefined : textOf(owner, 'name');
}

/** The Services of the namespace that are reached under the address: their externalIPs name it. */
function privateUses(
  object: SourceObject,
  address: IpAddress,
  services: readonly ServiceFacts[],
): readonly AddressUse[] {
  const { namespace, where } = object;
  const origin = labelOf(object);
  return services
    .filter((facts) => facts.name.namespace === namespace && facts.externalIPs[0] === address)
    .map(({ name }) => ({ system: SYSTEM, address, service: name, origin, where }));
}

/** A Service that ip-assigner served: by its pool annotation, or because an IP is its. */
function wishOf(
  facts: ServiceFacts,
  pools: readonly PoolDraft[],
  uses: readonly AddressUse[],
  all: Note[],
): ServiceWish | undefined {
  const asked = facts.annotations[POOL_KEY] ?? '';
  const pool = pools.find((draft) => draft.name === asked);
  if (pool === undefined && asked !== '') {
    const message = `asks for Pool ${nameText(asked)}, which is not among the imported ones${variableHint(asked)}`;
    Notes.ofService(all, facts).add('ambiguous', message, `metadata.annotations[${POOL_KEY}]`);
  }
  const isServed = uses.some(
    ({ service }) => service !== undefined && keyOfName(service) === facts.key,
  );
  if (pool === undefined && !isServed) return undefined;
  return {
    service: facts.name,
    ...(pool === undefined ? {} : { pool }),
    makeLoadBalancer: true,
    why: 'ip-assigner serves any type by spec.externalIPs, vipvs type LoadBalancer by status.loadBalancer',
  };
}
