// The Service's claim on an address that it gets or keeps, beside the claims of others. Pure.
import type { IP, IpService } from '../../api/ip.ts';
import { SERVICE_PORTS_MAX } from '../../api/limits.ts';
import type { Reason } from '../../api/reasons.ts';
import { claimKey, claimOf, newIp, sameClaim, withClaim } from '../holders/ip-object.ts';
import type { WaitKey } from '../holders/waiting.ts';
import type { Action, AssignerView } from './decision.ts';
import type { Pick } from './pick.ts';
import { formatPort, portTexts, type Ports } from './ports.ts';
import { withStatus } from './published-status.ts';
import type { ServiceCase } from './case-parts.ts';

/** What the user is told beside the addresses. */
export interface Note {
  readonly reason: Reason;
  readonly text: string;
}

export interface WrittenClaim {
  /** Undefined: the claim is there as it should be. */
  readonly action: Action | undefined;
  /** Ports that another holder has. */
  readonly refused: Ports;
  readonly notes: readonly Note[];
  readonly waits: readonly WaitKey[];
}

export function claimFor(serviceCase: ServiceCase, pick: Pick): WrittenClaim {
  const { key, view, request, service } = serviceCase;
  const { address } = pick;
  const record = view.holders.record(address);
  const others = record?.claims.filter((claim) => claimKey(claim) !== key) ?? [];
  const mine = record === undefined ? undefined : claimOf(record.claims, key);
  const ports = claimablePorts(serviceCase, mine);
  const taken = takenPorts(serviceCase, ports, mine, others);
  const sharingKey = sharingKeyOf(serviceCase, mine, others);
  const { uid, name } = service.metadata;
  const claim: IpService = {
    namespace: serviceCase.namespace,
    name,
    ...(uid === undefined ? {} : { uid }),
    ...(sharingKey === undefined ? {} : { sharingKey }),
    ports: taken.size === 0 ? ports : ports.filter((port) => !taken.has(formatPort(port))),
  };
  const notes: Note[] = [];
  for (const [port, holder] of taken) {
    const text = `port ${port} on ${address} belongs to Service ${holder}`;
    notes.push({ reason: 'PortConflict', text });
  }
  if (others.length > 0 && request.problems.length === 0 && sharingKey !== request.sharingKey) {
    const text = `the sharing key can't change while ${address} is shared with ${others.map(claimKey).join(', ')}`;
    notes.push({ reason: 'RequestNotGranted', text });
  }
  return {
    action: claimAction(pick, record?.ip, mine, claim, view),
    refused: taken.size === 0 ? NO_PORTS : ports.filter((port) => taken.has(formatPort(port))),
    notes,
    waits: notes.length === 0 ? [] : [`ip:${address}`],
  };
}

const NO_PORTS: Ports = [];
const NONE_TAKEN: ReadonlyMap<string, string> = new Map();

/** No more than an IP object names: whose Service grew beyond that keeps what it has. */
function claimablePorts({ ports }: ServiceCase, mine: IpService | undefined): Ports {
  if (ports.length <= SERVICE_PORTS_MAX) return ports;
  return mine?.ports ?? ports.slice(0, SERVICE_PORTS_MAX);
}

function claimAction(
  pick: Pick,
  ip: IP | undefined,
  mine: IpService | undefined,
  claim: IpService,
  view: AssignerView,
): Action | undefined {
  const { address, poolName } = pick;
  if (ip === undefined) {
    return { do: 'ip.create', ip: withStatus(newIp(address, poolName, claim), address, view) };
  }
  if (ip.spec.poolName === poolName && sameClaim(mine, claim)) return undefined;
  return { do: 'ip.update', ip: withStatus(withClaim(ip, poolName, claim), address, view) };
}

/**
 * Ports of the Service that another holder has, in the Service's order; who has one keeps it, and of two that have it the
 * first by name.
 */
function takenPorts(
  { key }: ServiceCase,
  ports: Ports,
  mine: IpService | undefined,
  others: readonly IpService[],
): ReadonlyMap<string, string> {
  if (others.length === 0) return NONE_TAKEN;
  const had = portTexts(mine?.ports ?? []);
  const holderOf = new Map<string, string>();
  for (const claim of others) {
    const holder = claimKey(claim);
    for (const port of claim.ports.map(formatPort)) {
      if (!holderOf.has(port) && (!had.has(port) || holder < key)) holderOf.set(port, holder);
    }
  }
  const taken = new Map<string, string>();
  for (const port of ports.map(formatPort)) {
    const holder = holderOf.get(port);
    if (holder !== undefined) taken.set(port, holder);
  }
  return taken;
}

/** While others stand on the address its sharing key stays; alone, the Service may change it. */
function sharingKeyOf(
  { request }: ServiceCase,
  mine: IpService | undefined,
  others: readonly IpService[],
): string | undefined {
  if (mine !== undefined && (others.length > 0 || request.problems.length > 0))
    return mine.sharingKey;
  return request.sharingKey;
}
