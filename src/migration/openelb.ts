// OpenELB: Eip (network.kubesphere.io/v1alpha2), with who has what in its status, and annotations on Services. Pure.
// Facts (openelb.io, IP address assignment): automatic choice looks at Eips that name the namespace, the lowest priority
// value first, then at the default Eip; all others only by annotation, which asks for no namespace.
import { tryParseIp } from '../net/address.ts';
import { childOf, Fields, guarded, type Notes } from './fields.ts';
import { interfaceProblem } from './interfaces.ts';
import {
  labelOf,
  type AddressUse,
  type Converted,
  type Note,
  type PoolDraft,
  type ServiceWish,
  type SourceObject,
} from './model.ts';
import { readAddress, readRange } from './ranges.ts';
import type { ServiceFacts } from './services.ts';
import type { SystemContext } from './system.ts';

const GROUP = 'network.kubesphere.io';
const DEFAULT_KEY = 'eip.openelb.kubesphere.io/is-default-eip';
const ADDRESS_KEY = 'eip.openelb.kubesphere.io/v1alpha1';
const POOL_KEY = 'eip.openelb.kubesphere.io/v1alpha2';
const PRIORITY_MAX = 999_999;

export function isOpenelb(object: SourceObject): boolean {
  return object.group === GROUP;
}

export function convertOpenelb(
  objects: readonly SourceObject[],
  context: SystemContext,
): Converted {
  const notes: Note[] = [];
  const pools: PoolDraft[] = [];
  const uses: AddressUse[] = [];
  for (const object of objects) {
    guarded(notes, object, (about) => {
      if (object.kind === 'Eip') {
        pools.push(readEip(object, about));
        uses.push(...readUsed(object));
      } else if (object.kind === 'BgpConf' || object.kind === 'BgpPeer') {
        about.add(
          'no-equivalent',
          'vipvs does not speak BGP: let a BGP daemon on the directors announce the VIPs',
        );
      } else {
        about.add('no-equivalent', 'a kind that the import does not know; it is left out');
      }
    });
  }
  uses.push(...context.services.flatMap((facts) => askedOf(facts) ?? []));
  const wishes = context.services.flatMap((facts) => wishOf(facts, pools) ?? []);
  return { pools, uses, wishes, notes };
}

function readEip(object: SourceObject, notes: Notes): PoolDraft {
  const spec = Fields.specOf(object, notes);
  const address = spec.required('address');
  readRange(address, 'spec.address');
  const disabled = spec.flag('disable') === true;
  const priority = spec.integer('priority') ?? 0;
  const namespaces = spec.texts('namespaces');
  const labels = spec.map('namespaceSelector');
  const bindInterface = readInterface(spec.text('interface'), notes);
  if ((spec.text('protocol') ?? 'bgp') === 'bgp') {
    const text =
      'bgp: vipvs does not speak BGP; let a BGP daemon on the directors announce the VIPs';
    notes.add('no-equivalent', text, 'spec.protocol');
  }
  spec.ignore('usingKnownIPs');
  spec.end();
  const isFor = namespaces.length > 0 || Object.keys(labels).length > 0;
  const autoAssign = isFor || annotationOf(object, DEFAULT_KEY) === 'true';
  return {
    system: 'openelb',
    name: object.name,
    origin: labelOf(object),
    ...(isFor ? { isOpen: true as const } : {}),
    spec: {
      addresses: [address],
      ...(autoAssign ? {} : { autoAssign }),
      ...(disabled ? { disabled } : {}),
      ...(isFor
        ? {
            serviceAllocation: {
              // there 0 comes first, in a Pool last
              priority: Math.min(Math.max(priority, 0), PRIORITY_MAX) + 1,
              ...(namespaces.length === 0 ? {} : { namespaces }),
              ...(Object.keys(labels).length === 0
                ? {}
                : { namespaceSelectors: [{ matchLabels: labels }] }),
            },
          }
        : {}),
      ...(bindInterface === undefined ? {} : { bindInterface }),
    },
  };
}

function readInterface(name: string | undefined, notes: Notes): string | undefined {
  if (name === undefined || name === '') return undefined;
  if (name.startsWith('can_reach:')) {
    const text = `${name}: chosen by each node; set spec.bindInterface, or --bind-iface of the agent decides`;
    notes.add('ambiguous', text, 'spec.interface');
    return undefined;
  }
  const problem = interfaceProblem(name);
  if (problem === undefined) return name;
  notes.add('no-equivalent', problem, 'spec.interface');
  return undefined;
}

function annotationOf(object: SourceObject, key: string): unknown {
  const metadata = childOf(object.raw, 'metadata');
  const annotations = childOf(metadata, 'annotations');
  return annotations[key];
}

/** status.used: address -> `namespace/name`, several separated by semicolons. */
function readUsed(object: SourceObject): readonly AddressUse[] {
  const status = childOf(object.raw, 'status');
  const used = childOf(status, 'used');
  return Object.entries(used).flatMap(([text, holders]) => {
    const address = readAddress(text, 'status.used');
    const origin = `${labelOf(object)}: status.used`;
    return String(holders)
      .split(';')
      .flatMap((holder): readonly AddressUse[] => {
        const [namespace = '', name = ''] = holder.trim().split('/');
        return namespace === '' || name === ''
          ? []
          : [{ system: 'openelb', address, service: { namespace, name }, origin }];
      });
  });
}

/** The Eip that the Service asks for by annotation. */
function wishOf(facts: ServiceFacts, pools: readonly PoolDraft[]): ServiceWish | undefined {
  const pool = pools.find((draft) => draft.name === facts.annotations[POOL_KEY]);
  return pool === undefined
    ? undefined
    : { service: facts.name, pool, why: `${POOL_KEY} is not read` };
}

/** The address that the Service asks for by annotation; what it shows counts more. */
function askedOf({ annotations, shown, name }: ServiceFacts): AddressUse | undefined {
  const text = annotations[ADDRESS_KEY];
  const address = text === undefined ? undefined : tryParseIp(text.trim());
  if (address === undefined || shown.length > 0) return undefined;
  return { system: 'openelb', address, service: name, origin: `annotation ${ADDRESS_KEY}` };
}
